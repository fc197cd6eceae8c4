/* SPDX-License-Identifier: MIT */
/* core/control/control_args.c - arguments of commands: how a command writes
 * them down, and what an operator may give. Main thread. */
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/log.h"
#include "core/conf/conf_number.h"
#include "core/control/control_table.h"

/* ---- kinds ---- */

static bool is_key(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF");

	return text[n] == '\0' && n >= 4 && n <= 2 * HD_KEY_BYTES;
}

static bool is_duration(const char *text)
{
	uint64_t ms;

	return hd_number_parse(HD_OPTION_DURATION_MS, text, &ms) == 0;
}

static bool is_number(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return text[n] == '\0' && n > 0 && n <= 19;
}

static bool is_level(const char *text)
{
	return hd_log_level_parse(text) >= 0;
}

static bool is_text(const char *text)
{
	return text[0] != '\0';
}

static const struct {
	const char *kind;
	bool (*good)(const char *text);
	const char *allowed;
} kinds[] = {
	{ "KEY", is_key,
	  "4 to 64 hexadecimal digits of a peer's key, with or without "
	  "nodekey:, or all of it in base64" },
	{ "DURATION", is_duration, "a time such as 500ms, 30s, 5m or 2h" },
	{ "N", is_number, "a number" },
	{ "FILE", is_text, "the text of a file" },
	{ "LEVEL", is_level, "error, warn, notice, info or debug" },
};

bool hd_arg_is_file(const struct hd_arg *a)
{
	return strcmp(a->kind, "FILE") == 0;
}

static int check_kind(const struct hd_arg *a, const char *text,
		      struct hd_error *err)
{
	size_t n = strlen(text);
	bool file = hd_arg_is_file(a);
	int most = file ? HD_ARG_FILE_MAX_BYTES : HD_ARG_MAX_BYTES;

	if (n == 0 || n > (size_t)most)
		return hd_error_set(err, -EINVAL,
				    "%s: expected 1 to %d bytes of text",
				    a->name, most);
	for (size_t i = 0; !file && i < n; i++)
		if (iscntrl((unsigned char)text[i]))
			return hd_error_set(err, -EINVAL,
					    "%s: control characters are not "
					    "allowed",
					    a->name);
	for (unsigned i = 0; i < HD_ARRAY_N(kinds); i++)
		if (strcmp(kinds[i].kind, a->kind) == 0 && !kinds[i].good(text))
			return hd_error_set(err, -EINVAL,
					    "%s: \"%.64s\" is not allowed; "
					    "expected %s",
					    a->name, text, kinds[i].allowed);
	return 0;
}

/* ---- how a command writes them down ---- */

