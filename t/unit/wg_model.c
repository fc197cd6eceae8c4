/* SPDX-License-Identifier: MIT */
/* t/unit/wg_model.c - the table of sessions against a small model that knows
 * who is who (wg_people.h), in random order: the attacks go on while the two
 * speak, renew their session (through at the second try, 5 s later) and move;
 * once they pause both endpoints are right. 30 seeds, 1,000 with HD_LONG, or
 * those in HD_SEEDS ("57-57"). t/system/wg-seeded.t puts mistakes into the
 * engine, which this must find. */
#include "t/unit/unit.h"
#include "t/unit/wg_people.h"
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 1500 };

static uint32_t dice(uint32_t n)
{
	return (uint32_t)random() % n;
}

_Noreturn void people_fail(const char *what)
{
	fail_msg("%s: %s", m.name, what);
	abort(); /* not reached */
}

static void run(unsigned seed)
{
	char name[32];

	snprintf(name, sizeof(name), "seed %u", seed);
	srandom(seed);
	people_begin(name, dice);
	for (unsigned i = 0; i < STEPS; i++) {
		people_attack();
		net_pass(dice(400));
		if (net.now_ms - m.spoke_ms >= 600)
			people_echo(dice(2));
		if (net.now_ms - m.made_ms >= 120000)
			people_renew(dice(2));
		if (dice(500) == 0)
			people_roam(dice(2));
		if (dice(1000) == 0)
			people_settle();
	}
	people_settle();
	people_end();
}

static void many_seeds(void **state)
{
	const char *seeds = getenv("HD_SEEDS");
	unsigned first = 1, last = getenv("HD_LONG") != NULL ? 1000 : 30;

	(void)state;
	if (seeds != NULL)
		assert_int_equal(sscanf(seeds, "%u-%u", &first, &last), 2);
	for (unsigned i = first; i <= last; i++)
		run(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
