/* SPDX-License-Identifier: MIT */
/* t/unit/share.c - what many keys may send together: workers and readers in a
 * world whose clock we turn, a millisecond at a time. */
#include "core/stream/share.h"
#include <string.h>
#include "t/unit/unit.h"

#define MS 1000000ull
enum { WORKERS_MAX = 16, READERS_MAX = 64 };

struct reader {
	struct hd_claim claim;
	unsigned worker;
	uint64_t had, got;
	uint64_t size; /* of its reads */
	uint64_t every_ms; /* 0: as fast as it may */
	uint64_t next_ms, longest_ms, since_ms;
	bool waits, off;
};

static struct world {
	struct hd_fund fund;
	struct hd_share share[WORKERS_MAX];
	uint64_t due_ms[WORKERS_MAX]; /* 0: no tick is set */
	unsigned n_workers, n;
	struct reader v[READERS_MAX];
	uint64_t now_ms;
} world;

static uint64_t now_ns(void)
{
	return world.now_ms * MS;
}

static void begin(uint64_t per_s, uint64_t burst, unsigned n_workers)
{
	world = (struct world){ .n_workers = n_workers, .now_ms = 1000 };
	hd_fund_set(&world.fund, per_s, burst, 0);
	for (unsigned i = 0; i < n_workers; i++)
		hd_share_init(&world.share[i], &world.fund, n_workers,
			      now_ns());
}

static struct reader *add(unsigned worker, uint64_t size)
{
	struct reader *r = &world.v[world.n++];

	*r = (struct reader){ .worker = worker, .size = size };
	return r;
}

static void set_due(unsigned i, uint64_t ms)
{
	world.due_ms[i] = ms > 0 ? world.now_ms + ms : 0;
}

static void tick(unsigned i)
{
	struct hd_share *s = &world.share[i];
	struct hd_claim *c;
	int64_t left;

	hd_share_tick(s, &left, now_ns());
	while ((c = hd_share_next(s, &left)) != NULL) {
		struct reader *r = hd_container_of(c, struct reader, claim);

		r->waits = false;
		r->longest_ms =
			HD_MAX(r->longest_ms, world.now_ms - r->since_ms);
	}
	set_due(i, hd_share_due_ms(s));
}

static void read_once(struct reader *r)
{
	struct hd_share *s = &world.share[r->worker];

	r->next_ms = world.now_ms + r->every_ms;
	r->claim.reads = r->size;
	r->got += r->size;
	hd_share_spend(s, r->size, 1);
	if (!hd_share_charge(s, &r->had, r->size, 1, now_ns()))
		return;
	r->waits = true;
	r->since_ms = world.now_ms;
	uint64_t due = hd_share_wait(s, &r->claim, r->had, now_ns());

	assert_true(due > 0);
	if (world.due_ms[r->worker] == 0)
		set_due(r->worker, due);
}

/* A turn reads up to 64 times, as a worker's does. */
static void turn(void)
{
	for (unsigned i = 0; i < world.n_workers; i++)
		if (world.due_ms[i] != 0 && world.due_ms[i] <= world.now_ms)
			tick(i);
	for (unsigned n = 0; n < 64; n++)
		for (unsigned i = 0; i < world.n; i++) {
			struct reader *r = &world.v[i];

			if (!r->waits && !r->off &&
			    (r->every_ms == 0 || r->next_ms <= world.now_ms))
				read_once(r);
		}
	world.now_ms++;
}

static void run_ms(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++)
		turn();
}

static uint64_t got(void)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < world.n; i++)
		all += world.v[i].got;
	return all;
}

static void forget(void)
{
	for (unsigned i = 0; i < world.n; i++)
		world.v[i].got = world.v[i].longest_ms = 0;
}

static void end(void)
{
	for (unsigned i = 0; i < world.n; i++)
		if (world.v[i].waits)
			hd_share_leave(&world.share[world.v[i].worker],
				       &world.v[i].claim);
	for (unsigned i = 0; i < world.n_workers; i++)
		hd_share_end(&world.share[i]);
	assert_int_equal(world.fund.waiting, 0);
}

static void assert_about(uint64_t is, uint64_t want, unsigned percent)
{
	if (is > want + want * percent / 100 ||
	    is < want - want * percent / 100)
		fail_msg("%llu is not %llu +- %u %%", (unsigned long long)is,
			 (unsigned long long)want, percent);
}

/* ---- */

/* Whatever the rate, and however many there are of each. */
static void the_rate_holds(void **state)
{
	static const uint64_t rates[] = { 100000, 3000000, 125000000,
					  1250000000 };
	static const unsigned shapes[][2] = { { 1, 1 }, { 1, 20 }, { 2, 2 },
					      { 4, 9 }, { 16, 3 }, { 16, 40 } };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < HD_ARRAY_N(shapes); k++) {
			begin(rates[i], 0, shapes[k][0]);
			for (unsigned n = 0; n < shapes[k][1]; n++)
				add(n % shapes[k][0],
				    rates[i] > 1000000 ? 65536 : 1400);
			run_ms(3000); /* the burst is over */
			forget();
			run_ms(20000);
			assert_about(got(), rates[i] * 20, 5);
			end();
		}
}

/* Workers lease slices, and give none back at once: each second keeps to it all
 * the same, also when readers come and go between the workers. */
