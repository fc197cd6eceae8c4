/* SPDX-License-Identifier: MIT */
#include "core/clock.h"
#include <time.h>

uint64_t hd_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