static bool copy_name(char to[static HD_ARG_NAME_BYTES], const char *p,
		      size_t n, bool lower)
{
	if (n == 0 || n >= HD_ARG_NAME_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		to[i] = lower ? (char)tolower((unsigned char)p[i]) : p[i];
	to[n] = '\0';
	return true;
}

/* "NAME", "NAME...", "--name", "--name NAME": n bytes, no brackets. */
static bool parse_one(const char *p, size_t n, struct hd_arg *a)
{
	static const char dots[] = "...";
	const char *space = memchr(p, ' ', n);

	if (n > 2 && memcmp(p, "--", 2) == 0) {
		const char *end = space != NULL ? space : p + n;

		a->option = true;
		if (!copy_name(a->name, p + 2, (size_t)(end - p) - 2, false))
			return false;
		return space == NULL ||
		       copy_name(a->kind, space + 1,
				 n - (size_t)(space + 1 - p), false);
	}
	if (n > 3 && memcmp(p + n - 3, dots, 3) == 0) {
		a->rest = true;
		n -= 3;
	}
	return space == NULL && copy_name(a->name, p, n, true) &&
	       copy_name(a->kind, p, n, false);
}

int hd_args_parse(const char *text, struct hd_arg args[static HD_ARGS_MAX],
		  struct hd_error *err)
{
	const char *p = text;
	int n = 0;

	while (*(p += strspn(p, " ")) != '\0') {
		bool optional = *p == '[';
		size_t len = strcspn(p += optional, optional ? "]" : " ");

		if (n == HD_ARGS_MAX || (optional && p[len] != ']'))
			goto bad;
		args[n] = (struct hd_arg){ .optional = optional };
		if (!parse_one(p, len, &args[n]) ||
		    (args[n].option && !optional))
			goto bad;
		n++;
		p += len + optional;
	}
	return n;
bad:
	return hd_error_set(err, -EINVAL,
			    "its arguments \"%s\" cannot be read: report it to "
			    "the module's author",
			    text);
}

/* ---- what an operator gives ---- */

static int usage(const struct hd_command_entry *e, struct hd_error *err,
		 const char *what, const char *which)
{
	const char *args = e->command->args;
	bool has = args != NULL && args[0] != '\0';

	return hd_error_set(err, -EINVAL, "%s%.64s; usage: %s%s%s", what, which,
			    e->command->words, has ? " " : "", has ? args : "");
}

static const struct hd_arg *find_arg(const struct hd_command_entry *e,
				     const char *name)
{
	for (unsigned i = 0; i < e->n_args; i++)
		if (strcmp(e->args[i].name, name) == 0)
			return &e->args[i];
	return NULL;
}

/* A key as people have it at hand, in the digits that commands know: Tailscale
 * writes nodekey: before it, WireGuard all of it in base64. */
static const char *key_digits(const struct hd_arg *a, const char *text,
			      char buf[static 2 * HD_KEY_BYTES + 1])
{
	static const char prefix[] = "nodekey:";
	uint8_t key[HD_KEY_BYTES];
	size_t n;

	if (strcmp(a->kind, "KEY") != 0)
		return text;
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		return text + strlen(prefix);
	if (sodium_base642bin(key, sizeof(key), text, strlen(text), NULL, &n,
			      NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != sizeof(key))
		return text;
	return sodium_bin2hex(buf, 2 * HD_KEY_BYTES + 1, key, sizeof(key));
}

static int set_value(const struct hd_command_entry *e, const struct hd_arg *a,
		     const char *text, struct hd_arg_values *values,
		     struct hd_error *err)
{
	char **at = &values->v[a - e->args];
	char digits[2 * HD_KEY_BYTES + 1];

	text = key_digits(a, text, digits);
	if (*at != NULL)
		return usage(e, err, "given twice: ", a->name);
	int r = a->kind[0] != '\0' ? check_kind(a, text, err) : 0;

	if (r < 0)
		return r;
	*at = strdup(text);
	return *at != NULL ? 0 : hd_error_set(err, -ENOMEM, "out of memory");
}

int hd_args_set(const struct hd_command_entry *e, const char *name,
		const char *text, struct hd_arg_values *values,
		struct hd_error *err)
{
	const struct hd_arg *a = find_arg(e, name);

	if (a == NULL)
		return usage(e, err, "there is no argument ", name);
	if (a->kind[0] == '\0' && strcmp(text, "false") == 0)
		return 0;
	if (a->kind[0] == '\0' && strcmp(text, "true") != 0)
		return usage(e, err, "expected true or false for ", name);
	return set_value(e, a, text, values, err);
}

/* The words from here on, joined by spaces. */
static int set_rest(const struct hd_command_entry *e, const struct hd_arg *a,
		    const char *const *words, size_t n,
		    struct hd_arg_values *values, struct hd_error *err)
{
	char text[HD_ARG_MAX_BYTES + 2] = "";
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i > 0 ? " " : "", words[i]);
	return set_value(e, a, text, values, err);
}

static const struct hd_arg *next_place(const struct hd_command_entry *e,
				       const struct hd_arg_values *values)
{
	for (unsigned i = 0; i < e->n_args; i++)
		if (!e->args[i].option && values->v[i] == NULL)
			return &e->args[i];
	return NULL;
}

/* --for 30s, --for=30s, --exit. Returns how many words it took. */
static int fill_option(const struct hd_command_entry *e,
		       const char *const *words, size_t n,
		       struct hd_arg_values *values, struct hd_error *err)
{
	const char *eq = strchr(words[0], '=');
	size_t len =
		(eq != NULL ? (size_t)(eq - words[0]) : strlen(words[0])) - 2;
	char name[HD_ARG_NAME_BYTES];
	const struct hd_arg *a = copy_name(name, words[0] + 2, len, false)
					 ? find_arg(e, name)
					 : NULL;
	int r;

	if (a == NULL || !a->option)
		return usage(e, err, "there is no option ", words[0]);
	if (a->kind[0] == '\0' && eq != NULL)
		return usage(e, err, "no value may follow ", words[0]);
	if (a->kind[0] == '\0' || eq != NULL) {
		r = set_value(e, a, eq != NULL ? eq + 1 : "true", values, err);
		return r < 0 ? r : 1;
	}
	if (n < 2)
		return usage(e, err, "a value is missing after ", words[0]);
	r = set_value(e, a, words[1], values, err);
	return r < 0 ? r : 2;
}

int hd_args_fill(const struct hd_command_entry *e, const char *const *words,
		 size_t n, struct hd_arg_values *values, struct hd_error *err)
{
	for (size_t i = 0; i < n;) {
		const struct hd_arg *a = next_place(e, values);
		int r;

		if (strncmp(words[i], "--", 2) == 0 && words[i][2] != '\0') {
			r = fill_option(e, words + i, n - i, values, err);
			if (r < 0)
				return r;
			i += (size_t)r;
			continue;
		}
		if (a == NULL)
			return usage(e, err, "too many words: ", words[i]);
		if (a->rest)
			return set_rest(e, a, words + i, n - i, values, err);
		r = set_value(e, a, words[i], values, err);
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

int hd_args_check(const struct hd_command_entry *e,
		  const struct hd_arg_values *values, struct hd_error *err)
{
	for (unsigned i = 0; i < e->n_args; i++)
		if (!e->args[i].optional && values->v[i] == NULL)
			return usage(e, err, "missing: ", e->args[i].kind);
	return 0;
}

void hd_args_free(struct hd_arg_values *values)
{
	for (unsigned i = 0; i < HD_ARGS_MAX; i++)
		free(values->v[i]);
	*values = (struct hd_arg_values){ 0 };
}
