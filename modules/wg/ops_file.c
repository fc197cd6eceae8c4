/* SPDX-License-Identifier: MIT */
/* modules/wg/ops_file.c - the roster's file: read, written. */
#include "modules/wg/ops.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <stdlib.h>
#include <string.h>

#define ROSTER_FILE "wg-roster"

enum { FIRST_BYTES = 1 << 20, ROSTER_MAX_BYTES = 1 << 28, PATH_BYTES = 256 };

static char *own_path; /* NULL: in state_dir */

static void free_text(char **text)
{
	free(*text);
}

int wg_file_use(const char *path, struct hd_error *err)
{
	if (path == NULL)
		return 0;
	own_path = strdup(path);
	return own_path != NULL ? 0 : hd_error_set(err, -ENOMEM,
						   "out of memory");
}

void wg_file_forget(void)
{
	free(own_path);
	own_path = NULL;
}

static const char *file_name(void)
{
	return own_path != NULL ? own_path : ROSTER_FILE;
}

const char *wg_file_path(char *buf, size_t size)
{
	return hd_state_file_path(file_name(), buf, size);
}

/* Returns its length; -ENOENT; other -errno. */
static int read_file(char **ret, struct hd_error *err)
{
	int n = -EFBIG;

	for (size_t size = FIRST_BYTES; n == -EFBIG && size <= ROSTER_MAX_BYTES;
	     size *= 4) {
		free(*ret);
		*ret = malloc(size);
		if (*ret == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		n = hd_state_file_read(file_name(), *ret, size, err);
	}
	return n;
}

int wg_file_check(struct hd_error *err)
{
	HD_AUTO(free_text) char *text = NULL;
	char path[PATH_BYTES];
	struct wg_refusal why;
	int n = read_file(&text, err), e;

	if (n < 0)
		return n == -ENOENT ? 0 : n;
	e = wg_seal_check(wg_file_path(path, sizeof(path)), text, (size_t)n,
			  &why);
	return e < 0 ? hd_error_set(err, e, "%s", why.err.text) : e;
}

/* What the file says, if it is whole. */
static int take_text(struct wg_roster *r, const char *text, size_t n,
		     struct wg_refusal *why)
{
	char path[PATH_BYTES];
	const char *file = wg_file_path(path, sizeof(path));
	struct wg_changes c = { 0 };
	int e = wg_seal_check(file, text, n, why);

	if (e < 0)
		return e;
	if (e == 0)
		hd_log_warn("wg: %s: an earlier relay wrote it, or somebody "
			    "edited it: whether it is whole cannot be told; "
			    "it is taken as it is, and sealed at the next "
			    "change",
			    file);
	e = wg_text_apply(&c, r, file, text, n, why);
	wg_changes_free(&c);
	return e;
}

int wg_file_load(struct wg_roster *r, struct hd_error *err)
{
	HD_AUTO(free_text) char *text = NULL;
	struct wg_refusal why;
	int n = read_file(&text, err), e;

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n;
	e = take_text(r, text, (size_t)n, &why);
	return e < 0 ? hd_error_set(err, e, "%s", why.err.text) : 1;
}

int wg_file_save(const struct wg_roster *r, struct hd_error *err)
{
	HD_AUTO(free_text) char *text = NULL;
	size_t n = 0;

	if (wg_seal_print(r, &text, &n) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	return hd_state_file_update(file_name(), text, n, err);
}
