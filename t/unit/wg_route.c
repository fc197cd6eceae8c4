/* SPDX-License-Identifier: MIT */
/* t/unit/wg_route.c - what the engine does with honest peers. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <stdlib.h>

static union hd_addr c_at, elsewhere;

static int setup(void **state)
{
	(void)state;
	net_pair(3);
	c_at = net_addr(3, 3000);
	elsewhere = net_addr(9, 9000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_true(net_out() <= net.bytes_in);
	net_stop();
	return 0;
}

static void a_stranger_is_asked_for_a_cookie(void **state)
{
	uint8_t m[WG_INIT_BYTES], cookie[16];

	(void)state;
	net_make_init(m, 2, 7, NULL);
	net_in(&a_at, m, sizeof(m));
	assert_int_equal(net.n_sent, 1);
	assert_true(net_open_cookie(net_to(&a_at), 2, m, cookie));
	net_clear();
	net_in(&a_at, m, sizeof(m)); /* the same again proves nothing */
	assert_int_equal(net_to(&a_at)->len, WG_COOKIE_BYTES);
	assert_int_equal(net.e->sum.drops[WG_DROP_COOKIE], 2);
}

static void a_cookie_is_for_one_address(void **state)
{
	uint8_t m[WG_INIT_BYTES], cookie[16];

	(void)state;
	net_make_init(m, 2, 7, NULL);
	net_in(&a_at, m, sizeof(m));
	assert_true(net_open_cookie(net_to(&a_at), 2, m, cookie));
	net_make_init(m, 2, 8, cookie);
	net_clear();
	net_in(&elsewhere, m, sizeof(m));
	assert_int_equal(net_to(&elsewhere)->len, WG_COOKIE_BYTES);
	net_pass(2 * WG_COOKIE_MS);
	net_clear();
	net_in(&a_at, m, sizeof(m)); /* too old */
	assert_int_equal(net_to(&a_at)->len, WG_COOKIE_BYTES);
}

static void two_strangers_find_each_other(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	assert_true(net_at(1, &a_at) && net_at(2, &b_at));
	net_data(&a_at, 11, 1, 100);
	assert_int_equal(net_to(&b_at)->len, 100);
	net_data(&b_at, 10, 1, 65000);
	assert_int_equal(net_to(&a_at)->len, 65000);
}

static void who_is_not_linked_is_not_reached(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_init(&a_at, 3, 20);
	assert_int_equal(net.n_sent, 0);
	assert_int_equal(net.e->sum.drops[WG_DROP_NO_LINK] +
				 net.e->sum.drops[WG_DROP_PUBKEY_MISMATCH],
			 1);
	net_init(&c_at, 9999, 20);
	assert_int_equal(net.e->sum.drops[WG_DROP_NO_PUBKEY_MATCH], 1);
}

static void a_rekey_leaves_the_old_session_in_use(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_init(&b_at, 1, 30); /* the other one begins */
	assert_int_equal(net_to(&a_at)->len, WG_INIT_BYTES);
	net_response(&a_at, 2, 31, 30);
	assert_int_equal(net_to(&b_at)->len, WG_RESPONSE_BYTES);
	net_data(&a_at, 11, 5, 64);
	assert_int_equal(net_to(&b_at)->len, 64);
	net_data(&b_at, 31, 0, 64);
	assert_int_equal(net_to(&a_at)->len, 64);
	net_data(&b_at, 10, 5, 64);
	assert_int_equal(net_to(&a_at)->len, 64);
}

static void a_responder_does_not_speak_first(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_init(&a_at, 2, 40);
	net_response(&b_at, 1, 41, 40);
	net_data(&b_at, 40, 0, 64);
	assert_int_equal(net.n_sent, 0);
}

static void a_new_address_is_proven_by_a_handshake(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_pass(1000);
	net_init(&elsewhere, 2, 50);
	assert_int_equal(net_to(&b_at)->len, WG_INIT_BYTES);
	assert_true(net_at(1, &a_at));
	net_response(&b_at, 1, 51, 50);
	assert_int_equal(net_to(&elsewhere)->len, WG_RESPONSE_BYTES);
	assert_true(net_at(1, &a_at));
	net_data(&elsewhere, 51, 0, 32);
	net_data(&b_at, 50, 9, 64); /* the one they use from now on */
	assert_int_equal(net_to(&elsewhere)->len, 64);
	net_pass(5000);
	assert_true(net_at(1, &a_at)); /* she may be there, and say so */
	net_pass(15000);
	net_data(&b_at, 50, 10, 64);
	assert_true(net_at(1, &elsewhere));
	assert_int_equal(net_find(1)->relearned, 1);
}

