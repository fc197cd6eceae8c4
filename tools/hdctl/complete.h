/* SPDX-License-Identifier: MIT */
/* tools/hdctl/complete.h - what may come next on a command line. */
#pragma once
#include "tools/hdctl/hdctl.h"

/* complete_each - every word that begins with prefix and may stand behind
 * these; with one line of help. */
typedef void complete_fn(void *arg, const char *word, const char *help);
void complete_each(struct hdctl *h, const char *const *words, size_t n,
		   const char *prefix, complete_fn *found, void *arg);
