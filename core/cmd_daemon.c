/* SPDX-License-Identifier: MIT */
/* core/cmd_daemon.c - commands that change what the daemon does. */
#include "core/control.h"
#include "core/daemon.h"

static void run_reload(struct hd_module *mod, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ask_reload(&err) < 0)
		hd_call_error(c, "%s", err.text);
}

static void run_drain(struct hd_module *mod, struct hd_call *c)
{
	uint64_t wait_ms =
		hd_call_arg_ms(c, "for", hd_daemon()->conf->drain_time_ms);
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ask_drain(wait_ms, hd_call_arg(c, "exit") != NULL, &err) <
	    0) {
		hd_call_error(c, "%s", err.text);
		return;
	}
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "state", hd_daemon_state());
	hd_out_uint(c, "closes_after_ms", wait_ms);
	hd_out_close(c);
}

const struct hd_command hd_cmd_daemon[] = {
	{ .words = "reload",
	  .args = "",
	  .role = HD_ROLE_OPERATE,
	  .help = "read configuration and certificates again: all of it, or "
		  "nothing if there is an error",
	  .run = run_reload },
	{ .words = "drain",
	  .args = "[--for DURATION] [--exit]",
	  .role = HD_ROLE_OPERATE,
	  .help = "refuse logins, tell the peers, close them after drain_time; "
		  "--exit: then end",
	  .run = run_drain },
	{ .words = NULL },
};
