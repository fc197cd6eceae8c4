/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_upgrade.c - another binary takes over every connection. */
#include <errno.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"

static void put_reasons(struct hd_call *c, const struct hd_upgrade_report *r)
{
	hd_out_open(c, "why", '[');
	for (unsigned i = 0; i < r->n; i++) {
		hd_out_open(c, NULL, '{');
		hd_out_string(c, "reason", r->v[i].why);
		hd_out_bool(c, "logged_in", r->v[i].peers);
		hd_out_uint(c, "connections", r->v[i].n);
		hd_out_close(c);
	}
	hd_out_close(c);
}

static void put_report(struct hd_call *c, const struct hd_upgrade_report *r)
{
	hd_out_open(c, NULL, '{');
	hd_out_bool(c, "dry_run", r->dry_run);
	hd_out_string(c, "version", r->version);
	hd_out_uint(c, "moved", r->moved);
	hd_out_uint(c, "closed_clients", r->closed_peers);
	hd_out_uint(c, "closed_others", r->closed_others);
	/* but for who has asked */
	hd_out_uint(c, "control_clients", hd_clients_n() - 1);
	put_reasons(c, r);
	if (!r->dry_run) {
		hd_out_uint(c, "pid", (uint64_t)r->pid);
		hd_out_uint(c, "ahead", r->ahead);
		hd_out_uint(c, "silent_us", r->silent_us);
	}
	hd_out_close(c);
}

static void on_done(void *arg, int r, const struct hd_upgrade_report *report,
		    const struct hd_error *err)
{
	struct hd_call *c = arg;

	if (r < 0)
		hd_call_error(c, "%s", err->text);
	else
		put_report(c, report);
	hd_call_answer(&c);
}

static void run_upgrade(struct hd_module *mod, struct hd_call *c)
{
	const struct hd_upgrade_asked asked = {
		.binary = hd_call_arg(c, "binary"),
		.dry_run = hd_call_arg(c, "dry-run") != NULL,
		.close_rest = hd_call_arg(c, "close-rest") != NULL,
		.done = on_done,
		.arg = c,
	};
	struct hd_error err = { "" };

	(void)mod;
	int r = hd_daemon_ops->upgrade(&asked, &err);

	if (r == -EBUSY)
		hd_call_fail(c, "busy", err.text);
	else if (r < 0)
		hd_call_error(c, "%s", err.text);
	else
		hd_call_hold(c);
}

const struct hd_command hd_cmd_upgrade[] = {
	{ .words = "upgrade",
	  .args = "[--binary PATH] [--dry-run] [--close-rest]",
	  .role = HD_ROLE_ADMIN,
	  .help = "a new process of the binary takes over all connections; "
		  "--dry-run: says what would not move",
	  .run = run_upgrade },
	{ .words = NULL },
};
