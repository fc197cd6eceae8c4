/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_apply.c - write it, try it with `hyper-derp -t`, and
 * take all back where that refuses it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/program.h"
#include "tools/hdctl/setup/setup.h"

#define AVAILABLE HD_DATA_DIR "/hyper-derp/modules-available"

static int failed(const char *path)
{
	int e = errno;

	return hdctl_fail(e == EACCES || e == EPERM ? HDCTL_NOT_PERMITTED
						    : HDCTL_REFUSED,
			  "%s: %s", path, strerror(e));
}

/* ---- the file ---- */

/* The folders of a path, where they are missing. */
static int make_folders(const char *path)
{
	char copy[SETUP_PATH_BYTES + 64];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strchr(copy + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return failed(copy);
		*p = '/';
	}
	return HDCTL_OK;
}

static int replace(const char *path, const char *text)
{
	return setup_replace(path, text, path);
}

/* "FILE.bak-20261129-093000". */
static int back_up(const struct setup *s, char path[SETUP_PATH_BYTES + 96])
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32];
	int r;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	(void)snprintf(path, SETUP_PATH_BYTES + 96, "%s.bak-%s", s->target,
		       when);
	r = setup_replace(path, s->old_text, s->target);
	if (r == HDCTL_OK)
		printf("backup: %s\n", path);
	return r;
}

/* ---- modules ---- */

static void path_of(const struct setup *s, const char *module,
		    char path[SETUP_PATH_BYTES + 96])
{
	(void)snprintf(path, SETUP_PATH_BYTES + 96,
		       "%s/modules-enabled/%s.yaml", s->folder, module);
}

static int enable(const struct setup *s, const char *module)
{
	const char *available = getenv("HDCTL_MODULES_AVAILABLE");
	char path[SETUP_PATH_BYTES + 96], from[SETUP_PATH_BYTES], text[80];
	int r;

	path_of(s, module, path);
	(void)snprintf(from, sizeof(from), "%s/%s.yaml",
		       available != NULL ? available : AVAILABLE, module);
	r = make_folders(path);
	if (r != HDCTL_OK)
		return r;
	if (access(from, R_OK) == 0)
		return symlink(from, path) == 0 || errno == EEXIST
			       ? HDCTL_OK
			       : failed(path);
	(void)snprintf(text, sizeof(text), "load_module: [%s]\n", module);
	return replace(path, text);
}

static int remove_link(const struct setup *s, const char *module)
{
	char path[SETUP_PATH_BYTES + 96];

	path_of(s, module, path);
	return unlink(path) == 0 || errno == ENOENT ? HDCTL_OK : failed(path);
}

/* Under another name, which is not included, until all is known to be good. */
static void name_of_off(const struct setup *s, const char *module,
			char path[SETUP_PATH_BYTES + 96])
{
	(void)snprintf(path, SETUP_PATH_BYTES + 96,
		       "%s/modules-enabled/%s.off", s->folder, module);
}

static int disable(const struct setup *s, const char *module)
{
	char path[SETUP_PATH_BYTES + 96], off[SETUP_PATH_BYTES + 96];

	path_of(s, module, path);
	name_of_off(s, module, off);
	return rename(path, off) == 0 ? HDCTL_OK : failed(path);
}

static int disable_not(const struct setup *s, const char *module)
{
	char path[SETUP_PATH_BYTES + 96], off[SETUP_PATH_BYTES + 96];

	path_of(s, module, path);
	name_of_off(s, module, off);
	(void)rename(off, path);
	return HDCTL_OK;
}

static int disable_for_good(const struct setup *s, const char *module)
{
	char off[SETUP_PATH_BYTES + 96];

	name_of_off(s, module, off);
	(void)unlink(off);
	return HDCTL_OK;
}

static int for_each(const struct setup *s, const json_t *list,
		    int (*fn)(const struct setup *s, const char *module))
{
	const json_t *name;
	int r = HDCTL_OK;
	size_t i;

	json_array_foreach(list, i, name)
		if (r == HDCTL_OK)
			r = fn(s, json_string_value(name));
	return r;
}

/* ---- all of it ---- */

static int check(const struct setup *s, char **ret_said)
{
	char path[4096];
	int status = -1;

	*ret_said = NULL;
	if (program_find("hyper-derp", path) == NULL)
		return hdctl_fail(HDCTL_NO_DAEMON, "hyper-derp is neither "
						   "beside hdctl nor in PATH");
	*ret_said = program_output((char *const[]){ path, (char *)"-t",
						    (char *)"-c",
						    (char *)s->w.config, NULL },
				   true, &status);
	return status == 0 ? HDCTL_OK : HDCTL_REFUSED;
}

static void take_back(const struct setup *s, const char *said)
{
	char path[SETUP_PATH_BYTES + 64];

	(void)snprintf(path, sizeof(path), "%s.new", s->target);
	setup_cert_end(s, false);
	if (s->fresh)
		(void)unlink(s->target);
	else
		(void)replace(s->target, s->old_text);
	(void)for_each(s, s->enable, remove_link);
	(void)for_each(s, s->disable, disable_not);
	if (said != NULL &&
	    setup_replace(path, s->new_text, s->target) == HDCTL_OK)
		hdctl_fail(HDCTL_REFUSED, "hyper-derp -t refuses it, so all is "
			   "as it was; what was tried is in %s\n%s", path,
			   said);
	else
		hdctl_fail(HDCTL_REFUSED, "all is as it was");
}

static int write_all(struct setup *s)
{
	char backup[SETUP_PATH_BYTES + 96];
	int r = make_folders(s->target);

	if (r == HDCTL_OK && s->put_cert)
		r = setup_put_cert(s);
	if (r == HDCTL_OK && !s->fresh &&
	    strcmp(s->old_text, s->new_text) != 0)
		r = back_up(s, backup);
	if (r == HDCTL_OK && strcmp(s->old_text, s->new_text) != 0)
		r = replace(s->target, s->new_text);
	if (r == HDCTL_OK)
		r = for_each(s, s->enable, enable);
	return r == HDCTL_OK ? for_each(s, s->disable, disable) : r;
}

int setup_apply(struct setup *s)
{
	char *said = NULL;
	int r;

	if (!setup_changes(s))
		return HDCTL_OK;
	r = write_all(s);
	if (r == HDCTL_OK)
		r = check(s, &said);
	if (r != HDCTL_OK)
		take_back(s, said);
	else
		r = for_each(s, s->disable, disable_for_good);
	if (r == HDCTL_OK)
		setup_cert_end(s, true);
	free(said);
	return r;
}
