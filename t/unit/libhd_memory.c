/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_memory.c - what a peer can have a connection of QUIC keep.
 *
 * One end becomes somebody who leaves out each stream's beginning, so that all
 * else of it is out of order, and who does not hear that a stream is not
 * wanted: what it sends is changed before it is encrypted, and what it gets
 * behind that. (Frames: RFC 9000, 19.) */
#include "t/unit/libhd_ends.h"

enum {
	PADDING = 0,
	ACK = 2,
	ACK_ECN = 3,
	RESET_STREAM = 4,
	STOP_SENDING = 5,
	CRYPTO = 6,
	STREAM = 8,
	STREAM_LAST = 15,
	STREAM_HAS_LENGTH = 2,
	STREAM_HAS_OFFSET = 4,
	MAX_DATA = 0x10,
	MAX_STREAM_DATA = 0x11,
	STREAMS_BLOCKED = 0x17,
	NEW_CONNECTION_ID = 0x18,
};
#define PACKET_MAX_BYTES 16384
#define TOKEN_BYTES 16
#define WINDOW_BYTES (4u << 20) /* of a stream */
#define STREAMS 64

#define CRYPT_ARGS                                                             \
	uint8_t *dest, const ngtcp2_crypto_aead *aead,                         \
		const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,        \
		size_t n, const uint8_t *nonce, size_t nonce_n,                \
		const uint8_t *aad, size_t aad_n

int __real_ngtcp2_crypto_encrypt_cb(CRYPT_ARGS);
int __wrap_ngtcp2_crypto_encrypt_cb(CRYPT_ARGS);
int __real_ngtcp2_crypto_decrypt_cb(CRYPT_ARGS);
int __wrap_ngtcp2_crypto_decrypt_cb(CRYPT_ARGS);

static bool hostile;

/* ---- frames ---- */

static uint64_t number(uint8_t **p)
{
	unsigned n = 1u << (**p >> 6);
	uint64_t v = *(*p)++ & 0x3f;

	while (--n > 0)
		v = v << 8 | *(*p)++;
	return v;
}

static uint8_t *numbers(uint8_t *p, uint64_t n)
{
	while (n-- > 0)
		(void)number(&p);
	return p;
}

static uint8_t *ack_end(uint8_t *p, uint8_t type)
{
	uint64_t ranges;

	p = numbers(p, 2);
	ranges = number(&p);
	return numbers(p, 1 + 2 * ranges + (type == ACK_ECN ? 3 : 0));
}

static uint8_t *stream_end(uint8_t *p, uint8_t *end, uint8_t type)
{
	uint64_t n;

	p = numbers(p, 1 + ((type & STREAM_HAS_OFFSET) != 0));
	if ((type & STREAM_HAS_LENGTH) == 0)
		return end;
	n = number(&p);
	return p + n;
}

static uint8_t *frame_end(uint8_t *p, uint8_t *end)
{
	uint8_t type = *p++;

	if (type == ACK || type == ACK_ECN)
		return ack_end(p, type);
	if (type == RESET_STREAM)
		return numbers(p, 3);
	if (type == STOP_SENDING || type == MAX_STREAM_DATA)
		return numbers(p, 2);
	if (type >= STREAM && type <= STREAM_LAST)
		return stream_end(p, end, type);
	if (type == NEW_CONNECTION_ID) {
		p = numbers(p, 2);
		return p + 1 + *p + TOKEN_BYTES;
	}
	assert_int_not_equal(type, CRYPTO); /* those are over */
	return type >= MAX_DATA && type <= STREAMS_BLOCKED ? numbers(p, 1) : p;
}

static bool is_unwanted(uint8_t type)
{
	return type == STOP_SENDING || type == RESET_STREAM ||
	       (type >= STREAM && type <= STREAM_LAST &&
		(type & STREAM_HAS_OFFSET) == 0);
}