static void a_peers_own_cookie_ends_ours(void **state)
{
	uint8_t m[WG_COOKIE_BYTES] = { WG_COOKIE };

	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_init(&elsewhere, 2, 60);
	wg_put32(m + 4, 60);
	net_clear();
	net_in(&b_at, m, sizeof(m));
	assert_int_equal(net_to(&elsewhere)->len, WG_COOKIE_BYTES);
	net.e->pressure_ms = net.now_ms + 60000;
	net_clear();
	uint8_t init[WG_INIT_BYTES];
	net_make_init(init, 2, 61, (const uint8_t *)"a cookie of bob ");
	net_in(&elsewhere, init, sizeof(init));
	assert_int_equal(net_to(&b_at)->len, WG_INIT_BYTES);
}

static void pinned_peers_need_no_key(void **state)
{
	(void)state;
	net_keyless(4, &c_at);
	net_keyless(5, &elsewhere);
	net_link(4, 5);
	net_init(&c_at, 77, 1); /* mac1 of whomever */
	assert_int_equal(net_to(&elsewhere)->len, WG_INIT_BYTES);
	net_response(&elsewhere, 78, 2, 1);
	assert_int_equal(net_to(&c_at)->len, WG_RESPONSE_BYTES);
	net_data(&c_at, 2, 0, 32);
	assert_int_equal(net_to(&elsewhere)->len, 32);
	net_data(&elsewhere, 4711, 0, 48); /* no session: by address */
	assert_int_equal(net_to(&c_at)->len, 48);
}

static void a_removed_link_cuts_the_tunnel(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	wg_link_drop(net.e, wg_link_between(net.e, net_find(1)->item.id,
					    net_find(2)->item.id));
	net_data(&a_at, 11, 9, 64);
	assert_int_equal(net.n_sent, 0);
	net_init(&a_at, 2, 70);
	assert_int_equal(net.n_sent, 0);
	assert_int_equal(net.e->sessions.used, 0);
}

static void tunnels_outlive_a_restart(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_restart();
	assert_true(net_at(1, &a_at) && net_at(2, &b_at));
	net_data(&b_at, 10, 5, 64);
	assert_int_equal(net_to(&a_at)->len, 64);
	net_data(&a_at, 11, 5, 64);
	assert_int_equal(net_to(&b_at)->len, 64);
	for (size_t i = 0; i < net.file->n; i++) { /* a damaged file */
		struct wg_saved copy = { .v = net.file->v, .n = i };

		assert_false(wg_restore(net.e, &copy));
	}
	assert_true(wg_restore(net.e, net.file));
	net.file->v[7]++; /* another version's, of the same sizes */
	assert_false(wg_restore(net.e, net.file));
}

/* A file that somebody made: ten tunnels of one link. */
static void more_saved_tunnels_than_there_may_be(void **state)
{
	const size_t one = sizeof(struct wg_session_record);
	struct wg_session_record *r;
	struct wg_saved made;

	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_restart();
	made = *net.file;
	made.v = malloc(made.n + 9 * one);
	memcpy(made.v, net.file->v, made.n);
	r = (void *)(made.v + made.n - one);
	for (unsigned i = 1; i < 10; i++, made.n += one) {
		r[i] = r[0];
		r[i].end[0].index += 2 * i;
	}
	((struct wg_saved_head *)made.v)->n_sessions = 10;
	wg_restore(net.e, &made);
	free(made.v);
	assert_true(net.e->sessions.used <= WG_LINK_SESSIONS);
	wg_link_drop(net.e, wg_link(net.e, net_find(1)->links[0]));
	assert_int_equal(net.e->sessions.used, 0);
}

/* Somebody who knows all public keys and forges bob's address completes "a
 * handshake": alice is believed to be there until she makes one herself, but
 * her tunnel goes on. */
