/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_wg_import.c - any text as a wg-quick configuration. What comes
 * of it has configurations of its own, which are imported without a change. */
#include "modules/wg/quick.h"
#include "t/fuzz/wg_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void import_own(struct wg_roster *r, const struct wg_entry *p)
{
	const struct wg_client client = { .peer = p,
					  .endpoint = "relay.example.com",
					  .port = 51820 };
	struct wg_changes c = { 0 };
	struct wg_refusal why;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	hd_assert(f != NULL);
	wg_quick_print(&client, f);
	fclose(f);
	hd_assert(strlen(text) == n && wg_quick_is(text));
	hd_assert(wg_quick_apply(&c, r, text, NULL, &why) == 0 && c.n == 0);
	wg_changes_free(&c);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct wg_roster *r = wg_roster_new();
	struct wg_changes c = { 0 };
	struct wg_refusal why = { .code = NULL };
	int e;

	hd_assert(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	wg_quick_is(text);
	e = wg_quick_apply(&c, r, text, n % 2 == 0 ? "self" : NULL, &why);
	for (const struct wg_entry *p = e == 0 ? r->by_name : NULL; p != NULL;
	     p = p->by_name.next)
		import_own(r, p);
	wg_fuzz_end(r, &c, e, &why);
	wg_roster_free(&r);
	free(text);
	return 0;
}
