/* SPDX-License-Identifier: MIT */
/* t/unit/wayless_owed.c - keys that another process had a way to: what they owe
 * has come over, and their ways have not come again. */
#include <sodium.h>
#include <hyper-derp/worker.h>
#include "core/loop/hooks.h"
#include "core/relay/wayless.h"
#include "t/unit/fake_relay.h"

static struct fake to; /* who got packets */
static struct hd_key k, d; /* a key elsewhere; to's */

static void owe(struct hd_worker *w, void *key, void *unused)
{
	const struct hd_key *source = key;

	(void)unused;
	hd_wayless_owe(w, hd_key_hash(REALM, source), REALM, source, &d);
}

static void age(struct hd_worker *w, void *unused, void *unused2)
{
	const struct hd_relay_table *t = hd_wayless_table(w);

	(void)unused, (void)unused2;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL)
			t->v[i]->since_ms -= HD_WAYLESS_MS;
}

/* The next one that comes finds that the minute is over. */
static void owed_for_a_minute(unsigned home)
{
	struct hd_worker *w = hd_worker_at(home);
	struct hd_key other = key_of(home);

	in_worker(w, owe, &k, NULL);
	assert_int_equal(to.gone, 0);
	in_worker(w, age, NULL, NULL);
	in_worker(w, owe, &other, NULL);
}

static void swap_hooks(struct hd_worker *w, void *hooks, void *unused)
{
	(void)unused;
	w->hooks = hooks;
}

static unsigned told(unsigned home, const struct hd_hooks *hooks)
{
	struct hd_worker *w = hd_worker_at(home);
	const struct hd_hooks *before = w->hooks;

	if (hooks != NULL)
		in_worker(w, swap_hooks, (void *)hooks, NULL);
	owed_for_a_minute(home);
	in_worker(w, swap_hooks, (void *)before, NULL);
	return to.gone;
}

/* With both keys in each worker. */
static void are_told(const struct hd_hooks *hooks, unsigned n)
{
	for (unsigned i = 0; i < 4; i++) {
		k = key_of(i & 1);
		d = key_of(i >> 1);
		peer_make(&to, &d, REALM);
		peer_up(&to);
		assert_int_equal(told(i & 1, hooks), n);
		peer_down(&to);
	}
}

static void who_does_not_come_again_has_gone(void **state)
{
	(void)state;
	are_told(NULL, 1);
}

/* There a way comes when somebody here sends to the key. */
static void a_directory_brings_ways_that_are_needed(void **state)
{
	static const struct hd_hooks directory = { .here = { .n = 1 } };

	(void)state;
	are_told(&directory, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_come_again_has_gone),
		cmocka_unit_test(a_directory_brings_ways_that_are_needed),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
