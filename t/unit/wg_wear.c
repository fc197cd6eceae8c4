/* SPDX-License-Identifier: MIT */
/* t/unit/wg_wear.c - attackers who do the same again and again, and what it
 * costs those who are there: see wg_cut.c. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"

static const uint32_t live = 0x70000000; /* alice's index; bob's is the next */

static int setup(void **state)
{
	(void)state;
	net_pair(4);
	net_tunnel(1, &a_at, 2, &b_at, live);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_stop();
	return 0;
}

/* Alice speaks and is answered all the time. Somebody who has seen her index
 * sends one packet from her own address with a counter that is far ahead, and
 * then others from his. She has never been silent: nothing is taken from her.
 */
static void a_forged_counter_makes_nobody_silent(void **state)
{
	unsigned lost = 0, got = 0;

	(void)state;
	net_data(&a_at, live + 1, 5, 96);
	net_data(&b_at, live, 5, 96);
	net_data(&a_at, live + 1, 1ull << 62, 32);
	for (unsigned i = 1; i <= 60; i++) {
		net_data(&a_at, live + 1, 10 + i, 96);
		lost += net_to(&b_at) == NULL;
		net_data(&evil, live + 1, (1ull << 62) + i, 32);
		net_data(&b_at, live, 10 + i, 96);
		lost += net_to(&a_at) == NULL;
		got += net_to(&evil) != NULL;
		net_pass(1000);
	}
	assert_true(got <= 60);
	assert_int_equal(lost, 0);
}

/* And when she moves then, her data is not one seen before. */
static void a_forged_counter_keeps_nobody_from_moving(void **state)
{
	union hd_addr new_at = net_addr(1, 1001);

	(void)state;
	net_data(&a_at, live + 1, 5, 96);
	net_data(&a_at, live + 1, 1ull << 62, 32);
	for (unsigned i = 6; i < 9; i++) {
		net_data(&a_at, live + 1, i, 96);
		net_data(&b_at, live, i, 96);
	}
	net_pass(1000);
	net_data(&new_at, live + 1, 10, 96);
	assert_non_null(net_to(&b_at));
	net_data(&b_at, live, 10, 96);
	assert_non_null(net_to(&new_at));
}

/* A packet costs a look at each session of its index: who forges both ends of
 * many links does not make that long. */
static void one_index_of_many_links(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		unsigned a = 1000 + 2 * i, b = a + 1;
		union hd_addr x = net_addr(a * 256, 9);
		union hd_addr y = net_addr(b * 256, 9);

		net_peer(a, &x);
		net_peer(b, &y);
		net_link(a, b);
		for (unsigned k = 0; k < 6; k++) {
			net_init(&x, b, 100 * i + k);
			net_response(&y, a, 7, 100 * i + k);
			net_data(&x, 7, 0, 32);
		}
	}
	assert_true(net.e->sessions.used <= 17 + WG_LINK_SESSIONS);
	net_data(&a_at, live + 1, 5, 96);
	assert_non_null(net_to(&b_at));
}

/* Somebody who forges any address makes a session between bob and an address of
 * nobody: he sees no answer. */
static unsigned flood_n;

static void forge_one(unsigned n)
{
	union hd_addr z = net_addr(100000 + n * 256, 700);
	uint8_t m[WG_INIT_BYTES];

	net_make_init(m, 2, 4 * n, NULL);
	net_in(&z, m, sizeof(m));
	net_response(&b_at, 1, 4 * n + 1, 4 * n);
	net_data(&z, 4 * n + 1, 0, 64);
	net_data(&b_at, 4 * n, 0, 64);
}

/* Alice's, who has moved. Returns whether data went both ways. */
static bool handshake(const union hd_addr *x, uint32_t i)
{
	net_init(x, 2, i);
	if (net_to(&b_at) == NULL || net_to(&b_at)->len != WG_INIT_BYTES)
		return false;
	net_response(&b_at, 1, i + 1, i);
	for (unsigned k = 0; k < 2; k++, net_pass(50))
		forge_one(flood_n++); /* a round trip goes by */
	net_data(x, i + 1, 0, 64);
	if (net_to(&b_at) == NULL)
		return false;
	net_data(&b_at, i, 0, 64);
	return net_to(x) != NULL;
}

static void forge_for(unsigned ms)
{
	for (; ms > 0; ms -= 100, net_pass(100))
		for (unsigned k = 0; k < 2; k++)
			forge_one(flood_n++);
}

static void who_moved_is_through_among_forged(void **state)
{
	const uint32_t i = 0x60000000;
	union hd_addr new_at = net_addr(500, 1001);

	(void)state;
	flood_n = 0;
	forge_for(10000);
	if (!handshake(&new_at, i)) {
		forge_for(5000); /* one retry */
		assert_true(handshake(&new_at, i));
	}
	for (unsigned k = 1; k < 60; k++) {
		net_data(&new_at, i + 1, k, 64);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, i, k, 64);
		assert_non_null(net_to(&new_at));
		forge_for(1000);
	}
}

/* Somebody who has many hosts, each with our cookie, forges bob's end alone. */
static unsigned pipe_n;

static void forge_by_hosts(void)
{
	for (unsigned h = 0; h < 12; h++) {
		union hd_addr z = net_addr(200000 + h * 256, 700);
		uint32_t i = 4 * pipe_n++;

		net_init(&z, 2, i);
		net_response(&b_at, 1, i + 1, i);
		net_data(&z, i + 1, 0, 64);
		net_data(&b_at, i, 0, 64);
	}
}

