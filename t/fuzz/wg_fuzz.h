/* SPDX-License-Identifier: MIT */
/* t/fuzz/wg_fuzz.h - what must be true of a roster, whatever text made it. */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "modules/wg/roster.h"

static inline char *wg_fuzz_print(const struct wg_roster *r, size_t *ret_n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_n);

	hd_assert(f != NULL);
	wg_text_print(r, f);
	fclose(f);
	return text;
}

/* What is written is read again, and says the same. */
static inline void wg_fuzz_round(const struct wg_roster *r)
{
	struct wg_roster *again = wg_roster_new();
	struct wg_changes c = { 0 };
	struct wg_refusal why = { .code = NULL };
	size_t n, m;
	char *once = wg_fuzz_print(r, &n), *twice;

	hd_assert(wg_text_apply(&c, again, "x", once, n, &why) == 0);
	hd_assert(again->n_peers == r->n_peers && again->n_links == r->n_links);
	twice = wg_fuzz_print(again, &m);
	hd_assert(n == m && memcmp(once, twice, n) == 0);
	wg_changes_free(&c);
	wg_roster_free(&again);
	free(once);
	free(twice);
}

/* A refusal says why; a change taken back leaves nothing. */
static inline void wg_fuzz_end(struct wg_roster *r, struct wg_changes *c, int e,
			       const struct wg_refusal *why)
{
	hd_assert(e <= 0 &&
		  (e == 0 || (why->code != NULL && why->err.text[0] != '\0')));
	if (e == 0)
		wg_fuzz_round(r);
	wg_changes_undo(c, r);
	hd_assert(r->n_peers == 0 && r->n_links == 0 && r->by_name == NULL &&
		  r->by_key == NULL && r->by_endpoint == NULL);
}
