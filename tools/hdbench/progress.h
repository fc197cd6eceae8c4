/* SPDX-License-Identifier: MIT */
/* tools/hdbench/progress.h - one line on stderr, if that is a terminal. */
#pragma once
#include <hyper-derp/base.h>

/* progress_due - whether enough time has passed for a new line; cheap. */
bool progress_due(int64_t now_ns);
void progress_line(const char *fmt, ...) HD_PRINTF(1, 2);
void progress_clear(void);
