/* SPDX-License-Identifier: MIT */
/* modules/mesh/commands.c - what operators ask. Context: each worker, which
 * shows its own links. */
#include "modules/mesh/mesh.h"
#include <hyper-derp/control.h>

static void put_times(struct hd_call *call, const struct mesh_link *l,
		      uint64_t now_ms)
{
	hd_out_uint(call, "for_s", (now_ms - l->since_ms) / 1000);
	hd_out_string(call, "error", l->error[0] != '\0' ? l->error : NULL);
	if (l->error[0] != '\0')
		hd_out_uint(call, "error_s_ago", (now_ms - l->error_ms) / 1000);
}

static void put_connection(struct hd_call *call, const struct mesh_link *l)
{
	char addr[HD_ADDR_TEXT_BYTES];
	const struct hd_stream *s = l->stream;

	hd_out_string(call, "addr",
		      s != NULL ? hd_addr_text(hd_stream_addr(s), addr) : NULL);
	if (l->has_key)
		hd_out_key(call, "key", &l->key);
	else
		hd_out_string(call, "key", NULL);
	hd_out_bool(call, "tls", l->to.tls);
	if (l->latency_ns != 0)
		hd_out_uint(call, "latency_us", l->latency_ns / 1000);
	else
		hd_out_string(call, "latency_us", NULL);
	hd_out_uint(call, "keys", s != NULL ? hd_link_keys(s) : 0);
}

static void put_link(struct hd_call *call, const struct mesh_link *l,
		     struct hd_worker *w)
{
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "member", l->to.name);
	hd_out_string(call, "state", mesh_state_text(l->state));
	put_connection(call, l);
	hd_out_uint(call, "packets", l->packets);
	hd_out_uint(call, "bytes", l->bytes);
	hd_out_uint(call, "worker", hd_worker_index(w));
	hd_out_string(call, "health", l->health[0] != '\0' ? l->health : NULL);
	put_times(call, l, hd_now_ms(w));
	hd_out_close(call);
}

static void status_here(struct hd_module *mod, struct hd_call *call,
			struct hd_worker *w)
{
	for (const struct mesh_link *l = mesh_here(mod, w)->links; l != NULL;
	     l = l->next)
		put_link(call, l, w);
}

static const struct hd_command commands[] = {
	{ .words = "mesh status",
	  .args = "",
	  .help = "the links to other relays, and what is wrong with them",
	  .role = HD_ROLE_READ,
	  .each = status_here,
	  .columns = "member state for_s addr latency_us keys packets bytes "
		     "error" },
};

int mesh_commands_add(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(commands) && r == 0; i++)
		r = hd_command_add(mod, &commands[i], err);
	return r;
}
