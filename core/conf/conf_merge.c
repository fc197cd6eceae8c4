/* SPDX-License-Identifier: MIT */
/* core/conf/conf_merge.c - files, the files they include, and how they add
 * up. */
#include "core/conf/conf.h"
#include "core/conf/conf_node.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <hyper-derp/whole.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE_DEPTH_MAX 8

struct merge {
	struct hd_arena *arena;
	const struct hd_instead *instead;
	struct hd_node *root;
	unsigned files;
	bool includes; /* the first file says what */
	struct hd_error *err;
};

struct chain { /* the files that we are inside of */
	const struct chain *up;
	const char *path;
	dev_t dev;
	ino_t ino;
	unsigned depth;
};

static int merge_map(struct hd_node *into, struct hd_node *from,
		     struct hd_error *err);

static int merge_child(struct hd_node *into, struct hd_node *child,
		       struct hd_error *err)
{
	struct hd_node *old = hd_node_get(into, child->key);

	if (old == NULL && into->n >= HD_CONF_KEYS_MAX)
		return hd_node_error(child, err, "too many keys");
	if (old == NULL) {
		hd_node_set(into, child);
		return 0;
	}
	if (hd_node_is_null(child))
		return 0;
	if (old->type != child->type || old->type == HD_NODE_SCALAR)
		return hd_node_twice(old, child, err);
	if (old->type == HD_NODE_MAP)
		return merge_map(old, child, err);
	while (child->first != NULL) {
		struct hd_node *item = child->first;

		hd_node_remove(child, item);
		hd_node_add(old, item);
	}
	return 0;
}

