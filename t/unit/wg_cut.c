/* SPDX-License-Identifier: MIT */
/* t/unit/wg_cut.c - nobody cuts a tunnel that stands, or gets what is for a
 * peer: each attack of doc/internals/wireguard.md's table against the engine.
 * Real traffic goes on beside it, and every packet must arrive. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"

static uint32_t live; /* alice's index; bob's is the next */
static uint64_t counter, live_ms;

static void rekey(void)
{
	live += 2;
	live_ms = net.now_ms;
	net_rekey(1, &a_at, 2, &b_at, live);
}

static int setup(void **state)
{
	(void)state;
	net_pair(4);
	net_link(1, 3);
	live = 0x70000000;
	counter = 1;
	net_tunnel(1, &a_at, 2, &b_at, live);
	live_ms = net.now_ms;
	return 0;
}

/* One echo: both ways, and to nobody else. */
static void echo(void)
{
	counter++;
	net_data(&a_at, live + 1, counter, 96);
	assert_non_null(net_to(&b_at));
	assert_int_equal(net_to(&b_at)->len, 96);
	net_data(&b_at, live, counter, 96);
	assert_non_null(net_to(&a_at));
	assert_int_equal(net_to(&a_at)->len, 96);
}

static void second(void)
{
	net_pass(1000);
	if (net.now_ms - live_ms >= 120000)
		rekey();
	echo();
}

static int teardown(void **state)
{
	(void)state;
	second();
	assert_true(net_at(1, &a_at));
	assert_true(net_at(2, &b_at));
	assert_true(net_out() <= net.bytes_in);
	net_stop();
	return 0;
}

/* A whole session of somebody at both ends. Returns whether data went. */
static bool pipe_through(const union hd_addr *x, const union hd_addr *y,
			 uint32_t i)
{
	for (unsigned try = 0; try < 4; try++) {
		net_init(y, 1, i + 100 + try); /* y may be 2 */
		net_init(x, 2, i + try);
		if (net_to(y) == NULL || net_to(y)->len != WG_INIT_BYTES)
			continue;
		net_response(y, 1, i + 50, i + try);
		net_data(x, i + 50, 0, 64);
		net_data(y, i + try, 0, 64);
		return net_to(x) != NULL && net_to(x)->len == 64;
	}
	return false;
}

static void strangers_are_no_pipe(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		n += pipe_through(&evil, &evil2, i * 1000);
		second();
	}
	assert_int_equal(n, 0);
}

/* While the two are idle nobody knows that they are there. When they speak, the
 * others are ended. */
static void a_pipe_ends_when_the_tunnel_is_in_use(void **state)
{
	bool made = false;

	(void)state;
	net_pass(60000);
	for (unsigned i = 0; i < 8 && !made; i++, net_pass(2000))
		made = pipe_through(&evil, &evil2, 5000 + 1000 * i);
	assert_true(made);
	for (unsigned i = 0; i < 5; i++)
		second();
	for (unsigned i = 0; i < 8; i++) {
		net_data(&evil, 5050 + 1000 * i, 7, 64);
		assert_null(net_to(&evil2));
		net_data(&evil2, 5000 + 1000 * i, 7, 64);
		assert_null(net_to(&evil));
	}
}

/* Four packets with forged sources: what comes back is not seen. */
static void forge_handshake(const union hd_addr *x, const union hd_addr *y,
			    uint32_t i)
{
	uint8_t m[WG_INIT_BYTES];

	net_make_init(m, 2, i, NULL);
	net_in(x, m, sizeof(m));
	net_response(y, 1, i + 1, i);
	net_data(x, i + 1, 0, 64);
	net_data(y, i, 0, 64);
}

static void forged_handshakes_between_them(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		for (unsigned k = 0; k < 10; k++)
			forge_handshake(&a_at, &b_at, i * 100 + 2 * k);
		second();
	}
	assert_true(net.e->sessions.used <= WG_LINK_SESSIONS);
}

/* An initiation of a real peer gets through at its second try: it may be asked
 * for a cookie, which who forges its address does not see. */
