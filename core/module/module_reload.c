/* SPDX-License-Identifier: MIT */
/* core/module/module_reload.c - the code of a module is replaced while its
 * clients stay connected.
 *
 *   a child tries the new file -> it is opened beside the old -> tasks end ->
 *   all workers stand still:  posts end -> old stop(), unload() -> new load(),
 *   start() -> streams get their protocols of the new code -> workers go on ->
 *   the old file is closed, and is really gone
 *
 * What the old code left in core memory (state of streams, data of workers,
 * UDP sockets, numbers) the new code finds, when both have the same
 * state_version and sizes; else its connections are closed before. When the new
 * code fails, the old one, which is still there, is started again.
 * Context: main thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/probes.h"
#include "core/loop/worker.h"
#include "core/module/module_live.h"

static int park_and_swap(struct hd_reload *r, uint64_t *ret_us,
			 struct hd_error *err)
{
	uint64_t since = hd_clock_us();
	int e = hd_workers_park();

	if (e < 0)
		return hd_error_set(err, e, "out of memory");
	e = hd_reload_settle(r->mod, err);
	if (e == 0 || !r->life.kept)
		e = hd_reload_swap(r, err);
	else
		hd_workers_unpark(NULL, NULL);
	*ret_us = hd_clock_us() - since;
	return e;
}

static bool same_state(const struct hd_module_def *a,
		       const struct hd_module_def *b)
{
	return a->state_version != 0 && a->state_version == b->state_version &&
	       a->worker_size == b->worker_size;
}

static bool same_section(const struct hd_module_def *a,
			 const struct hd_module_def *b)
{
	return a->conf_size == b->conf_size &&
	       hd_options_same(a->options, b->options);
}

static int open_new(struct hd_reload *r, struct hd_error *err)
{
	struct hd_module *mod = r->mod;
	int e = hd_module_file_open_beside(mod->name, mod->path, &r->new, err);

	if (e < 0)
		return e;
	e = hd_live_check_needs(&r->new.def, err);
	r->life = (struct hd_life){
		.mod = mod,
		.parked = true,
		.kept = same_state(mod->def, &r->new.def),
		.metrics = mod->def->metrics,
	};
	r->same_section = same_section(mod->def, &r->new.def);
	return e;
}

static void log_reloaded(const struct hd_reload *r, uint64_t us)
{
	const struct hd_module *mod = r->mod;

	hd_log_write(HD_LOG_NOTICE,
		     "module reloaded: name=%s version=%s connections=%s "
		     "streams=%u pause_us=%ju",
		     mod->name,
		     mod->def->version != NULL ? mod->def->version : "-",
		     r->life.kept ? "kept" : "closed",
		     __atomic_load_n(&mod->streams, __ATOMIC_RELAXED),
		     (uintmax_t)us);
	hd_live_event(mod->name, "reloaded");
	HD_PROBE(module_reloaded, mod->name, mod->def->version, r->life.kept,
		 us);
}

static void close_file(struct hd_reload *r, struct hd_module_file *file)
{
	if (!hd_module_file_close(file))
		hd_log_write(HD_LOG_WARN,
			     "module %s: its old code stays in memory, "
			     "something still uses it (a thread, an exit "
			     "handler?): it should declare itself "
			     "HD_MODULE_RESIDENT",
			     r->mod->name);
}

/* The new code, with the old state, counts on what it was made with. */
static int take_edited(struct hd_reload *r, const struct hd_conf *edited,
		       struct hd_error *err)
{
	const struct hd_conf *conf = hd_modules_conf();
	const char *name = r->mod->name;

	if (edited == NULL || hd_conf_section_same(conf, edited, name))
		return 0;
	const struct hd_option *o = hd_conf_section_fixed(
		conf, edited, name, r->new.def.options);
	if (o != NULL && r->life.kept)
		return hd_error_set(err, -EPERM,
				    "`%s.%s` has changed in the file, which "
				    "its connections cannot live through: "
				    "`module unload %s`, then `module load "
				    "%s`; or undo that change",
				    name, o->name, name, name);
	r->edited = edited;
	return 0;
}

