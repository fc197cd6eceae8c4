/* SPDX-License-Identifier: MIT */
/* t/unit/wg_attack.c - an attacker who knows every public key, sees packets,
 * and forges what can be forged without a private key. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <stdlib.h>

static uint64_t tunnel_ms;

static int setup(void **state)
{
	(void)state;
	net_pair(4);
	net_link(1, 3); /* 3 and 4 are not there */
	net_link(3, 4);
	net_tunnel(1, &a_at, 2, &b_at, 10);
	tunnel_ms = net.now_ms;
	return 0;
}

/* As peers do every two minutes. */
static void rekey(void)
{
	tunnel_ms = net.now_ms;
	net_rekey(1, &a_at, 2, &b_at, 10);
}

static int teardown(void **state)
{
	(void)state;
	if (net.now_ms - tunnel_ms > WG_REJECT_AFTER_MS)
		rekey();
	assert_true(net_at(1, &a_at)); /* whatever was tried */
	assert_true(net_at(2, &b_at));
	net_data(&b_at, 10, 1u << 30, 64);
	assert_int_equal(net_to(&a_at)->len, 64);
	assert_true(net_out() <= net.bytes_in);
	net_stop();
	return 0;
}

/* A naive relay moves an endpoint to wherever an index came from. */
static void replayed_data_moves_nobody(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 60; i++) {
		net_data(&a_at, 11, i, 64);
		net_data(&evil, 11, i, 64); /* a copy, from elsewhere */
		assert_int_equal(net.n_sent, 0);
		net_data(&b_at, 10, i, 64);
		assert_null(net_to(&evil));
		assert_non_null(net_to(&a_at));
		net_pass(1000);
	}
	assert_int_equal(net.e->sum.drops[WG_DROP_REPLAY], 60);
}

/* Forged counters look fresh; that the other end sends is no proof either, when
 * the real one is there and answers. */
static void forged_data_moves_nobody(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 120; i++) {
		net_data(&evil, 11, 1000000 + i, 64);
		net_data(&b_at, 10, i, 64);
		assert_int_equal(net_to(&a_at)->len, 64);
		if (i % 10 == 0)
			net_data(&a_at, 11, i, 32); /* KEEPALIVE_TIMEOUT */
		net_pass(1000);
	}
}

/* Nobody sends data to an idle client: then its silence tells nothing. */
static void an_idle_client_is_not_moved(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 100; i++) {
		net_data(&evil, 11, 1000000 + i, 64);
		if (i % 25 == 0) {
			net_data(&b_at, 10, i, 32);
			assert_non_null(net_to(&a_at));
			net_data(&a_at, 11, i, 32);
		}
		net_pass(1000);
	}
}

/* Both ends of an exchange are the attacker's. A keyless relay cannot see that;
 * but it must not believe it of a key whose place is known. */
static void two_addresses_that_answer_each_other(void **state)
{
	(void)state;
	net.e->pressure_ms = net.now_ms + 60000; /* all must prove themselves */
	net_init(&evil2, 1, 30); /* evil2 may be 3 now: linked with 1 */
	net_pass(1000);
	net_init(&evil, 3, 31); /* "1 asks 3" */
	assert_non_null(net_to(&evil2));
	net_response(&evil2, 1, 32, 31);
	net_data(&evil, 32, 0, 64);
	net_data(&evil2, 31, 0, 64);
	assert_true(net_at(1, &a_at));
	/* even if 3 is believed to be there: it never proved itself to 1 */
	net_init(&evil, 3, 33);
	net_response(&evil2, 1, 34, 33);
	net_data(&evil, 34, 0, 64);
	net_data(&evil2, 33, 0, 64);
	assert_true(net_at(1, &a_at));
}

/* A chain: 3 and 4 are nowhere, so the attacker can be both. */
static void a_chain_of_absent_peers(void **state)
{
	(void)state;
	net_tunnel(3, &evil, 4, &evil2, 200);
	assert_true(net_at(3, &evil));
	net_init(&evil2, 3, 300); /* as 1 */
	net_response(&evil, 1, 301, 300);
	net_data(&evil2, 301, 0, 64);
	net_data(&evil, 300, 0, 64);
	assert_true(net_at(1, &a_at));
}

