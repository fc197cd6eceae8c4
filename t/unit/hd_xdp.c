/* SPDX-License-Identifier: MIT */
/* t/unit/hd_xdp.c - frames of modules/hd_xdp: bytes as RFC 791, 768 and 8200
 * have them; what is no plain datagram is none. And the ways' table. */
#include <arpa/inet.h>
#include <hyper-derp/module.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd_xdp/ways.h"
#include "t/unit/unit.h"

static const uint8_t next[HXP_MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t ours[HXP_MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };

/* To 192.0.2.1:4660 from 198.51.100.2:3479, "hi!"; the sums were
 * made by a line of Python. */
static const uint8_t v4[] = {
	2,    0,    0,	  0,	0,    1,    2,	  0,	0,    0,
	0,    2,    0x08, 0x00, 0x45, 0x00, 0x00, 0x1f, 0x00, 0x00,
	0x40, 0x00, 0x40, 0x11, 0x4e, 0x97, 0xc6, 0x33, 0x64, 0x02,
	0xc0, 0x00, 0x02, 0x01, 0x0d, 0x97, 0x12, 0x34, 0x00, 0x0b,
	0x6a, 0x6c, 0x68, 0x69, 0x21,
};

static void address(union hd_addr *a, const char *text, in_port_t port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		return;
	}
	assert_int_equal(inet_pton(AF_INET6, text, &a->in6.sin6_addr), 1);
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(port);
}

static struct hxp_pair pair_of(const char *to, const char *from)
{
	union hd_addr a, b;
	struct hxp_pair pair;

	address(&a, to, 4660);
	address(&b, from, 0);
	assert_true(hxp_pair_of(&a, &b, &pair));
	return pair;
}

static size_t frame(uint8_t *f, const char *to, const char *from,
		    const char *text, size_t n)
{
	struct hxp_pair pair = pair_of(to, from);
	struct hxp_head head;

	hxp_head_make(&head, &pair, htons(3479), next, ours);
	return hxp_frame_put(f, &head, (const uint8_t *)text, n);
}

/* RFC 1071: over all with the sum itself it is 0xffff. */
static uint32_t sum(const uint8_t *p, size_t n, uint32_t before)
{
	for (size_t i = 0; i < n; i++)
		before += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (before >> 16)
		before = (before & 0xffff) + (before >> 16);
	return before;
}

static void ipv4_bytes(void **state)
{
	uint8_t f[2048];

	(void)state;
	assert_int_equal(frame(f, "192.0.2.1", "198.51.100.2", "hi!", 3),
			 sizeof(v4));
	assert_memory_equal(f, v4, sizeof(v4));
	assert_int_equal(sum(f + 14, 20, 0), 0xffff);
	assert_int_equal(sum(f + 34, 11, sum(f + 26, 8, 17 + 11)), 0xffff);
}

static void sums_of_all_lengths(void **state)
{
	uint8_t f[2048];
	char text[1400];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + 200);
	for (size_t n = 0; n <= sizeof(text); n += n < 70 ? 1 : 13) {
		size_t all = frame(f, "2001:db8::1", "2001:db8:f::2", text, n);

		assert_int_equal(all, 62 + n);
		assert_int_equal(f[18] << 8 | f[19], 8 + n);
		assert_int_equal(sum(f + 54, 8 + n,
				     sum(f + 22, 32, (uint32_t)(17 + 8 + n))),
				 0xffff);
		assert_memory_equal(f + 62, text, n);
	}
}

static void what_comes(void **state)
{
	struct hd_datagram dg;
	uint8_t f[2048];
	size_t n = frame(f, "2001:db8::1", "2001:db8:f::2", "hello", 5);
	union hd_addr want;

	(void)state;
	assert_true(hxp_frame_get(f, n, &dg));
	address(&want, "2001:db8:f::2", 3479);
	assert_memory_equal(&dg.from.in6, &want.in6, sizeof(want.in6));
	address(&want, "2001:db8::1", 0);
	assert_memory_equal(&dg.to.in6, &want.in6, sizeof(want.in6));
	assert_int_equal(dg.len_bytes, 5);
	assert_memory_equal(dg.data, "hello", 5);
	memcpy(f, v4, sizeof(v4));
	assert_true(hxp_frame_get(f, sizeof(v4), &dg));
	address(&want, "198.51.100.2", 3479);
	assert_memory_equal(&dg.from.in, &want.in, sizeof(want.in));
}

static bool taken(size_t at, uint8_t value, size_t n)
{
	struct hd_datagram dg;
	uint8_t f[sizeof(v4) + 8] = { 0 };

	memcpy(f, v4, sizeof(v4));
	f[at] = value;
	return hxp_frame_get(f, n, &dg);
}

