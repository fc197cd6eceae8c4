/* SPDX-License-Identifier: MIT */
/* core/module/module_live.c - a module is loaded into a relay that runs. Nobody
 * stands still for it.
 *
 *   the file is opened -> section -> load() -> start() in every worker -> its
 *   routes and hooks are shown
 *
 * Context: main thread; ..._here() in a worker. */
#include "core/module/module_live.h"
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/probes.h"
#include "core/module/module_life.h"
#include "core/module/registry.h"

enum { QUIET_MS = 5000 };

static struct {
	hd_renew_tls_fn *renew; /* NULL: the relay does not run */
	void *arg;
} tls;

void hd_live_begin(hd_renew_tls_fn *renew_tls, void *arg)
{
	tls.renew = renew_tls;
	tls.arg = arg;
}

void hd_live_end(void)
{
	tls.renew = NULL;
	hd_changes_end();
}

int hd_live_check_running(struct hd_error *err)
{
	if (tls.renew != NULL)
		return 0;
	return hd_error_set(err, -ESHUTDOWN, "the relay is stopping");
}

int hd_live_refused(int r, const char *name, struct hd_error *err)
{
	struct hd_error why = *err;

	return hd_error_set(err, r, "module %s: %s", name, why.text);
}

int hd_live_find(const char *name, struct hd_module **ret, struct hd_error *err)
{
	struct hd_module *mod = hd_modules_find(name);
	int r = hd_live_check_running(err);

	*ret = mod;
	if (r < 0)
		return r;
	if (mod == NULL)
		return hd_error_set(err, -ENOENT,
				    "module %s is not loaded; `module status` "
				    "lists those that are",
				    name);
	if (mod->path == NULL)
		return hd_error_set(err, -EPERM,
				    "module %s is built in: it comes and goes "
				    "with the relay",
				    name);
	if (mod->def->flags & HD_MODULE_RESIDENT)
		return hd_error_set(err, -EPERM,
				    "module %s is resident: its code cannot "
				    "leave while the relay runs; restart the "
				    "relay",
				    name);
	return 0;
}

/* What was told to end has the rest of the time for it, also when the machine
 * stood still until then. */
static void hurry(struct hd_change *c, unsigned hurry_ms)
{
	const uint64_t then_us =
		hd_clock_us() + 1000ull * (QUIET_MS - hurry_ms);

	if (then_us < c->until_us)
		return;
	if (!c->hurried)
		c->until_us = then_us;
	c->hurried = true;
	hd_registry_hurry(c->mod);
}

int hd_live_quiet(struct hd_change *c, unsigned hurry_ms)
{
	struct hd_module *mod = c->mod;
	const char *what;

	if (c->until_us == 0)
		c->until_us = hd_clock_us() + 1000ull * QUIET_MS;
	__atomic_store_n(&mod->closing, true, __ATOMIC_SEQ_CST);
	hurry(c, hurry_ms);
	if (!hd_registry_busy(mod, &what)) {
		c->until_us = 0;
		c->hurried = false;
		return 0;
	}
	if (hd_clock_us() < c->until_us)
		return -EINPROGRESS;
	__atomic_store_n(&mod->closing, false, __ATOMIC_SEQ_CST);
	return hd_error_set(&c->err, -EBUSY,
			    "busy: %s: %s of it has not ended within %d s; "
			    "nothing has changed, try again later",
			    mod->name, what, QUIET_MS / 1000);
}

int hd_live_check_needs(const struct hd_module_def *def, struct hd_error *err)
{
	const char *unmet = hd_module_unmet(def);

	if (unmet == NULL)
		return 0;
	return hd_error_set(err, -ENOENT,
			    "requires the module %s, which is not loaded; "
			    "load it first",
			    unmet);
}

void hd_live_event(const char *name, const char *what)
{
	char json[HD_MODULE_NAME_BYTES + 64];

	snprintf(json, sizeof(json), "{\"module\":\"%s\",\"state\":\"%s\"}",
		 name, what);
	hd_event("module", json);
}

void hd_live_renew_tls(void)
{
	struct hd_error err = { "" };

	if (tls.renew(tls.arg, &err) < 0)
		hd_log_write(HD_LOG_WARN,
			     "still serving the old certificate chain, until "
			     "a reload: %s",
			     err.text);
}

void hd_live_forget(struct hd_module *mod)
{
	char name[HD_MODULE_NAME_BYTES];

	strcpy(name, mod->name);
	if (!hd_life_forget(mod))
		hd_log_write(HD_LOG_WARN,
			     "module %s: its code stays in memory, something "
			     "still uses it (a thread, an exit handler?): it "
			     "should declare itself HD_MODULE_RESIDENT",
			     name);
}

/* ---- load ---- */