/* ---- the stages ---- */

enum { BEGIN, QUIET, CLOSING, SWAP, STAGES };
enum { HURRY_MS = 4000 };

static int begin(struct hd_change *c)
{
	c->reload = calloc(1, sizeof(*c->reload));
	if (c->reload == NULL)
		return hd_error_set(&c->err, -ENOMEM, "out of memory");
	struct hd_reload *r = c->reload;

	r->mod = c->mod;
	r->old.copy_fd = r->new.copy_fd = -1;
	int e = open_new(r, &c->err);
	return e == 0 ? take_edited(r, c->edited, &c->err) : e;
}

/* Connections that cannot stay end while the old code still runs. Its hooks
 * stay: who logs in meanwhile is to be asked as ever. */
static int quiet(struct hd_change *c)
{
	int e = hd_live_quiet(c, HURRY_MS);

	if (e == 0 && !c->reload->life.kept)
		hd_life_hide_early(c->mod);
	return e;
}

static int closing(struct hd_change *c)
{
	int e = c->reload->life.kept ? 0 : hd_module_close_streams(c);

	if (e == 0 || e == -EINPROGRESS)
		return e;
	return hd_error_set(&c->err, e,
			    "its connections do not end; it does nothing any "
			    "more, restart the relay to be rid of it");
}

static int swap(struct hd_change *c)
{
	struct hd_reload *r = c->reload;
	uint64_t us = 0;

	r->old_section = r->mod->conf; /* the configuration may be a new one */
	hd_protos_note(&r->protos, r->mod);
	hd_module_lock();
	int e = park_and_swap(r, &us, &c->err);
	hd_module_unlock();
	if (e == -ESTALE)
		return e;
	hd_module_list(r->mod, true);
	if (e == 0)
		log_reloaded(r, us);
	return e;
}

static int stages(struct hd_change *c)
{
	static int (*const all[STAGES])(struct hd_change *) = {
		[BEGIN] = begin,
		[QUIET] = quiet,
		[CLOSING] = closing,
		[SWAP] = swap,
	};
	int e = hd_live_check_running(&c->err);

	while (e == 0 && c->stage < STAGES) {
		e = all[c->stage](c);
		c->stage += e == 0;
	}
	return e;
}

static void end(struct hd_change *c, int e)
{
	struct hd_reload *r = c->reload;

	if (r == NULL)
		return;
	c->reload = NULL;
	__atomic_store_n(&r->mod->closing, false, __ATOMIC_SEQ_CST);
	close_file(r, &r->old);
	close_file(r, &r->new);
	if (e == -ESTALE)
		hd_live_forget(r->mod);
	if (e != -ESHUTDOWN)
		hd_live_renew_tls();
	free(r);
}

static int reload_one(struct hd_change *c)
{
	char name[HD_MODULE_NAME_BYTES];

	strcpy(name, c->mod->name); /* of which nothing may be left */
	int e = stages(c);

	if (e == -EINPROGRESS)
		return e;
	end(c, e);
	return e < 0 ? hd_live_refused(e, name, &c->err) : 0;
}

static struct hd_module *next_of_all(struct hd_change *c)
{
	while (c->at < hd_modules_n()) {
		struct hd_module *mod = hd_modules_at(c->at++);

		if (mod->path != NULL &&
		    !(mod->def->flags & HD_MODULE_RESIDENT))
			return mod;
	}
	return NULL;
}

static int reload_all(struct hd_change *c)
{
	int e = 0;

	while (e == 0) {
		if (c->mod == NULL)
			c->mod = next_of_all(c);
		if (c->mod == NULL)
			return 0;
		e = reload_one(c);
		if (e == 0) {
			c->mod = NULL;
			c->stage = BEGIN;
		}
	}
	return e;
}

int hd_module_live_reload(struct hd_change *c)
{
	int e = 0;

	if (c->name == NULL)
		return reload_all(c);
	if (c->mod == NULL)
		e = hd_live_find(c->name, &c->mod, &c->err);
	return e < 0 ? e : reload_one(c);
}
