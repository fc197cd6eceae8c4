/* SPDX-License-Identifier: MIT */
/* t/fuzz/hd_fuzz.h - a relay's hd module on the fake core, and clients of it.
 * For one program of one file. */
#pragma once
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "modules/hd/path.h"
#include "modules/hd/redirect.h"
#include "t/unit/fake_core.h"

/* ---- what the fake core does not have ---- */

static uint64_t now_ms = 1000;

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return now_ms;
}

static unsigned n_workers = 2; /* all of them are the fake one */

unsigned hd_workers(void)
{
	return n_workers;
}

unsigned hd_worker_index(const struct hd_worker *w)
{
	(void)w;
	return 0;
}

struct hd_worker *hd_worker_at(unsigned i)
{
	(void)i;
	return &fake.worker;
}

int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
	    void *arg, hd_drop_fn *drop)
{
	(void)drop;
	fn(mod, w, arg);
	return 0;
}

/* 0 is DERP's, as in the core. */
const char *hd_realm_name(uint16_t realm)
{
	return realm == 0 ? "" : HDP_REALM;
}

bool hd_module_kept(const struct hd_module *mod, const struct hd_worker *w)
{
	(void)mod, (void)w;
	return false;
}

int hd_peer_received(struct hd_peer *peer, uint32_t len_bytes, uint32_t packets)
{
	(void)peer, (void)packets;
	return len_bytes == 77 ? -EBUSY : len_bytes == 78 ? -ESHUTDOWN : 0;
}

void hd_peer_sent(struct hd_peer *peer, uint32_t len_bytes)
{
	(void)peer, (void)len_bytes;
}

void hd_peer_by_datagrams(struct hd_peer *peer, bool on)
{
	(void)peer, (void)on;
}

void *hd_stream_state(struct hd_stream *s)
{
	return s->state;
}

int hd_stream_export(struct hd_stream *s, const char *label,
		     const void *context, size_t context_bytes, uint8_t *out,
		     size_t out_bytes)
{
	(void)s, (void)label, (void)context, (void)context_bytes;
	memset(out, 0x0b, out_bytes);
	return 0;
}

static int suite = HD_AEAD_AES_128_GCM;

int hd_stream_aead(struct hd_stream *s)
{
	(void)s;
	return suite;
}

/* What a client's operator has chosen may end no text of JSON. */
void hd_event(const char *name, const char *json)
{
	(void)name;
	for (; *json != '\0'; json++)
		hd_assert(*json >= ' ' && *json <= '~' && *json != '\\');
}

/* modules/hd/redirect.c, which asks the core about peers */
void hdp_redirect_drains(struct hd_module *mod, struct hd_peer *peer)
{
	(void)mod, (void)peer;
}

void hdp_redirect_by_rule(struct hd_module *mod, const struct hdp_state *d)
{
	(void)mod, (void)d;
}

/* modules/hd/admission.c, which the fake core has no hooks for */
bool hdp_admission_waits(const struct hdp_state *d)
{
	(void)d;
	return false;
}

void hdp_admission_over(struct hdp_state *d)
{
	free(d->claim);
	d->claim = NULL;
}

/* ---- a relay and a client of it ---- */

struct hdp_relay *hdp_relay;

static const struct hd_module_def def = {
	.metrics_size = sizeof(struct hdp_numbers),
	.worker_size = sizeof(struct hdp_worker),
	.start = hdp_udp_start,
	.stop = hdp_udp_stop,
};
static struct hdp_conf conf = {
	.keepalive_ms = 50000,
	.contacts_max = 8,
	.enroll = HDP_WHO_ANYBODY,
	.udp.in = { .sin_family = AF_INET, .sin_port = 0x0f27 },
};
static uint8_t identity[crypto_sign_PUBLICKEYBYTES];
static uint8_t secret[crypto_sign_SECRETKEYBYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct hdp_relay relay;
	static const uint8_t seed[crypto_sign_SEEDBYTES] = { 1 };
	static const uint8_t other[crypto_sign_SEEDBYTES] = { 2 };
	struct hd_error err;

	(void)argc, (void)argv;
	if (sodium_init() < 0)
		return -1;
	crypto_sign_seed_keypair(relay.key.identity, relay.key.secret, seed);
	crypto_sign_seed_keypair(relay.operator_key.identity,
				 relay.operator_key.secret, seed);
	crypto_sign_seed_keypair(identity, secret, other);
	relay.realm = 1;
	hdp_relay = &relay;
	fake.quiet = true;
	return fake_load(&def, &conf, &err);
}

/* Enroll up to the length of the agent. Returns the byte behind it. */
static uint8_t *enroll_put(uint8_t *p, uint32_t rest_bytes)
{
	uint8_t binding[HDP_BINDING_BYTES], message[HDP_SIGNED_BYTES];

	memset(binding, 0x0b, sizeof(binding));
	hdp_signed_put(message, HDP_LABEL_CLIENT, binding,
		       hdp_relay->key.identity);
	p = hdp_header_put(p, HDP_ENROLL, HDP_HELLO_BYTES + rest_bytes);
	*p++ = HDP_VERSION;
	*p++ = HDP_ENROLL_KNOCKS | HDP_ENROLL_UDP;
	memcpy(p, identity, sizeof(identity));
	crypto_sign_detached(p + sizeof(identity), NULL, message,
			     sizeof(message), secret);
	return p + sizeof(identity) + HDP_SIGNATURE_BYTES;
}

/* @admitted  else it has only connected */
static struct hd_stream *client_new(bool admitted)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_ENROLL_MIN_BYTES];
	struct hd_stream *s = fake_stream_new(&hdp_proto);

	if (admitted) {
		*enroll_put(frame, 1) = 0;
		fake_feed(s, frame, sizeof(frame));
		hd_assert(s->logging_in);
		fake_admit(s);
		fake_out_clear(s);
	}
	return s;
}
