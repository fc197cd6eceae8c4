/* SPDX-License-Identifier: MIT */
/* t/unit/refused.c - how often a key was refused within a minute. */
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

static uint32_t refused(const struct hd_key *key, const char *reason)
{
	return hd_refused_count(&w, 0, key, reason);
}

static void counted_for_a_minute(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_int_equal(refused(&key, "not listed"), 1);
	assert_int_equal(refused(&key, "not listed"), 2);
	w.now_ms += HD_REFUSED_MS - 1;
	assert_int_equal(refused(&key, "not listed"), 3);
	w.now_ms++;
	assert_int_equal(refused(&key, "not listed"), 1);
}

static void another_reason_is_told(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_int_equal(refused(&key, "not listed"), 1);
	assert_int_equal(refused(&key, "revoked"), 1);
	assert_int_equal(refused(&key, "revoked"), 2);
}

static void who_was_in_is_told(void **state)
{
	struct hd_key key = new_key();

	(void)state;
	assert_int_equal(refused(&key, "not listed"), 1);
	hd_refused_forget(&w, 0, &key);
	assert_int_equal(refused(&key, "not listed"), 1);
}

/* More keys than there is room: some are told again, and none is taken for
 * another. */
static void many_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10 * HD_REFUSED_N; i++) {
		struct hd_key key = new_key();

		assert_int_equal(refused(&key, "not listed"), 1);
		assert_int_equal(refused(&key, "not listed"), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_for_a_minute),
		cmocka_unit_test(another_reason_is_told),
		cmocka_unit_test(who_was_in_is_told),
		cmocka_unit_test(many_keys),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
