/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_try.c - a configuration on trial: what `hdctl configure` asks.
 * It names files and code, so only who may write the relay's file may try one.
 */
#include <stdio.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module_listed.h"

enum {
	FOR_MS = 10 * 60 * 1000,
	FOR_MAX_MS = 7 * 24 * 3600 * 1000,
};

static void put_fixed(void *call, const char *section, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s", section != NULL ? section : "",
		 section != NULL ? "." : "", name);
	hd_out_string(call, NULL, path);
}

static void put_module(void *call, const char *name, bool listed)
{
	if (listed)
		hd_out_string(call, NULL, name);
}

/* What stands in the way, and what waits for a restart. */
static void run_dry(struct hd_call *c)
{
	struct hd_error err = { "" };
	struct hd_conf *conf = NULL;

	if (hd_daemon_ops->try_dry(hd_call_arg(c, "file"), &conf, &err) < 0) {
		hd_call_error(c, "%s", err.text);
		return;
	}
	hd_out_open(c, NULL, '{');
	hd_out_open(c, "restart", '[');
	hd_conf_fixed(hd_daemon_ops->conf(), conf, put_fixed, c);
	hd_out_close(c);
	hd_out_open(c, "modules", '[');
	hd_modules_unlike(conf, put_module, c);
	hd_out_close(c);
	hd_out_close(c);
	hd_conf_free(&conf);
}

static void run_try(struct hd_module *mod, struct hd_call *c)
{
	uint64_t for_ms = hd_call_arg_ms(c, "for", FOR_MS);
	struct hd_error err = { "" };

	(void)mod;
	if (hd_call_arg(c, "dry-run") != NULL)
		run_dry(c);
	else if (for_ms < 1000 || for_ms > FOR_MAX_MS)
		hd_call_error(c, "--for: expected 1s to %dh",
			      FOR_MAX_MS / 3600000);
	else if (hd_daemon_ops->try_begin(hd_call_arg(c, "file"), for_ms,
					  &err) < 0)
		hd_call_error(c, "%s", err.text);
}

static void run_trial(struct hd_module *mod, struct hd_call *c)
{
	struct hd_trial_about t;

	(void)mod;
	hd_out_open(c, NULL, '{');
	bool on = hd_daemon_ops->trial(&t);

	hd_out_bool(c, "on_trial", on);
	if (on) {
		hd_out_uint(c, "left_ms", t.left_ms);
		hd_out_string(c, "by", t.by);
		hd_out_string(c, "comment", t.comment);
	}
	hd_out_close(c);
}

static void run_end(struct hd_module *mod, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ops->try_end(&err) < 0)
		hd_call_error(c, "%s", err.text);
}

const struct hd_command hd_cmd_try[] = {
	{ .words = "config try",
	  .args = "FILE [--for DURATION] [--dry-run]",
	  .role = HD_ROLE_ADMIN,
	  .help = "run with texts in place of files for some time: what hdctl "
		  "configure sends",
	  .run = run_try },
	{ .words = "config trial",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "whether a configuration is on trial, and for how long",
	  .run = run_trial },
	{ .words = "config trial end",
	  .args = "",
	  .role = HD_ROLE_ADMIN,
	  .help = "end a trial now: back to the files",
	  .run = run_end },
	{ .words = NULL },
};