static void a_forged_answer_cuts_no_tunnel(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_init(&evil, 2, 20);
	net_response(&b_at, 1, 21, 20);
	net_data(&evil, 21, 0, 64);
	net_data(&b_at, 10, 5, 64);
	assert_null(net_to(&evil));
	assert_int_equal(net_to(&a_at)->len, 64);
	net_pass(WG_PENDING_MS + 10000);
	net_init(&b_at, 1, 30); /* he rekeys: to where his tunnel leads */
	assert_int_equal(net_to(&a_at)->len, WG_INIT_BYTES);
	net_init(&a_at, 2, 40); /* she rekeys */
	net_response(&b_at, 1, 41, 40);
	net_data(&a_at, 41, 0, 64);
	assert_true(net_at(1, &a_at));
}

/* Bob is off; somebody in his name asks alice now and then. */
static void who_asks_a_dead_peer_is_not_blocked(void **state)
{
	union hd_addr new_at = net_addr(5, 5000);
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net.e->pressure_ms = net.now_ms + 600000;
	for (unsigned i = 0; i < 5; i++) {
		net_init(&new_at, 2, 40 + i); /* alice, from elsewhere */
		net_pass(5000);
		net_make_init(m, 1, 90 + i, NULL);
		net_in(&b_at, m, sizeof(m));
		net_pass(35000);
	}
	assert_int_equal(net.e->blocks.pool.used, 0);
}

static void an_unused_session_ends(void **state)
{
	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_pass(WG_REJECT_AFTER_MS - 1000);
	assert_int_equal(net.e->sessions.used, 1);
	net_pass(2000);
	assert_int_equal(net.e->sessions.used, 0);
	assert_true(net_at(1, &a_at)); /* where it was last */
}

static void what_has_no_shape_is_dropped(void **state)
{
	static const struct {
		uint32_t type;
		size_t len;
	} wrong[] = { { WG_INIT, 147 },	    { WG_INIT, 149 },
		      { WG_RESPONSE, 91 },  { WG_RESPONSE, 93 },
		      { WG_COOKIE, 63 },    { WG_COOKIE, 65 },
		      { WG_DATA, 31 },	    { 0, 148 },
		      { 5, 148 },	    { WG_DATA | 0x100, 64 },
		      { WG_DATA << 24, 64 } };
	uint8_t m[256] = { 0 };

	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_clear();
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++) {
		wg_put32(m, wrong[i].type);
		net_in(&a_at, m, wrong[i].len);
	}
	net_in(&a_at, m, 0);
	assert_int_equal(net.n_sent, 0);
	assert_int_equal(net.e->sum.drops[WG_DROP_NOT_WG_SHAPED],
			 HD_ARRAY_N(wrong) + 1);
}

static void reads_show_what_happened(void **state)
{
	struct wg_peer_info p;
	struct wg_link_info l;
	uint64_t cursor = 0;

	(void)state;
	net_tunnel(1, &a_at, 2, &b_at, 10);
	net_data(&a_at, 11, 1, 100);
	assert_int_equal(wg_engine_peer_find(net.e, "p1", &p), 0);
	assert_true(p.has_key && p.has_endpoint && !p.fixed && !p.xdp);
	assert_int_equal(p.rx.bytes, 132);
	assert_int_equal(p.tx.packets, 1);
	assert_int_equal(p.handshake_ms, 0);
	assert_int_equal(p.n_sessions, 1);
	assert_int_equal(wg_engine_peer_find(net.e, "nobody", &p), -2);
	assert_true(wg_engine_link_of(net.e, "p2", &cursor, &l));
	assert_string_equal(l.a, "p2");
	assert_int_equal(l.b_to_a.bytes, 132);
	assert_false(wg_engine_link_of(net.e, "p2", &cursor, &l));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_stranger_is_asked_for_a_cookie),
		T(a_cookie_is_for_one_address),
		T(two_strangers_find_each_other),
		T(who_is_not_linked_is_not_reached),
		T(a_rekey_leaves_the_old_session_in_use),
		T(a_responder_does_not_speak_first),
		T(a_new_address_is_proven_by_a_handshake),
		T(a_peers_own_cookie_ends_ours),
		T(pinned_peers_need_no_key),
		T(a_removed_link_cuts_the_tunnel),
		T(tunnels_outlive_a_restart),
		T(more_saved_tunnels_than_there_may_be),
		T(a_forged_answer_cuts_no_tunnel),
		T(who_asks_a_dead_peer_is_not_blocked),
		T(an_unused_session_ends),
		T(what_has_no_shape_is_dropped),
		T(reads_show_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
