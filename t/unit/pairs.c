/* SPDX-License-Identifier: MIT */
/* t/unit/pairs.c - who sends how much to whom, in bounded memory. */
#include "core/relay/pairs.h"
#include <stdlib.h>
#include <string.h>
#include "core/loop/timer.h"
#include "core/relay/relay_worker.h"
#include "t/unit/unit.h"

static struct hd_worker *w;

static int setup(void **state)
{
	(void)state;
	w = calloc(1, sizeof(*w));
	w->now_ms = 1000;
	hd_key_hash_seed();
	return hd_relay_new(w);
}

static int teardown(void **state)
{
	(void)state;
	hd_relay_free(w);
	hd_heap_free(&w->module_timers);
	free(w);
	return 0;
}

static struct hd_key key_of(uint32_t n)
{
	struct hd_key key = { { 1 } };

	memcpy(key.b + 1, &n, sizeof(n));
	return key;
}

static void count(uint32_t src, uint32_t dst, uint32_t bytes)
{
	const struct hd_key s = key_of(src), d = key_of(dst);
	const struct hd_packet packet = { .src = &s,
					  .dst = &d,
					  .len_bytes = bytes };

	hd_pairs_count(w, &packet);
}

static const struct hd_pair *find(uint32_t src, uint32_t dst)
{
	const struct hd_pair *v = hd_pairs_ask(w);
	const struct hd_key s = key_of(src), d = key_of(dst);

	for (size_t i = 0; i < HD_PAIRS_MAX; i++)
		if (v[i].packets > 0 &&
		    memcmp(&v[i].src, &s, sizeof(s)) == 0 &&
		    memcmp(&v[i].dst, &d, sizeof(d)) == 0)
			return &v[i];
	return NULL;
}

static void both_ways_are_two(void **state)
{
	(void)state;
	assert_non_null(hd_pairs_ask(w));
	count(1, 2, 100);
	count(1, 2, 200);
	count(2, 1, 50);
	assert_int_equal(find(1, 2)->packets, 2);
	assert_int_equal(find(1, 2)->bytes, 300);
	assert_int_equal(find(2, 1)->bytes, 50);
	assert_null(find(1, 3));
}

static void busy_ones_stay(void **state)
{
	(void)state;
	hd_pairs_ask(w);
	for (uint32_t i = 0; i < 100000; i++) {
		count(1, 10 + i, 1000); /* to everybody, once */
		if (i % 10 == 0)
			count(2, 3, 1400);
		w->now_ms += i % 100 == 0;
	}
	assert_int_equal(find(2, 3)->packets, 10000);
}

static void quiet_ones_give_way(void **state)
{
	(void)state;
	hd_pairs_ask(w);
	for (uint32_t i = 0; i < 100000; i++)
		count(1, 10 + i, 1000000);
	w->now_ms += 3000;
	count(2, 3, 1);
	assert_non_null(find(2, 3));
}

static void ends_when_nobody_asks(void **state)
{
	(void)state;
	hd_pairs_ask(w);
	count(1, 2, 100);
	w->now_ms += HD_PAIRS_KEEP_MS - 1;
	hd_timers_run(w);
	assert_non_null(find(1, 2)); /* which asks */
	w->now_ms += HD_PAIRS_KEEP_MS - 1;
	hd_timers_run(w);
	assert_non_null(w->relay->pairs);
	w->now_ms += 1;
	hd_timers_run(w);
	assert_null(w->relay->pairs);
	assert_null(find(1, 2));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_ways_are_two),
		CASE(busy_ones_stay),
		CASE(quiet_ones_give_way),
		CASE(ends_when_nobody_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
