/* SPDX-License-Identifier: MIT */
/* t/unit/derp_shared_keys.c - who comes again costs no X25519; nobody else
 * gains by what is kept. */
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"

#define MANY 4096 /* twice as many as there are places */

static unsigned derived;

/* In place of libsodium's, which does the same. */
int crypto_box_beforenm(unsigned char *k, const unsigned char *pk,
			const unsigned char *sk)
{
	derived++;
	return crypto_box_curve25519xsalsa20poly1305_beforenm(k, pk, sk);
}

/* ---- logins ---- */

static void again(void)
{
	fake_close(alice, HD_CLOSE_PEER);
	fake_stream_free(&alice);
	alice = derp_fast();
}

/* Returns how often X25519 was needed. */
static unsigned log_in(bool with_right_box)
{
	static const char json[] = "{\"version\":2}";
	uint8_t frame[256];
	size_t n = derp_client_info(json, strlen(json), frame);

	frame[n - 1] ^= !with_right_box;
	derived = 0;
	fake_feed(alice, frame, n);
	assert_true(with_right_box ? alice->logging_in : alice->closing);
	return derived;
}

static void who_comes_again_costs_no_x25519(void **state)
{
	uint8_t text[13], server[32], private_key[32];

	(void)state;
	assert_int_equal(log_in(true), 1);
	again();
	assert_int_equal(log_in(true), 0);
	fake_admit(alice);
	hex(SERVER_PUBLIC, server);
	hex(ALICE_PRIVATE, private_key);
	assert_int_equal(crypto_box_open_easy(text, alice->out.v + 29, 29,
					      alice->out.v + 5, server,
					      private_key),
			 0);
	assert_memory_equal(text, "{\"version\":2}", 13);
}

static void refusal_takes_as_long_for_who_was_here(void **state)
{
	(void)state;
	assert_int_equal(log_in(false), 1);
	again();
	assert_int_equal(log_in(true), 1); /* the refused one left nothing */
	again();
	assert_int_equal(log_in(false), 1);
	again();
	assert_int_equal(log_in(true), 0); /* and took nothing */
}

static void unload_forgets_all(void **state)
{
	(void)state;
	assert_int_equal(log_in(true), 1);
	assert_int_equal(derp_alice_down(state), 0);
	assert_int_equal(derp_fast_up(state), 0);
	assert_int_equal(log_in(true), 1);
}

/* ---- the table ---- */

static struct hd_key client(uint32_t i)
{
	struct hd_key key = { { 1 } };

	memcpy(key.b + 8, &i, sizeof(i));
	return key;
}

static void fill(uint8_t shared[32], uint32_t i)
{
	memset(shared, 0, 32);
	memcpy(shared + 4, &i, sizeof(i));
}

static void nobody_has_the_secret_of_another(void **state)
{
	uint8_t got[32], want[32];
	unsigned kept = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		struct hd_key key = client(i);

		assert_false(derp_shared_key_find(&key, got));
		fill(want, i);
		derp_shared_key_keep(&key, want);
		assert_true(derp_shared_key_find(&key, got));
		assert_memory_equal(got, want, 32);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		struct hd_key key = client(i);

		if (!derp_shared_key_find(&key, got))
			continue;
		fill(want, i);
		assert_memory_equal(got, want, 32);
		kept++;
	}
	/* 2,048 places, of which 2,048 * e^-2 are left empty by chance */
	assert_in_range(kept, 1600, 1950);
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, derp_fast_up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_comes_again_costs_no_x25519),
		TEST(refusal_takes_as_long_for_who_was_here),
		TEST(unload_forgets_all),
		TEST(nobody_has_the_secret_of_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
