/* SPDX-License-Identifier: MIT */
/* t/unit/wayless.c - a packet that another relay brings, and the news of where
 * its source is, come in any order: its receiver hears when the source goes. */
#include <sodium.h>
#include <hyper-derp/worker.h>
#include "core/base/clock.h"
#include "core/relay/wayless.h"
#include "t/unit/fake_relay.h"

static struct fake relay, to; /* another relay; who gets packets here */
static struct far one, two; /* links */
static struct hd_key k, d; /* a key elsewhere; to's */

static void begin(unsigned src_home, unsigned dst_home)
{
	struct hd_key a = key_of(0);

	k = key_of(src_home);
	d = key_of(dst_home);
	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	link_make(&one, src_home);
	link_make(&two, dst_home);
}

static void end(void)
{
	link_close(&one);
	link_close(&two);
	peer_down(&to);
	peer_down(&relay);
	wait_until(ways_none);
	assert_int_equal(away_n(), 0);
}

/* Each with the homes of both keys in all the workers that they can have. */
static void in_all_homes(void (*test)(void))
{
	for (unsigned i = 0; i < 4; i++) {
		begin(i & 1, i >> 1);
		test();
		end();
	}
}

static void count_waiting(struct hd_worker *w, void *n, void *unused)
{
	const struct hd_relay_table *t = hd_wayless_table(w);

	(void)unused;
	__atomic_add_fetch((unsigned *)n, t != NULL ? t->n : 0,
			   __ATOMIC_SEQ_CST);
}

/* In both workers. */
static unsigned waiting_n(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		in_worker(hd_worker_at(i), count_waiting, &n, NULL);
	return n;
}

static void age(struct hd_worker *w, void *unused, void *unused2)
{
	const struct hd_relay_table *t = hd_wayless_table(w);

	(void)unused, (void)unused2;
	for (uint32_t i = 0; t != NULL && i < t->size; i++)
		if (t->v[i] != NULL)
			t->v[i]->since_ms -= HD_WAYLESS_MS;
}

/* Those that wait do so for a minute now: the next one finds that. */
static void a_minute_later(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct hd_key other = key_of(i);

		in_worker(hd_worker_at(i), age, NULL, NULL);
		relay_brings(&relay, &other, &d);
	}
}

/* ---- the packet is first ---- */

static void a_way_comes(void)
{
	unsigned waited = waiting_n();

	relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 1);
	assert_int_equal(waiting_n(), waited + 1);
	link_add(&one, &k);
	assert_int_equal(waiting_n(), waited);
	link_add(&two, &k);
	link_del(&one, &k);
	assert_int_equal(to.gone, 0);
	link_del(&two, &k);
	assert_int_equal(to.gone, 1);
}

static void the_way_comes_behind_its_packet(void **state)
{
	(void)state;
	in_all_homes(a_way_comes);
}

static void it_logs_in(void)
{
	unsigned waited = waiting_n();
	struct fake here;

	relay_brings(&relay, &k, &d);
	peer_make(&here, &k, REALM);
	peer_up(&here);
	assert_int_equal(waiting_n(), waited);
	peer_down(&here);
	assert_int_equal(to.gone, 1);
}

static void it_logs_in_behind_its_packet(void **state)
{
	(void)state;
	in_all_homes(it_logs_in);
}

/* A way that is not used any more ends; the key is there, and comes again. */
static void a_way_is_forgotten(void)
{
	link_add(&one, &k);
	relay_brings(&relay, &k, &d);
	link_forget(&one, &k);
	assert_int_equal(to.gone, 0);
	link_add(&two, &k);
	link_del(&two, &k);
	assert_int_equal(to.gone, 1);
}

static void what_is_forgotten_comes_again(void **state)
{
	(void)state;
	in_all_homes(a_way_is_forgotten);
}

static void two_receivers(void)
{
	struct hd_key d2 = key_of(0);
	struct fake also;

	peer_make(&also, &d2, REALM);
	peer_up(&also);
	relay_brings(&relay, &k, &d);
	link_add(&one, &k);
	relay_brings(&relay, &k, &d2);
	link_del(&one, &k);
	assert_int_equal(to.gone, 1);
	assert_int_equal(also.gone, 1);
	peer_down(&also);
}

static void all_receivers_are_told(void **state)
{
	(void)state;
	in_all_homes(two_receivers);
}

/* ---- the way is away first ---- */

/* Returns how long it took, in ms. */
static uint64_t comes_goes_and_sends(void)
{
	uint64_t since_ns = hd_clock_ns();

	k = key_of(hd_key_home(hd_key_hash(REALM, &k)));
	link_add(&one, &k);
	link_del(&one, &k);
	relay_brings(&relay, &k, &d);
	return (hd_clock_ns() - since_ns) / 1000000;
}

/* Where this machine took longer than a mark lasts, once more. */
static void a_packet_is_late(void)
{
	unsigned told;

	do
		told = to.gone;
	while (comes_goes_and_sends() >= HD_WENT_MS);
	assert_int_equal(to.gone, told + 1);
	link_add(&two, &k); /* it lives once more, and sends nothing */
	link_del(&two, &k);
	assert_int_equal(to.gone, told + 1);
}

static void the_last_packet_is_late(void **state)
{
	(void)state;
	in_all_homes(a_packet_is_late);
}

static void it_moves(void)
{
	link_add(&one, &k);
	link_del(&one, &k);
	link_add(&two, &k);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.gone, 0);
	link_forget(&two, &k);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.gone, 0);
}

