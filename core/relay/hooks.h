/* SPDX-License-Identifier: MIT */
/* core/relay/hooks.h - the hooks that the relay asks, in a table that module/
 * fills. */
#pragma once
#include <hyper-derp/hook.h>

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
};
