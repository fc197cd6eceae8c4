/* SPDX-License-Identifier: MIT */
/* core/base/log_allow.c - a place in the code that may log PER_SECOND lines a
 * second; how many more there were is told with the next one. */
#include "core/base/log.h"
#include <inttypes.h>
#include <time.h>

enum { PER_SECOND = 5 };

static uint64_t this_second(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec + 1; /* 0: never used */
}

static void begin_window(struct hd_log_site *site)
{
	uint32_t n = __atomic_exchange_n(&site->suppressed, 0,
					 __ATOMIC_RELAXED);

	__atomic_store_n(&site->count, 1, __ATOMIC_RELAXED);
	if (n > 0)
		hd_log_write(HD_LOG_NOTICE,
			     "%" PRIu32 " lines like the next one suppressed",
			     n);
}

bool hd_log_allow(struct hd_log_site *site)
{
	uint64_t now_s = this_second();
	uint64_t was = __atomic_load_n(&site->window_s, __ATOMIC_RELAXED);

	if (was != now_s &&
	    __atomic_compare_exchange_n(&site->window_s, &was, now_s, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		begin_window(site);
		return true;
	}
	if (__atomic_add_fetch(&site->count, 1, __ATOMIC_RELAXED) <= PER_SECOND)
		return true;
	__atomic_add_fetch(&site->suppressed, 1, __ATOMIC_RELAXED);
	return false;
}
