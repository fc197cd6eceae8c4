/* SPDX-License-Identifier: MIT */
/* tools/hdctl/yaml_emit.c - a tree as YAML, as README has it: libyaml's own
 * emitter knows one style for a whole list. */
#include <string.h>

#include "tools/hdctl/yaml_tree.h"

/* Text that is itself without quotes. */
static bool is_plain(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-");

	return n > 0 && text[n] == '\0' && text[0] != '-' &&
	       strcmp(text, "null") != 0;
}

static void put_text(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			putc(*text, out);
	}
	putc('"', out);
}

/* In one line. */
static void put_flow(FILE *out, const json_t *v)
{
	const char *key, *comma = "";
	json_t *item;
	size_t i;

	if (json_is_object(v)) {
		putc('{', out);
		json_object_foreach ((json_t *)v, key, item) {
			fputs(comma, out);
			put_text(out, key);
			fputs(": ", out);
			put_flow(out, item);
			comma = ", ";
		}
		putc('}', out);
	} else if (json_is_array(v)) {
		putc('[', out);
		json_array_foreach(v, i, item)
		{
			fputs(comma, out);
			put_flow(out, item);
			comma = ", ";
		}
		putc(']', out);
	} else if (json_is_string(v)) {
		put_text(out, json_string_value(v));
	} else {
		putc('~', out);
	}
}

static void put_key(FILE *out, const char *key, const json_t *v, int indent)
{
	const char *name;
	json_t *item;
	size_t i;

	fprintf(out, "%*s", indent, "");
	put_text(out, key);
	if (json_is_object(v) && json_object_size(v) > 0) {
		fputs(":\n", out);
		json_object_foreach ((json_t *)v, name, item)
			put_key(out, name, item, indent + 2);
	} else if (json_is_object(json_array_get(v, 0))) {
		fputs(":\n", out);
		json_array_foreach(v, i, item)
		{
			fprintf(out, "%*s- ", indent + 2, "");
			put_flow(out, item);
			putc('\n', out);
		}
	} else {
		fputs(": ", out);
		put_flow(out, v);
		putc('\n', out);
	}
}

void yaml_emit(FILE *out, const char *key, const json_t *value)
{
	put_key(out, key, value, 0);
}