/* The real peers come later than those who pretended to be them. */
static void late_peers_find_each_other_all_the_same(void **state)
{
	union hd_addr c_at = net_addr(3, 3000), d_at = net_addr(4, 4000);

	(void)state;
	net_tunnel(3, &evil, 4, &evil2, 200);
	for (unsigned try = 0; try < 12; try++) {
		net_init(&d_at, 3, 400 + try); /* d may be 4 */
		net_pass(2500);
		net_init(&c_at, 4, 500 + try);
		if (net_to(&d_at) != NULL) {
			net_response(&d_at, 3, 600, 500 + try);
			net_data(&c_at, 600, 0, 64);
			assert_int_equal(net_to(&d_at)->len, 64);
			net_data(&d_at, 500 + try, 0, 64);
			assert_int_equal(net_to(&c_at)->len, 64);
			return;
		}
		net_pass(2500);
	}
	fail_msg("they never met");
}

static void spoofed_initiations_stay_bounded(void **state)
{
	uint8_t m[WG_INIT_BYTES];
	uint32_t to_b = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		union hd_addr from = net_addr(1000 + i % 50000, i);

		net_make_init(m, 2, i, NULL);
		net_clear();
		net_in(&from, m, sizeof(m));
		to_b += net_to(&b_at) != NULL;
		if (i % 10000 == 0)
			net_pass(1000);
	}
	assert_true(to_b < 1000);
	assert_true(net.e->sources.pool.used <= WG_SOURCES_MAX);
	assert_true(net.e->pendings.used <= WG_PENDING_MAX);
	assert_int_equal(net.e->callers.pool.used, 2); /* a and b */
	assert_int_equal(net.e->blocks.pool.used, 0); /* they are forged */
}

static void indexes_stay_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		net_init(&a_at, 2, 1000 + 2 * i);
		net_response(&b_at, 1, 1001 + 2 * i, 1000 + 2 * i);
		if (i % 2 == 0)
			net_data(&a_at, 1001 + 2 * i, 0, 32);
	}
	assert_true(net.e->sessions.used <= WG_LINK_SESSIONS);
	assert_true(net.e->by_index.n <= 2 * WG_LINK_SESSIONS);
	net_tunnel(1, &a_at, 2, &b_at, 10);
}

static void failures_are_blocked_for_longer_and_longer(void **state)
{
	struct wg_block_info info;
	uint64_t cursor = 0;
	uint8_t m[WG_INIT_BYTES] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		net_init(&evil, 2, 700 + i); /* bob does not answer */
		net_pass(2000);
		net_data(&b_at, 10, i, 32); /* though he is there */
		net_pass(3000);
	}
	assert_true(net.e->sum.drops[WG_DROP_RELEARN_UNCONFIRMED] > 2);
	assert_true(wg_engine_block_next(net.e, &cursor, &info));
	assert_true(info.strikes >= 2);
	assert_int_equal(info.port, ntohs(evil.in.sin_port));
	net_make_init(m, 2, 800, NULL);
	net_clear();
	net_in(&evil, m, sizeof(m));
	assert_int_equal(net.n_sent, 0);
	assert_true(net.e->sum.drops[WG_DROP_BLOCKED] > 0);
	assert_int_equal(wg_engine_block_clear(net.e, &evil), 1);
	net_in(&evil, m, sizeof(m));
	assert_int_equal(net.n_sent, 1);
}

static bool is_struck(void)
{
	return net.e->blocks.pool.used > 0;
}

/* Somebody who lets bob look alive and sends in the name of `victim`. */
static void defame(const union hd_addr *victim, unsigned n)
{
	uint8_t m[WG_INIT_BYTES];

	for (unsigned i = 0; i < n; i++) {
		net_make_init(m, 2, 5000 + i, NULL);
		net_in(victim, m, sizeof(m));
		net_pass(5000);
		net_data(&b_at, 10, (1u << 20) + i, 32);
		net_pass(30000);
	}
}

static void forgery_blocks_nobody(void **state)
{
	union hd_addr victim = net_addr(5, 5000);

	(void)state;
	net.e->pressure_ms = net.now_ms + 5000;
	net_init(&victim, 2, 40); /* with a cookie: it is proven now */
	net_response(&b_at, 1, 41, 40); /* bob found it right */
	defame(&victim, 3);
	assert_false(is_struck());
}

/* The cookie of a responder went to an address: that it arrived, or was wanted,
 * nobody has shown. */
