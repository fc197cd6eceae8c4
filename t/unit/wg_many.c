/* SPDX-License-Identifier: MIT */
/* t/unit/wg_many.c - 100,000 registered keys: bounded work, bounded memory. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <malloc.h>
#include <time.h>

enum { PEERS = 100000 };

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static union hd_addr at(unsigned n)
{
	return net_addr(n >> 8 << 8, 1000 + n % 256);
}

/* Pairs: 1-2, 3-4, …; all with a tunnel. */
static int setup(void **state)
{
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, bytes;

	(void)state;
	net_start();
	for (unsigned i = 1; i <= PEERS; i++) {
		union hd_addr here = at(i);

		net_peer(i, &here);
		if (i % 2 == 0)
			net_link(i, i - 1);
	}
	for (unsigned i = 2; i <= PEERS; i += 2) {
		union hd_addr x = at(i), y = at(i - 1);

		net_init(&x, i - 1, i * 4);
		net_response(&y, i, i * 4 + 1, i * 4);
		net_data(&x, i * 4 + 1, 0, 32);
		net_data(&y, i * 4, 0, 32);
	}
	bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	print_message("# %zu bytes a peer, tables, link and tunnel and all\n",
		      bytes / PEERS);
	assert_int_equal(net.e->sessions.used, PEERS / 2);
	assert_true(bytes / PEERS <= 1024);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_stop();
	return 0;
}

/* A stranger asks for the key that is looked at last. */
static void a_search_is_done_in_slices(void **state)
{
	union hd_addr stranger = net_addr(70000, 7);
	uint8_t m[WG_INIT_BYTES];
	struct hd_datagram dg = { .from = stranger,
				  .data = m,
				  .len_bytes = sizeof(m) };
	unsigned slices = 0;
	double worst = 0, all = cpu_s();

	(void)state;
	net_make_init(m, PEERS, 1, NULL);
	net_clear();
	wg_route(net.e, &dg);
	assert_int_equal(net.n_sent, 0);
	assert_int_equal(net.e->searches->n, 1);
	while (net.e->searches->n > 0) {
		double since = cpu_s();

		wg_search_run(net.e);
		since = cpu_s() - since;
		worst = since > worst ? since : worst;
		slices++;
	}
	print_message("# %d keys in %u slices, %.1f ms, the longest %.2f ms\n",
		      PEERS, slices, (cpu_s() - all) * 1e3, worst * 1e3);
	assert_true(slices >= PEERS / 4000);
	assert_int_equal(net.n_sent, 1); /* it reached the peer */
	net_clear();
	wg_route(net.e, &dg); /* found last: tried first */
	assert_int_equal(net.e->searches->n, 0);
	assert_int_equal(net.n_sent, 1);
}

/* Unproven addresses fill half of the queue, and one place each. */
static void searches_are_bounded(void **state)
{
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	net_make_init(m, 5000000, 1, NULL);
	for (unsigned i = 0; i < 1000; i++) {
		struct hd_datagram dg = { .from = net_addr(70000 + i / 2, i),
					  .data = m,
					  .len_bytes = sizeof(m) };

		wg_route(net.e, &dg);
	}
	assert_int_equal(net.e->searches->n, WG_SEARCHES_MAX / 2);
	net.e->searches->n = 0;
}

/* ---- what one CPU withstands ---- */

enum { FLOOD = 20000 };

enum kind { KNOWN = 1, PROVEN, UNPROVEN, NOBODY };

static struct hd_datagram flood_one(enum kind kind, unsigned i, uint8_t *m)
{
	unsigned peer = (i * 7919u % (PEERS / 2) + 1) * 2;
	struct hd_datagram dg = { .from = net_addr(kind * 100000 + i, 7),
				  .data = m,
				  .len_bytes = WG_INIT_BYTES };
	struct wg_addr from = wg_addr_of(&dg.from);

	if (kind == KNOWN)
		dg.from = at(peer);
	if (kind == PROVEN)
		wg_caller_prove(net.e, &from, &from);
	net_make_init(m, kind == KNOWN ? peer - 1 : 1, i, NULL);
	if (kind == NOBODY)
		m[WG_INIT_MAC1] ^= 1;
	return dg;
}

/* Of one kind a second. */
static double withstands(enum kind kind)
{
	uint8_t m[WG_INIT_BYTES];
	double all = 0;

	for (unsigned i = 0; i < FLOOD; i++) {
		struct hd_datagram dg = flood_one(kind, i, m);
		double since;

		net_clear();
		since = cpu_s();
		wg_route(net.e, &dg);
		all += cpu_s() - since;
		while (i == 0 && net.e->searches->n > 0)
			wg_search_run(net.e); /* the key is in use now */
	}
	return FLOOD / all;
}

