/* SPDX-License-Identifier: MIT */
/* core/module/module_unload.c - a module leaves a relay that runs. Nobody
 * stands still for it.
 *
 *   tasks end -> routes, hooks and commands are hidden -> its connections are
 *   closed -> stop() in every worker -> posts end -> unload() -> the file is
 *   closed
 *
 * Workers are asked one step at a time, in turns of their own; when the last
 * one has answered, none is left that looks at what was there before.
 * Context: main thread; ..._here() in a worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>
#include "core/base/probes.h"
#include "core/module/hook.h"
#include "core/module/module_life.h"
#include "core/module/module_live.h"
#include "core/stream/service.h"

static bool needs(const struct hd_module *mod, const char *name)
{
	const char *const *req = mod->def->requires_;

	while (req != NULL && *req != NULL && strcmp(*req, name) != 0)
		req++;
	return req != NULL && *req != NULL;
}

static int check_not_needed(const struct hd_module *mod, struct hd_error *err)
{
	char names[200] = "";

	for (unsigned i = 0; i < hd_modules_n(); i++) {
		size_t n = strlen(names);

		if (needs(hd_modules_at(i), mod->name))
			snprintf(names + n, sizeof(names) - n, "%s%s",
				 n > 0 ? ", " : "", hd_modules_at(i)->name);
	}
	if (names[0] == '\0')
		return 0;
	return hd_error_set(err, -EBUSY,
			    "module %s is required by %s; unload that first",
			    mod->name, names);
}

/* ---- one that says who may log in ---- */

static int check_not_guard(const struct hd_change *c, struct hd_error *err)
{
	if (c->force || !(c->mod->def->flags & HD_MODULE_GUARD))
		return 0;
	return hd_error_set(err, -EPERM,
			    "module %s says who may log in: without it more "
			    "people may, from now on; if you want that: "
			    "`module unload %s --force`",
			    c->name, c->name);
}

/* A reload has failed, and nobody may log in since. */
static int give_up(struct hd_change *c)
{
	if (!c->force)
		return hd_error_set(
			&c->err, -EPERM,
			"module %s was lost in a reload, and nobody "
			"may log in since; `module load %s` brings "
			"it back, `module unload %s --force` goes "
			"on without it",
			c->name, c->name, c->name);
	hd_guard_give_up(c->name);
	hd_log_write(HD_LOG_NOTICE, "module given up: name=%s", c->name);
	hd_live_event(c->name, "unloaded");
	return 0;
}

/* ---- the stages ---- */

enum { BEGIN, QUIET, CLOSING };

static int begin(struct hd_change *c)
{
	int r = hd_live_find(c->name, &c->mod, &c->err);

	if (r == 0)
		r = check_not_needed(c->mod, &c->err);
	return r == 0 ? check_not_guard(c, &c->err) : r;
}

static int quiet(struct hd_change *c)
{
	int r = hd_live_quiet(c, 0);

	if (r < 0)
		return r;
	hd_life_hide(c->mod);
	return 0;
}

static int stuck(struct hd_change *c)
{
	return hd_error_set(&c->err, -EBUSY,
			    "module %s does not end; what is left of it does "
			    "nothing any more, restart the relay to be rid of "
			    "it",
			    c->name);
}

static int closing(struct hd_change *c)
{
	struct hd_module *mod = c->mod;
	struct hd_life l = { .mod = mod };
	int r = hd_module_close_streams(c);

	if (r == -EINPROGRESS)
		return r;
	if (r < 0 || !hd_life_stop(&l))
		return stuck(c);
	hd_log_write(HD_LOG_NOTICE, "module unloaded: name=%s", mod->name);
	hd_services_log_lost(hd_modules_conf(), mod);
	hd_live_event(mod->name, "unloaded");
	HD_PROBE(module_unloaded, mod->name);
	hd_live_forget(mod);
	hd_live_renew_tls();
	return 0;
}

int hd_module_live_unload(struct hd_change *c)
{
	static int (*const stages[])(struct hd_change *) = {
		[BEGIN] = begin,
		[QUIET] = quiet,
		[CLOSING] = closing,
	};
	int r = hd_live_check_running(&c->err);

	if (r == 0 && c->stage == BEGIN && hd_guard_is_lost(c->name))
		return give_up(c);
	while (r == 0 && c->stage < HD_ARRAY_N(stages)) {
		r = stages[c->stage](c);
		c->stage += r == 0;
	}
	return r;
}
