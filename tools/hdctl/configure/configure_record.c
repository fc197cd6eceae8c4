/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_record.c - a commit, whole or not at all:
 *
 *   commit.json is there      the files are written, one by one, each by
 *   v                         rename; who finds it later writes the rest
 *   candidate.json goes
 *   v
 *   commit.json becomes history/N.json
 *
 * Killed before: nothing has happened. Killed later: the next `hdctl configure`
 * that may write goes on from here. */
#include "tools/hdctl/configure/configure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/setup/setup.h"

static int failed(const char *path)
{
	return hdctl_fail(HDCTL_REFUSED, "%s: %s", path, strerror(errno));
}

/* A rename is on the disk once its folder is. */
static void sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof(folder), "%.*s",
		 (int)(strrchr(path, '/') - path), path);
	fd = open(folder[0] != '\0' ? folder : "/",
		  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static int replace(const char *path, const char *text)
{
	int r = setup_replace(path, text, path);

	if (r == HDCTL_OK)
		sync_folder_of(path);
	return r;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static bool is_text(const char *path, const char *text)
{
	struct hd_error err;
	char *now = NULL;
	bool same = file_arg_read(path, &now, &err) == HDCTL_OK &&
		    strcmp(now, text) == 0;

	free(now);
	return same;
}

/* What somebody has changed by hand in between stays.
 * @from, @to  "base" and "text", or the other way
 * @strict     and is the end of it */
static int write_files(const json_t *files, const char *from, const char *to,
		       bool strict)
{
	const char *path;
	json_t *file;
	int r = HDCTL_OK;

	json_object_foreach ((json_t *)files, path, file) {
		if (r != HDCTL_OK || is_text(path, text_of(file, to)))
			continue;
		if (is_text(path, text_of(file, from)))
			r = replace(path, text_of(file, to));
		else if (hdctl_fail(HDCTL_REFUSED, "%s was changed by hand "
				    "during the commit; it stays so", path) !=
				 HDCTL_OK && strict)
			r = HDCTL_REFUSED;
	}
	return r;
}

/* ---- history ---- */

static int is_record(const struct dirent *e)
{
	size_t n = strspn(e->d_name, "0123456789");

	return n > 0 && strcmp(e->d_name + n, ".json") == 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	long x = atol((*a)->d_name), y = atol((*b)->d_name);

	return x < y ? 1 : x > y ? -1 : 0;
}

static int list_records(const struct configure *c, struct dirent ***ret)
{
	char path[PATH_MAX + 64];
	int n;

	configure_path(c, "history", path);
	n = scandir(path, ret, is_record, newest_first);
	return n > 0 ? n : 0;
}

static void free_records(struct dirent **v, int n)
{
	for (int i = 0; i < n; i++)
		free(v[i]);
	if (n > 0)
		free(v);
}

static void record_path(const struct configure *c, const char *name,
			char path[PATH_MAX + 64])
{
	char inner[300];

	snprintf(inner, sizeof(inner), "history/%s", name);
	configure_path(c, inner, path);
}

int configure_history(struct configure *c)
{
	struct dirent **v = NULL;
	int n = list_records(c, &v);

	c->history = json_array();
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX + 64];
		json_t *record;

		record_path(c, v[i]->d_name, path);
		record = json_load_file(path, 0, NULL);
		if (record != NULL)
			json_array_append_new(c->history, record);
	}
	free_records(v, n);
	return HDCTL_OK;
}

/* commit.json gets the next number; the oldest ones go. */
int configure_recorded(struct configure *c)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64], name[32];
	struct dirent **v = NULL;
	int n = list_records(c, &v), r = configure_drop(c);

	snprintf(name, sizeof(name), "%ld.json",
		 n > 0 ? atol(v[0]->d_name) + 1 : 1L);
	configure_path(c, "commit.json", from);
	record_path(c, name, to);
	if (r == HDCTL_OK && rename(from, to) < 0)
		r = failed(to);
	if (r == HDCTL_OK)
		sync_folder_of(to);
	for (int i = CONFIGURE_COMMITS_MAX - 1; r == HDCTL_OK && i < n; i++) {
		record_path(c, v[i]->d_name, to);
		(void)unlink(to);
	}
	free_records(v, n);
	return r;
}

/* ---- the commit ---- */

int configure_write(struct configure *c, const char *comment)
{
	char path[PATH_MAX + 64], *text;
	json_t *commit = json_object();
	int r;

	json_object_set_new(commit, "time", json_integer(time(NULL)));
	json_object_set_new(commit, "by", json_string(c->who));
	json_object_set_new(commit, "comment", json_string(comment));
	json_object_set(commit, "files", json_object_get(c->cand, "files"));
	json_object_set(commit, "ops", json_object_get(c->cand, "ops"));
	text = json_dumps(commit, JSON_INDENT(1));
	configure_path(c, "commit.json", path);
	r = text != NULL ? configure_keep(c, path, text,
					  json_object_get(commit, "files"))
			 : hdctl_fail(HDCTL_USAGE, "the comment is not UTF-8");
	free(text);
	if (r == HDCTL_OK) {
		sync_folder_of(path);
		r = write_files(json_object_get(commit, "files"), "base",
				"text", true);
		if (r != HDCTL_OK && configure_write_back(c) == HDCTL_OK)
			hdctl_fail(r, "nothing is committed");
	}
	json_decref(commit);
	return r;
}

int configure_write_back(struct configure *c)
{
	char path[PATH_MAX + 64];
	int r = write_files(json_object_get(c->cand, "files"), "text", "base",
			    false);

	if (r != HDCTL_OK) /* half of it is there: the rest comes later */
		return r;
	configure_path(c, "commit.json", path);
	if (unlink(path) < 0)
		return failed(path);
	sync_folder_of(path);
	return HDCTL_OK;
}

int configure_recover(struct configure *c)
{
	char path[PATH_MAX + 64];
	json_t *commit;
	int r;

	configure_path(c, "commit.json", path);
	commit = json_load_file(path, 0, NULL);
	if (commit == NULL && access(path, F_OK) == 0)
		return hdctl_fail(HDCTL_REFUSED,
				  "%s cannot be read; it is of a commit that "
				  "was interrupted: look at it, and remove it",
				  path);
	if (commit == NULL)
		return HDCTL_OK;
	r = write_files(json_object_get(commit, "files"), "base", "text",
			false);
	if (r == HDCTL_OK)
		r = configure_recorded(c);
	if (r == HDCTL_OK)
		fprintf(stderr, "note: a commit by %s was interrupted; it is "
			"complete now, and in effect after: hdctl reload\n",
			text_of(commit, "by"));
	json_decref(commit);
	return r;
}
