/* SPDX-License-Identifier: MIT */
/* t/records/diff.c - our record layer against OpenSSL's, a fixed number of
 * random rounds from fixed seeds; t/fuzz/fuzz_tls_diff.c is the same with a
 * fuzzer's choices. HD_DIFF_ROUNDS, HD_DIFF_SEED: more rounds, other ones. */
#include "t/unit/unit.h"
#include <stdlib.h>
#include "t/records/crypto.h"
#include "t/records/ends.h"
#include "t/records/talk.h"

#define ROUNDS 250

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void rounds(void (*play)(struct dice *))
{
	uint64_t seed = number("HD_DIFF_SEED", 1);
	uint64_t n = number("HD_DIFF_ROUNDS", ROUNDS);

	for (ends_round = seed; ends_round < seed + n; ends_round++) {
		struct dice d = { .seed = ends_round * 0x9e3779b97f4a7c15ull };

		play(&d);
	}
}

static void an_honest_peer_is_served_alike(void **state)
{
	(void)state;
	rounds(talk);
}

static void forgeries_are_judged_alike(void **state)
{
	(void)state;
	rounds(forgery);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_peer_is_served_alike),
		cmocka_unit_test(forgeries_are_judged_alike),
	};
	int failed;

	ends_set_up();
	failed = crypto_run(tests, HD_ARRAY_N(tests), false);
	ends_tear_down();
	return failed;
}
