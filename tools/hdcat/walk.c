/* SPDX-License-Identifier: MIT */
/* tools/hdcat/walk.c - see walk.h. */
#include "tools/hdcat/walk.h"
#include "tools/hdcat/files.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

void items_free(struct items *items)
{
	for (size_t i = 0; i < items->n; i++)
		free(items->v[i].path);
	free(items->v);
	*items = (struct items){ 0 };
}

static struct item *item_new(struct items *items)
{
	if (items->n == items->room) {
		size_t room = items->room * 2 + 64;
		struct item *v = reallocarray(items->v, room, sizeof(*v));

		if (v == NULL)
			return NULL;
		items->v = v;
		items->room = room;
	}
	items->v[items->n] = (struct item){ 0 };
	return &items->v[items->n];
}

static int item_add(struct items *items, const FTSENT *e, size_t name_at)
{
	struct item *i = item_new(items);

	if (i == NULL)
		return -ENOMEM;
	i->path = strdup(e->fts_path);
	if (i->path == NULL)
		return -ENOMEM;
	i->name_at = name_at;
	i->is_dir = e->fts_info == FTS_DP;
	i->named = e->fts_level == FTS_ROOTLEVEL;
	if (!i->is_dir)
		i->size = (uint64_t)e->fts_statp->st_size;
	items->bytes += i->size;
	items->n++;
	return 0;
}

static void left_out(struct hdcat *c, const FTSENT *e, const char *why)
{
	char name[SHOWN_BYTES];

	warn(c, "%s: %s", shown(e->fts_path, strlen(e->fts_path), name), why);
}

static int take(struct hdcat *c, struct items *items, const FTSENT *e,
		size_t name_at)
{
	switch (e->fts_info) {
	case FTS_D:
		return 0; /* it comes again, as FTS_DP */
	case FTS_F:
	case FTS_DP:
		if (name_valid(e->fts_path + name_at,
			       strlen(e->fts_path + name_at)))
			return item_add(items, e, name_at);
		left_out(c, e, "too deep, or its name is too long");
		items->failed++;
		return 0;
	case FTS_SL:
	case FTS_DEFAULT:
		left_out(c, e, "left out: no file and no directory");
		return 0;
	default:
		if (e->fts_level == FTS_ROOTLEVEL)
			return -e->fts_errno;
		left_out(c, e, strerror(e->fts_errno));
		items->failed++;
		return 0;
	}
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static size_t base_at(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? (size_t)(slash + 1 - path) : 0;
}

static int one(struct hdcat *c, char *path, struct items *items)
{
	char *const paths[] = { path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR,
			    by_name);
	size_t name_at = base_at(path);
	FTSENT *e;
	int r = 0;

	if (fts == NULL)
		return -errno;
	while (r == 0 && (errno = 0, e = fts_read(fts)) != NULL)
		r = take(c, items, e, name_at);
	if (r == 0)
		r = -errno;
	fts_close(fts);
	return r;
}

/* Without slashes at its end, and with a name: "." has none.
 * @ret  given: release with free() */
static int named(const char *word, char **ret)
{
	size_t n = strlen(word);
	const char *base;

	while (n > 1 && word[n - 1] == '/')
		n--;
	*ret = strndup(word, n);
	if (*ret == NULL)
		return -ENOMEM;
	base = *ret + base_at(*ret);
	if (strcmp(base, ".") != 0 && strcmp(base, "..") != 0)
		return *base != '\0' ? 0 : -EINVAL;
	free(*ret);
	*ret = realpath(word, NULL);
	if (*ret == NULL)
		return -errno;
	return (*ret)[base_at(*ret)] != '\0' ? 0 : -EINVAL;
}

/* Two of one name would be written to one place. The last of each word is what
 * it was about. */
static bool is_twice(const struct items *items, size_t from)
{
	const struct item *a = &items->v[items->n - 1], *b;

	if (items->n == from)
		return false;
	for (b = items->v; b < items->v + from; b++)
		if (strcmp(a->path + a->name_at, b->path + b->name_at) == 0)
			return true;
	return false;
}

int walk(struct hdcat *c, char **words, unsigned n, struct items *ret)
{
	for (unsigned i = 0; i < n; i++) {
		size_t from = ret->n;
		char *path = NULL;
		int r = named(words[i], &path);

		if (r == 0)
			r = one(c, path, ret);
		free(path);
		if (r == 0 && is_twice(ret, from))
			r = -ENOTUNIQ;
		if (r == 0)
			continue;
		fail(c, r == -ENOMEM ? STATUS_BROKEN : STATUS_USAGE, "%s: %s",
		     words[i],
		     r == -ENOTUNIQ ? "two of one name" : strerror(-r));
		return -1;
	}
	return 0;
}
