/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_wg_roster.c - any bytes as the roster's file. */
#include "t/fuzz/wg_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct wg_roster *r = wg_roster_new();
	struct wg_changes c = { 0 };
	struct wg_refusal why = { .code = NULL };
	int e = wg_text_apply(&c, r, "x", (const char *)data, n, &why);

	wg_fuzz_end(r, &c, e, &why);
	wg_roster_free(&r);
	return 0;
}
