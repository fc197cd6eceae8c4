/* SPDX-License-Identifier: MIT */
/* core/daemon/about_relay.c - the relay in a few words, for modules that show
 * it. */
#include <hyper-derp/worker.h>
#include "core/daemon/about_relay.h"
#include <time.h>
#include "core/base/clock.h"
#include "core/base/reloaded.h"
#include "core/base/version.h"
#include "core/loop/worker.h"
#include "core/module/hook.h"

static struct {
	uint64_t mono_ms;
	uint64_t wall_s;
} started;

void hd_about_begin(void)
{
	started.mono_ms = hd_clock_ms();
	started.wall_s = (uint64_t)time(NULL);
	hd_reloaded_note(true);
}

/* Any worker will do: they are told one after the other. */
static const char *state(void)
{
	if (hd_workers() == 0 || !hd_worker_serving(hd_worker_at(0)))
		return "draining";
	return hd_guards_lost() > 0 ? "locked" : "serving";
}

void hd_about_relay(struct hd_about_relay *a)
{
	*a = (struct hd_about_relay){
		.version = hd_version,
		.commit = hd_commit,
		.backend =
			hd_workers() > 0 ? hd_worker_at(0)->ring_ops->name : "",
		.state = state(),
		.uptime_ms = hd_clock_ms() - started.mono_ms,
		.started_s = started.wall_s,
	};
}

static void each(hd_about_module_fn *fn, void *arg)
{
	for (unsigned i = 0; i < HD_MODULES_MAX; i++) {
		const struct hd_module *mod = hd_modules_slot(i);

		if (mod == NULL)
			continue;
		const char *version = mod->def->version;
		const struct hd_about_module about = {
			.name = mod->name,
			.version = version != NULL ? version : "",
			.state = "loaded",
			.streams = __atomic_load_n(&mod->streams,
						   __ATOMIC_RELAXED),
		};
		fn(arg, &about);
	}
}

void hd_about_modules(hd_about_module_fn *fn, void *arg)
{
	bool in_worker = hd_worker_self() != NULL;

	if (!in_worker)
		hd_modules_hold();
	each(fn, arg);
	if (!in_worker)
		hd_modules_release();
}
