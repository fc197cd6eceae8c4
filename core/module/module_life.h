/* SPDX-License-Identifier: MIT */
/* core/module/module_life.h - the steps that bring the code of a module in and
 * out. Written once: before workers run, while they run, and while all of them
 * are parked (a reload). Main thread; ..._here() in a worker.
 *
 *   start    place -> in -> list                   module_load.c
 *   load     place -> in -> show                   module_live.c
 *   unload   hide -> (streams) -> stop -> forget   module_unload.c
 *   reload   [hide early -> (streams)] -> all are parked: stop, unload, in ->
 *            they go on: show_here -> reclaim
 *                                     module_reload.c, module_swap.c */
#pragma once
#include <pthread.h>
#include "core/module/module_private.h"

struct hd_life {
	struct hd_module *mod;
	bool parked; /* the workers are; else they run, or there are none */
	bool kept; /* parked: worker data and UDP sockets are for new code */
	/* parked: the table of the numbers that workers have */
	const struct hd_metric *metrics;
	/* inside: the answers of workers */
	pthread_mutex_t lock;
	int result;
	struct hd_error *err;
};

/* hd_life_check - check(), and what its listeners may speak.
 * hd_life_in - check(), load(), start() in each worker; then what it has
 * registered is published. On failure all of that is undone. */
int hd_life_check(struct hd_module *mod, struct hd_error *err);
int hd_life_in(struct hd_life *l, struct hd_error *err);
/* hd_life_stop - stop() in each worker, and its posts end; unless they are
 * parked, the workers' memory goes too. Returns whether nothing of it is left.
 * hd_life_unload - unload(), when that is due, and all that it registered is
 * withdrawn. */
bool hd_life_stop(struct hd_life *l);
void hd_life_unload(struct hd_module *mod);

/* hd_life_show - all workers have taken what hd_life_in() published, and the
 * module is listed. hd_life_hide - nobody finds anything of it any more; who
 * waits for its answer asks others. hd_life_hide_early - before a reload that
 * keeps no connection: its hooks are still asked. While workers run. */
void hd_life_show(struct hd_module *mod);
void hd_life_hide(struct hd_module *mod);
void hd_life_hide_early(struct hd_module *mod);
void hd_life_show_here(struct hd_worker *w, struct hd_module *mod, bool kept);
void hd_life_hide_here(struct hd_worker *w, struct hd_module *mod);

/* hd_life_forget - the last step: unload(), no worker knows it; what it left is
 * freed, its file closed. Returns whether its code is really gone. */
bool hd_life_forget(struct hd_module *mod);
