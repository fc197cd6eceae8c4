/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_devices.c - any bytes as three paths, a line each, and behind
 * them as the answer of an API. What was found is a file of keys that can be
 * read, and has no more of them than were counted. */
#include <stdlib.h>
#include <string.h>
#include "modules/policy/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The next line, without its end; NULL: there is none. */
static char *next_line(char **text)
{
	return strsep(text, "\n");
}

/* Returns whether there is a line. */
static bool take_path(char **text, struct policy_path *ret)
{
	const char *line = next_line(text);
	unsigned i = 0;

	if (line == NULL || policy_path_parse(line, ret) < 0)
		*ret = (struct policy_path){ .n = 0 };
	for (; i < ret->n; i++)
		if (policy_path_step(ret, i) != NULL &&
		    policy_path_step(ret, i)[0] == '\0')
			abort();
	return line != NULL;
}

static void check(const char *text, const struct policy_devices_found *found)
{
	struct policy_keys keys;
	struct hd_error err;

	if (policy_keys_parse("x", text, &keys, &err) < 0 ||
	    keys.n > found->n || (keys.n == 0) != (found->n == 0))
		abort();
	for (size_t i = 0; i < keys.n; i++)
		if (policy_keys_find(&keys, &keys.v[i].key) == NULL)
			abort();
	policy_keys_free(&keys);
}

static void read_answer(const struct policy_devices_paths *paths,
			const char *json, size_t n)
{
	struct policy_devices_found found;
	struct hd_error err = { "" };
	char *text = NULL;

	if (policy_devices_read(paths, json, n, &text, &found, &err) < 0) {
		if (text != NULL || err.text[0] == '\0')
			abort();
		return;
	}
	check(text, &found);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct policy_devices_paths paths;
	char *copy = calloc(1, n + 1), *rest = copy;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, n);
	if (take_path(&rest, &paths.key) && take_path(&rest, &paths.name) &&
	    take_path(&rest, &paths.where) && rest != NULL &&
	    paths.key.n > 0) {
		/* as the configuration refuses them */
		if (!policy_path_beside(&paths.key, &paths.name))
			paths.name.n = 0;
		if (!policy_path_beside(&paths.key, &paths.where))
			paths.where.n = 0;
		read_answer(&paths, rest, n - (size_t)(rest - copy));
	}
	free(copy);
	return 0;
}
