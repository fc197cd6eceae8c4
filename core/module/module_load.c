/* SPDX-License-Identifier: MIT */
/* core/module/module_load.c - modules from the configuration, at the start.
 *
 *   load_module -> find, open, check each -> order by requirement -> fill the
 *   section, load() each in that order
 *
 * A module is entered in the list before its load(), which registers routes
 * and hooks for it; when anything fails, those that were loaded are unloaded
 * in reverse. Context: main thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/probes.h"
#include "core/module/module_file.h"
#include "core/module/module_life.h"
#include "core/module/registry.h"

enum run { RUN_LOAD, RUN_CHECK }; /* CHECK: all but load() */

struct candidate { /* an entry of load_module on its way */
	const struct hd_load_conf *entry;
	char name[HD_MODULE_NAME_BYTES];
	struct hd_module_file file;
	bool open, placed;
};

/* FILE:LINE: module derp (/path/derp.so): what is wrong. */
static int refuse(const struct candidate *c, const char *path, int code,
		  struct hd_error *err)
{
	const struct hd_load_conf *e = c->entry;
	char where[300] = "", file[300] = "";

	if (err == NULL)
		return code;
	if (e->file != NULL)
		snprintf(where, sizeof(where), "%s:%u: ", e->file, e->line);
	if (path != NULL)
		snprintf(file, sizeof(file), " (%s)", path);
	struct hd_error why = *err;
	return hd_error_set(err, code, "%smodule %s%s: %s", where, c->name,
			    file, why.text);
}

/* A place in its section says more than that of its entry and its file. */
static int refuse_loaded(const struct hd_conf *conf, const struct candidate *c,
			 const char *path, int code, struct hd_error *err)
{
	struct hd_error why = *err;
	size_t n = hd_conf_place_bytes(conf, c->name, why.text);

	if (n == 0)
		return refuse(c, path, code, err);
	return hd_error_set(err, code, "%.*s: module %s%s", (int)n, why.text,
			    c->name, why.text + n);
}

static int check_entry(struct candidate *v, unsigned n, struct candidate *c,
		       struct hd_error *err)
{
	if (hd_module_name(c->entry->name, c->name) < 0) {
		snprintf(c->name, sizeof(c->name), "%.*s",
			 (int)sizeof(c->name) - 1, c->entry->name);
		return hd_error_set(err, -EINVAL,
				    "not a module's name; write derp or "
				    "/path/derp.so, of a-z, 0-9 and _");
	}
	for (unsigned i = 0; i < n; i++)
		if (v[i].open && strcmp(v[i].name, c->name) == 0)
			return hd_error_set(err, -EEXIST,
					    "the name is taken by line %u "
					    "(%s); remove one of the two",
					    v[i].entry->line,
					    v[i].file.path != NULL
						    ? v[i].file.path
						    : "built in");
	return 0;
}

static int open_candidate(const struct hd_conf *conf, struct candidate *v,
			  unsigned n, struct candidate *c, struct hd_error *err)
{
	char *path = NULL;
	int r = check_entry(v, n, c, err);

	if (r == 0)
		r = hd_module_find(c->entry->name, &conf->module_path, &path,
				   err);
	if (r == 0)
		r = hd_module_file_open(c->name, path, &c->file, err);
	c->open = r == 0;
	if (r < 0)
		refuse(c, path, r, err);
	free(path);
	return r;
}

/* A bad module stops the start, unless it is optional. */
static int open_all(const struct hd_conf *conf, struct candidate *v,
		    struct hd_error *err)
{
	for (unsigned i = 0; i < conf->n_load_module; i++) {
		v[i].entry = &conf->load_module[i];
		v[i].file.copy_fd = -1;
		int r = open_candidate(conf, v, i, &v[i], err);
		if (r < 0 && !v[i].entry->optional)
			return r;
		if (r < 0)
			hd_log_write(HD_LOG_WARN, "%s (optional: skipped)",
				     err->text);
	}
	return 0;
}

static struct candidate *find_candidate(struct candidate *v, unsigned n,
					const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].open && strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

/* The first requirement that is not placed yet; NULL: all are. */
static const char *missing(struct candidate *v, unsigned n,
			   const struct candidate *c)
{
	const char *const *req = c->file.def.requires_;

	for (; req != NULL && *req != NULL; req++) {
		const struct candidate *other = find_candidate(v, n, *req);

		if (other == NULL || !other->placed)
			return *req;
	}
	return NULL;
}

static int requirement_error(struct candidate *v, unsigned n,
			     struct candidate *c, struct hd_error *err)
{
	const char *req = missing(v, n, c);

