/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_edit.c - any text, any path, any value: either the text stays, or
 * it is YAML that has the value there, and all else is as it was. The input is
 * an operation, a path, a value and the text, a line each but for the last. */
#include "tools/hdctl/edit/edit.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char *line_of(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	*rest = end != NULL ? end + 1 : line + strlen(line);
	if (end != NULL)
		*end = '\0';
	return line;
}

/* What the new text begins and ends with is the old one's. */
static void check_bytes(const char *old, const char *new)
{
	size_t a = strlen(old), b = strlen(new), head = 0, tail = 0;
	struct edit_text was, is;
	struct hd_error err;

	while (old[head] != '\0' && old[head] == new[head])
		head++;
	while (tail < HD_MIN(a, b) - HD_MIN(head, HD_MIN(a, b)) &&
	       old[a - tail - 1] == new[b - tail - 1])
		tail++;
	hd_assert(head + tail <= HD_MIN(a, b));
	hd_assert(edit_parse(&was, old, "old", &err) == 0);
	edit_free(&was);
	hd_assert(edit_parse(&is, new, "new", &err) == 0);
	edit_free(&is);
}

static void check_value(const struct edit_wish *w, const char *old,
			const char *new)
{
	json_t *is = edit_value(new, w->path);
	json_t *was = edit_value(old, w->path);

	if (w->op == EDIT_SET && strchr("[{\"'", w->value[0]) == NULL)
		hd_assert(json_is_string(is) &&
			  strcmp(json_string_value(is), w->value) == 0);
	if (w->op == EDIT_ADD && json_is_array(was))
		hd_assert(json_array_size(is) == json_array_size(was) + 1);
	if (w->op == EDIT_DELETE)
		hd_assert(was != NULL);
	json_decref(is);
	json_decref(was);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *all = calloc(1, n + 1), *rest = all, *new;
	struct edit_done done = { 0 };
	struct hd_error err = { "" };
	struct edit_wish w;

	hd_assert(all != NULL);
	memcpy(all, data, n);
	w.op = (enum edit_op)(n > 0 ? data[0] % 3 : 0);
	line_of(&rest);
	w.path = line_of(&rest);
	w.value = line_of(&rest);
	if (w.op == EDIT_DELETE && w.value[0] == '\0')
		w.value = NULL;
	new = edit_apply(rest, "text", &w, &done, &err);
	hd_assert(new != NULL || err.text[0] != '\0');
	if (new != NULL) {
		check_bytes(rest, new);
		check_value(&w, rest, new);
	}
	free(new);
	free(all);
	return 0;
}
