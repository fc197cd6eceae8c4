/* SPDX-License-Identifier: MIT */
/* core/base/bug.h - wrong but survivable: a counter and one "bug:" line per
 * place, which fails the system test that caused it. Any thread. */
#pragma once
#include <hyper-derp/log.h>

void hd_bug_count(void);
uint64_t hd_bugs(void); /* since the start */

#define hd_bug_once(fmt, ...)                                                  \
	do {                                                                   \
		static bool hd_seen_;                                          \
		hd_bug_count();                                                \
		if (!__atomic_exchange_n(&hd_seen_, true, __ATOMIC_RELAXED))   \
			hd_log_write(HD_LOG_ERROR, "bug: " fmt " at=%s:%d",    \
				     ##__VA_ARGS__, __FILE__, __LINE__);       \
	} while (0)
