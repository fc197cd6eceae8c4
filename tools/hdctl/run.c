/* SPDX-License-Identifier: MIT */
/* tools/hdctl/run.c - one command: ours, or the daemon's. */
#include <hyper-derp/near.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/interrupt.h"
#include "tools/hdctl/wg_quick.h"

enum { SORT_FIELDS_MAX = 64 };

int hdctl_fail(int status, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	if (interrupt_came()) { /* whatever failed, the person wanted it */
		fputs("hdctl: interrupted\n", stderr);
		return status;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	fputs("hdctl: ", stderr);
	clean_put(stderr, text != NULL ? text : fmt, true);
	fputc('\n', stderr);
	free(text);
	return status;
}

int hdctl_connect(struct hdctl *h)
{
	struct hd_error err;
	int r;

	if (h->ask.fd >= 0)
		return HDCTL_OK;
	r = ask_open(&h->ask, h->socket, &err);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

int hdctl_ask(struct hdctl *h, const char *words, json_t **ret_data)
{
	struct hd_error err;
	int r = hdctl_connect(h);

	*ret_data = NULL;
	if (r != HDCTL_OK)
		return r;
	r = ask_words(&h->ask, words, ret_data, &err);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

int hdctl_commands(struct hdctl *h)
{
	if (h->commands != NULL)
		return HDCTL_OK;
	return hdctl_ask(h, "commands", &h->commands);
}

const json_t *hdctl_find(const struct hdctl *h, const char *const *words,
			 size_t n)
{
	const json_t *entry, *best = NULL;
	size_t i, best_n = 0;

	json_array_foreach(h->commands, i, entry)
	{
		const char *p =
			json_string_value(json_object_get(entry, "words"));
		size_t k = 0;

		while (p != NULL && *p != '\0' && k < n) {
			size_t len = strcspn(p, " ");

			if (strlen(words[k]) != len ||
			    memcmp(words[k], p, len) != 0)
				break;
			k++;
			p += len + (p[len] == ' ');
		}
		if (p != NULL && *p == '\0' && k > best_n) {
			best = entry;
			best_n = k;
		}
	}
	return best;
}

static size_t count_words(const char *text)
{
	size_t n = text != NULL && *text != '\0';

	for (; text != NULL && *text != '\0'; text++)
		n += *text == ' ';
	return n;
}

/* One of many that was asked for is shown with all that is known of it, else a
 * row has what the command's columns say. */
static void print_data(struct hdctl *h, const char *const *words, size_t n,
		       const json_t *data)
{
	const json_t *only = json_array_get(data, 0);
	const json_t *command = NULL;

	if (json_is_array(data) && hdctl_commands(h) == HDCTL_OK)
		command = hdctl_find(h, words, n);
	if (json_array_size(data) == 1 && json_is_object(only) &&
	    n > count_words(
			json_string_value(json_object_get(command, "words"))))
		data = only;
	print_answer(stdout, data,
		     json_string_value(json_object_get(command, "columns")));
}

/* The word that names a file becomes what is in it.
 * @ret_text  given; NULL: none of the words does */
static int read_file(struct hdctl *h, const char **words, size_t n,
		     char **ret_text, struct hd_error *err)
{
	const json_t *command = hdctl_find(h, words, n);
	size_t used = count_words(
		json_string_value(json_object_get(command, "words")));
	size_t at = used + file_arg_find(command, words + used, n - used);
	int r;

	if (at == n)
		return HDCTL_OK;
	r = file_arg_read(words[at], ret_text, err);
	if (r == HDCTL_OK)
		r = wg_quick_public(ret_text, err);
	words[at] = *ret_text;
	return r;
}

static int ask_daemon(struct hdctl *h, const char *const *words, size_t n,
		      json_t **ret_data)
{
	const char *copy[HDCTL_WORDS_MAX];
	struct hd_error err;
	char *text = NULL;
	int r;

	memcpy(copy, words, n * sizeof(*words));
	r = read_file(h, copy, n, &text, &err);
	if (r == HDCTL_OK)
		r = ask(&h->ask, copy, n, ret_data, &err);
	free(text);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

/* ---- --sort ---- */

/* " a, b, c" of a row, or of the columns of a table without rows. */
static void list_fields(const json_t *data, const char *columns, char *buf,
			size_t size)
{
	const char *name;
	const json_t *v;
	size_t n = 0;

	buf[0] = '\0';
	json_object_foreach (json_array_get(data, 0), name, v)
		if (n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s",
					      n > 0 ? ", " : "", name);
	for (; n == 0 && *columns != '\0' && size > 1; columns++, size--) {
		*buf++ = *columns;
		*buf = '\0';
	}
}

static const char *near_field(const json_t *data, const char *field)
{
	const char *names[SORT_FIELDS_MAX], *name;
	const json_t *v;
	size_t n = 0;

	json_object_foreach (json_array_get(data, 0), name, v)
		if (n < SORT_FIELDS_MAX)
			names[n++] = name;
	return hd_near(field, names, n);
}

static bool begins_one_of(const char *columns, const char *field)
{
	size_t n = strlen(field);

	for (; *columns != '\0'; columns += strspn(columns, " ")) {
		if (strncmp(columns, field, n) == 0)
			return true;
		columns += strcspn(columns, " ");
	}
	return false;
}

static int no_such_field(const json_t *data, const char *field,
			 const char *columns)
{
	const char *near = near_field(data, field);
	char all[PRINT_CELL_BYTES];

	list_fields(data, columns, all, sizeof(all));
	return hdctl_fail(HDCTL_USAGE,
			  "--sort %s: there is no such column%s%s%s; there "
			  "are: %s",
			  field, near != NULL ? "; is \"" : "",
			  near != NULL ? near : "",
			  near != NULL ? "\" meant?" : "", all);
}

/* A table without rows has no fields but the columns that are shown: with
 * another, which a row might have had, it stays empty, but not in silence. */
static int sort(const struct hdctl *h, const json_t *command, json_t *data)
{
	const char *columns =
		json_string_value(json_object_get(command, "columns"));

	columns = columns != NULL ? columns : "";
	if (!json_is_array(data))
		return hdctl_fail(HDCTL_USAGE,
				  "--sort %s: the answer is not "
				  "a table",
				  h->sort);
	if (!print_sort(data, h->sort))
		return no_such_field(data, h->sort, columns);
	if (json_array_size(data) == 0 && *columns != '\0' &&
	    !begins_one_of(columns, h->sort))
		no_such_field(data, h->sort, columns);
	return HDCTL_OK;
}

/* Where there is none to sort. */
static int check_no_table(const struct hdctl *h)
{
	if (h->sort != NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "--sort %s: the answer is not a table",
				  h->sort);
	if (h->csv)
		return hdctl_fail(HDCTL_USAGE,
				  "--csv: the answer is not a table");
	return HDCTL_OK;
}

/* What changes something must not be done first and refused then. */
static int check_sort(const struct hdctl *h, const json_t *command)
{
	const char *role = json_string_value(json_object_get(command, "role"));

	if (role == NULL || strcmp(role, "read") == 0)
		return HDCTL_OK;
	return check_no_table(h);
}

static int csv(const json_t *command, const json_t *data)
{
	const json_t *columns = json_object_get(command, "columns");

	if (print_csv(stdout, data, json_string_value(columns)))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_USAGE, "--csv: the answer is not a table");
}

static int run_daemons(struct hdctl *h, const char *const *words, size_t n)
{
	const json_t *command;
	json_t *data = NULL;
	int r = hdctl_commands(h);

	if (r == HDCTL_NO_DAEMON)
		ask_close(&h->ask);
	if (r != HDCTL_OK)
		return r;
	command = hdctl_find(h, words, n);
	if (command == NULL)
		return hdctl_unknown(h, words, n);
	r = check_sort(h, command);
	if (r == HDCTL_OK)
		r = ask_daemon(h, words, n, &data);
	if (r == HDCTL_NO_DAEMON)
		ask_close(&h->ask);
	if (r == HDCTL_OK && h->sort != NULL)
		r = sort(h, command, data);
	if (r == HDCTL_OK && h->csv)
		r = csv(command, data);
	else if (r == HDCTL_OK && h->json)
		clean_json(stdout, data, JSON_INDENT(2));
	else if (r == HDCTL_OK)
		print_data(h, words, n, data);
	json_decref(data);
	return r;
}

/* --json, --csv, --sort and --socket may stand anywhere. Returns how many words
 * are left; -1: told. */
static int take_options(struct hdctl *h, const char *const *words, size_t n,
			const char *rest[static HDCTL_WORDS_MAX])
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		bool sort = strcmp(words[i], "--sort") == 0;
		bool socket = strcmp(words[i], "--socket") == 0;

		if (strcmp(words[i], "--json") == 0)
			h->json = true;
		else if (strcmp(words[i], "--csv") == 0)
			h->csv = true;
		else if (strncmp(words[i], "--sort=", 7) == 0)
			h->sort = words[i] + 7;
		else if (strncmp(words[i], "--socket=", 9) == 0)
			h->socket = words[i] + 9;
		else if ((sort || socket) && ++i == n)
			return hdctl_fail(-1, "%s needs a value; see --help",
					  words[i - 1]);
		else if (sort)
			h->sort = words[i];
		else if (socket)
			h->socket = words[i];
		else if (left < HDCTL_WORDS_MAX)
			rest[left++] = words[i];
	}
	return (int)left;
}

/* No command begins so: "-s PATH status" is not one of these words. */
static bool is_stray_option(const char *const *words)
{
	return words[0][0] == '-' && usage_asked(words, 1) == 1;
}

int hdctl_run(struct hdctl *h, const char *const *words, size_t n)
{
	const char *rest[HDCTL_WORDS_MAX];
	struct hdctl saved = *h;
	const struct local *l;
	int left = take_options(h, words, n, rest), r = HDCTL_OK;
	size_t used;

	if (left == 0 && !h->shell) {
		r = hdctl_fail(HDCTL_USAGE, "no command; \"help\" lists those "
					    "there are");
	} else if (left > 0 && is_stray_option(rest)) {
		r = hdctl_fail(HDCTL_USAGE,
			       "there is no option %s; there are: --socket "
			       "PATH, --json, --csv, --sort FIELD",
			       rest[0]);
	} else if (left > 0 &&
		   (used = usage_asked(rest, (size_t)left)) < (size_t)left) {
		r = run_usage(h, rest, used);
	} else if (left > 0) {
		l = local_find(rest, (size_t)left, &used);
		if (l != NULL && (h->csv || l->run != run_top))
			r = check_no_table(h);
		if (l != NULL && r == HDCTL_OK)
			r = l->run(h, rest + used, (size_t)left - used);
		else if (l == NULL)
			r = run_daemons(h, rest, (size_t)left);
	}
	if (h->shell) { /* options are for one command */
		h->json = saved.json;
		h->csv = saved.csv;
		h->sort = saved.sort;
		h->socket = saved.socket;
	}
	return left < 0 ? HDCTL_USAGE : r;
}
