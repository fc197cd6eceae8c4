/* SPDX-License-Identifier: MIT */
/* t/unit/throttle.c - reading that limits hold back: streams without sockets,
 * in a worker whose clock we turn. */
#include "core/stream/limit.h"
#include <stdlib.h>
#include <string.h>
#include "core/stream/stream_life.h"
#include "core/stream/stream_worker.h"
#include "t/unit/unit.h"

enum { RATE = 10000, BURST = 1000, MS = 1000000 };

static struct hd_worker *w;
static struct hd_stream stream;
static struct hd_limit key;
static const struct hd_conf conf = { .write_timeout_ms = 2000 };
static struct hd_pool_share *const none[HD_SHARED_N];

static size_t data(struct hd_module *mod, struct hd_stream *s, void *state,
		   uint8_t *p, size_t n)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_proto proto = { .name = "fake", .data = data };

static int setup(void **state)
{
	(void)state;
	w = calloc(1, sizeof(*w));
	w->now_ms = 1000;
	w->now_ns = 1000ull * MS;
	w->plain = malloc(HD_PLAIN_BYTES);
	w->conf = &conf;
	stream = (struct hd_stream){ .magic = HD_STREAM_MAGIC,
				     .worker = w,
				     .proto = &proto };
	key = (struct hd_limit){ .rate = hd_rate_of(RATE, BURST) };
	return hd_streams_new(w);
}

static int teardown(void **state)
{
	(void)state;
	hd_throttle_free(&stream);
	hd_streams_free(w);
	free(w->plain);
	free(w);
	return 0;
}

/* Then what is due happens. */
static void pass_ms(uint64_t ms)
{
	w->now_ms += ms;
	w->now_ns += ms * MS;
	hd_stream_on_timer(&stream);
}

static bool reads(void)
{
	return hd_stream_takes_input(&stream);
}

static void a_debt_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(hd_throttle_set(&stream, &key, none), 0);
	hd_throttle_charge(&stream, BURST, 1);
	assert_true(reads());
	hd_throttle_charge(&stream, RATE, 1);
	assert_false(reads());
	pass_ms(999);
	assert_false(reads());
	pass_ms(1);
	assert_true(reads());
}

/* Whoever paused it first, and for however short. */
static void a_pause_of_a_module_does_not_pay(void **state)
{
	(void)state;
	assert_int_equal(hd_throttle_set(&stream, &key, none), 0);
	hd_stream_pause(&stream, 10); /* in data() */
	hd_throttle_charge(&stream, BURST + RATE, 1);
	pass_ms(10);
	assert_false(reads());
	hd_stream_pause(&stream, 20);
	pass_ms(20);
	assert_false(reads());
	pass_ms(969);
	assert_false(reads());
	pass_ms(1);
	assert_true(reads());
}

/* What came behind the login counts, and is not passed on for nothing. */
static void a_debt_comes_along(void **state)
{
	(void)state;
	hd_bucket_take(&key.bucket, &key.rate, BURST + RATE, w->now_ns);
	stream.kept = hd_chunk_new(&w->streams->pool, RATE);
	stream.kept->tail += RATE;
	assert_int_equal(hd_throttle_set(&stream, &key, none), 0);
	assert_false(reads());
	pass_ms(999);
	assert_non_null(stream.kept);
	pass_ms(1); /* now it goes on, and is to be paid */
	assert_null(stream.kept);
	assert_false(reads());
	pass_ms(999);
	assert_false(reads());
	pass_ms(1);
	assert_true(reads());
}

/* Many connections of a key have together what one has, once more at most while
 * all of them hold leases. */
static void leases_are_of_the_key(void **state)
{
	static struct hd_stream v[100];
	uint64_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		v[i] = stream;
		assert_int_equal(hd_throttle_set(&v[i], &key, none), 0);
	}
	for (unsigned k = 0; k < 1000; k++)
		for (unsigned i = 0; i < 100; i++)
			if (hd_stream_takes_input(&v[i]) &&
			    !hd_throttle_stops(&v[i])) {
				hd_throttle_charge(&v[i], 1, 0);
				n++;
			}
	assert_true(n >= BURST && n <= 2 * BURST + 100);
	pass_ms(1);
	for (unsigned i = 0; i < 100; i++) {
		v[i].phase = HD_PHASE_ABORTED;
		hd_throttle_free(&v[i]);
		hd_heap_remove(&w->streams->timers, &v[i].timer);
	}
	assert_int_equal(key.leased, 0);
}

/* What is leased is paid in its share: all leases together are no more than was
 * there, and who goes gives back what it has not read. */
