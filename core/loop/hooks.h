/* SPDX-License-Identifier: MIT */
/* core/loop/hooks.h - what modules want to be asked and told, in a table that
 * module/ fills and that each worker has. */
#pragma once
#include <hyper-derp/hook.h>
#include "core/base/module_id.h"

enum { HD_GUARDS_MAX = HD_MODULES_MAX, HD_GUARD_NAME_BYTES = 64 };

struct hd_hook {
	struct hd_module *mod;
	union {
		hd_accept_fn *accept;
		hd_hello_fn *hello;
		hd_admit_fn *admit;
		hd_packet_fn *packet;
		hd_leave_fn *leave;
		hd_here_fn *here;
		hd_unknown_fn *unknown;
		hd_there_fn *there;
		hd_wish_fn *wish;
		size_t data_bytes; /* no question: its memory in each peer */
	};
};

struct hd_hook_list {
	unsigned n;
	struct hd_hook v[HD_HOOKS_MAX + 1]; /* zero behind the last */
};

/* Never changes while a worker has it: a change makes a new one, and each
 * worker swaps its pointer. */
struct hd_hooks {
	struct hd_hook_list packet, accept, hello, admit, leave, data;
	struct hd_hook_list admit_mesh; /* admit, of other relays */
	struct hd_hook_list here, unknown, there, wish;
	/* modules that should be asked and are not there: nobody logs in */
	unsigned n_lost;
	char lost[HD_GUARDS_MAX][HD_GUARD_NAME_BYTES];
};

/* hd_hook_of - the first of a module in a list; NULL: it has none. */
static inline const struct hd_hook *hd_hook_of(const struct hd_hook_list *list,
					       const struct hd_module *mod)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].mod == mod)
			return &list->v[i];
	return NULL;
}
