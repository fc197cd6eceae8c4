/* SPDX-License-Identifier: MIT */
/* t/unit/hd_addresses.c - the address of an identity that comes again is not
 * worked out again, it is the same, and what is kept is bounded. Conversions
 * are counted: the linker leads them here. */
#include "modules/hd/addresses.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <sodium.h>
#include <string.h>

int __real_crypto_sign_ed25519_pk_to_curve25519(uint8_t *x, const uint8_t *ed);
int __wrap_crypto_sign_ed25519_pk_to_curve25519(uint8_t *x, const uint8_t *ed);

static unsigned conversions;

int __wrap_crypto_sign_ed25519_pk_to_curve25519(uint8_t *x, const uint8_t *ed)
{
	conversions++;
	return __real_crypto_sign_ed25519_pk_to_curve25519(x, ed);
}

static void identity_of(uint32_t number, uint8_t ret[HD_KEY_BYTES])
{
	uint8_t seed[crypto_sign_SEEDBYTES] = { 0 };
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	memcpy(seed, &number, sizeof(number));
	crypto_sign_seed_keypair(ret, secret, seed);
}

static void ask(struct hdp_addresses *a, const uint8_t *identity)
{
	struct hd_key got = { 0 }, want = { 0 };

	assert_int_equal(hdp_address_of(a, identity, &got), 0);
	assert_int_equal(__real_crypto_sign_ed25519_pk_to_curve25519(want.b,
								     identity),
			 0);
	assert_memory_equal(got.b, want.b, sizeof(got.b));
}

static int table_up(void **state)
{
	*state = hdp_addresses_new();
	conversions = 0;
	return *state == NULL;
}

static int table_down(void **state)
{
	hdp_addresses_free((struct hdp_addresses **)state);
	assert_null(*state);
	hdp_addresses_free((struct hdp_addresses **)state);
	return 0;
}

static void one_that_comes_again_is_not_worked_out(void **state)
{
	uint8_t id[HD_KEY_BYTES];

	identity_of(1, id);
	for (int i = 0; i < 3; i++)
		ask(*state, id);
	assert_int_equal(conversions, 1);
}

static void without_a_table_each_is(void **state)
{
	uint8_t id[HD_KEY_BYTES];

	(void)state;
	identity_of(1, id);
	for (int i = 0; i < 3; i++)
		ask(NULL, id);
	assert_int_equal(conversions, 3);
}

/* Of two that share a place the last one has it, and neither gets the other's
 * address; ask() looks. */
static void more_than_there_are_places(void **state)
{
	uint8_t id[HD_KEY_BYTES];
	unsigned first;

	for (uint32_t i = 0; i < 2 * HDP_ADDRESSES_N; i++) {
		identity_of(i, id);
		ask(*state, id);
	}
	assert_int_equal(conversions, 2 * HDP_ADDRESSES_N);
	first = conversions;
	for (uint32_t i = 0; i < 2 * HDP_ADDRESSES_N; i++) {
		identity_of(i, id);
		ask(*state, id);
	}
	assert_true(conversions > first);
}

/* What no client can have is refused each time, the empty place's zeros, too.
 * Source: RFC 8032; y = 0, y = 1, y = -1 are of order 4, 1, 2; 2 is none; the
 * last is a key with the point of order 2 added. */
static void points_that_are_no_keys(void **state)
{
	uint8_t points[5][HD_KEY_BYTES] = {
		{ 0 },
		{ 1 },
		{ 0xec, [1 ... 30] = 0xff, [31] = 0x7f },
		{ 2 },
	};
	uint8_t id[HD_KEY_BYTES];
	struct hd_key got;

	identity_of(1, id);
	assert_int_equal(crypto_core_ed25519_add(points[4], id, points[2]), 0);
	for (unsigned i = 0; i < 2 * HD_ARRAY_N(points); i++)
		assert_int_equal(hdp_address_of(*state,
						points[i % HD_ARRAY_N(points)],
						&got),
				 -EINVAL);
	assert_int_equal(conversions, 2 * HD_ARRAY_N(points));
}

#define WITH_A_TABLE(test)                                                     \
	cmocka_unit_test_setup_teardown(test, table_up, table_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_A_TABLE(one_that_comes_again_is_not_worked_out),
		WITH_A_TABLE(without_a_table_each_is),
		WITH_A_TABLE(more_than_there_are_places),
		WITH_A_TABLE(points_that_are_no_keys),
	};

	hd_assert(sodium_init() >= 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
