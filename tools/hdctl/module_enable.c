/* SPDX-License-Identifier: MIT */
/* tools/hdctl/module_enable.c - which modules are loaded at every start: a
 * file for each in modules-enabled, a link where the module's package has one
 * to link to. A relay that runs takes part at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/names.h"

enum { PATH_BYTES = 512 };

struct place {
	const char *name;
	char enabled[PATH_BYTES], available[PATH_BYTES];
};

static const char *folder(const char *variable, const char *usual)
{
	const char *dir = getenv(variable);

	return dir != NULL && *dir != '\0' ? dir : usual;
}

static int find_place(const char *name, struct place *p)
{
	const char *enabled = folder("HDCTL_MODULES_ENABLED",
				     HD_SYSCONF_DIR
				     "/hyper-derp/modules-enabled");
	const char *available = folder("HDCTL_MODULES_AVAILABLE",
				       HD_DATA_DIR
				       "/hyper-derp/modules-available");

	if (!is_module_name(name))
		return hdctl_fail(HDCTL_USAGE,
				  "%s: no module's name: a-z, 0-9 and _", name);
	if (snprintf(p->enabled, PATH_BYTES, "%s/%s.yaml", enabled, name) >=
		    PATH_BYTES ||
	    snprintf(p->available, PATH_BYTES, "%s/%s.yaml", available, name) >=
		    PATH_BYTES)
		return hdctl_fail(HDCTL_USAGE, "the path is too long");
	p->name = name;
	return HDCTL_OK;
}

static int failed(const char *path)
{
	int e = errno;

	return hdctl_fail(e == EACCES || e == EPERM ? HDCTL_NOT_PERMITTED
						    : HDCTL_REFUSED,
			  "%s: %s", path, strerror(e));
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int put_file(const struct place *p)
{
	FILE *f = fopen(p->enabled, "wx");

	if (f == NULL)
		return failed(p->enabled);
	fprintf(f, "load_module: [%s]\n", p->name);
	return fclose(f) == 0 ? HDCTL_OK : failed(p->enabled);
}

static int put_link(const struct place *p)
{
	if (!is_there(p->available))
		return put_file(p);
	return symlink(p->available, p->enabled) == 0 ? HDCTL_OK
						      : failed(p->enabled);
}

/* ---- a relay that runs ---- */

/* Returns whether one does; says nothing. */
static bool relay_runs(struct hdctl *h)
{
	struct hd_error err;

	return h->ask.fd >= 0 || ask_open(&h->ask, h->socket, &err) == HDCTL_OK;
}

static int tell_relay(struct hdctl *h, const char *what, const char *name)
{
	const char *words[] = { "module", what, name };
	struct hd_error err;
	json_t *data = NULL;
	int r = ask(&h->ask, words, HD_ARRAY_N(words), &data, &err);

	json_decref(data);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

static int is_loaded(struct hdctl *h, const char *name, bool *ret)
{
	json_t *all, *row;
	size_t i;
	int r = hdctl_ask(h, "module status", &all);

	*ret = false;
	json_array_foreach(all, i, row)
		*ret |= strcmp(json_string_value(json_object_get(row, "name")),
			       name) == 0;
	json_decref(all);
	return r;
}

static int reload(struct hdctl *h)
{
	json_t *data;
	int r = hdctl_ask(h, "reload", &data);

	json_decref(data);
	return r;
}

/* The configuration first: it may have the module's section. */
static int bring_in(struct hdctl *h, const struct place *p)
{
	bool loaded;
	int r = reload(h);

	if (r == HDCTL_OK)
		r = is_loaded(h, p->name, &loaded);
	return r == HDCTL_OK && !loaded ? tell_relay(h, "load", p->name) : r;
}

static int take_out(struct hdctl *h, const struct place *p)
{
	bool loaded;
	int r = is_loaded(h, p->name, &loaded);

	return r == HDCTL_OK && loaded ? tell_relay(h, "unload", p->name) : r;
}

/* ---- the commands ---- */

static int one_name(const char *const *words, size_t n, const char *what,
		    struct place *p)
{
	if (n != 1)
		return hdctl_fail(HDCTL_USAGE, "module %s takes one name",
				  what);
	return find_place(words[0], p);
}

/* What a running relay refuses would stop the next start. */
int run_module_enable(struct hdctl *h, const char *const *words, size_t n)
{
	struct place p;
	int r = one_name(words, n, "enable", &p);
	bool runs = r == HDCTL_OK && relay_runs(h);
	bool was = r == HDCTL_OK && is_there(p.enabled);

	if (r == HDCTL_OK && !was)
		r = put_link(&p);
	if (r != HDCTL_OK)
		return r;
	if (!runs) {
		puts("ok: loaded at the next start; no relay runs now");
		return HDCTL_OK;
	}
	r = bring_in(h, &p);
	if (r == HDCTL_OK) {
		puts("ok");
	} else if (!was && unlink(p.enabled) == 0) {
		reload(h);
		hdctl_fail(r, "%s is not enabled", p.name);
	}
	return r;
}

int run_module_disable(struct hdctl *h, const char *const *words, size_t n)
{
	struct place p;
	int r = one_name(words, n, "disable", &p);

	if (r != HDCTL_OK)
		return r;
	if (!is_there(p.enabled))
		return hdctl_fail(HDCTL_REFUSED,
				  "%s is not enabled there; what loads it else "
				  "is load_module in the configuration",
				  p.enabled);
	bool runs = relay_runs(h);

	if (runs)
		r = take_out(h, &p);
	if (r != HDCTL_OK)
		return r;
	if (unlink(p.enabled) < 0)
		return failed(p.enabled);
	if (runs)
		r = reload(h);
	if (r == HDCTL_OK)
		puts(runs ? "ok" : "ok: no relay runs now");
	return r;
}
