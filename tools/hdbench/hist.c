/* SPDX-License-Identifier: MIT */
/* tools/hdbench/hist.c - reading a histogram. */
#include "tools/hdbench/hist.h"
#include <math.h>
#include <string.h>

/* The largest value of a step. */
static uint64_t step_end(uint32_t index)
{
	uint32_t shift;

	if (index < 2 * HIST_STEPS)
		return index;
	shift = (index >> HIST_STEP_BITS) - 1;
	return ((uint64_t)(index - (shift << HIST_STEP_BITS) + 1) << shift) - 1;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
	uint64_t want = (uint64_t)ceil((double)h->n * percent / 100.0);
	uint64_t seen = 0;

	if (h->n == 0)
		return 0;
	want = want == 0 ? 1 : want;
	for (uint32_t i = 0; i < HIST_N; i++) {
		seen += h->count[i];
		if (seen >= want)
			return step_end(i) < h->max_ns ? step_end(i)
						       : h->max_ns;
	}
	return h->max_ns;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	to->n += from->n;
	to->max_ns = to->max_ns > from->max_ns ? to->max_ns : from->max_ns;
	for (uint32_t i = 0; i < HIST_N; i++)
		to->count[i] += from->count[i];
}

void hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}
