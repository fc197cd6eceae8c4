/* SPDX-License-Identifier: MIT */
/* t/unit/refused.c - a key hears a reason once a minute. */
#include "core/relay/refused.h"
#include "t/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include "core/base/key.h"
#include "core/relay/relay_worker.h"

static struct hd_relay relay;
static struct hd_worker w = { .relay = &relay, .now_ms = 1000 };

static int start(void **state)
{
	(void)state;
	hd_key_hash_seed();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	free(relay.refused);
	return 0;
}

static struct hd_key new_key(void)
{
	struct hd_key key;

	randombytes_buf(key.b, sizeof(key.b));
	return key;
}

static void once_a_minute(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_false(hd_refused_again(&w, 0, &key, "not listed"));
	assert_true(hd_refused_again(&w, 0, &key, "not listed"));
	w.now_ms += HD_REFUSED_MS - 1;
	assert_true(hd_refused_again(&w, 0, &key, "not listed"));
	w.now_ms++;
	assert_false(hd_refused_again(&w, 0, &key, "not listed"));
}

static void another_reason_is_told(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_false(hd_refused_again(&w, 0, &key, "not listed"));
	assert_false(hd_refused_again(&w, 0, &key, "revoked"));
	assert_true(hd_refused_again(&w, 0, &key, "revoked"));
}

static void who_was_in_is_told(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_false(hd_refused_again(&w, 0, &key, "not listed"));
	hd_refused_forget(&w, 0, &key);
	assert_false(hd_refused_again(&w, 0, &key, "not listed"));
}

/* More keys than there is room: some are told again, and none is taken for
 * another. */
static void many_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10 * HD_REFUSED_N; i++) {
		struct hd_key key = new_key();

		assert_false(hd_refused_again(&w, 0, &key, "not listed"));
		assert_true(hd_refused_again(&w, 0, &key, "not listed"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_a_minute),
		cmocka_unit_test(another_reason_is_told),
		cmocka_unit_test(who_was_in_is_told),
		cmocka_unit_test(many_keys),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
