/* SPDX-License-Identifier: MIT */
/* core/module_reload.c - the code of a module is replaced while its clients
 * stay connected.
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
#include <string.h>
#include "core/module_live.h"
#include "core/probes.h"
#include "core/worker.h"

static int park_and_swap(struct hd_reload *r, uint64_t *ret_us,
			 struct hd_error *err)
{
	uint64_t since = hd_live_now_us();
	int e = hd_workers_park();

	if (e < 0)
		return hd_error_set(err, e, "out of memory");
	e = hd_reload_settle(r->mod, err);
	if (e == 0 || !r->keep)
		e = hd_reload_swap(r, err);
	else
		hd_workers_unpark(NULL, NULL);
	*ret_us = hd_live_now_us() - since;
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
	r->keep = same_state(mod->def, &r->new.def);
	r->same_section = same_section(mod->def, &r->new.def);
	r->old_section = mod->conf;
	r->metrics = mod->def->metrics;
	return e;
}

/* Its connections cannot stay: they end while it still runs. */
static int say_goodbye(struct hd_reload *r, struct hd_error *err)
{
	if (r->keep)
		return 0;
	hd_live_take_out(r->mod);
	if (hd_module_close_streams(r->mod) == 0)
		return 0;
	return hd_error_set(err, -EBUSY,
			    "its connections do not end; it does nothing any "
			    "more, restart the relay to be rid of it");
}

static void tell(const struct hd_reload *r, uint64_t us)
{
	const struct hd_module *mod = r->mod;

	hd_log_write(HD_NOTICE,
		     "module reloaded: name=%s version=%s connections=%s "
		     "streams=%u pause_us=%ju",
		     mod->name,
		     mod->def->version != NULL ? mod->def->version : "-",
		     r->keep ? "kept" : "closed",
		     __atomic_load_n(&mod->streams, __ATOMIC_RELAXED),
		     (uintmax_t)us);
	hd_live_event(mod->name, "reloaded");
	HD_PROBE(module_reloaded, mod->name, mod->def->version, r->keep, us);
}

static void close_file(struct hd_reload *r, struct hd_module_file *file)
{
	if (!hd_module_file_close(file))
		hd_log_write(HD_WARN,
			     "module %s: the code of before stays in memory, "
			     "something still uses it (a thread, an exit "
			     "handler?): it should declare itself "
			     "HD_RESIDENT",
			     r->mod->name);
}

static int replace(struct hd_reload *r, struct hd_error *err)
{
	uint64_t us = 0;

	int e = say_goodbye(r, err);
	if (e < 0)
		return e;
	hd_protos_note(&r->protos, r->mod);
	hd_module_lock();
	e = park_and_swap(r, &us, err);
	hd_module_unlock();
	if (e == -ESTALE)
		return e;
	hd_module_list(r->mod, true);
	if (e == 0)
		tell(r, us);
	return e;
}

static int reload(struct hd_reload *r, struct hd_error *err)
{
	int e = open_new(r, err);

	if (e == 0)
		e = hd_live_quiet(r->mod, err);
	if (e == 0)
		e = replace(r, err);
	__atomic_store_n(&r->mod->closing, false, __ATOMIC_SEQ_CST);
	close_file(r, &r->old);
	close_file(r, &r->new);
	if (e == -ESTALE)
		hd_live_forget(r->mod);
	hd_live_renew_tls();
	return e;
}

static int reload_one(const char *name, struct hd_error *err)
{
	struct hd_reload r = { .old.copy_fd = -1, .new.copy_fd = -1 };
	char own_name[HD_MODULE_NAME_BYTES];
	int e = hd_live_find(name, &r.mod, err);

	if (e < 0)
		return e;
	strcpy(own_name, r.mod->name);
	pthread_mutex_init(&r.lock, NULL);
	e = reload(&r, err);
	pthread_mutex_destroy(&r.lock);
	return e < 0 ? hd_live_refused(e, own_name, err) : 0;
}

int hd_module_live_reload(const char *name, struct hd_error *err)
{
	int e = 0;

	if (name != NULL)
		return reload_one(name, err);
	for (unsigned i = 0; i < hd_modules_n() && e == 0; i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (mod->path != NULL && !(mod->def->flags & HD_RESIDENT))
			e = reload_one(mod->name, err);
	}
	return e;
}
