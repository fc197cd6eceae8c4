/* SPDX-License-Identifier: MIT */
/* core/base/kind.h - a kind of thing that modules register: routes, hooks,
 * listeners, commands ...
 *
 *            load()          publish         withdraw         reclaim
 *   nothing --------> DRAFT ---------> SHOWN ---------> HIDDEN ---------> freed
 *                       |                                 ^ |
 *                       `----withdraw: load() has failed--' `-> taken over by
 *                                                     new code, where it can
 *
 * The room that has them describes them by one row. core/module/registry.c
 * goes through all rows at each step of a module's life, so that a start, a
 * load, a reload and an unload treat all kinds alike. A new kind is a row, and
 * its line in the table there; a room above module/ enters its row by
 * hd_registry_add(). What a kind does not need is NULL. */
#pragma once
#include <stdbool.h>

struct hd_module;
struct hd_worker;

struct hd_kind {
	const char *name;

	/* ---- main thread ---- */

	/* draft - what is registered from now on is not found yet.
	 * publish - it is. Where a kind has sync_here(), each worker runs that
	 * before the next publish(), or is parked: a reload that fails
	 * publishes twice. */
	void (*draft)(void);
	void (*publish)(void);
	/* withdraw - what the module has registered is found no more; a worker
	 * may still look at it. Again: nothing happens.
	 * reclaim - each worker has run sync_here(), and ended a turn, since:
	 * what was withdrawn and nobody took over is freed. */
	void (*withdraw)(const struct hd_module *mod);
	void (*reclaim)(void);
	/* While its connections are closed for a reload the module is still
	 * asked: withdrawn only when the code goes. */
	bool to_the_last;
	/* busy - how much of it is under way outside the workers, which must
	 * end before the code goes; busy_text is what the operator reads: "a
	 * command". */
	unsigned (*busy)(const struct hd_module *mod);
	const char *busy_text;
	/* hurry - that is to end at once, where it can. */
	void (*hurry)(const struct hd_module *mod);

	/* ---- in each worker ---- */

	/* sync_here - look at what is published now; mod has changed. */
	void (*sync_here)(struct hd_worker *w, const struct hd_module *mod);
	/* cancel_here - before stop(): what is under way, and would call the
	 * code when it is done, is given up. */
	void (*cancel_here)(struct hd_worker *w, const struct hd_module *mod);
	/* end_here - after stop(): what the module has in this worker ends;
	 * kept: it stays for new code to take over. */
	void (*end_here)(struct hd_worker *w, struct hd_module *mod, bool kept);
	/* settle_here - the module has new code now, or none: what was not
	 * taken over ends. Not kept: nor does the new code know who waited for
	 * an answer of the old. */
	void (*settle_here)(struct hd_worker *w, const struct hd_module *mod,
			    bool kept);
};