static void a_rekey_under_forged_handshakes(void **state)
{
	uint8_t m[WG_INIT_BYTES], cookie[16];
	bool asked;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		forge_handshake(&a_at, &b_at, 2 * i);
	net_clear();
	net_make_init(m, 2, 900, NULL);
	net_in(&a_at, m, sizeof(m));
	asked = net_open_cookie(net_to(&a_at), 2, m, cookie);
	assert_true(asked);
	for (unsigned i = 0; i < 50; i++) {
		forge_handshake(&a_at, &b_at, 200 + 2 * i);
		net_pass(100);
	}
	net_clear();
	net_make_init(m, 2, 901, cookie);
	net_in(&a_at, m, sizeof(m));
	assert_int_equal(net_to(&b_at)->len, WG_INIT_BYTES);
	for (unsigned i = 0; i < 50; i++)
		forge_handshake(&a_at, &b_at, 400 + 2 * i);
	net_response(&b_at, 1, 950, 901);
	assert_int_equal(net_to(&a_at)->len, WG_RESPONSE_BYTES);
	for (unsigned i = 0; i < 50; i++)
		forge_handshake(&a_at, &b_at, 600 + 2 * i);
	net_data(&a_at, 950, 0, 64);
	assert_int_equal(net_to(&b_at)->len, 64);
	net_data(&b_at, 901, 0, 64);
	assert_int_equal(net_to(&a_at)->len, 64);
}

/* A whole exchange is made up between the initiation and its answer. */
static void a_forged_exchange_ends_no_real_one(void **state)
{
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	net_make_init(m, 2, 900, NULL);
	net_in(&a_at, m, sizeof(m));
	for (unsigned i = 0; i < 20; i++)
		forge_handshake(&a_at, &b_at, 10 * i);
	net_response(&b_at, 1, 901, 900);
	assert_int_equal(net_to(&a_at)->len, WG_RESPONSE_BYTES);
}

/* One end forged, the other one's own: the tunnel, and where new handshakes go,
 * stay. */
static void half_forged_handshakes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		union hd_addr x = net_addr(66 + i % 20, 600 + i);

		net_init(&x, 2, i * 100); /* its own cookie it sees */
		forge_handshake(&x, &b_at, i * 100);
		second();
		assert_true(net_at(1, &a_at));
	}
	net_init(&b_at, 1, 990);
	if (net_to(&a_at) == NULL)
		net_init(&b_at, 1, 991);
	assert_int_equal(net_to(&a_at)->len, WG_INIT_BYTES);
}

static void a_forged_response_is_not_taken(void **state)
{
	(void)state;
	net_init(&a_at, 2, 20);
	net_response(&evil, 1, 21, 20); /* from who was not asked */
	assert_int_equal(net.n_sent, 0);
	net_response(&b_at, 4, 21, 20); /* for another key */
	assert_int_equal(net.n_sent, 0);
}

/* Who has seen it on the wire sends a copy of it first, or after it. */
static void a_copied_initiation_takes_no_answer(void **state)
{
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		net_make_init(m, 2, 500 + i, NULL);
		net_in(i == 0 ? &evil : &a_at, m, sizeof(m));
		net_in(i == 0 ? &a_at : &evil, m, sizeof(m));
		net_response(&b_at, 1, 600 + i, 500 + i);
		assert_null(net_to(&evil));
		assert_int_equal(net_to(&a_at)->len, WG_RESPONSE_BYTES);
	}
}

/* All in one chain of the table; and the answer goes to one alone. */
static void one_index_for_all(void **state)
{
	uint32_t before = net.e->pendings.used;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		union hd_addr from = net_addr(1000 + i, 9);

		net_init(&from, 2, 7);
	}
	assert_int_equal(net.e->pendings.used, before + 1);
	assert_int_equal(net.e->sum.drops[WG_DROP_RATE], 100 - 1);
}

/* Forged answers to a copy of an initiation share its index: whatever stands
 * first in the table, the live session is found. */
static void a_live_index_is_found_among_forged_answers(void **state)
{
	uint8_t m[WG_INIT_BYTES];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		net_make_init(m, 2, live, NULL);
		net_in(&a_at, m, sizeof(m)); /* seen on the wire */
		net_response(&b_at, 1, 8000 + i, live);
		second();
	}
}

