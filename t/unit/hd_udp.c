/* SPDX-License-Identifier: MIT */
/* t/unit/hd_udp.c - datagrams of HD, with each cipher: the vectors of
 * doc/reference/protocol-hd.md, the replay window beside the simplest thing
 * that could be right, epochs, and what nobody who has the key has made. */
#include <errno.h>
#include <stdlib.h>
#include "modules/hd/udp_keys.h"
#include "t/unit/unit.h"

#define CONN 0x01000002

static struct hdp_udp_secret secret = { .v = {
	0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
	0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5,
	0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
} };

struct datagram {
	uint8_t v[HDP_UDP_MAX_BYTES];
	size_t n;
};

/* The next one of a sender, or with that counter, of its epoch. */
static struct datagram sealed(struct hdp_udp_tx *tx, const char *text)
{
	struct datagram d;

	d.n = hdp_udp_seal(tx, HDP_UDP_PACKET, CONN, text, strlen(text), NULL,
			   0, d.v);
	assert_int_equal(d.n, HDP_UDP_FRAME_BYTES + strlen(text));
	return d;
}

static void ends(struct hdp_udp_tx *tx, struct hdp_udp_rx *rx)
{
	hdp_udp_tx_end(tx);
	hdp_udp_rx_end(rx);
	assert_true(sodium_is_zero((uint8_t *)tx, sizeof(*tx)));
	assert_true(sodium_is_zero((uint8_t *)rx, sizeof(*rx)));
}

static int opened(struct hdp_udp_rx *rx, struct datagram d)
{
	struct hdp_udp_head head;

	assert_true(hdp_udp_head_get(d.v, d.n, &head));
	return hdp_udp_open(rx, &head, d.v, d.n);
}

/* What is sealed, with its tag: the packet "hi" for the handle 00010002, and
 * Ping "ping 123", the first of the second epoch. */
static const struct vector {
	uint8_t packet[22], ping[33];
} vectors[] = {
	{ { 0x46, 0x59, 0xb2, 0x2d, 0x54, 0xaf, 0x0d, 0xee,
	    0x03, 0x95, 0x5c, 0xd4, 0xc9, 0x44, 0xd8, 0x96,
	    0xab, 0x20, 0x2a, 0x12, 0x0a, 0xd5 },
	  { 0x15, 0xf6, 0xd3, 0x26, 0xd1, 0x59, 0xed, 0xea,
	    0xd6, 0xb4, 0x9a, 0x77, 0x59, 0x49, 0x05, 0xe1,
	    0x2f, 0x71, 0x26, 0x99, 0x76, 0xb8, 0xfa, 0xac,
	    0x3e, 0xe5, 0x31, 0x07, 0x6a, 0x01, 0xd3, 0xa0,
	    0x74 } },
	{ { 0x5b, 0x1c, 0x56, 0x78, 0xf0, 0xad, 0xc8, 0x31,
	    0xe6, 0xb9, 0x84, 0xb8, 0x0e, 0x62, 0xe7, 0x0c,
	    0x09, 0x65, 0xdd, 0xfc, 0x9c, 0x1b },
	  { 0x21, 0x38, 0xea, 0xfd, 0xce, 0x84, 0x2a, 0xfe,
	    0x63, 0x7a, 0x0b, 0x91, 0xda, 0x13, 0xf6, 0x16,
	    0xe6, 0x3b, 0xc2, 0x2c, 0x89, 0xe9, 0x0e, 0x95,
	    0x4e, 0x42, 0x0c, 0x9d, 0xf8, 0x35, 0xb9, 0xca,
	    0x82 } },
	{ { 0xac, 0x1b, 0x52, 0xba, 0x01, 0x00, 0x63, 0x4e,
	    0xeb, 0xf3, 0xab, 0x42, 0xfc, 0x31, 0x04, 0xb5,
	    0x0c, 0x13, 0x76, 0xe2, 0x37, 0x9f },
	  { 0xd6, 0xdd, 0x5f, 0xb3, 0x5a, 0x69, 0xab, 0xa0,
	    0xc7, 0x3c, 0x95, 0x30, 0x42, 0x4c, 0xfa, 0x1b,
	    0xea, 0x00, 0x1e, 0x1a, 0xcb, 0xb8, 0x70, 0x19,
	    0x0c, 0x45, 0x23, 0xd6, 0x22, 0x7f, 0x2f, 0x0c,
	    0x4a } },
};

