/* SPDX-License-Identifier: MIT */
/* core/base/module_id.h - what every room may know of a module that is loaded:
 * which it is, and what keeps its code busy. */
#pragma once
#include <hyper-derp/module.h>

#define HD_MODULES_MAX 32

struct hd_module {
	const struct hd_module_def *def;
	const char *name;
	unsigned index; /* into hd_worker.mods; stays while it is loaded */
	unsigned order; /* of loading: hooks are asked in it */
	const char *path; /* of the file; NULL: built in */
	const void *conf; /* main thread's view */
	struct hd_module_private *priv;
	/* atomics: what keeps its code busy */
	unsigned streams, tasks, posts, dials;
	bool closing; /* atomic: new tasks are refused */
	bool tasks_wait; /* core/loop/task.c: it has not started */
};