static void a_cookie_of_bob_proves_nothing(void **state)
{
	union hd_addr victim = net_addr(5, 5000);
	uint8_t m[WG_INIT_BYTES], reply[WG_COOKIE_BYTES] = { WG_COOKIE };

	(void)state;
	net_make_init(m, 2, 40, NULL);
	net_in(&victim, m, sizeof(m));
	wg_put32(reply + WG_RECEIVER_OF_COOKIE, 40);
	net_in(&b_at, reply, sizeof(reply));
	net_make_init(m, 3, 41, NULL); /* 3 is nowhere: candidates of 1, 4 */
	net_in(&victim, m, sizeof(m));
	net_init(&evil, 4, 42);
	net_clear();
	net_make_init(m, 4, 43, NULL);
	net_in(&evil, m, sizeof(m));
	assert_null(net_to(&victim));
	defame(&victim, 3);
	assert_false(is_struck());
}

static void the_index_of_another(void **state)
{
	union hd_addr c_at = net_addr(3, 3000);

	(void)state;
	net_peer(3, &c_at); /* one of us, who listens at alice's */
	net_init(&a_at, 3, 70);
	net_response(&c_at, 1, 11, 70); /* 11 is bob's */
	assert_int_equal(net.n_sent, 0);
	net_data(&a_at, 11, 5, 64);
	assert_non_null(net_to(&b_at));
}

static const struct wg_block *block_of(const union hd_addr *who)
{
	struct wg_addr addr = wg_addr_of(who), ip = wg_addr_source(&addr);

	return wg_book_find(&net.e->blocks, &net.e->hash, &ip);
}

static void be_blocked(const union hd_addr *who)
{
	net.e->pressure_ms = net.now_ms + 200000;
	for (unsigned i = 0; i < 3; i++) {
		net_init(who, 2, 700 + i);
		net_pass(5000);
		net_data(&b_at, 10, 2000 + i, 32);
		net_pass(30000);
	}
	assert_non_null(block_of(who));
}

/* The kernel's blocklist knows no ports: it must not hold a host from which
 * somebody comes whom we know. */
static void a_neighbour_is_not_blocked_below(void **state)
{
	union hd_addr neighbour = net_addr(1, 1001); /* alice's host */

	(void)state;
	be_blocked(&neighbour);
	assert_false(block_of(&neighbour)->below);
	net_init(&a_at, 2, 50); /* she rekeys, neighbour or no */
	assert_non_null(net_to(&b_at));
	be_blocked(&evil);
	assert_true(block_of(&evil)->below);
	net_peer(5, &evil2);
	assert_true(block_of(&evil)->below);
	net_peer(6, &evil); /* now there is somebody */
	assert_false(block_of(&evil)->below);
}

/* 4 steps: anything from anywhere. */
static void a_storm(void **state)
{
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 200000; i++) {
		union hd_addr from =
			net_addr((unsigned)random() % 8 + 60, 600);
		uint32_t x = (uint32_t)random() % 64;

		switch (random() % 8) {
		case 0:
			net_init(&from, x % 5, x);
			break;
		case 1:
			net_response(&from, x % 5, x + 1, x);
			break;
		case 2:
			net_pass((uint64_t)random() % 2000);
			break;
		case 3:
			memset(m, 0, sizeof(m));
			m[0] = WG_COOKIE;
			wg_put32(m + 4, x);
			net_in(&from, m, WG_COOKIE_BYTES);
			break;
		default:
			net_data(&from, x, (uint64_t)random() % 100, 32 + x);
		}
		if (net.now_ms - tunnel_ms > 120000)
			rekey();
		if (i % 64 == 0) { /* the two are still there */
			net_data(&b_at, 10, 1000 + i, 64);
			net_data(&a_at, 11, 1000 + i, 64);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(replayed_data_moves_nobody),
		T(forged_data_moves_nobody),
		T(an_idle_client_is_not_moved),
		T(two_addresses_that_answer_each_other),
		T(a_chain_of_absent_peers),
		T(late_peers_find_each_other_all_the_same),
		T(spoofed_initiations_stay_bounded),
		T(indexes_stay_bounded),
		T(failures_are_blocked_for_longer_and_longer),
		T(forgery_blocks_nobody),
		T(a_cookie_of_bob_proves_nothing),
		T(the_index_of_another),
		T(a_neighbour_is_not_blocked_below),
		T(a_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