static void vectors_of_each_cipher(void **state)
{
	static const uint8_t key1[] = {
		0x2e, 0x3b, 0x30, 0x09, 0xd8, 0x53, 0xfc, 0x5e,
		0xb1, 0x1b, 0x84, 0x52, 0x42, 0x40, 0x5b, 0xe4,
		0xfe, 0x43, 0x28, 0xaf, 0xcf, 0x9b, 0x9e, 0x1b,
		0x43, 0x75, 0x88, 0xdb, 0xc3, 0x69, 0x86, 0xfd,
	};
	static const uint8_t packet_head[HDP_UDP_HEAD_BYTES] = { 8, 1, 0, 0, 2,
								 0, 0, 0, 0, 0,
								 1 };
	static const uint8_t ping_head[HDP_UDP_HEAD_BYTES] = { 9, 1, 0, 0, 2,
							       0, 0, 1 };
	static const uint8_t handle[] = { 0, 1, 0, 2 };
	static const uint8_t asks[HDP_UDP_CONTROL_BYTES] = "\x04ping 123";
	const struct vector *v = &vectors[secret.suite - HD_AEAD_AES_128_GCM];
	uint8_t out[HDP_UDP_MAX_BYTES], *p = out + HDP_UDP_HEAD_BYTES;
	struct hdp_udp_tx tx;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	assert_int_equal(hdp_udp_seal(&tx, HDP_UDP_PACKET, CONN, handle, 4,
				      "hi", 2, out),
			 HDP_UDP_HEAD_BYTES + sizeof(v->packet));
	assert_memory_equal(out, packet_head, sizeof(packet_head));
	assert_memory_equal(p, v->packet, sizeof(v->packet));
	tx.counter = (1 << HDP_UDP_EPOCH_BITS) - 1;
	assert_int_equal(hdp_udp_seal(&tx, HDP_UDP_CONTROL, CONN, asks,
				      sizeof(asks), NULL, 0, out),
			 HDP_UDP_HEAD_BYTES + sizeof(v->ping));
	assert_memory_equal(tx.key.aead.v, key1, sizeof(key1));
	assert_memory_equal(out, ping_head, sizeof(ping_head));
	assert_memory_equal(p, v->ping, sizeof(v->ping));
	hdp_udp_tx_end(&tx);
}

static void heads_are_judged(void **state)
{
	uint8_t p[HDP_UDP_MAX_BYTES + 1] = { HDP_UDP_PACKET, 1, 2, 3, 4 };
	struct hdp_udp_head head;

	(void)state;
	hdp_udp_head_put(p, HDP_UDP_PACKET, 0xdeadbeef, HDP_UDP_COUNTER_MAX);
	assert_true(hdp_udp_head_get(p, HDP_UDP_FRAME_BYTES + 1, &head));
	assert_int_equal(head.conn, 0xdeadbeef);
	assert_true(head.counter == HDP_UDP_COUNTER_MAX);
	assert_false(hdp_udp_head_get(p, HDP_UDP_FRAME_BYTES, &head));
	assert_true(hdp_udp_head_get(p, HDP_UDP_MAX_BYTES, &head));
	assert_false(hdp_udp_head_get(p, sizeof(p), &head));
	p[0] = 1; /* STUN, WireGuard */
	assert_false(hdp_udp_head_get(p, HDP_UDP_MAX_BYTES, &head));
}

