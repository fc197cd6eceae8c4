/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_wg_model.c - the table of sessions against the model that knows
 * who is who (t/unit/wg_people.h): the input is the dice. Whatever the
 * attackers do in whatever order, the session that the two stand in goes on,
 * nobody gets more than a hundred times what he sent, and no endpoint is an
 * attacker's. Whether a handshake is through at the second try is the model's
 * own test: who chooses each packet by what the relay did before it can make
 * that later. */
#include "t/unit/wg_people.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum {
	STEPS_MAX = 1000,
	USED_MS = 150000, /* a peer has renewed its session then */
	REKEY_MS = 5000, /* WireGuard asks no more often */
};

static struct { /* what is left of the input */
	const uint8_t *p;
	size_t n;
} in;

static uint32_t dice(uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t most = 1; most < n && in.n > 0; in.n--) {
		sum = sum << 8 | *in.p++;
		most = most < 1u << 24 ? most << 8 : n;
	}
	return sum % n;
}

_Noreturn void people_fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t asked_ms = 0;

	in.p = p;
	in.n = n;
	people_begin("fuzz", dice);
	for (unsigned i = 0; in.n > 0 && i < STEPS_MAX &&
			     net.now_ms - m.made_ms < USED_MS;
	     i++) {
		people_attack();
		net_pass(dice(512));
		if (net.now_ms - m.spoke_ms >= 600)
			people_echo(dice(2));
		if (net.now_ms - asked_ms < REKEY_MS || dice(16) != 0)
			continue;
		asked_ms = net.now_ms;
		people_try(dice(2));
	}
	people_echo(0);
	people_end();
	return 0;
}