/* The other end of the table: the chain of one hash keeps its order. */
static void a_chain_keeps_its_order(void **state)
{
	struct wg_index x = { 0 };
	uint32_t at, id, n = 0;

	(void)state;
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(wg_index_add(&x, 14, i), 0); /* wraps */
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(wg_index_add(&x, 1000 + i, 500), 0);
	at = 14;
	while (wg_index_next(&x, 14, &at, &id))
		assert_int_equal(id, n++);
	assert_int_equal(n, 12);
	wg_index_free(&x);
}

/* She is off; somebody who saw her index sends data that looks fresh. */
static void an_offline_peer_stays_where_it_was(void **state)
{
	(void)state;
	echo();
	net_pass(6000);
	for (unsigned i = 1; i <= 300; i++) {
		net_data(&evil, live + 1, 1000000 + i, 96);
		net_data(&b_at, live, 5000 + i, 96);
		assert_null(net_to(&evil));
		if (i % 50 == 25) {
			net_init(&b_at, 1, 7000 + i);
			assert_null(net_to(&evil));
		}
		if (i % 5 == 0)
			net_pass(1000);
	}
	assert_true(net_at(1, &a_at));
}

/* The same begun while she was there. What he gets ends when bob, who has heard
 * nothing genuine for 15 s, has asked for her and proven who asks. */
static void went_off_under_forged_data(void **state)
{
	uint64_t since = net.now_ms;
	unsigned got = 0;

	(void)state;
	echo();
	for (unsigned i = 1; net.now_ms - since < 60000; i++) {
		net_data(&evil, live + 1, 1000000 + i, 96);
		net_data(&b_at, live, 5000 + i, 96);
		got = net_to(&evil) != NULL ? i : got;
		if (i >= 15 && i % 5 == 0)
			net_init(&b_at, 1, 7000 + i);
		net_pass(1000);
	}
	assert_true(got > 0 && got <= 31);
	assert_true(net_at(1, &a_at));
}

static unsigned n_to(const union hd_addr *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < net.n_sent; i++)
		n += net_is(&net.sent[i].to, to);
	return n;
}

/* Forged data while she is there: nothing is taken from her, and he gets three
 * times what he sent at most. */
static void forged_data_takes_nothing(void **state)
{
	unsigned got = 0;

	(void)state;
	for (unsigned i = 1; i <= 600; i++) {
		net_data(&evil, live + 1, 1000000 + counter + i, 32);
		net_data(&b_at, live, 1000000 + i, 96);
		got += n_to(&evil);
		assert_int_equal(n_to(&a_at), 1);
		if (i % 2 == 0)
			second();
	}
	assert_true(got <= 600);
}

/* A new mapping in the middle of a download: answers at once, three times what
 * it sends; all of it when the old place has been silent for a second; nothing
 * is taken from the old place. */
static void who_moves_under_load_is_answered(void **state)
{
	union hd_addr new_at = net_addr(1, 1001);
	uint32_t got = 0;

	(void)state;
	for (unsigned i = 1; i <= 200; i++) {
		net_data(&new_at, live + 1, 100 + i, 96);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, live, 9000 + i, 96);
		assert_non_null(net_to(&new_at));
		got += 96;
		for (unsigned k = 0; k < 4; k++) {
			net_data(&b_at, live, 100 + i * 4 + k, 1400);
			got += 1400 * n_to(&new_at);
			assert_int_equal(n_to(&a_at), 1);
			if (i > 11)
				assert_int_equal(n_to(&new_at), 1);
		}
		net_pass(100);
		if (i == 10)
			assert_true(got > 2 * 10 * 96 && got <= 3 * 10 * 96);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(strangers_are_no_pipe),
		T(a_pipe_ends_when_the_tunnel_is_in_use),
		T(forged_handshakes_between_them),
		T(a_rekey_under_forged_handshakes),
		T(a_forged_exchange_ends_no_real_one),
		T(half_forged_handshakes),
		T(a_forged_response_is_not_taken),
		T(a_copied_initiation_takes_no_answer),
		T(one_index_for_all),
		T(a_live_index_is_found_among_forged_answers),
		T(a_chain_keeps_its_order),
		T(an_offline_peer_stays_where_it_was),
		T(went_off_under_forged_data),
		T(forged_data_takes_nothing),
		T(who_moves_under_load_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