/* Any order of 4,000 counters, some of them twice, many late. */
static void a_replay_is_none_twice(void **state)
{
	enum { N = 4000 };
	static struct datagram all[N + 1];
	static bool seen[N + 1];
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;
	uint32_t random = 1, top = 0;

	(void)state;
	memset(seen, 0, sizeof(seen));
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &secret);
	for (unsigned i = 1; i <= N; i++)
		all[i] = sealed(&tx, "hello");
	for (unsigned i = 0; i < 10 * N; i++) {
		uint32_t c, span;
		int want = -EALREADY;

		random = random * 1103515245 + 12345;
		span = i / 10 + (random >> 8) % 1500;
		c = 1 + HD_MIN(span > 1100 ? span - 1100 : 0, N - 1u);
		if (!seen[c] && c + HDP_UDP_WINDOW > top)
			want = 5;
		assert_int_equal(opened(&rx, all[c]), want);
		if (want == 5)
			seen[c] = true;
		top = want == 5 ? HD_MAX(top, c) : top;
		assert_int_equal(rx.top, top);
	}
	ends(&tx, &rx);
}

static void a_jump_clears_the_window(void **state)
{
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;
	struct datagram first, late;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &secret);
	first = sealed(&tx, "1");
	assert_int_equal(opened(&rx, first), 1);
	tx.counter = 5 * HDP_UDP_WINDOW;
	late = sealed(&tx, "2");
	tx.counter += HDP_UDP_WINDOW - 2;
	assert_int_equal(opened(&rx, sealed(&tx, "3")), 1);
	assert_int_equal(opened(&rx, late), 1); /* the oldest that may come */
	assert_int_equal(opened(&rx, late), -EALREADY);
	assert_int_equal(opened(&rx, first), -EALREADY);
	ends(&tx, &rx);
}

static void epochs_go_one_way(void **state)
{
	const uint64_t epoch = UINT64_C(1) << HDP_UDP_EPOCH_BITS;
	struct hdp_udp_tx tx, ahead;
	struct hdp_udp_rx rx;
	struct datagram late, far;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &secret);
	tx.counter = epoch - 3;
	late = sealed(&tx, "late");
	assert_int_equal(opened(&rx, sealed(&tx, "last")), 4);
	assert_int_equal(opened(&rx, sealed(&tx, "first")), 5);
	assert_true(rx.has_before);
	assert_int_equal(opened(&rx, late), 4); /* of the epoch before */
	ahead = tx;
	ahead.key.aead.expanded = NULL; /* that is the other one's */
	ahead.counter = 2 * epoch - 1;
	sealed(&ahead, "two");
	ahead.counter = 3 * epoch - 1;
	far = sealed(&ahead, "three");
	assert_int_equal(opened(&rx, far), -ERANGE);
	/* with the window out of it, the key before is gone */
	tx.counter = epoch + HDP_UDP_WINDOW;
	assert_int_equal(opened(&rx, sealed(&tx, "on")), 2);
	assert_false(rx.has_before);
	assert_null(rx.before.aead.expanded);
	assert_true(sodium_is_zero(rx.before.aead.v, sizeof(rx.before.aead.v)));
	tx.counter = 2 * epoch - 1;
	assert_int_equal(opened(&rx, sealed(&tx, "next")), 4);
	hdp_udp_tx_end(&ahead);
	ends(&tx, &rx);
}

static void what_is_forged_moves_nothing(void **state)
{
	const uint64_t epoch = UINT64_C(1) << HDP_UDP_EPOCH_BITS;
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx, before;
	struct datagram good;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &secret);
	assert_int_equal(opened(&rx, sealed(&tx, "x")), 1);
	before = rx;
	good = sealed(&tx, "hello");
	for (size_t i = 0; i < good.n; i++) {
		struct datagram bad = good;
		struct hdp_udp_head head;

		bad.v[i] ^= 1;
		if (hdp_udp_head_get(bad.v, bad.n, &head))
			assert_true(opened(&rx, bad) < 0);
		assert_memory_equal(&rx, &before, sizeof(rx));
	}
	/* of the next epoch, by who has not its key */
	hdp_udp_head_put(good.v, HDP_UDP_PACKET, CONN, epoch + 1);
	assert_int_equal(opened(&rx, good), -EPERM);
	hdp_udp_head_put(good.v, HDP_UDP_PACKET, CONN, 0);
	assert_int_equal(opened(&rx, good), -EALREADY);
	assert_memory_equal(&rx, &before, sizeof(rx));
	ends(&tx, &rx);
}