static void each_second_keeps_the_rate(void **state)
{
	enum { RATE = 20000000, WORKERS = 8, READERS = 24, SECONDS = 60 };

	(void)state;
	begin(RATE, 0, WORKERS);
	for (unsigned i = 0; i < READERS; i++)
		add(i % WORKERS, i % 3 == 0 ? 16384 : 1400);
	run_ms(2000);
	for (unsigned s = 0; s < SECONDS; s++) {
		for (unsigned i = 0; i < READERS; i++)
			world.v[i].off = s >= SECONDS / 2 &&
					 (i + s) % WORKERS < WORKERS / 2;
		forget();
		run_ms(1000);
		assert_about(got(), RATE, 5);
	}
	end();
}

static void a_burst_is_taken_once(void **state)
{
	(void)state;
	begin(1000000, 3000000, 4);
	for (unsigned i = 0; i < 8; i++)
		add(i % 4, 1400);
	run_ms(200);
	assert_true(got() > 3000000 && got() < 3000000 + 400000);
	end();
}

/* One that is alone in its worker gets what nine get in theirs, each. */
static void fair_over_workers(void **state)
{
	(void)state;
	begin(20000000, 0, 2);
	add(0, 65536);
	for (unsigned i = 0; i < 9; i++)
		add(1, 65536);
	run_ms(2000);
	forget();
	run_ms(20000);
	for (unsigned i = 0; i < world.n; i++)
		assert_about(world.v[i].got, 20000000 * 20ull / 10, 15);
	end();
}

/* By bytes, not by reads. */
static void fair_by_bytes(void **state)
{
	(void)state;
	begin(10000000, 0, 1);
	for (unsigned i = 0; i < 8; i++)
		add(0, i < 4 ? 65536 : 6000);
	run_ms(2000);
	forget();
	run_ms(20000);
	for (unsigned i = 0; i < world.n; i++)
		assert_about(world.v[i].got, 10000000 * 20ull / 8, 20);
	end();
}

/* Who takes less than its part is served before those who want more. */
static void who_takes_little_hardly_waits(void **state)
{
	struct reader *little;

	(void)state;
	begin(5000000, 0, 2);
	for (unsigned i = 0; i < 20; i++)
		add(i % 2, 65536);
	little = add(0, 200);
	little->every_ms = 50;
	run_ms(2000);
	forget();
	run_ms(20000);
	assert_about(little->got, 200 * 20 * 20, 10);
	assert_true(little->longest_ms <= 150);
	assert_about(got(), 5000000 * 20ull, 5);
	end();
}

static void the_limit_is_live(void **state)
{
	(void)state;
	begin(1000000, 0, 2);
	for (unsigned i = 0; i < 6; i++)
		add(i % 2, 20000);
	run_ms(2000);
	hd_fund_set(&world.fund, 4000000, 0, 0);
	run_ms(1000);
	forget();
	run_ms(10000);
	assert_about(got(), 40000000, 5);
	hd_fund_set(&world.fund, 500000, 0, 0);
	run_ms(3000);
	forget();
	run_ms(10000);
	assert_about(got(), 5000000, 5);
	hd_fund_set(&world.fund, 0, 0, 0);
	forget();
	run_ms(1000);
	assert_true(got() > 100000000);
	end();
}

static void packets_cost(void **state)
{
	(void)state;
	begin(1000000, 0, 1);
	hd_fund_set(&world.fund, 1000000, 0, 100);
	add(0, 100); /* a packet a read: costs 200 */
	world.share[0].packet_bytes = 100;
	run_ms(2000);
	forget();
	run_ms(10000);
	assert_about(got(), 5000000, 5);
	end();
}

/* Workers that have gone quiet leave it all to the others, and come back. */
static void others_get_what_is_left(void **state)
{
	(void)state;
	begin(8000000, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		add(i % 4, 16384);
	run_ms(2000);
	for (unsigned i = 0; i < 8; i++)
		world.v[i].off = i % 4 != 2;
	run_ms(1000);
	forget();
	run_ms(10000);
	assert_about(got(), 80000000, 5);
	for (unsigned i = 0; i < 8; i++)
		world.v[i].off = false;
	run_ms(1000);
	forget();
	run_ms(10000);
	for (unsigned i = 0; i < 8; i++)
		assert_about(world.v[i].got, 10000000, 15);
	end();
}

/* Who leaves while it waits takes no part of it along. */
static void one_leaves(void **state)
{
	(void)state;
	begin(1000000, 0, 2);
	add(0, 65536);
	add(1, 65536);
	run_ms(1000);
	world.v[0].off = true;
	hd_share_leave(&world.share[0], &world.v[0].claim);
	world.v[0].waits = false;
	run_ms(1000);
	forget();
	run_ms(10000);
	assert_about(world.v[1].got, 10000000, 5);
	world.v[1].off = true;
	run_ms(2000);
	assert_int_equal(world.due_ms[0], 0); /* and nobody wakes up */
	assert_int_equal(world.due_ms[1], 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_holds),
		cmocka_unit_test(each_second_keeps_the_rate),
		cmocka_unit_test(a_burst_is_taken_once),
		cmocka_unit_test(fair_over_workers),
		cmocka_unit_test(fair_by_bytes),
		cmocka_unit_test(who_takes_little_hardly_waits),
		cmocka_unit_test(the_limit_is_live),
		cmocka_unit_test(packets_cost),
		cmocka_unit_test(others_get_what_is_left),
		cmocka_unit_test(one_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
