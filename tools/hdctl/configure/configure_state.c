/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_state.c - the candidate, kept in a file. */
#include "tools/hdctl/configure/configure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/setup/setup.h"

static int failed(const char *path)
{
	int e = errno;

	if (e == EACCES || e == EPERM || e == EROFS)
		return hdctl_fail(HDCTL_NOT_PERMITTED,
				  "%s: %s; who may write the configuration may "
				  "change it: root, with sudo", path,
				  strerror(e));
	return hdctl_fail(HDCTL_REFUSED, "%s: %s", path, strerror(e));
}

void configure_path(const struct configure *c, const char *name,
		    char path[PATH_MAX + 64])
{
	snprintf(path, PATH_MAX + 64, "%s/%s", c->folder, name);
}

/* Who reads the configuration reads what it was. */
static int make_folder(const struct configure *c, const char *path)
{
	struct stat st;
	mode_t mode;

	if (stat(c->config, &st) < 0)
		return failed(c->config);
	mode = (st.st_mode & 0666) | ((st.st_mode & 0444) >> 2);
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? HDCTL_OK : failed(path);
	if (chown(path, st.st_uid, st.st_gid) < 0 || chmod(path, mode) < 0)
		return failed(path);
	return HDCTL_OK;
}

int configure_lock(struct configure *c)
{
	char path[PATH_MAX + 64];
	struct stat st;
	int r;

	if (access(c->config, W_OK) < 0)
		return failed(c->config);
	configure_path(c, "history", path);
	r = make_folder(c, c->folder);
	if (r == HDCTL_OK)
		r = make_folder(c, path);
	if (r != HDCTL_OK)
		return r;
	configure_path(c, "lock", path);
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock < 0 || flock(c->lock, LOCK_EX) < 0)
		return failed(path);
	/* root's must not keep out whose file it is */
	if (stat(c->config, &st) == 0)
		(void)!fchown(c->lock, st.st_uid, st.st_gid);
	return configure_recover(c);
}

static json_t *new_candidate(void)
{
	json_t *cand = json_object();

	json_object_set_new(cand, "files", json_object());
	json_object_set_new(cand, "ops", json_array());
	return cand;
}

int configure_load(struct configure *c)
{
	char path[PATH_MAX + 64];
	json_error_t why;

	configure_path(c, "candidate.json", path);
	json_decref(c->cand); /* of a commit that was completed */
	c->cand = json_load_file(path, 0, &why);
	if (c->cand == NULL && access(path, F_OK) == 0)
		return access(path, R_OK) < 0
			       ? failed(path)
			       : hdctl_fail(HDCTL_REFUSED,
					    "%s: %s; to drop the candidate, "
					    "remove this file", path, why.text);
	if (c->cand == NULL)
		c->cand = new_candidate();
	return HDCTL_OK;
}

/* Then the bits of the group are no more than a bound of what some may. */
static bool has_acl(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* Who may not read one of the files does not read it here. */
static int strictest(const struct configure *c, const json_t *files,
		     struct stat *ret)
{
	const char *path;
	json_t *file;

	if (stat(c->config, ret) < 0)
		return failed(c->config);
	if (has_acl(c->config))
		ret->st_mode &= ~(mode_t)(S_IRWXG | S_IRWXO);
	json_object_foreach ((json_t *)files, path, file) {
		struct stat st;

		if (stat(path, &st) < 0)
			st = (struct stat){ .st_mode = 0600 };
		ret->st_mode &= st.st_mode | 0600;
		if (has_acl(path))
			ret->st_mode &= ~(mode_t)(S_IRWXG | S_IRWXO);
		if ((st.st_mode & S_IROTH) != 0)
			continue;
		if (st.st_gid != ret->st_gid)
			ret->st_mode &= ~(mode_t)S_IRWXG;
		if (st.st_uid != ret->st_uid)
			ret->st_uid = geteuid();
	}
	return HDCTL_OK;
}

int configure_keep(const struct configure *c, const char *path,
		   const char *text, const json_t *files)
{
	struct stat st;
	int r = strictest(c, files, &st);

	return r == HDCTL_OK ? setup_replace_as(path, text, &st) : r;
}

int configure_save(const struct configure *c)
{
	char path[PATH_MAX + 64], *text = json_dumps(c->cand, JSON_INDENT(1));
	int r;

	if (text == NULL)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	configure_path(c, "candidate.json", path);
	r = configure_keep(c, path, text, json_object_get(c->cand, "files"));
	free(text);
	return r;
}

/* Changes that took each other back are none. */
bool configure_is_empty(const struct configure *c)
{
	const char *path;
	json_t *file;

	json_object_foreach (json_object_get(c->cand, "files"), path, file)
		if (!json_equal(json_object_get(file, "base"),
				json_object_get(file, "text")))
			return false;
	return true;
}

int configure_put(struct configure *c, const char *path, const char *text)
{
	json_t *files = json_object_get(c->cand, "files");
	json_t *file = json_object_get(files, path);
	struct hd_error err = { "" };
	char *base = NULL;

	if (file == NULL) {
		if (file_arg_read(path, &base, &err) != HDCTL_OK)
			return hdctl_fail(HDCTL_REFUSED, "%s", err.text);
		file = json_object();
		json_object_set_new(file, "base", json_string(base));
		json_object_set_new(files, path, file);
		free(base);
	}
	json_object_set_new(file, "text", json_string(text));
	if (json_object_get(file, "base") != NULL &&
	    json_object_get(file, "text") != NULL)
		return HDCTL_OK;
	return hdctl_fail(HDCTL_REFUSED, "%s: it is not UTF-8", path);
}

void configure_note(struct configure *c, const char *op, const char *path,
		    const char *value)
{
	json_t *note = json_object();

	json_object_set_new(note, "op", json_string(op));
	json_object_set_new(note, "path", json_string(path));
	json_object_set_new(note, "value",
			    json_string(value != NULL ? value : ""));
	json_object_set_new(note, "by", json_string(c->who));
	json_object_set_new(note, "time", json_integer(time(NULL)));
	json_array_append_new(json_object_get(c->cand, "ops"), note);
}

const char *configure_by_hand(const struct configure *c)
{
	const char *path, *changed = NULL;
	json_t *file;

	json_object_foreach (json_object_get(c->cand, "files"), path, file) {
		const char *base =
			json_string_value(json_object_get(file, "base"));
		struct hd_error err;
		char *text = NULL;

		if (file_arg_read(path, &text, &err) != HDCTL_OK ||
		    base == NULL || strcmp(text, base) != 0)
			changed = path;
		free(text);
	}
	return changed;
}

int configure_drop(struct configure *c)
{
	char path[PATH_MAX + 64];

	configure_path(c, "candidate.json", path);
	json_decref(c->cand);
	c->cand = new_candidate();
	return unlink(path) == 0 || errno == ENOENT ? HDCTL_OK : failed(path);
}

void configure_unlock(struct configure *c)
{
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
}

void configure_end(struct configure *c)
{
	json_decref(c->cand);
	json_decref(c->history);
	configure_unlock(c);
}
