/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch.h - the core's side of hyper-derp/fetch.h. Main thread. */
#pragma once
#include <hyper-derp/fetch.h>
#include "core/base/kind.h"

extern const struct hd_kind hd_fetch_kind;

/* hd_fetches_stop - no more requests; what is under way ends with -ECANCELED,
 * its thread ends. Callbacks for workers are on their way then, those of the
 * main thread run in hd_main_free().
 * hd_fetches_free - what nobody could be called for. After workers have ended.
 */
void hd_fetches_stop(void);
void hd_fetches_free(void);

/* hd_fetch_library - "7.88.1, OpenSSL/3.0.15", or why there is none; loads it.
 */
const char *hd_fetch_library(void);
