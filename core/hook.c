/* SPDX-License-Identifier: MIT */
/* core/hook.c - modules enter their hooks in load order; workers read the
 * arrays once they run, when nothing changes any more. */
#include "core/hook.h"
#include <errno.h>
#include <string.h>

static struct hd_hooks hooks;

static int too_many(struct hd_module *mod, const char *what,
		    struct hd_error *err)
{
	return hd_error_set(err, -ENOSPC,
			    "module %s: there are %d %s hooks already, the "
			    "most there can be; load fewer modules",
			    mod->name, HD_HOOKS_MAX, what);
}

int hd_hook_admit(struct hd_module *mod, hd_admit_fn *fn, struct hd_error *err)
{
	if (hooks.n_admit == HD_HOOKS_MAX)
		return too_many(mod, "admit", err);
	hooks.admit[hooks.n_admit].mod = mod;
	hooks.admit[hooks.n_admit++].fn = fn;
	return 0;
}

int hd_hook_packet(struct hd_module *mod, hd_packet_fn *fn,
		   struct hd_error *err)
{
	if (hooks.n_packet == HD_HOOKS_MAX)
		return too_many(mod, "packet", err);
	hooks.packet[hooks.n_packet].mod = mod;
	hooks.packet[hooks.n_packet++].fn = fn;
	return 0;
}

void hd_hooks_drop(const struct hd_module *mod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hooks.n_admit; i++)
		if (mod != NULL && hooks.admit[i].mod != mod)
			hooks.admit[n++] = hooks.admit[i];
	hooks.n_admit = n;
	n = 0;
	for (unsigned i = 0; i < hooks.n_packet; i++)
		if (mod != NULL && hooks.packet[i].mod != mod)
			hooks.packet[n++] = hooks.packet[i];
	hooks.n_packet = n;
}

const struct hd_hooks *hd_modules_hooks(void)
{
	return &hooks;
}
