/* SPDX-License-Identifier: MIT */
/* tools/hdcat/progress.h - how far files are: one line on a terminal, which is
 * drawn anew; nothing elsewhere, or with --quiet. */
#pragma once
#include "tools/hdcat/hdcat.h"

/* progress - a file is so far; at most a few times in a second it is drawn.
 * progress_all - of how many bytes there will be, and have been; 0: unknown.
 * progress_end - the line goes, for another to be written. */
void progress(const struct hdcat *c, const char *name, uint64_t at,
	      uint64_t size);
void progress_all(uint64_t done, uint64_t total);
void progress_end(const struct hdcat *c);
