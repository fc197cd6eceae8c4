/* SPDX-License-Identifier: MIT */
/* t/unit/away.c - packets that other relays bring, and who hears that a key at
 * one has gone. */
#include <sodium.h>
#include <hyper-derp/worker.h>
#include "core/relay/seen.h"
#include "t/unit/fake_relay.h"

/* Who got its packets is told once, when the last way to it has gone. */
static void peer_gone(unsigned src_home, unsigned dst_home)
{
	struct hd_key a = key_of(0), d = key_of(dst_home), k = key_of(src_home);
	struct fake relay, to, here;
	struct far one, two;

	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_make(&here, &k, REALM);
	peer_up(&relay);
	peer_up(&to);
	link_make(&one, 0);
	link_make(&two, 1);
	link_add(&one, &k);
	link_add(&two, &k);
	relay_brings(&relay, &k, &d);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 2);
	link_close(&one);
	assert_int_equal(to.gone, 0);
	peer_up(&here); /* it roams to us */
	link_close(&two);
	assert_int_equal(to.gone, 0);
	link_make(&one, 1);
	link_add(&one, &k); /* and away again */
	peer_down(&here);
	assert_int_equal(to.gone, 0);
	link_del(&one, &k);
	assert_int_equal(to.gone, 1);
	link_add(&one, &k);
	link_del(&one, &k);
	assert_int_equal(to.gone, 1);
	link_add(&one, &k);
	relay_brings(&relay, &k, &d); /* another life, another PeerGone */
	link_close(&one);
	wait_until(ways_none);
	settle();
	assert_int_equal(to.gone, 2);
	assert_int_equal(away_n(), 0);
	peer_down(&to);
	peer_down(&relay);
}

static void receivers_are_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		peer_gone(i & 1, i >> 1);
}

/* A way that was not used, or a link that closes since nobody needs it, says
 * nothing about who is there. */
static void unused_ways_tell_nobody(void **state)
{
	struct hd_key a = key_of(0), d = key_of(1), k = key_of(1);
	struct fake relay, to;
	struct far far;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	link_make(&far, 0);
	link_add(&far, &k);
	relay_brings(&relay, &k, &d);
	link_forget(&far, &k);
	assert_int_equal(to.gone, 0);
	assert_int_equal(away_n(), 0);
	link_add(&far, &k);
	link_forget(&far, NULL);
	settle(); /* it lives on */
	peer_says(&to, &k);
	assert_int_equal(far.got, 1);
	link_close(&far);
	wait_until(ways_none);
	settle();
	assert_int_equal(to.gone, 0);
	assert_int_equal(away_n(), 0);
	peer_down(&to);
	peer_down(&relay);
}

/* As long as no way leads to it nobody can know when it goes. */
static void without_a_way_nobody_is_told(void **state)
{
	struct hd_key a = key_of(0), d = key_of(0), k = key_of(1);
	struct fake relay, to;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 1);
	assert_int_equal(to.gone, 0);
	assert_int_equal(away_n(), 0);
	peer_down(&to);
	peer_down(&relay);
}

/* ---- pairs that were seen lately ---- */

static void comes_and_goes(unsigned home)
{
	struct hd_key a = key_of(0), d = key_of(home), k = key_of(1);
	uint64_t before = drops_of(HD_DROP_UNKNOWN_FWD);
	struct fake relay, to;

	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	for (unsigned life = 0; life < 2; life++) {
		peer_up(&to);
		relay_brings(&relay, &k, &d);
		relay_brings(&relay, &k, &d);
		assert_int_equal(to.got, 2 * (life + 1));
		peer_down(&to);
		relay_brings(&relay, &k, &d);
		assert_int_equal(to.got, 2 * (life + 1));
		assert_int_equal(drops_of(HD_DROP_UNKNOWN_FWD),
				 before + life + 1);
	}
	peer_down(&relay);
}

/* What is remembered of a receiver ends with it. */
static void receivers_come_and_go(void **state)
{
	(void)state;
	comes_and_goes(0);
	comes_and_goes(1);
}

static void twice(unsigned home)
{
	struct hd_key a = key_of(0), d = key_of(home), k = key_of(1);
	struct fake relay, to, again, other;

	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_make(&again, &d, REALM);
	peer_make(&other, &d, OTHER);
	peer_up(&relay);
	peer_up(&other);
	relay_brings(&relay, &k, &d);
	peer_up(&to);
	relay_brings(&relay, &k, &d);
	peer_up(&again);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 1);
	assert_int_equal(again.got, 1);
	peer_down(&again);
	relay_brings(&relay, &k, &d);
	assert_int_equal(to.got, 2);
	peer_down(&to);
	relay_brings(&relay, &k, &d);
	assert_int_equal(other.got, 0);
	peer_down(&other);
	peer_down(&relay);
}

