/* SPDX-License-Identifier: MIT */
/* core/base/clock.c - the clocks that the kernel keeps. Any thread. */
#include "core/base/clock.h"
#include <hyper-derp/worker.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t hd_clock_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t hd_now_ns(void)
{
	return hd_clock_ns();
}

uint64_t hd_clock_thread_ns(void)
{
	return read_ns(CLOCK_THREAD_CPUTIME_ID);
}
