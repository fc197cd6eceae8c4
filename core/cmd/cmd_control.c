/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_control.c - commands about commands, and about the log. */
#include <unistd.h>
#include "core/base/audit.h"
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module.h"

static void put_args(struct hd_call *c, const struct hd_command_entry *e)
{
	hd_out_open(c, "arguments", '[');
	for (unsigned i = 0; i < e->n_args; i++) {
		const struct hd_arg *a = &e->args[i];

		hd_out_open(c, NULL, '{');
		hd_out_string(c, "name", a->name);
		hd_out_string(c, "kind", a->kind);
		hd_out_bool(c, "option", a->option);
		hd_out_bool(c, "optional", a->optional);
		hd_out_bool(c, "rest", a->rest);
		hd_out_close(c);
	}
	hd_out_close(c);
}

static void run_commands(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	for (unsigned i = 0; i < hd_commands_n(); i++) {
		const struct hd_command_entry *e = hd_commands_at(i);

		hd_out_open(c, NULL, '{');
		hd_out_string(c, "words", e->command->words);
		hd_out_string(c, "args",
			      e->command->args != NULL ? e->command->args : "");
		hd_out_string(c, "help", e->command->help);
		hd_out_string(c, "role", hd_role_text(e->command->role));
		hd_out_string(c, "module",
			      e->mod != NULL ? e->mod->name : NULL);
		hd_out_string(c, "columns", e->command->columns);
		put_args(c, e);
		hd_out_close(c);
	}
	hd_out_close(c);
}

static void run_whoami(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '{');
	hd_out_uint(c, "uid", c->who.uid);
	hd_out_uint(c, "pid", (uint64_t)c->who.pid);
	hd_out_string(c, "role", hd_role_text(c->who.role));
	hd_out_close(c);
}

static void run_log_level(struct hd_module *mod, struct hd_call *c)
{
	const char *text = hd_call_arg(c, "level");
	int level = hd_log_level_parse(text);

	(void)mod;
	hd_log_level_set((enum hd_log_level)level);
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "level", hd_log_level_text((enum hd_log_level)level));
	hd_out_close(c);
}

static void run_log_reopen(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	(void)c;
	hd_logs_reopen();
}

const struct hd_command hd_cmd_control[] = {
	{ .words = "commands",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "list all commands, with their arguments",
	  .columns = "words args role help",
	  .run = run_commands },
	{ .words = "whoami",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "who the relay takes this client for",
	  .run = run_whoami },
	{ .words = "log level",
	  .args = "LEVEL",
	  .role = HD_ROLE_OPERATE,
	  .help = "change what is logged, until the next reload",
	  .run = run_log_level },
	{ .words = "log reopen",
	  .args = "",
	  .role = HD_ROLE_OPERATE,
	  .help = "write the log to a new file of the same name",
	  .run = run_log_reopen },
	{ .words = NULL },
};