/* That it went from there counts no more once it is somewhere else. */
static void who_moves_has_not_gone(void **state)
{
	(void)state;
	in_all_homes(it_moves);
}

/* The 64 are of all receivers. */
static void other_receivers(unsigned told)
{
	for (unsigned i = 0; i < 2; i++) {
		struct hd_key d2 = key_of(i);
		struct fake also;

		peer_make(&also, &d2, REALM);
		peer_up(&also);
		relay_brings(&relay, &k, &d2);
		assert_int_equal(also.got, 1);
		assert_true(told + also.gone <= HD_WENT_MAX);
		peer_down(&also);
	}
}

static void it_goes_on(void)
{
	unsigned waited = waiting_n();

	link_add(&one, &k);
	link_del(&one, &k);
	for (unsigned i = 0; i < 2 * HD_WENT_MAX; i++)
		relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 2 * HD_WENT_MAX);
	assert_true(to.gone <= HD_WENT_MAX);
	if (to.gone == HD_WENT_MAX) /* within the second */
		assert_int_equal(waiting_n(), waited + 1);
	other_receivers(to.gone);
}

/* It has come up elsewhere, which nobody has told us yet. */
static void who_goes_on_is_not_told_without_end(void **state)
{
	(void)state;
	in_all_homes(it_goes_on);
}

static void a_link_is_lost(void)
{
	link_add(&one, &k);
	link_close(&one);
	wait_until(ways_none);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.gone, 0);
	link_make(&one, 0);
	link_add(&one, &k);
	link_del(&one, &k);
	assert_int_equal(to.gone, 1);
}

/* Nobody has said that the key has gone. */
static void it_waits_for_the_link(void **state)
{
	(void)state;
	in_all_homes(a_link_is_lost);
}

/* ---- both are on their way to one receiver ---- */

static void end_and_next_life(struct hd_worker *w, void *unused, void *unused2)
{
	(void)unused, (void)unused2;
	hd_gone_owe(w, REALM, &k, &d);
	hd_relay_forward(&relay.p, &k, &d, false, (const uint8_t *)"hi", 2);
}

/* Told behind that, it would seem gone while it is there. */
static void the_end_comes_before_the_next_life(void **state)
{
	(void)state;
	for (unsigned home = 0; home < WORKERS; home++) {
		begin(home, 0);
		link_add(&one, &k);
		relay_brings(&relay, &k, &d);
		in_worker(relay.s.worker, end_and_next_life, NULL, NULL);
		assert_int_equal(to.got, 2);
		assert_int_equal(to.gone_then, 1);
		assert_int_equal(to.gone, 1);
		link_del(&one, &k);
		assert_int_equal(to.gone, 2);
		end();
	}
}

/* ---- how long, and how many ---- */

static void a_minute_without_a_way(void)
{
	a_minute_later();
	relay_brings(&relay, &k, &d);
	assert_int_equal(waiting_n(), WORKERS + 1);
	a_minute_later();
	assert_int_equal(waiting_n(), WORKERS); /* k is not one of them */
	link_add(&one, &k);
	link_del(&one, &k);
	assert_int_equal(to.gone, 0);
}

static void it_waits_for_a_minute(void **state)
{
	(void)state;
	in_all_homes(a_minute_without_a_way);
}

struct bringing {
	struct hd_peer *relay;
	const struct hd_key *src, *dst;
	unsigned n;
};

static void bring_some(struct hd_worker *w, void *bringing, void *unused)
{
	const struct bringing *b = bringing;

	(void)w, (void)unused;
	for (unsigned i = 0; i < b->n; i++)
		hd_relay_forward(b->relay, &b->src[i], b->dst, false,
				 (const uint8_t *)"hi", 2);
}

enum { MANY = 3 * WORKERS * HD_WAYLESS_MAX, SOME = 1024 };
static struct hd_key many[MANY];

static void not_more_than_there_is_room_for(void **state)
{
	struct hd_worker *w = hd_worker_at(0);
	uint64_t before = w->stats.gone_forgotten.n;

	(void)state;
	begin(0, 0);
	randombytes_buf(many, sizeof(many));
	for (unsigned i = 0; i < MANY; i += SOME) {
		struct bringing b = { &relay.p, &many[i], &d, SOME };

		in_worker(relay.s.worker, bring_some, &b, NULL);
	}
	assert_int_equal(to.got, MANY);
	assert_int_equal(waiting_n(), WORKERS * HD_WAYLESS_MAX);
	assert_true(w->stats.gone_forgotten.n > before);
	link_add(&one, &many[MANY - 1]); /* the latest are kept */
	link_del(&one, &many[MANY - 1]);
	assert_int_equal(to.gone, 1);
	a_minute_later();
	assert_int_equal(waiting_n(), WORKERS);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_comes_behind_its_packet),
		cmocka_unit_test(it_logs_in_behind_its_packet),
		cmocka_unit_test(what_is_forgotten_comes_again),
		cmocka_unit_test(all_receivers_are_told),
		cmocka_unit_test(the_last_packet_is_late),
		cmocka_unit_test(who_moves_has_not_gone),
		cmocka_unit_test(who_goes_on_is_not_told_without_end),
		cmocka_unit_test(it_waits_for_the_link),
		cmocka_unit_test(the_end_comes_before_the_next_life),
		cmocka_unit_test(it_waits_for_a_minute),
		cmocka_unit_test(not_more_than_there_is_room_for),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
