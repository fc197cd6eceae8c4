/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hd.c - frames to the hd module, on the fake core, and keys as
 * text.
 *
 * Input: 1 byte where they arrive, 1 byte how they are split, then the bytes.
 * The same bytes in one piece must have the same effect. Behind a signature
 * that is right (IN_ENROLL) they are the agent and the proofs. */
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"
#include "t/unit/fake_core.h"
#include <hyper-derp/relay.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>

enum where { BEFORE_LOGIN, IN_ENROLL, ADMITTED, TEXT, WHERE_N };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- what the fake core does not have ---- */

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return 1000;
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
};
static struct hdp_conf conf = {
	.keepalive_ms = 50000,
	.contacts_max = 8,
	.enroll = HDP_WHO_ANYBODY,
};
static uint8_t identity[crypto_sign_PUBLICKEYBYTES];
static uint8_t secret[crypto_sign_SECRETKEYBYTES];

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
	*p++ = HDP_ENROLL_KNOCKS;
	memcpy(p, identity, sizeof(identity));
	crypto_sign_detached(p + sizeof(identity), NULL, message,
			     sizeof(message), secret);
	return p + sizeof(identity) + HDP_SIGNATURE_BYTES;
}

static struct hd_stream *connect_at(enum where where)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_ENROLL_MIN_BYTES];
	struct hd_stream *s = fake_stream_new(&hdp_proto);

	if (where == ADMITTED) {
		*enroll_put(frame, 1) = 0;
		fake_feed(s, frame, sizeof(frame));
		hd_assert(s->logging_in);
		fake_admit(s);
		fake_out_clear(s);
	}
	return s;
}

/* ---- the bytes ---- */

static void feed_split(struct hd_stream *s, unsigned seed, const uint8_t *p,
		       size_t n)
{
	for (size_t at = 0; at < n && !s->closing && !s->logging_in;) {
		size_t piece;

		seed = seed * 1103515245 + 12345;
		piece = HD_MIN(n - at, 1 + (size_t)(seed >> 16 & 63));
		fake_feed(s, p + at, piece);
		at += piece;
	}
}

static void compare(const struct hd_stream *whole, unsigned whole_sent,
		    const struct hd_stream *split, unsigned split_sent)
{
	hd_assert(whole->closing == split->closing);
	hd_assert(whole->logging_in == split->logging_in);
	hd_assert(whole_sent == split_sent);
	hd_assert(whole->out.n == split->out.n);
	hd_assert(whole->out.n == 0 ||
		  memcmp(whole->out.v, split->out.v, split->out.n) == 0);
}

static void feed_both(enum where where, unsigned seed, const uint8_t *p,
		      size_t n)
{
	struct hd_stream *whole = connect_at(where), *split;
	unsigned whole_sent, split_sent;

	fake.n_sent = 0;
	fake_feed(whole, p, n);
	whole_sent = fake.n_sent;
	split = connect_at(where);
	fake.n_sent = 0;
	feed_split(split, seed, p, n);
	split_sent = fake.n_sent;
	compare(whole, whole_sent, split, split_sent);
	fake_close(whole, HD_CLOSE_PEER);
	fake_close(split, HD_CLOSE_PEER);
	fake_stream_free(&whole);
	fake_stream_free(&split);
}

static void feed_enroll(unsigned seed, const uint8_t *p, size_t n)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_ENROLL_MAX_BYTES];
	uint8_t *to = enroll_put(frame, (uint32_t)n);

	if (n > HDP_ENROLL_MAX_BYTES - HDP_HELLO_BYTES)
		return;
	memcpy(to, p, n);
	feed_both(IN_ENROLL, seed, frame, (size_t)(to - frame) + n);
}

/* What is taken is what one would write. */
static void read_text(const uint8_t *p, size_t n)
{
	char *text = calloc(1, n + 1), again[HDP_IDENTITY_TEXT_BYTES];
	uint8_t key[HD_KEY_BYTES];

	memcpy(text, p, n);
	if (hdp_bech32_bytes(HDP_IDENTITY_PART, text, key, sizeof(key)) == 0) {
		hdp_bech32_text(HDP_IDENTITY_PART, key, sizeof(key), again,
				sizeof(again));
		hd_assert(strcasecmp(text, again) == 0);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum where where;

	if (n < 2)
		return 0;
	where = p[0] % WHERE_N;
	if (where == TEXT)
		read_text(p + 2, n - 2);
	else if (where == IN_ENROLL)
		feed_enroll(p[1], p + 2, n - 2);
	else
		feed_both(where, p[1], p + 2, n - 2);
	return 0;
}
