/* SPDX-License-Identifier: MIT */
/* t/unit/way.c - packets to keys at other relays: which link they take, and
 * what a key costs. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include "t/unit/fake_relay.h"

/* All ways between sender, home of the key, and link. */
static void packets_take_the_link(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct hd_key a = key_of(i & 1), k = key_of(i >> 1 & 1);
		struct fake from;
		struct far far;

		peer_make(&from, &a, REALM);
		peer_up(&from);
		link_make(&far, i >> 2);
		peer_says(&from, &k);
		assert_int_equal(far.got, 0);
		link_add(&far, &k);
		link_add(&far, &k);
		assert_int_equal(hd_link_keys(far.s), 1);
		assert_false(link_used(&k));
		peer_says(&from, &k);
		assert_true(link_used(&k));
		assert_false(link_used(&k));
		peer_urges(&from, &k);
		assert_int_equal(far.got, 2);
		assert_true(link_used(&k)); /* although it was known */
		assert_memory_equal(&far.src, &a, sizeof(a));
		assert_memory_equal(&far.dst, &k, sizeof(k));
		assert_int_equal(from.not_here, 0);
		link_del(&far, &k);
		link_del(&far, &k);
		assert_int_equal(hd_link_keys(far.s), 0);
		peer_urges(&from, &k);
		assert_int_equal(far.got, 2);
		assert_int_equal(from.not_here, 1);
		link_close(&far);
		peer_down(&from);
	}
}

struct listed {
	unsigned n, preferred;
	const char *name;
};

static void list_one(void *arg, const struct hd_link_way *way)
{
	struct listed *l = arg;

	assert_int_equal(way->realm, REALM);
	assert_string_equal(way->link, "far");
	l->n++;
	l->preferred += way->preferred;
}

static void list_here(struct hd_worker *w, void *listed, void *unused)
{
	uint64_t at = 0;

	(void)unused;
	while (hd_link_ways(w, &at, 7, list_one, listed))
		;
}

static void ways_are_listed(void **state)
{
	struct hd_key k[3] = { key_of(0), key_of(1), key_of(1) };
	struct listed l = { 0 };
	struct far one, two;

	(void)state;
	link_make(&one, 0);
	link_make(&two, 1);
	for (unsigned i = 0; i < 3; i++)
		link_add(&one, &k[i]);
	link_add(&two, &k[2]);
	in_worker(hd_worker_at(0), list_here, &l, NULL);
	assert_int_equal(l.n, 1);
	in_worker(hd_worker_at(1), list_here, &l, NULL);
	assert_int_equal(l.n, 4);
	assert_int_equal(l.preferred, 3);
	link_close(&one);
	link_close(&two);
}

/* A sender remembers the last way, if its home is the key's, too: so each of
 * the following is seen from both homes, and packets went before. */
static void from_both_homes(void (*test)(unsigned home))
{
	test(0);
	test(1);
}

static void here_wins(unsigned home)
{
	struct hd_key a = key_of(home), k = key_of(1);
	struct fake from, here;
	struct far far;

	peer_make(&from, &a, REALM);
	peer_make(&here, &k, REALM);
	peer_up(&from);
	link_make(&far, 0);
	link_add(&far, &k);
	peer_says(&from, &k);
	assert_int_equal(far.got, 1);
	peer_up(&here);
	peer_says(&from, &k);
	assert_int_equal(far.got, 1);
	assert_int_equal(here.got, 1);
	peer_down(&here);
	peer_says(&from, &k);
	assert_int_equal(far.got, 2);
	link_close(&far);
	peer_down(&from);
}

static void who_is_here_wins(void **state)
{
	(void)state;
	from_both_homes(here_wins);
}

static void first_link(unsigned home)
{
	struct hd_key a = key_of(home), k = key_of(1);
	struct fake from;
	struct far one, two;

	peer_make(&from, &a, REALM);
	peer_up(&from);
	link_make(&one, 0);
	link_make(&two, 1);
	link_add(&one, &k);
	link_add(&two, &k);
	peer_says(&from, &k);
	assert_int_equal(one.got, 1);
	link_close(&one);
	peer_says(&from, &k);
	assert_int_equal(two.got, 1);
	link_make(&one, 0);
	link_add(&one, &k); /* it is the second now */
	peer_says(&from, &k);
	assert_int_equal(two.got, 2);
	link_del(&two, &k);
	peer_says(&from, &k);
	assert_int_equal(one.got, 1);
	link_close(&one);
	link_close(&two);
	peer_down(&from);
}

static void the_first_link_is_preferred(void **state)
{
	(void)state;
	from_both_homes(first_link);
}

/* As between the moment when a link says so and the sweep. */
static void set_down(struct far *far, bool down)
{
	struct hd_link *link =
		hd_container_of(far->s->user, struct hd_link, user);

	__atomic_store_n(&link->down, down, __ATOMIC_RELEASE);
}