/* An entry of load_module knows where its file is. */
static const char *entry_for(const struct hd_conf *conf, const char *name)
{
	char other[HD_MODULE_NAME_BYTES];

	for (size_t i = 0; i < conf->n_load_module; i++)
		if (hd_module_name(conf->load_module[i].name, other) == 0 &&
		    strcmp(other, name) == 0)
			return conf->load_module[i].name;
	return name;
}

/* @edited  NULL: the file is not asked */
static int find_file(const char *entry, const char *name,
		     const struct hd_conf *edited, char **ret_path,
		     struct hd_error *err)
{
	const struct hd_conf *conf =
		edited != NULL ? edited : hd_modules_conf();

	*ret_path = NULL;
	if (hd_modules_find(name) != NULL)
		return hd_error_set(err, -EEXIST,
				    "is loaded; `module reload %s` takes its "
				    "file as it is now",
				    name);
	if (entry[0] != '/')
		entry = entry_for(conf, name);
	return hd_module_find(entry, &conf->module_path, ret_path, err);
}

static int open_new(const char *entry, const char *name,
		    const struct hd_conf *edited, struct hd_module_file *file,
		    struct hd_error *err)
{
	char *path;
	int r = find_file(entry, name, edited, &path, err);

	if (r == 0)
		r = hd_module_file_open(name, path, file, err);
	free(path);
	if (r < 0)
		return r;
	r = hd_live_check_needs(&file->def, err);
	if (r < 0)
		hd_module_file_close(file);
	return r;
}

static int bring_in(struct hd_module *mod, struct hd_error *err)
{
	struct hd_life l = { .mod = mod };
	int r = hd_module_section_load(hd_modules_conf(), mod, err);

	return r == 0 ? hd_life_in(&l, err) : r;
}

/* The section of the file as it is now, unless it does not start with that. */
static int bring_in_edited(struct hd_module *mod, const struct hd_conf *edited,
			   struct hd_error *err)
{
	struct hd_conf *conf = hd_modules_conf();
	struct hd_node *old = NULL;
	char name[HD_MODULE_NAME_BYTES];
	int r = 0;

	strcpy(name, mod->name);
	if (edited != NULL)
		r = hd_conf_section_take(conf, edited, name, &old);
	bool taken = edited != NULL && r == 0;
	if (r < 0)
		hd_error_set(err, r, "out of memory");
	else
		r = bring_in(mod, err);
	if (r == 0)
		return 0;
	hd_live_forget(mod);
	if (taken)
		hd_conf_section_swap(conf, name, old);
	return r;
}

static int load(const char *entry, const char *name,
		const struct hd_conf *edited, struct hd_error *err)
{
	struct hd_module_file file;
	int r = open_new(entry, name, edited, &file, err);

	if (r < 0)
		return r;
	struct hd_module *mod = hd_module_place(&file);
	if (mod == NULL) {
		hd_module_file_close(&file);
		return hd_error_set(err, -E2BIG,
				    "%d modules are loaded, the most there "
				    "can be; unload one",
				    HD_MODULES_MAX);
	}
	r = bring_in_edited(mod, edited, err);
	if (r < 0)
		return r;
	hd_life_show(mod);
	hd_live_renew_tls();
	hd_live_event(mod->name, "loaded");
	hd_log_write(HD_LOG_NOTICE, "module loaded: name=%s version=%s file=%s",
		     mod->name, mod->def->version ? mod->def->version : "-",
		     mod->path != NULL ? mod->path : "built in");
	HD_PROBE(module_loaded, mod->name, mod->def->version);
	return 0;
}

static int check_name(const char *entry, char ret[static HD_MODULE_NAME_BYTES],
		      struct hd_error *err)
{
	/* ../x would be found outside module_path */
	if (hd_module_name(entry, ret) == 0 &&
	    (entry[0] == '/' || strchr(entry, '/') == NULL))
		return 0;
	return hd_error_set(err, -EINVAL,
			    "%.80s: not a module's name; write "
			    "derp or /path/derp.so, of a-z, 0-9 and _",
			    entry);
}

int hd_module_live_file(const char *entry, const struct hd_conf *edited,
			char **ret_path, struct hd_error *err)
{
	char name[HD_MODULE_NAME_BYTES];
	int r = hd_live_check_running(err);

	if (r == 0)
		r = check_name(entry, name, err);
	if (r < 0)
		return r;
	r = find_file(entry, name, edited, ret_path, err);
	return r < 0 ? hd_live_refused(r, name, err) : 0;
}

int hd_module_live_load(struct hd_change *c)
{
	char name[HD_MODULE_NAME_BYTES];
	int r = hd_live_check_running(&c->err);

	if (r == 0)
		r = check_name(c->name, name, &c->err);
	if (r < 0)
		return r;
	r = load(c->name, name, c->edited, &c->err);
	return r < 0 ? hd_live_refused(r, name, &c->err) : 0;
}
