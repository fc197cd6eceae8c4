/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hd.c - frames and datagrams to the hd module, on the fake core,
 * and keys as text.
 *
 * Input: 1 byte where they arrive, 1 byte how they are split, then the bytes.
 * The same bytes in one piece must have the same effect. Behind a signature
 * that is right (IN_ENROLL) they are the agent and the proofs. Datagrams: the
 * second byte is the cipher; each has 1 byte how it is sealed and where it
 * comes from, and 1 byte length. */
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"
#include "t/fuzz/feed.h"
#include "t/unit/fake_core.h"
#include "modules/hd/path.h"
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum where { BEFORE_LOGIN, IN_ENROLL, ADMITTED, TEXT, DATAGRAMS, WHERE_N };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- what the fake core does not have ---- */

static uint64_t now_ms = 1000;

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return now_ms;
}

unsigned hd_workers(void)
{
	return 2;
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

static struct hd_stream *connect_at(int where)
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

static void feed_enroll(unsigned seed, const uint8_t *p, size_t n)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_ENROLL_MAX_BYTES];
	uint8_t *to = enroll_put(frame, (uint32_t)n);

	if (n > HDP_ENROLL_MAX_BYTES - HDP_HELLO_BYTES)
		return;
	memcpy(to, p, n);
	feed_both(connect_at, IN_ENROLL, seed, frame,
		  (size_t)(to - frame) + n);
}

/* ---- datagrams ---- */

struct sender { /* the client's end of the path */
	struct hdp_udp_tx tx;
	uint32_t conn;
	union hd_addr from;
};

/* Nothing goes to an address that has not shown itself, but what is no longer
 * than what came from there. */
static void give(struct sender *c, struct hd_stream *s, uint8_t *p, size_t n)
{
	const struct hdp_state *d = s->state;
	struct hd_datagram dg = { .from = c->from,
				  .data = malloc(n + 1),
				  .len_bytes = (uint32_t)n };

	memcpy(dg.data, p, n);
	fake.udp.out_len = 0;
	fake.udp.fn(&fake.module, &fake.udp, fake.udp.arg, &dg, 1);
	hd_assert(fake.udp.out_len <= n);
	if (fake.udp.out_len > 0)
		hd_assert(fake.udp.to.in.sin_port == c->from.in.sin_port);
	hd_assert(!d->path->valid || d->path->at.addr.in.sin_port != 0);
	free(dg.data);
}

static void one(struct sender *c, struct hd_stream *s, uint8_t how,
		const uint8_t *p, size_t n)
{
	const struct hdp_state *d = s->state;
	uint8_t out[HDP_UDP_MAX_BYTES], data[256];

	c->from.in.sin_port = 1 + (how >> 6);
	now_ms += how & 8 ? 400 : 10;
	memcpy(data, p, n);
	if ((how & 3) == 3) { /* as it is */
		give(c, s, data, n);
		return;
	}
	if (how & 4 && n > HDP_UDP_TOKEN_BYTES) /* the right token */
		memcpy(data + 1, d->path->token, HDP_UDP_TOKEN_BYTES);
	n = hdp_udp_seal(&c->tx,
			 how & 1 ? HDP_UDP_PACKET : HDP_UDP_CONTROL,
			 how & 2 ? c->conn | 1u << 24 : c->conn, data, n, NULL,
			 0, out);
	give(c, s, out, n);
}

static void deliver(struct hd_stream *s, bool is_signal, const uint8_t *p,
		    size_t n)
{
	const struct hd_key key = { { 1 } };
	const struct hd_packet packet = { .src = &key,
					  .dst = &key,
					  .data = p,
					  .len_bytes = (uint32_t)n,
					  .realm = hdp_relay->realm,
					  .urgent = is_signal };

	hdp_peer_ops.deliver(&fake.module, &s->peer, &packet);
}

static void feed_datagrams(unsigned cipher, const uint8_t *p, size_t n)
{
	struct hdp_udp_secret sealed = {
		.suite = suite = HD_AEAD_AES_128_GCM + (int)(cipher % 3)
	};
	struct hd_stream *s = connect_at(ADMITTED);
	const struct hdp_state *d = s->state;
	struct sender c = { .conn = d->path->conn,
			    .from.in.sin_family = AF_INET };

	memset(sealed.v, 0x0b, sizeof(sealed.v));
	hdp_udp_tx_init(&c.tx, NULL, &sealed);
	while (n >= 2) {
		size_t len = HD_MIN((size_t)p[1], n - 2);

		one(&c, s, p[0], p + 2, len);
		if (p[0] & 16)
			deliver(s, p[0] & 32, p + 2, len);
		p += 2 + len;
		n -= 2 + len;
	}
	hdp_udp_tx_end(&c.tx);
	fake_close(s, HD_CLOSE_PEER);
	fake_stream_free(&s);
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
	else if (where == DATAGRAMS)
		feed_datagrams(p[1], p + 2, n - 2);
	else if (where == IN_ENROLL)
		feed_enroll(p[1], p + 2, n - 2);
	else
		feed_both(connect_at, (int)where, p[1], p + 2, n - 2);
	return 0;
}
