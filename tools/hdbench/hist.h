/* SPDX-License-Identifier: MIT */
/* tools/hdbench/hist.h - a log-linear histogram of nanoseconds: 64 steps for
 * each power of two, so a value is off by at most 1.6 %. */
#pragma once
#include <stdint.h>

#define HIST_STEP_BITS 6
#define HIST_STEPS (1 << HIST_STEP_BITS)
#define HIST_MAX_BITS 40 /* 18 minutes; longer ones count as that */
#define HIST_N ((HIST_MAX_BITS - HIST_STEP_BITS + 1) * HIST_STEPS)

struct hist {
	uint64_t n;
	uint64_t max_ns;
	uint32_t count[HIST_N];
};

static inline uint32_t hist_index(uint64_t ns)
{
	uint32_t shift;

	if (ns >> HIST_MAX_BITS != 0)
		ns = (UINT64_C(1) << HIST_MAX_BITS) - 1;
	if (ns < HIST_STEPS)
		return (uint32_t)ns;
	shift = 63 - HIST_STEP_BITS - (uint32_t)__builtin_clzll(ns);
	return (shift << HIST_STEP_BITS) + (uint32_t)(ns >> shift);
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	h->n++;
	h->count[hist_index(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

/* hist_percentile - the smallest value (in ns, rounded up to its step) that
 * percent of all values do not exceed. 0 if there is none. */
uint64_t hist_percentile(const struct hist *h, double percent);

/* hist_merge - add what another one has. */
void hist_merge(struct hist *to, const struct hist *from);

void hist_clear(struct hist *h);
