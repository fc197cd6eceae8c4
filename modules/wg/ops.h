/* SPDX-License-Identifier: MIT */
/* modules/wg/ops.h - the operator's half of the module: the roster at work,
 * and the commands. Context: the main thread, but for each() of commands.
 *
 * Files: ops.c load, durable changes; cmd_peer.c, cmd_link.c, cmd_show.c,
 * cmd_block.c, cmd_import.c commands; rows.c what they collect in
 * the engine's worker. */
#pragma once
#include <hyper-derp/control.h>
#include <hyper-derp/module.h>
#include "modules/wg/engine.h"
#include "modules/wg/roster.h"

struct wg_conf;

/* wg_ops_load - read the roster, tell the engine, enter the commands. What
 * cannot be read stops it.
 * wg_ops_check - whether a configuration's peers and links are good.
 * wg_ops_unload - forget all. */
int wg_ops_load(struct hd_module *mod, const struct wg_conf *conf,
		struct hd_error *err);
int wg_ops_check(const struct wg_conf *conf, struct hd_error *err);
void wg_ops_unload(void);

struct wg_roster *wg_ops_roster(void);
uint16_t wg_ops_port(struct hd_module *mod); /* for clients */

/* wg_ops_commit - make changes durable, then live; ends them. On failure they
 * are undone and the call is refused. @r  of making them: < 0 is such a
 * failure, with the reason in why.
 * Returns whether they stand: the answer is the command's then. */
bool wg_ops_commit(struct hd_module *mod, struct hd_call *call,
		   struct wg_changes *changes, int r,
		   const struct wg_refusal *why);

/* ---- commands: tables, words NULL at the end ---- */
extern const struct hd_command wg_cmd_peer[], wg_cmd_link[], wg_cmd_show[],
	wg_cmd_block[], wg_cmd_import[];
