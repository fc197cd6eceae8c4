/* SPDX-License-Identifier: MIT */
/* t/unit/wg_mac1.c - our BLAKE2s under eight keys against OpenSSL's, and a
 * vector of RFC 7693's reference code, by way of Python's hashlib. */
#include "modules/wg/mac1.h"
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <stdlib.h>

/* blake2s(bytes(range(116)), key=blake2s(b'mac1----' + bytes([7,0,0,0] * 8))
 * .digest(), digest_size=16) */
static const uint8_t vector[16] = { 0xfd, 0x09, 0xd7, 0x91, 0xf2, 0x4f,
				    0xa6, 0x79, 0x2b, 0x8f, 0xca, 0xee,
				    0x96, 0x51, 0xa1, 0xc1 };

static void pub_of(uint32_t n, uint8_t pub[32])
{
	for (unsigned i = 0; i < 8; i++)
		memcpy(pub + 4 * i, &n, 4);
}

static void a_known_vector(void **state)
{
	uint8_t pub[32], message[116];
	struct wg_mac1_key key;
	const struct wg_mac1_key *keys[] = { &key };

	(void)state;
	pub_of(7, pub);
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	assert_int_equal(wg_mac1_key_init(&key, pub), 0);
	assert_int_equal(wg_mac1_try(keys, 1, message, sizeof(message), vector),
			 0);
	message[115] ^= 1;
	assert_int_equal(wg_mac1_try(keys, 1, message, sizeof(message), vector),
			 -1);
}

/* Each lane, each number of lanes, messages as OpenSSL authenticates them. */
static void every_lane_finds_its_key(void **state)
{
	struct wg_mac1_key all[16];
	const struct wg_mac1_key *keys[WG_MAC1_LANES];
	uint8_t m[WG_INIT_BYTES], pub[32];

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		pub_of(i, pub);
		assert_int_equal(wg_mac1_key_init(&all[i], pub), 0);
	}
	for (unsigned n = 1; n <= WG_MAC1_LANES; n++)
		for (unsigned lane = 0; lane < n; lane++) {
			for (unsigned i = 0; i < n; i++)
				keys[i] = &all[i == lane ? 15 : i];
			net_make_init(m, 15, lane, NULL);
			assert_int_equal(wg_mac1_try(keys, n, m, WG_INIT_MAC1,
						     m + WG_INIT_MAC1),
					 lane);
			net_make_response(m, 15, lane, n);
			assert_int_equal(wg_mac1_try(keys, n, m,
						     WG_RESPONSE_MAC1,
						     m + WG_RESPONSE_MAC1),
					 lane);
			net_make_init(m, 99, lane, NULL);
			assert_int_equal(wg_mac1_try(keys, n, m, WG_INIT_MAC1,
						     m + WG_INIT_MAC1),
					 -1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_vector),
		cmocka_unit_test(every_lane_finds_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
