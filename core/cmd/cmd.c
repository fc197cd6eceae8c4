/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd.c - the daemon's own commands, all of them. */
#include "core/cmd/cmd.h"

const struct hd_daemon_ops *hd_daemon_ops;

void hd_cmd_put_only(struct hd_call *c, const struct hd_listener *l)
{
	hd_out_open(c, "only", '[');
	for (unsigned i = 0; hd_pages_names[i] != NULL; i++)
		if (l->only & 1u << i)
			hd_out_string(c, NULL, hd_pages_names[i]);
	hd_out_close(c);
}

int hd_commands_add_core(const struct hd_daemon_ops *ops, struct hd_error *err)
{
	static const struct hd_command *const tables[] = {
		hd_cmd_config, hd_cmd_control, hd_cmd_daemon,  hd_cmd_derpmap,
		hd_cmd_events, hd_cmd_live,    hd_cmd_metrics, hd_cmd_module,
		hd_cmd_pairs,  hd_cmd_peers,   hd_cmd_status,  hd_cmd_trace,
		hd_cmd_try,    hd_cmd_upgrade,
	};

	hd_daemon_ops = ops;
	for (unsigned i = 0; i < HD_ARRAY_N(tables); i++)
		for (const struct hd_command *c = tables[i]; c->words != NULL;
		     c++) {
			int r = hd_command_add(NULL, c, err);

			if (r < 0)
				return r;
		}
	return 0;
}