	if (find_candidate(v, n, req) == NULL)
		hd_error_set(err, 0,
			     "requires the module %s, which is not loaded; "
			     "add it to load_module",
			     req);
	else
		hd_error_set(err, 0,
			     "requires %s, which requires it in turn, in a "
			     "circle; leave one of them out",
			     req);
	return refuse(c, c->file.path, -ENOENT, err);
}

static struct candidate *next_ready(struct candidate *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].open && !v[i].placed && missing(v, n, &v[i]) == NULL)
			return &v[i];
	return NULL;
}

/* One of those that cannot be placed: first an optional one, to drop it. */
static struct candidate *next_stuck(struct candidate *v, unsigned n)
{
	struct candidate *stuck = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (!v[i].open || v[i].placed)
			continue;
		if (stuck == NULL || v[i].entry->optional)
			stuck = &v[i];
	}
	return stuck;
}

const char *hd_module_unmet(const struct hd_module_def *def)
{
	const char *const *req = def->requires_;

	for (; req != NULL && *req != NULL; req++)
		if (hd_modules_find(*req) == NULL)
			return *req;
	return NULL;
}

static void log_loaded(const struct hd_module *mod)
{
	hd_log_notice("module loaded: name=%s version=%s abi=%u.%u file=%s",
		      mod->name,
		      mod->def->version != NULL ? mod->def->version : "-",
		      mod->def->abi_major, mod->def->abi_minor,
		      mod->path != NULL ? mod->path : "built in");
	HD_PROBE(module_loaded, mod->name, mod->def->version);
}

static int start_module(struct hd_conf *conf, struct candidate *c, enum run run,
			struct hd_error *err)
{
	struct hd_life l = { .mod = hd_module_place(&c->file) };
	int r;

	hd_assert(l.mod != NULL); /* load_all() has counted them */
	c->placed = true;
	r = hd_module_section_load(conf, l.mod, err);
	if (r < 0) {
		hd_life_forget(l.mod);
		return r;
	}
	r = run == RUN_LOAD ? hd_life_in(&l, err) : hd_life_check(l.mod, err);
	if (r < 0) {
		refuse_loaded(conf, c, l.mod->path, r, err);
		hd_life_forget(l.mod);
	} else if (run == RUN_LOAD) {
		hd_module_list(l.mod, true);
		log_loaded(l.mod);
	}
	return r;
}

static int load_in_order(struct hd_conf *conf, struct candidate *v,
			 enum run run, struct hd_error *err)
{
	unsigned n = (unsigned)conf->n_load_module;

	for (;;) {
		struct candidate *c = next_ready(v, n);
		bool stuck = c == NULL;

		if (stuck && (c = next_stuck(v, n)) == NULL)
			return 0;
		int r = stuck ? requirement_error(v, n, c, err)
			      : start_module(conf, c, run, err);
		if (r == 0)
			continue;
		if (!c->entry->optional)
			return r;
		hd_log_write(HD_LOG_WARN, "%s (optional: skipped)", err->text);
		c->open = false; /* who requires it is stuck now */
		hd_module_file_close(&c->file);
	}
}

static int load_all(struct hd_conf *conf, enum run run, struct hd_error *err)
{
	unsigned n = (unsigned)conf->n_load_module;
	struct hd_error unused;

	hd_assert(hd_modules_n() == 0);
	err = err != NULL ? err : &unused;
	if (n > HD_MODULES_MAX)
		return hd_error_set(err, -E2BIG,
				    "load_module has %u entries, at most %u "
				    "modules can be loaded",
				    n, HD_MODULES_MAX);
	struct candidate *v = calloc(n + 1, sizeof(*v));
	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "modules: out of memory");
	hd_module_sections_begin(conf);
	int r = open_all(conf, v, err);
	if (r == 0)
		r = load_in_order(conf, v, run, err);
	if (r == 0)
		r = hd_conf_finish(conf, err);
	for (unsigned i = 0; i < n; i++)
		if (v[i].open && !v[i].placed)
			hd_module_file_close(&v[i].file);
	free(v);
	if (r < 0)
		hd_modules_unload();
	return r;
}

int hd_modules_load(struct hd_conf *conf, struct hd_error *err)
{
	return load_all(conf, RUN_LOAD, err);
}

int hd_modules_probe(struct hd_conf *conf, struct hd_error *err)
{
	return load_all(conf, RUN_CHECK, err);
}

void hd_modules_unload(void)
{
	while (hd_modules_n() > 0)
		hd_life_forget(hd_modules_at(hd_modules_n() - 1));
	hd_registry_publish();
	hd_module_sections_clear();
}
