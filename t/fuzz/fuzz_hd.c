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
#include "t/fuzz/feed.h"
#include "t/fuzz/hd_fuzz.h"

enum where { BEFORE_LOGIN, IN_ENROLL, ADMITTED, TEXT, DATAGRAMS, WHERE_N };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct hd_stream *connect_at(int where)
{
	return client_new(where == ADMITTED);
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
