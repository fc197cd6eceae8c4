/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_daemon.c - commands that change what the daemon does. */
#include <stdio.h>
#include <string.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module_listed.h"

/* Of --for. The main loop can wait for an int of milliseconds, 24 days. */
enum { DRAIN_MAX_MS = 7 * 24 * 3600 * 1000 };

struct notes {
	char text[2048];
	size_t len;
};

static void add_note(void *notes, const char *name, bool listed)
{
	struct notes *n = notes;
	int len = snprintf(
		n->text + n->len, sizeof(n->text) - n->len,
		listed ? "load_module lists %s, which is not loaded; now: "
			 "hdctl module load %s\n"
		       : "%s is loaded, and load_module does not list it; "
			 "now: hdctl module unload %s\n",
		name, name);

	n->len = HD_MIN(n->len + (size_t)len, sizeof(n->text) - 1);
}

/* A reload loads and unloads nothing: say so to whoever expects it. */
static void put_unlike(struct hd_call *c)
{
	struct notes n = { "reloaded, but\n", strlen("reloaded, but\n") };
	size_t begin = n.len;

	hd_modules_unlike(hd_daemon_ops->conf(), add_note, &n);
	if (n.len > begin)
		hd_out_string(c, NULL, n.text);
}

static void run_reload(struct hd_module *mod, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ops->reload(&err) < 0)
		hd_call_error(c, "%s", err.text);
	else
		put_unlike(c);
}

static void run_drain(struct hd_module *mod, struct hd_call *c)
{
	uint64_t wait_ms = hd_call_arg_ms(c, "for", HD_DRAIN_TIME);
	struct hd_error err = { "" };

	(void)mod;
	if (hd_call_arg(c, "for") != NULL && wait_ms > DRAIN_MAX_MS) {
		hd_call_error(c,
			      "--for: a drain takes %d h at most, nothing has "
			      "changed",
			      DRAIN_MAX_MS / 3600000);
		return;
	}
	if (hd_daemon_ops->drain(wait_ms, hd_call_arg(c, "exit") != NULL,
				 &err) < 0) {
		hd_call_error(c, "%s", err.text);
		return;
	}
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "state", hd_daemon_ops->state());
	hd_out_uint(c, "closes_after_ms", hd_daemon_ops->closes_in_ms());
	hd_out_close(c);
}

static void run_undrain(struct hd_module *mod, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ops->undrain(&err) < 0)
		hd_call_error(c, "%s", err.text);
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
		  "--exit: then end; again: another time",
	  .run = run_drain },
	{ .words = "undrain",
	  .args = "",
	  .role = HD_ROLE_OPERATE,
	  .help = "take a drain back: serve again",
	  .run = run_undrain },
	{ .words = NULL },
};