/* What was made of the keys goes, and is made again. */
static void rests(void **state)
{
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &secret);
	assert_int_equal(opened(&rx, sealed(&tx, "x")), 1);
	assert_non_null(rx.key.aead.expanded);
	hdp_udp_rest(&tx, &rx);
	assert_null(tx.key.aead.expanded);
	assert_null(rx.key.aead.expanded);
	assert_int_equal(opened(&rx, sealed(&tx, "on")), 2);
	ends(&tx, &rx);
}

/* Both ends have to have the same. */
static void another_cipher_opens_nothing(void **state)
{
	struct hdp_udp_secret other = secret;
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;

	(void)state;
	other.suite = secret.suite == HD_AEAD_AES_128_GCM
			      ? HD_AEAD_AES_256_GCM
			      : HD_AEAD_AES_128_GCM;
	hdp_udp_tx_init(&tx, NULL, &secret);
	hdp_udp_rx_init(&rx, NULL, &other);
	assert_int_equal(opened(&rx, sealed(&tx, "x")), -EPERM);
	ends(&tx, &rx);
	assert_false(hdp_udp_suite_known(0x1304)); /* AES-128-CCM */
	assert_false(hdp_udp_suite_known(0));
}

static void the_last_counter_is_the_end(void **state)
{
	uint8_t out[HDP_UDP_MAX_BYTES];
	static const uint8_t long_[HDP_UDP_DATA_MAX_BYTES + 1];
	struct hdp_udp_tx tx;

	(void)state;
	hdp_udp_tx_init(&tx, NULL, &secret);
	assert_int_equal(hdp_udp_seal(&tx, HDP_UDP_PACKET, CONN, long_,
				      sizeof(long_), NULL, 0, out),
			 0);
	assert_int_equal(tx.counter, 0);
	assert_int_equal(hdp_udp_seal(&tx, HDP_UDP_PACKET, CONN, long_,
				      sizeof(long_) - 1, NULL, 0, out),
			 HDP_UDP_MAX_BYTES);
	tx.counter = HDP_UDP_COUNTER_MAX - 1;
	sealed(&tx, "last");
	assert_int_equal(hdp_udp_seal(&tx, HDP_UDP_PACKET, CONN, "x", 1, NULL,
				      0, out),
			 0);
	hdp_udp_tx_end(&tx);
}

/* ---- each test with each cipher ---- */

static const enum hd_aead_suite suites[] = {
	HD_AEAD_AES_128_GCM,
	HD_AEAD_AES_256_GCM,
	HD_AEAD_CHACHA20_POLY1305,
};
_Static_assert(HD_ARRAY_N(suites) == HD_ARRAY_N(vectors), "one of each");

static int take_suite(void **state)
{
	const enum hd_aead_suite *suite = *state;

	secret.suite = *suite;
	return 0;
}

#define T(fn, i)                                                               \
	cmocka_unit_test_prestate_setup_teardown(fn, take_suite, NULL,         \
						 (void *)&suites[i])
#define EACH(fn) T(fn, 0), T(fn, 1), T(fn, 2)

int main(void)
{
	const struct CMUnitTest tests[] = { /* one group: one plan of TAP */
		EACH(vectors_of_each_cipher),
		EACH(heads_are_judged),
		EACH(a_replay_is_none_twice),
		EACH(a_jump_clears_the_window),
		EACH(epochs_go_one_way),
		EACH(what_is_forged_moves_nothing),
		EACH(rests),
		EACH(another_cipher_opens_nothing),
		EACH(the_last_counter_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
