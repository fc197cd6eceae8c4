/* SPDX-License-Identifier: MIT */
/* core/loop/account.c - the clock behind `module status`. */
#include "core/base/clock.h"
#include "core/loop/account.h"

enum { SAMPLED_TURNS = 64 }; /* one in so many, on average */

/* By chance: traffic that comes in a rhythm must not meet the sampling's. The
 * distance is 1 to 127 turns. Xorshift, of Marsaglia. */
static uint8_t distance(struct hd_meter *m)
{
	uint32_t x = m->chance != 0 ? m->chance : 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	m->chance = x;
	return (uint8_t)(1 + x % (2 * SAMPLED_TURNS - 1));
}

void hd_meter_begin(struct hd_meter *m)
{
	m->turns_left = (uint8_t)(distance(m) - 1);
	m->on = true;
}

void hd_meter_end(struct hd_meter *m)
{
	m->on = false;
	m->now = NULL;
}

struct hd_account *hd_meter_switch(struct hd_meter *m, struct hd_account *to)
{
	struct hd_account *before = m->now;

	if (to == before)
		return before;
	uint64_t now = hd_clock_ns();

	if (before != NULL)
		hd_account_add(before, HD_ACCOUNT_CPU_NS,
			       (now - m->since_ns) * SAMPLED_TURNS);
	m->now = to;
	m->since_ns = now;
	return before;
}