static void take_out(uint8_t *p, size_t n)
{
	uint8_t *end = p + n, *next;

	for (; p < end; p = next) {
		next = frame_end(p, end);
		assert_true(next <= end);
		if (is_unwanted(*p))
			memset(p, PADDING, (size_t)(next - p));
	}
}

int __wrap_ngtcp2_crypto_encrypt_cb(CRYPT_ARGS)
{
	uint8_t v[PACKET_MAX_BYTES];

	assert_true(n <= sizeof(v));
	memcpy(v, text, n);
	if (hostile)
		take_out(v, n);
	return __real_ngtcp2_crypto_encrypt_cb(dest, aead, ctx, v, n, nonce,
					       nonce_n, aad, aad_n);
}

int __wrap_ngtcp2_crypto_decrypt_cb(CRYPT_ARGS)
{
	int r = __real_ngtcp2_crypto_decrypt_cb(dest, aead, ctx, text, n, nonce,
						nonce_n, aad, aad_n);

	if (r == 0 && hostile)
		take_out(dest, n - aead->max_overhead);
	return r;
}

/* ---- */

static void refuse(struct end *e)
{
	if (e->got != NULL)
		libhd_stream_close(&e->got);
}

/* As much as one stream may send, to who has no use for it. */
static void fill(struct end *a, struct end *b)
{
	static const char block[BLOCK_BYTES];
	int64_t until_ms = hdl_now_ms() + WAIT_MS;
	struct libhd_stream *s;

	assert_int_equal(libhd_stream_open(a->other, &s), 0);
	while (b->other->quic != NULL && s->error == 0 &&
	       s->sent < WINDOW_BYTES && hdl_now_ms() < until_ms) {
		while (libhd_stream_write(s, block, sizeof(block)) > 0)
			;
		carry(a, b);
		if (b->other->quic != NULL)
			assert_in_range(b->other->quic->mem_bytes, 0,
					HDL_CONN_MEMORY_BYTES + 4096);
		refuse(b);
		carry(b, a);
	}
	assert_true(s->sent == WINDOW_BYTES || b->other->quic == NULL);
}

static void who_goes_on_with_what_nobody_wants_is_cut_off(void **state)
{
	struct libhd_stream *s, *t;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	t = b.got;
	b.got = NULL;
	TURN_UNTIL(&a, &b, libhd_stream_unsent_bytes(s) == 0);
	hostile = true;
	for (unsigned i = 0; i < STREAMS && b.other->quic != NULL; i++)
		fill(&a, &b);
	hostile = false;
	assert_null(b.other->quic);
	assert_int_equal(t->error, -ENOMEM);
	TURN_UNTIL(&a, &b, s->error != 0);
	libhd_stream_close(&s);
	libhd_stream_close(&t);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* Two streams, which together have the window of the connection, lose their
 * beginnings. */
static void what_is_lost_on_the_way_fits(void **state)
{
	static const char block[BLOCK_BYTES];
	struct libhd_stream *s[2], *t[2];
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	for (unsigned i = 0; i < 2; i++) {
		s[i] = opened(&a, &b);
		t[i] = b.got;
		TURN_UNTIL(&a, &b, libhd_stream_unsent_bytes(s[i]) == 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(libhd_stream_write(s[i], block, 1000), 1000);
		while (s[i]->sent == 1) {
			hdl_streams_run(a.h);
			hdl_buf_free(&a.h->out);
		}
	}
	while (t[0]->in.to + t[1]->in.to < 2 * WINDOW_BYTES) {
		for (unsigned i = 0; i < 2; i++)
			while (libhd_stream_write(s[i], block, sizeof(block)) >
			       0)
				;
		carry(&a, &b);
		carry(&b, &a);
		assert_int_equal(s[0]->error | s[1]->error, 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		libhd_stream_close(&s[i]);
		libhd_stream_close(&t[i]);
	}
	libhd_free(&a.h);
	libhd_free(&b.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_goes_on_with_what_nobody_wants_is_cut_off),
		cmocka_unit_test(what_is_lost_on_the_way_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
