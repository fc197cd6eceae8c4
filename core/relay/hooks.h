/* SPDX-License-Identifier: MIT */
/* core/relay/hooks.h - the hooks that the relay asks, in a table that module/
 * fills. */
#pragma once
#include <hyper-derp/hook.h>

enum { HD_GUARDS_MAX = 8, HD_GUARD_NAME_BYTES = 64 };

/* Never changes while a worker has it: a change makes a new one, and each
 * worker swaps its pointer. */
struct hd_hooks {
	unsigned n_admit, n_packet;
	struct hd_admit_hook {
		struct hd_module *mod;
		hd_admit_fn *fn;
	} admit[HD_HOOKS_MAX];
	struct hd_packet_hook {
		struct hd_module *mod;
		hd_packet_fn *fn;
	} packet[HD_HOOKS_MAX + 1]; /* the one behind the last has no fn */
	/* modules that should be asked and are not there: nobody logs in */
	unsigned n_lost;
	char lost[HD_GUARDS_MAX][HD_GUARD_NAME_BYTES];
};