struct moved { /* alice, and the cookies that the two were given */
	union hd_addr at;
	uint32_t i;
	uint8_t cookie[2][16];
	bool has[2];
};

static bool try_once(struct moved *v)
{
	uint8_t m[WG_INIT_BYTES], r[WG_RESPONSE_BYTES];

	net_clear();
	net_make_init(m, 2, v->i += 2, v->has[0] ? v->cookie[0] : NULL);
	net_in(&v->at, m, sizeof(m));
	v->has[0] = net_open_cookie(net_to(&v->at), 2, m, v->cookie[0]);
	if (net_to(&b_at) == NULL)
		return false;
	net_clear();
	net_make_response(r, 1, v->i + 1, v->i);
	if (v->has[1])
		net_sign_response(r, v->cookie[1]);
	net_in(&b_at, r, sizeof(r));
	v->has[1] |= net_open_cookie(net_to(&b_at), 1, r, v->cookie[1]);
	forge_by_hosts();
	net_data(&v->at, v->i + 1, 0, 64);
	if (net_to(&b_at) == NULL)
		return false;
	net_data(&b_at, v->i, 0, 64);
	return net_to(&v->at) != NULL;
}

static void talk_moved(const struct moved *v, unsigned seconds)
{
	for (unsigned k = 1; k <= seconds; k++, net_pass(1000)) {
		net_data(&v->at, v->i + 1, k, 64);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, v->i, k, 64);
		assert_non_null(net_to(&v->at));
		forge_by_hosts();
	}
}

/* At the third try at the latest: bob shows a cookie in his response then,
 * which nobody forges. From that on she is known to be there, too. */
static void who_moved_is_through_among_many_hosts(void **state)
{
	struct moved v = { .at = net_addr(500, 1001), .i = 0x60000000 };
	unsigned tries = 1;

	(void)state;
	pipe_n = 0;
	for (unsigned i = 0; i < 30; i++, net_pass(1000))
		forge_by_hosts();
	for (; !try_once(&v); tries++)
		for (unsigned i = 0; i < 5; i++, net_pass(1000))
			forge_by_hosts();
	assert_in_range(tries, 1, 3);
	talk_moved(&v, 60);
	assert_true(try_once(&v) || try_once(&v)); /* the first is asked */
	talk_moved(&v, 30);
	assert_true(net_at(1, &v.at));
}

/* A session is made up in the name of a third one's address. What bob asks goes
 * there, too: three times the bytes that came from there. */
static void a_made_up_place_is_asked(void **state)
{
	union hd_addr z = net_addr(700, 700);
	unsigned got = 0, tries = 0;

	(void)state;
	net_pass(31000);
	forge_one(0); /* makes room for nothing */
	net_init(&z, 2, 9000);
	net_response(&b_at, 1, 9001, 9000);
	net_data(&z, 9001, 0, 64);
	net_data(&b_at, 9000, 0, 64);
	for (unsigned i = 0; i < 60; i++, net_pass(5000), tries++) {
		net_init(&b_at, 1, 8000 + i);
		got += net_to(&z) != NULL;
		assert_true(net.n_sent <= 3);
	}
	assert_int_equal(tries, 60);
	assert_in_range(got * WG_INIT_BYTES, 1,
			3 * (WG_INIT_BYTES + 64));
}

/* Two peers that have never been there: strangers with two hosts are all that
 * the relay knows, as long as they ask. Then the two meet at their third try.
 */
static void strangers_before_the_first_contact(void **state)
{
	union hd_addr c_at = net_addr(3, 3000), d_at = net_addr(4, 4000);
	unsigned tries = 0;

	(void)state;
	net_link(3, 4);
	for (unsigned i = 0; i < 600; i++, net_pass(100)) {
		union hd_addr x = net_addr(70 + i % 2, 700 + i / 2 % 2);

		net_init(&x, 3 + i / 2 % 2, 5000 + i);
	}
	for (;; net_pass(2500)) {
		assert_true(++tries <= 3);
		net_init(&d_at, 3, 400 + tries);
		net_pass(2500);
		net_init(&c_at, 4, 500 + tries);
		if (net_to(&d_at) != NULL && net_to(&d_at)->len == 148)
			break;
	}
	net_response(&d_at, 3, 600, 500 + tries);
	assert_int_equal(net_to(&c_at)->len, WG_RESPONSE_BYTES);
	net_data(&c_at, 600, 0, 64);
	assert_int_equal(net_to(&d_at)->len, 64);
}

/* Before the kernel ignores a host, all peers are looked at: is one there? Who
 * has many hosts does not make that often. */
static void few_looks_at_all_peers(void **state)
{
	unsigned below = 0, blocked = 0;
	uint32_t at = 0;
	const struct wg_block *b;

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		union hd_addr from = net_addr(100000 + i / 4 * 256, 700 + i);
		struct wg_addr a = wg_addr_of(&from);

		wg_strike(net.e, &a);
		blocked += i % 4 == 3 && wg_is_blocked(net.e, &a);
	}
	while ((b = wg_pool_next(&net.e->blocks.pool, &at)) != NULL)
		below += b->below;
	assert_int_equal(blocked, 100);
	assert_true(below > 0 && below <= 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_forged_counter_makes_nobody_silent),
		T(a_forged_counter_keeps_nobody_from_moving),
		T(one_index_of_many_links),
		T(who_moved_is_through_among_forged),
		T(who_moved_is_through_among_many_hosts),
		T(a_made_up_place_is_asked),
		T(strangers_before_the_first_contact),
		T(few_looks_at_all_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
