/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_show.c - show, diff, history. */
#include "tools/hdctl/configure/configure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/setup/setup.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* ---- show ---- */

static int show_file(const struct configure *c, const char *path, bool title)
{
	char *text = configure_text(c, path);

	if (text == NULL)
		return HDCTL_REFUSED;
	if (title)
		printf("# ---- %s\n", path);
	clean_put(stdout, text, true);
	if (*text != '\0' && text[strlen(text) - 1] != '\n')
		putchar('\n');
	free(text);
	return HDCTL_OK;
}

static int show_json(const struct configure *c, const json_t *files)
{
	json_t *all = json_object();
	const json_t *path;
	size_t i;

	json_array_foreach(files, i, path)
	{
		char *text = configure_text(c, json_string_value(path));

		json_object_set_new(all, json_string_value(path),
				    json_string(text != NULL ? text : ""));
		free(text);
	}
	clean_json(stdout, all, JSON_INDENT(2));
	json_decref(all);
	return HDCTL_OK;
}

static int show_option(const struct configure *c, const json_t *files,
		       const char *option)
{
	json_t *found = NULL;
	const json_t *path;
	size_t i;

	json_array_foreach(files, i, path)
	{
		char *text = configure_text(c, json_string_value(path));

		if (text != NULL && found == NULL)
			found = edit_value(text, option);
		free(text);
	}
	if (found == NULL)
		return hdctl_fail(HDCTL_REFUSED, "%s is not set", option);
	if (c->h->json)
		clean_json(stdout, found, JSON_INDENT(2) | JSON_ENCODE_ANY);
	else if (json_is_string(found))
		puts(json_string_value(found));
	else
		yaml_emit(stdout, option, found);
	json_decref(found);
	return HDCTL_OK;
}

int configure_show(struct configure *c, const char *const *words, size_t n)
{
	json_t *files;
	const json_t *path;
	int r = HDCTL_OK;
	size_t i;

	if (n == 2 && strcmp(words[0], "|") == 0)
		return configure_diff(c, words + 2, 0);
	if (n > 1)
		return hdctl_fail(HDCTL_USAGE, "show takes one option, or | "
				  "diff");
	files = configure_files(c);
	if (n == 1)
		r = show_option(c, files, words[0]);
	else if (c->h->json)
		r = show_json(c, files);
	else
		json_array_foreach(files, i, path)
			if (r == HDCTL_OK)
				r = show_file(c, json_string_value(path),
					      json_array_size(files) > 1);
	json_decref(files);
	return r;
}

/* ---- diff ---- */

int configure_diff(struct configure *c, const char *const *words, size_t n)
{
	const char *path;
	json_t *file;

	(void)words;
	if (n > 0)
		return hdctl_fail(HDCTL_USAGE, "diff takes no words");
	if (c->h->json) {
		clean_json(stdout, c->cand, JSON_INDENT(2));
		return HDCTL_OK;
	}
	if (configure_is_empty(c))
		puts("no changes");
	json_object_foreach (json_object_get(c->cand, "files"), path, file)
		if (!json_equal(json_object_get(file, "base"),
				json_object_get(file, "text")))
			setup_diff(path, path, text_of(file, "base"),
				   text_of(file, "text"));
	return HDCTL_OK;
}

/* ---- history ---- */

static void put_time(char buf[32], const json_t *record)
{
	time_t at = (time_t)json_integer_value(json_object_get(record, "time"));
	struct tm tm = { 0 };

	gmtime_r(&at, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *row(const json_t *record, size_t i)
{
	json_t *row = json_object(), *files = json_array();
	char at[32];
	const char *path;
	json_t *file;

	put_time(at, record);
	json_object_foreach (json_object_get(record, "files"), path, file)
		json_array_append_new(files, json_string(path));
	json_object_set_new(row, "n", json_integer((json_int_t)i));
	json_object_set_new(row, "time", json_string(at));
	json_object_set_new(row, "by", json_string(text_of(record, "by")));
	json_object_set_new(row, "comment",
			    json_string(text_of(record, "comment")));
	json_object_set_new(row, "files", files);
	return row;
}

int configure_log(struct configure *c, const char *const *words, size_t n)
{
	json_t *rows = json_array();
	const json_t *record;
	size_t i;

	(void)words;
	if (n > 0)
		return hdctl_fail(HDCTL_USAGE, "history takes no words");
	configure_history(c);
	json_array_foreach(c->history, i, record)
		json_array_append_new(rows, row(record, i));
	if (c->h->json)
		clean_json(stdout, rows, JSON_INDENT(2));
	else if (json_array_size(rows) == 0)
		puts("no commits");
	else
		print_answer(stdout, rows, "n time by comment");
	json_decref(rows);
	return HDCTL_OK;
}