static void leases_are_paid_in_shares(void **state)
{
	enum { HAD = 2000000, N = 20, TIMES = 1000, BYTES = 30, PACKET = 12 };
	static struct hd_stream v[N];
	struct hd_pool_share pool = { .worker = w };
	struct hd_pool_share *const shared[HD_SHARED_N] = { &pool };

	(void)state;
	key = (struct hd_limit){ .packet_bytes = PACKET / 2 };
	pool.share = (struct hd_share){ .balance = HAD,
					.packet_bytes = PACKET };
	for (unsigned i = 0; i < N; i++) {
		v[i] = stream;
		assert_int_equal(hd_throttle_set(&v[i], &key, shared), 0);
	}
	for (unsigned k = 0; k < TIMES * N; k++) {
		uint64_t leased = 0;

		hd_throttle_charge(&v[k % N], BYTES, 1);
		assert_true(pool.share.balance >= 0);
		for (unsigned i = 0; i < N; i++)
			leased += v[i].throttle->prepaid;
		assert_true(leased <= HAD);
	}
	for (unsigned i = 0; i < N; i++) {
		v[i].phase = HD_PHASE_ABORTED;
		hd_throttle_free(&v[i]);
	}
	assert_int_equal(pool.share.balance,
			 HAD - TIMES * N * (BYTES + PACKET));
}

/* Many who read a little now and then have at once what is there, what they
 * give back, a slice at most, and two reads each: what they were leased a while
 * ago is not kept for them. */
static void leases_do_not_add_up(void **state)
{
	enum { N = 1000, PER_S = 10000000, SLICE = PER_S / 50, READ = 100 };
	static struct hd_stream v[N];
	struct hd_fund fund = { .per_s = 0 };
	struct hd_pool_share pool = { .worker = w, .ticks = true };
	struct hd_pool_share *const shared[HD_SHARED_N] = { &pool };
	uint64_t n = 0;

	(void)state;
	key = (struct hd_limit){ .packet_bytes = 0 };
	hd_fund_set(&fund, PER_S, 0, 0);
	hd_share_init(&pool.share, &fund, 1, w->now_ns);
	for (unsigned i = 0; i < N; i++) {
		v[i] = stream;
		assert_int_equal(hd_throttle_set(&v[i], &key, shared), 0);
		hd_throttle_charge(&v[i], READ, 1);
		w->now_ns += MS;
	}
	w->now_ns += 1000ull * MS;
	for (unsigned k = 0; k < 1000; k++)
		for (unsigned i = 0; i < N; i++)
			if (hd_stream_takes_input(&v[i])) {
				hd_throttle_charge(&v[i], READ, 1);
				n += READ;
			}
	assert_in_range(n, PER_S / 10, PER_S / 10 + 2 * SLICE + 2 * N * READ);
	for (unsigned i = 0; i < N; i++) {
		v[i].phase = HD_PHASE_ABORTED;
		hd_throttle_free(&v[i]);
	}
	assert_true(pool.share.balance <= SLICE);
	hd_share_end(&pool.share);
}

/* Its other connections have used what it waited for: it waits again, unless
 * its client has gone. */
static void who_has_gone_waits_once(void **state)
{
	(void)state;
	hd_bucket_take(&key.bucket, &key.rate, BURST + RATE, w->now_ns);
	assert_int_equal(hd_throttle_set(&stream, &key, none), 0);
	hd_bucket_take(&key.bucket, &key.rate, RATE, w->now_ns);
	pass_ms(1000);
	assert_false(reads());
	assert_true(hd_stream_is_open(&stream));
	stream.rx_hup = true;
	hd_bucket_take(&key.bucket, &key.rate, RATE, w->now_ns);
	pass_ms(1000);
	assert_false(hd_stream_is_open(&stream));
}

/* A limit that is not near is looked at now and then, and misses nothing. */
static void small_reads_add_up(void **state)
{
	uint64_t n = 0;

	(void)state;
	key.packet_bytes = 20;
	assert_int_equal(hd_throttle_set(&stream, &key, none), 0);
	while (reads() && n < BURST) {
		hd_throttle_charge(&stream, 5, 1);
		n += 25;
	}
	assert_int_equal(n, BURST); /* all of the burst */
	assert_true(reads());
	hd_throttle_charge(&stream, 5, 1);
	hd_throttle_charge(&stream, 5, 1);
	hd_throttle_free(&stream); /* whoever goes leaves nothing uncharged */
	assert_int_equal(hd_bucket_unpaid_ns(&key.bucket, &key.rate, w->now_ns),
			 50ull * 1000 * MS / RATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_debt_is_waited_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_pause_of_a_module_does_not_pay, setup, teardown),
		cmocka_unit_test_setup_teardown(a_debt_comes_along, setup,
						teardown),
		cmocka_unit_test_setup_teardown(small_reads_add_up, setup,
						teardown),
		cmocka_unit_test_setup_teardown(leases_are_of_the_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(leases_are_paid_in_shares,
						setup, teardown),
		cmocka_unit_test_setup_teardown(leases_do_not_add_up, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_has_gone_waits_once, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
