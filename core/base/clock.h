/* SPDX-License-Identifier: MIT */
/* core/base/clock.h - monotonic time, read now. In workers hd_now_ms() is
 * cheaper: it is read once a turn. Any thread. */
#pragma once
#include <hyper-derp/base.h>

uint64_t hd_clock_ns(void);
/* hd_clock_thread_ns - CPU time that this thread has used. */
uint64_t hd_clock_thread_ns(void);

static inline uint64_t hd_clock_us(void)
{
	return hd_clock_ns() / 1000;
}

static inline uint64_t hd_clock_ms(void)
{
	return hd_clock_ns() / 1000000;
}
