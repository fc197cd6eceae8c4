/* SPDX-License-Identifier: MIT */
/* core/base/reloaded.h - how the last reload of the configuration went, for the
 * metrics. The start, and another process that takes over, are one that went
 * well. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* hd_reloaded_note - it was taken, or refused. Main thread.
 * hd_reloaded - whether the last one was taken.
 * hd_reloaded_s - when the last one was that was, in seconds since the epoch; 0
 * none yet. Any thread. */
void hd_reloaded_note(bool taken);
bool hd_reloaded(void);
int64_t hd_reloaded_s(void);
