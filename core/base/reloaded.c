/* SPDX-License-Identifier: MIT */
/* core/base/reloaded.c - see reloaded.h. */
#include "core/base/reloaded.h"
#include <time.h>

static bool refused;
static int64_t taken_s;

void hd_reloaded_note(bool taken)
{
	if (taken)
		__atomic_store_n(&taken_s, (int64_t)time(NULL),
				 __ATOMIC_RELAXED);
	__atomic_store_n(&refused, !taken, __ATOMIC_RELAXED);
}

bool hd_reloaded(void)
{
	return !__atomic_load_n(&refused, __ATOMIC_RELAXED);
}

int64_t hd_reloaded_s(void)
{
	return __atomic_load_n(&taken_s, __ATOMIC_RELAXED);
}