/* The connection that came last gets it, and none of another realm. */
static void one_key_twice(void **state)
{
	(void)state;
	twice(0);
	twice(1);
}

/* Of a packet from src; NULL: it is looked up each time. */
static struct hd_seen *seen_of(const struct hd_key *src,
			       const struct hd_key *dst)
{
	const struct hd_packet packet = { .src = src,
					  .dst = dst,
					  .realm = REALM };

	return hd_seen_find(hd_worker_at(0)->relay, &packet);
}

/* Another source whose pair has the same places. */
static struct hd_key rival_of(const struct hd_key *src,
			      const struct hd_key *dst)
{
	struct hd_seen_table *t = hd_worker_at(0)->relay->seen;
	struct hd_key ret;
	const struct hd_packet a = { .src = src, .dst = dst }, b = {
		.src = &ret, .dst = dst
	};

	do
		ret = key_of(1);
	while (hd_seen_set(t, &a) != hd_seen_set(t, &b));
	return ret;
}

static void who_sends_keeps_its_place(void **state)
{
	struct hd_key a = key_of(0), d = key_of(0), k[3] = { key_of(1) };
	struct fake relay, to;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	for (unsigned i = 0; i < 2; i++) {
		if (i > 0)
			k[i] = rival_of(&k[0], &d);
		relay_brings(&relay, &k[i], &d);
		assert_non_null(seen_of(&k[i], &d));
		seen_of(&k[i], &d)->until_ms = UINT64_MAX;
	}
	k[2] = rival_of(&k[0], &d);
	relay_brings(&relay, &k[2], &d);
	assert_null(seen_of(&k[2], &d));
	assert_non_null(seen_of(&k[0], &d));
	assert_non_null(seen_of(&k[1], &d));
	seen_of(&k[0], &d)->until_ms = 0; /* it has been silent */
	relay_brings(&relay, &k[2], &d);
	assert_non_null(seen_of(&k[2], &d));
	assert_null(seen_of(&k[0], &d));
	assert_non_null(seen_of(&k[1], &d));
	assert_int_equal(to.got, 4);
	peer_down(&to);
	peer_down(&relay);
}

enum { PAIRS = 3000, SOME = 1000 /* fit in the ring to another worker */ };
static struct hd_key many[PAIRS];

struct bringing {
	struct hd_peer *relay;
	const struct hd_key *src, *dst;
};

static void bring_some(struct hd_worker *w, void *bringing, void *unused)
{
	const struct bringing *b = bringing;

	(void)w, (void)unused;
	for (unsigned i = 0; i < SOME; i++)
		hd_relay_forward(b->relay, &b->src[i], b->dst, false,
				 (const uint8_t *)"hi", 2);
}

static void bring_many(struct fake *relay, const struct hd_key *dst)
{
	for (unsigned i = 0; i < PAIRS; i += SOME) {
		struct bringing b = { &relay->p, &many[i], dst };

		in_worker(relay->s.worker, bring_some, &b, NULL);
	}
}

/* More than are remembered: each arrives, from keys of zeros, too. */
static void many_pairs(unsigned home)
{
	struct hd_key a = key_of(0), d = key_of(home);
	struct fake relay, to;

	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	randombytes_buf(many, sizeof(many));
	many[0] = (struct hd_key){ { 0 } };
	for (unsigned i = 1; i <= 3; i++) {
		bring_many(&relay, &d);
		assert_int_equal(to.got, i * PAIRS);
	}
	peer_down(&to);
	peer_down(&relay);
}

static void more_pairs_than_places(void **state)
{
	(void)state;
	many_pairs(0);
	many_pairs(1);
}

static void from_nobody_to_nobody(void **state)
{
	static const struct hd_key none;
	uint64_t before = drops_of(HD_DROP_UNKNOWN_FWD);
	struct hd_key a = key_of(0);
	struct fake relay;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_up(&relay);
	relay_brings(&relay, &none, &none);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_FWD), before + 1);
	peer_down(&relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receivers_are_told),
		cmocka_unit_test(unused_ways_tell_nobody),
		cmocka_unit_test(without_a_way_nobody_is_told),
		cmocka_unit_test(receivers_come_and_go),
		cmocka_unit_test(one_key_twice),
		cmocka_unit_test(who_sends_keeps_its_place),
		cmocka_unit_test(more_pairs_than_places),
		cmocka_unit_test(from_nobody_to_nobody),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