static void no_more_at_once(unsigned home)
{
	struct hd_key a = key_of(home), k = key_of(1);
	struct fake from;
	struct far one, two;

	peer_make(&from, &a, REALM);
	peer_up(&from);
	link_make(&one, 0);
	link_make(&two, 1);
	link_add(&one, &k);
	link_add(&two, &k);
	peer_says(&from, &k);
	set_down(&one, true);
	peer_says(&from, &k);
	assert_int_equal(one.got, 1);
	assert_int_equal(two.got, 1);
	assert_int_equal(ways_n(), 2);
	set_down(&one, false);
	link_close(&one);
	link_close(&two);
	peer_down(&from);
}

static void one_that_goes_counts_no_more_at_once(void **state)
{
	(void)state;
	from_both_homes(no_more_at_once);
}

static void taken_away(unsigned home)
{
	struct hd_key a = key_of(home), k = key_of(1), other = key_of(1);
	uint64_t before = drops_of(HD_DROP_UNKNOWN_DEST);
	struct fake from;
	struct far far;

	peer_make(&from, &a, REALM);
	peer_up(&from);
	link_make(&far, 0);
	link_add(&far, &k);
	link_add(&far, &other);
	peer_says(&from, &k);
	link_del(&far, &other);
	peer_says(&from, &k);
	assert_int_equal(far.got, 2);
	link_del(&far, &k);
	peer_says(&from, &k);
	assert_int_equal(far.got, 2);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_DEST), before + 1);
	link_close(&far);
	peer_down(&from);
}

static void what_is_taken_away_is_not_remembered(void **state)
{
	(void)state;
	from_both_homes(taken_away);
}

static void other_realms_have_no_way(void **state)
{
	struct hd_key a = random_key(), k = random_key();
	uint64_t before = drops_of(HD_DROP_UNKNOWN_DEST);
	struct fake from;
	struct far far;

	(void)state;
	peer_make(&from, &a, OTHER);
	peer_up(&from);
	link_make(&far, 0);
	link_add(&far, &k);
	peer_says(&from, &k);
	assert_int_equal(far.got, 0);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_DEST), before + 1);
	link_close(&far);
	peer_down(&from);
}

/* What came from another relay stays here. */
static void forwarded_goes_no_further(void **state)
{
	struct hd_key a = key_of(0), k = key_of(1), src = key_of(1);
	uint64_t before = drops_of(HD_DROP_UNKNOWN_FWD);
	struct fake relay;
	struct far far;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_up(&relay);
	link_make(&far, 0);
	link_add(&far, &k);
	relay_brings(&relay, &src, &k);
	assert_int_equal(far.got, 0);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_FWD), before + 1);
	link_close(&far);
	peer_down(&relay);
}

enum { MANY = 100000 };
static struct hd_key many[MANY];

static void add_many(struct hd_worker *w, void *far, void *n)
{
	(void)w;
	for (unsigned i = 0; i < *(unsigned *)n; i++)
		assert_int_equal(
			hd_link_add(((struct far *)far)->s, REALM, &many[i]),
			0);
}

static bool ways_all(void)
{
	return ways_n() == MANY;
}

/* Of all threads. */
static long in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return (long)(m.uordblks + m.hblkhd);
}

static void a_key_takes_at_most_100_bytes(void **state)
{
	unsigned n = MANY;
	struct far far, other;
	long before, took;

	(void)state;
	randombytes_buf(many, sizeof(many));
	link_make(&far, 0);
	link_make(&other, 1);
	before = in_use();
	in_worker(far.w, add_many, &far, &n);
	wait_until(ways_all);
	took = in_use() - before;
	print_message("%.1f bytes a key\n", (double)took / MANY);
	assert_true(took <= 100L * MANY);
	link_add(&other, &many[7]);
	link_close(&far);
	/* that one alone stays, and its link goes while there is a sweep */
	link_close(&other);
	wait_until(ways_none);
}

static void links_that_are_none(void **state)
{
	struct hd_key a = random_key();
	struct fake f;

	(void)state;
	peer_make(&f, &a, REALM);
	assert_int_equal(hd_link_open(&f.s, "x"), -EBUSY);
	assert_int_equal(hd_link_add(&f.s, REALM, &a), -EPIPE);
	assert_int_equal(hd_link_del(&f.s, REALM, &a), -EPIPE);
	assert_int_equal(hd_link_keys(&f.s), 0);
	f.s.user = NULL;
	assert_int_equal(hd_link_open(&f.s, "x"), -ENOTSUP);
	f.s.phase = HD_PHASE_CLOSING;
	assert_int_equal(hd_link_open(&f.s, "x"), -EPIPE);
}

/* A link that is there to the end of the relay. */
static void one_stays(void **state)
{
	static struct hd_key k;
	static struct far far;

	(void)state;
	k = random_key();
	link_make(&far, 0);
	link_add(&far, &k);
	assert_int_equal(ways_n(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_take_the_link),
		cmocka_unit_test(ways_are_listed),
		cmocka_unit_test(who_is_here_wins),
		cmocka_unit_test(the_first_link_is_preferred),
		cmocka_unit_test(one_that_goes_counts_no_more_at_once),
		cmocka_unit_test(what_is_taken_away_is_not_remembered),
		cmocka_unit_test(other_realms_have_no_way),
		cmocka_unit_test(forwarded_goes_no_further),
		cmocka_unit_test(a_key_takes_at_most_100_bytes),
		cmocka_unit_test(links_that_are_none),
		cmocka_unit_test(one_stays),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