static void initiations_of_all_kinds(void **state)
{
	(void)state;
	print_message("# initiations a second: %.0f from known peers, ",
		      withstands(KNOWN));
	print_message("%.0f from proven strangers, ", withstands(PROVEN));
	net.e->pressure_ms = net.now_ms + 60000;
	print_message("%.0f from others (cookies), ", withstands(UNPROVEN));
	print_message("%.0f for nobody\n", withstands(NOBODY));
	assert_int_equal(net.e->searches->n, WG_SEARCHES_MAX / 2);
	net.e->searches->n = 0;
	net_pass(60000); /* what waits for an answer is forgotten */
	assert_int_equal(net.e->blocks.pool.used, 0);
}

/* ---- data ---- */

enum { BATCH = 32, ROUNDS = 30000 };

/* A second session for each link, as after a rekey. */
static void rekey_all(void)
{
	for (unsigned i = 2; i <= PEERS; i += 2) {
		union hd_addr x = at(i), y = at(i - 1);

		net_init(&x, i - 1, i * 4 + 2);
		net_response(&y, i, i * 4 + 3, i * 4 + 2);
		net_data(&x, i * 4 + 3, 0, 32);
		net_data(&y, i * 4 + 2, 0, 32);
	}
	assert_int_equal(net.e->sessions.used, PEERS);
}

/* ns a packet, when so many sessions are used at random. */
static double data_costs(unsigned sessions)
{
	static uint8_t m[BATCH][64];
	struct hd_datagram v[BATCH];
	double all = 0;

	for (unsigned k = 0; k < ROUNDS; k++) {
		double since;

		for (unsigned i = 0; i < BATCH; i++) {
			unsigned s = (k * BATCH + i) * 7919u % sessions;
			unsigned n = (s / 2 + 1) * 2;

			net_make_data(m[i], sizeof(m[i]),
				      n * 4 + 1 + s % 2 * 2, k + 1);
			v[i] = (struct hd_datagram){ .from = at(n),
						     .data = m[i],
						     .len_bytes = 64 };
		}
		since = cpu_s();
		wg_route_all(net.e, v, BATCH);
		all += cpu_s() - since;
	}
	return all / ROUNDS / BATCH * 1e9;
}

static void data_costs_the_same(void **state)
{
	double few, many;

	(void)state;
	rekey_all();
	few = data_costs(10);
	many = data_costs(PEERS);
	print_message("# %.0f ns a packet with 10 sessions, %.0f with %u\n",
		      few, many, PEERS);
}

static void saving_is_done_in_slices(void **state)
{
	double worst = 0;
	unsigned slices = 0;

	(void)state;
	net_pass(1000);
	net.e->dirty_ms = net.e->now_ms;
	wg_save_tick(net.e);
	for (; net.e->saving != NULL; slices++) {
		double since = cpu_s();

		wg_save_run(net.e);
		since = cpu_s() - since;
		if (net.e->saving == NULL) /* a helper thread's, in a relay */
			print_message("# sum and file: %.2f ms\n", since * 1e3);
		else
			worst = since > worst ? since : worst;
	}
	print_message("# saved in %u slices, the longest %.2f ms\n", slices,
		      worst * 1e3);
	assert_true(slices > PEERS / 2000);
	assert_true(net.e->saved_bytes > 1000000);
}

static void saving_is_short(void **state)
{
	double since = cpu_s();
	struct wg_saved *s = wg_save_all(net.e);

	(void)state;
	print_message("# %zu kB saved in %.1f ms\n", s->n / 1000,
		      (cpu_s() - since) * 1e3);
	wg_saved_free(&s);
	struct wg_plan *plan = net_plan();

	since = cpu_s();
	wg_engine_plan(net.e, plan);
	print_message("# the same plan again: %.0f ms\n",
		      (cpu_s() - since) * 1e3);
	wg_plan_free(&plan);
	since = cpu_s();
	net_restart();
	print_message("# registered and restored in %.0f ms\n",
		      (cpu_s() - since) * 1e3);
	assert_int_equal(net.e->sessions.used, PEERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_is_done_in_slices),
		cmocka_unit_test(searches_are_bounded),
		cmocka_unit_test(initiations_of_all_kinds),
		cmocka_unit_test(data_costs_the_same),
		cmocka_unit_test(saving_is_done_in_slices),
		cmocka_unit_test(saving_is_short),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
