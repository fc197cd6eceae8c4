/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_show.c - lists of devices, for operators. */
#include "modules/policy/devices.h"

static void put(void *arg, const struct policy_devices_poll *p)
{
	struct hd_call *call = arg;

	hd_out_open(call, NULL, '{');
	hd_out_string(call, "rule", p->rule->label);
	hd_out_string(call, "url", p->rule->devices.url);
	if (p->list != NULL)
		hd_out_uint(call, "devices", p->list->keys.n);
	if (p->ok_s_ago != UINT64_MAX) {
		hd_out_uint(call, "left_out", p->found.left_out);
		hd_out_uint(call, "without_key", p->found.skipped);
		hd_out_uint(call, "loaded_s_ago", p->ok_s_ago);
	}
	hd_out_string(call, "state", p->state);
	hd_out_uint(call, "next_s", p->next_s);
	hd_out_string(call, "error", p->error);
	hd_out_close(call);
}

static void run_devices(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	hd_out_open(call, NULL, '[');
	policy_devices_each(put, call);
	hd_out_close(call);
}

const struct hd_command policy_devices_commands[] = {
	{ .words = "policy devices",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "lists of devices that rules name: how many are in each, and "
		  "what was wrong the last time",
	  .run = run_devices,
	  .columns = "rule url devices left_out without_key loaded_s_ago "
		     "state next_s error" },
	{ .words = NULL },
};
