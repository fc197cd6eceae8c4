/* SPDX-License-Identifier: MIT */
/* core/base/bug.c - how often the impossible happened. */
#include "core/base/bug.h"

static uint64_t bugs;

void hd_bug_count(void)
{
	__atomic_add_fetch(&bugs, 1, __ATOMIC_RELAXED);
}

uint64_t hd_bugs(void)
{
	return __atomic_load_n(&bugs, __ATOMIC_RELAXED);
}
