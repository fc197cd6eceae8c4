/* SPDX-License-Identifier: MIT */
/* modules/wg/ops.h - the operator's half of the module: the roster at work,
 * and the commands. Context: the main thread, but for each() of commands.
 *
 * Files: ops.c load, durable changes; ops_file.c the roster's file; cmd_peer.c,
 * cmd_link.c, cmd_show.c, cmd_block.c, cmd_import.c commands; rows.c what they
 * collect in the engine's worker. */
#pragma once
#include <hyper-derp/control.h>
#include <hyper-derp/module.h>
#include "modules/wg/engine.h"
#include "modules/wg/roster.h"

struct wg_conf;

/* wg_ops_load - read the roster, tell the engine, enter the commands. What
 * cannot be read stops it.
 * wg_ops_check - whether a configuration's peers and links are good.
 * wg_ops_reload - other code will load() now: it must find a roster that can be
 * read, so what has been done to the file is undone, unless it can be read.
 * wg_ops_unload - forget all. */
int wg_ops_load(struct hd_module *mod, const struct wg_conf *conf,
		struct hd_error *err);
int wg_ops_check(const struct wg_conf *conf, struct hd_error *err);
void wg_ops_reload(const struct wg_conf *conf);
void wg_ops_unload(void);

struct wg_roster *wg_ops_roster(void);
uint16_t wg_ops_port(struct hd_module *mod); /* for clients */

/* wg_ops_commit - make changes durable, then live; ends them. On failure they
 * are undone and the call is refused. So they are where a name, a label or an
 * endpoint looks like a mistake. @r  of making them: < 0 is such a
 * failure, with the reason in why.
 * Returns whether they stand: the answer is the command's then. */
bool wg_ops_commit(struct hd_module *mod, struct hd_call *call,
		   struct wg_changes *changes, int r, struct wg_refusal *why);

/* wg_ops_read_again - the roster's file has changed since load(). Returns 0;
 * negative with err, and there is no roster. */
int wg_ops_read_again(struct hd_module *mod, struct hd_error *err);

/* wg_own_check - an endpoint that is the relay itself, or a broadcast address.
 * ops_own.c. Returns 0; -EINVAL. */
int wg_own_check(const struct wg_conf *conf, const struct wg_entry *p,
		 struct wg_refusal *why);

/* ---- ops_file.c: the roster's file ---- */

/* wg_file_use - where it is; NULL: in state_dir. wg_file_forget() ends it.
 * wg_file_path - the same for messages. Returns buf. */
int wg_file_use(const char *path, struct hd_error *err);
void wg_file_forget(void);
const char *wg_file_path(char *buf, size_t size);
/* wg_file_check - whether it is whole. Returns 1; 0 there is none, or it has no
 * seal; < 0 it is not, or cannot be read. */
int wg_file_check(struct hd_error *err);
/* wg_file_load - add what it says to a roster. Returns 1; 0 there is none:
 * nobody has been added yet, or this is a trial; < 0 with what is wrong.
 * wg_file_save - the copy before stays beside it. */
int wg_file_load(struct wg_roster *r, struct hd_error *err);
int wg_file_save(const struct wg_roster *r, struct hd_error *err);

/* ---- commands: tables, words NULL at the end ---- */
extern const struct hd_command wg_cmd_peer[], wg_cmd_link[], wg_cmd_show[],
	wg_cmd_block[], wg_cmd_import[];