static void what_does_not(void **state)
{
	(void)state;
	assert_true(taken(14, 0x45, sizeof(v4)));
	assert_false(taken(14, 0x46, sizeof(v4))); /* options */
	assert_false(taken(14, 0x55, sizeof(v4)));
	assert_false(taken(12, 0x81, sizeof(v4))); /* a tag */
	assert_false(taken(20, 0x20, sizeof(v4))); /* more fragments */
	assert_false(taken(21, 0x01, sizeof(v4))); /* the second */
	assert_false(taken(23, 6, sizeof(v4)));
	assert_false(taken(17, 0x20, sizeof(v4)));
	assert_false(taken(39, 0x0a, sizeof(v4)));
	assert_false(taken(14, 0x45, sizeof(v4) + 1)); /* padding */
	for (size_t n = 0; n < sizeof(v4); n++)
		assert_false(taken(14, 0x45, n));
}

static void pairs(void **state)
{
	union hd_addr a, b;
	struct hxp_pair pair;

	(void)state;
	address(&a, "192.0.2.1", 1);
	address(&b, "2001:db8::1", 1);
	assert_false(hxp_pair_of(&a, &b, &pair));
	assert_false(hxp_pair_of(&a, NULL, &pair));
	address(&a, "fe80::1", 1);
	assert_false(hxp_pair_of(&a, &b, &pair));
	assert_false(hxp_pair_of(&b, &a, &pair));
}

/* ---- ways ---- */

static unsigned asked;
static uint64_t now_ms;

int hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
	    hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)mod, (void)w, (void)work, (void)done;
	asked++;
	drop(arg);
	return 0;
}

void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w)
{
	(void)mod, (void)w;
	return NULL;
}

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return now_ms;
}

static void ways_are_known_for_a_second(void **state)
{
	struct hxp_ways *ways = hxp_ways_new(htons(3479));
	struct hxp_pair pair = pair_of("192.0.2.1", "198.51.100.2");
	const struct hxp_route route = { .ifindex = 3, .mtu = 1500 };
	const struct hxp_way *way;

	(void)state;
	asked = 0;
	assert_null(hxp_ways_find(ways, &pair, 10000));
	assert_null(hxp_ways_find(ways, &pair, 12000)); /* too seldom */
	hxp_ways_ask(ways, NULL, NULL);
	assert_int_equal(asked, 0);
	assert_null(hxp_ways_find(ways, &pair, 12900));
	hxp_ways_ask(ways, NULL, NULL);
	assert_int_equal(asked, 1);
	hxp_ways_answer(ways, &pair, &route, 12901);
	way = hxp_ways_find(ways, &pair, 12901);
	assert_non_null(way);
	assert_int_equal(way->ifindex, 3);
	assert_int_equal(hxp_ways_known(ways, 13000), 1);
	assert_non_null(hxp_ways_find(ways, &pair, 13900));
	assert_null(hxp_ways_find(ways, &pair, 13901)); /* by the socket */
	assert_int_equal(hxp_ways_known(ways, 14000), 0);
	hxp_ways_answer(ways, &pair, NULL, 13950); /* there is none */
	assert_null(hxp_ways_find(ways, &pair, 14000));
	assert_null(hxp_ways_find(ways, &pair, 14950)); /* seen again */
	hxp_ways_free(&ways);
	assert_null(ways);
}

/* hd_task() above drops all. */
static void a_lost_answer_is_asked_for_again(void **state)
{
	struct hxp_ways *ways = hxp_ways_new(htons(3479));
	struct hxp_pair a = pair_of("192.0.2.1", "198.51.100.2");
	struct hxp_pair b = pair_of("192.0.2.7", "198.51.100.2");

	(void)state;
	asked = 0;
	for (now_ms = 10000; now_ms < 16000; now_ms += 500) {
		(void)hxp_ways_find(ways, now_ms < 11000 ? &a : &b, now_ms);
		hxp_ways_ask(ways, NULL, NULL);
		assert_int_equal(asked, (now_ms >= 10500) + (now_ms >= 15500));
	}
	hxp_ways_free(&ways);
}

static void a_full_table_forgets(void **state)
{
	struct hxp_ways *ways = hxp_ways_new(htons(3479));
	struct hxp_pair pair = pair_of("192.0.2.1", "198.51.100.2");
	const struct hxp_route route = { .ifindex = 3, .mtu = 1500 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(pair.to + 12, &i, sizeof(i));
		(void)hxp_ways_find(ways, &pair, 10000 + i / 100);
		hxp_ways_answer(ways, &pair, &route, 10000 + i / 100);
	}
	assert_in_range(hxp_ways_known(ways, 10200), 1000, 2048);
	assert_non_null(hxp_ways_find(ways, &pair, 10200)); /* the latest */
	hxp_ways_free(&ways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_bytes),
		cmocka_unit_test(sums_of_all_lengths),
		cmocka_unit_test(what_comes),
		cmocka_unit_test(what_does_not),
		cmocka_unit_test(pairs),
		cmocka_unit_test(ways_are_known_for_a_second),
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
		cmocka_unit_test(a_full_table_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