static int merge_map(struct hd_node *into, struct hd_node *from,
		     struct hd_error *err)
{
	while (from->first != NULL) {
		struct hd_node *child = from->first;
		int r;

		hd_node_remove(from, child);
		r = merge_child(into, child, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void hd_merge_defaults(struct hd_node *root, struct hd_node *from)
{
	while (from->first != NULL) {
		struct hd_node *child = from->first;
		struct hd_node *old = hd_node_get(root, child->key);

		hd_node_remove(from, child);
		if (old == NULL)
			hd_node_set(root, child);
		else if (old->type == HD_NODE_MAP && child->type == HD_NODE_MAP)
			hd_merge_defaults(old, child);
	}
}

/* A pipe or a device would block or never end. */
static int open_regular(const char *path, struct stat *ret_st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		r = -errno;
	else if (S_ISDIR(ret_st->st_mode))
		r = -EISDIR;
	else if (!S_ISREG(ret_st->st_mode))
		r = -EINVAL;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static void free_text(char **text)
{
	free(*text);
}

/* What stands in for a file; NULL: it is read itself. */
static const struct hd_conf_instead *instead_of(const struct merge *m,
						const char *path)
{
	char real[PATH_MAX];

	if (m->instead->n == 0 || realpath(path, real) == NULL)
		return NULL;
	for (size_t i = 0; i < m->instead->n; i++)
		if (strcmp(m->instead->v[i].path, real) == 0)
			return &m->instead->v[i];
	return NULL;
}

/* What the file holds, as a tree of its own. */
static int read_file(struct merge *m, struct chain *file,
		     struct hd_node **ret_top)
{
	HD_AUTO(free_text) char *buf = malloc(HD_CONF_FILE_MAX_BYTES + 1);
	struct stat st = { 0 };
	const struct hd_conf_instead *other = instead_of(m, file->path);
	ssize_t len = -ENOMEM;
	int fd = buf == NULL ? -ENOMEM : open_regular(file->path, &st);

	if (fd >= 0) {
		len = hd_read_whole(fd, buf, HD_CONF_FILE_MAX_BYTES + 1);
		close(fd);
	} else {
		len = fd;
	}
	if (len < 0)
		return hd_error_set(m->err, (int)len,
				    "cannot read the configuration %s: %s",
				    file->path, strerror((int)-len));
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	if (other != NULL)
		return hd_yaml_parse(m->arena, other->text, other->len,
				     file->path, ret_top, m->err);
	return hd_yaml_parse(m->arena, buf, (size_t)len, file->path, ret_top,
			     m->err);
}

static int merge_one(struct merge *m, struct chain *file,
		     const struct hd_node *at);

/* A relative pattern starts where the file lies that has it. */
static const char *pattern_of(struct merge *m, const char *file,
			      const char *text)
{
	const char *slash = strrchr(file, '/');

	if (text[0] == '/' || slash == NULL)
		return text;
	return hd_arena_printf(m->arena, "%.*s/%s", (int)(slash - file), file,
			       text);
}

static int merge_found(struct merge *m, const struct chain *up,
		       const struct hd_node *at, const glob_t *found)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < found->gl_pathc; i++) {
		const char *path = found->gl_pathv[i];
		struct chain file = {
			.up = up,
			.depth = up->depth + 1,
			.path = hd_arena_text(m->arena, path, strlen(path)),
		};

		r = file.path == NULL ? -ENOMEM : merge_one(m, &file, at);
	}
	return r;
}

static int merge_pattern(struct merge *m, const struct chain *up,
			 const struct hd_node *at)
{
	const char *pattern;
	glob_t found = { 0 };
	int r;

	if (at->type != HD_NODE_SCALAR)
		return hd_node_error(at, m->err,
				     "`include` must be a path, "
				     "a pattern or a list of them");
	pattern = pattern_of(m, up->path, at->text);
	if (pattern == NULL)
		return -ENOMEM;
	r = glob(pattern, 0, NULL, &found);
	if (r == 0)
		r = merge_found(m, up, at, &found);
	else if (r != GLOB_NOMATCH)
		r = hd_node_error(at, m->err,
				  "cannot read the folder of "
				  "`include: %s`",
				  at->text);
	else if (strpbrk(pattern, "*?[") == NULL)
		r = hd_node_error(at, m->err,
				  "`include: %s`: there is no "
				  "such file",
				  at->text);
	else
		r = 0; /* a pattern may match nothing */
	globfree(&found);
	return r;
}

static int merge_includes(struct merge *m, const struct chain *file,
			  const struct hd_node *include)
{
	int r = 0;

	if (include == NULL)
		return 0;
	if (include->type != HD_NODE_LIST)
		return merge_pattern(m, file, include);
	for (const struct hd_node *i = include->first; r == 0 && i != NULL;
	     i = i->next)
		r = merge_pattern(m, file, i);
	return r;
}

static int check_chain(struct merge *m, const struct chain *file,
		       const struct hd_node *at)
{
	for (const struct chain *i = file->up; i != NULL; i = i->up)
		if (i->dev == file->dev && i->ino == file->ino)
			return hd_node_error(at, m->err, "%s includes itself",
					     file->path);
	if (file->depth > INCLUDE_DEPTH_MAX)
		return hd_node_error(at, m->err, "includes nested too deeply");
	if (++m->files > HD_CONF_FILES_MAX)
		return hd_node_error(at, m->err, "more than %d files",
				     HD_CONF_FILES_MAX);
	return 0;
}

/* @at  the `include` that led here; NULL: the first file */
static int merge_one(struct merge *m, struct chain *file,
		     const struct hd_node *at)
{
	struct hd_node *top = NULL, *include;
	int r = read_file(m, file, &top);

	if (r == 0)
		r = check_chain(m, file, at);
	if (r < 0)
		return r;
	include = hd_node_get(top, "include");
	if (include != NULL)
		hd_node_remove(top, include);
	m->includes |= include != NULL && file->up == NULL;
	r = merge_map(m->root, top, m->err);
	return r < 0 ? r : merge_includes(m, file, include);
}

int hd_merge_file(struct hd_arena *arena, const struct hd_instead *instead,
		  const char *path, struct hd_node *root, bool *ret_includes,
		  struct hd_error *err)
{
	struct merge m = { .arena = arena,
			   .instead = instead,
			   .root = root,
			   .err = err };
	struct chain file = { .path = path };
	int r = merge_one(&m, &file, NULL);

	*ret_includes = m.includes;
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

/* A file there names code to run, and nobody asked for it: it must be from
 * those who may run code here, root, ourselves, or whose the first file is. */
static bool is_trusted(const char *path, const char *pattern)
{
	char folder[4096];
	struct stat file, st;
	const char *slash = strrchr(pattern, '/');

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - pattern),
		 pattern);
	if (stat(folder, &st) < 0 || stat(path, &file) < 0)
		return false;
	return (st.st_mode & S_IWOTH) == 0 &&
	       (st.st_uid == 0 || st.st_uid == geteuid() ||
		st.st_uid == file.st_uid);
}

/* hdctl and packages enable modules there. */
int hd_merge_default_include(struct hd_arena *arena,
			     const struct hd_instead *instead, const char *path,
			     struct hd_node *root, struct hd_error *err)
{
	const struct hd_node at = { .type = HD_NODE_SCALAR,
				    .text = HD_DEFAULT_INCLUDE,
				    .file = path };
	struct merge m = { .arena = arena,
			   .instead = instead,
			   .root = root,
			   .err = err };
	const struct chain file = { .path = path };
	const char *pattern = pattern_of(&m, path, at.text);
	int r = pattern == NULL ? -ENOMEM : 0;

	if (r == 0 && is_trusted(path, pattern))
		r = merge_pattern(&m, &file, &at);
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}
