/* SPDX-License-Identifier: MIT */
/* t/records/dice.h - choices: from a seed, or from a fuzzer's bytes (zeros
 * when they are used up). */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t seed; /* not 0; unused when there are bytes */
	const uint8_t *p; /* or NULL */
	size_t n;
};

/* dice_bits - xorshift64*, or the next four bytes. */
static inline uint32_t dice_bits(struct dice *d)
{
	uint32_t v = 0;

	if (d->p != NULL) {
		for (int i = 0; i < 4 && d->n > 0; i++, d->n--)
			v = v << 8 | *d->p++;
		return v;
	}
	d->seed ^= d->seed >> 12;
	d->seed ^= d->seed << 25;
	d->seed ^= d->seed >> 27;
	return (uint32_t)(d->seed * 0x2545f4914f6cdd1dull >> 32);
}

/* dice - 0 to n - 1; small n cost a fuzzer one byte. */
static inline uint32_t dice(struct dice *d, uint32_t n)
{
	if (d->p == NULL || n > 256)
		return dice_bits(d) % n;
	if (d->n == 0)
		return 0;
	d->n--;
	return *d->p++ % n;
}

/* dice_size - sizes where mistakes live, else anything up to max. */
static inline size_t dice_size(struct dice *d, size_t max)
{
	static const uint16_t edges[] = {
		1, 2, 5, 16, 17, 255, 256, 1400, 16383, 16384, 16385, 32768
	};
	uint32_t i = dice(d, 24);
	size_t n = i < 12   ? edges[i]
		   : i < 20 ? dice(d, 256)
			    : dice_bits(d) % (max + 1);

	return n < max ? n : max;
}
