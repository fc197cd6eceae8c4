/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/commands.c - hdctl mesh directory. Main thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <hyper-derp/control.h>

static void put_relay(struct hd_call *call, const struct dir_relay *r,
		      uint64_t now_ms)
{
	bool trusted = r->until_ms > now_ms || (r->until_ms != 0 && !dir.ready);

	hd_out_open(call, NULL, '{');
	hd_out_string(call, "relay", r->name);
	hd_out_string(call, "dial", r->dial[0] != '\0' ? r->dial : NULL);
	hd_out_string(call, "state", trusted ? "alive" : "no lease");
	hd_out_close(call);
}

static void put_all(struct hd_call *call, uint64_t now_ms)
{
	hd_out_string(call, "state", dir.ready ? "connected" : "away");
	hd_out_string(call, "name", dir.conf->name);
	hd_out_string(call, "region", dir.conf->region);
	if (dir.lease_ms != 0)
		hd_out_uint(call, "lease_s_ago",
			    (now_ms - dir.lease_ms) / 1000);
	else
		hd_out_string(call, "lease_s_ago", NULL);
	hd_out_uint(call, "keys", dir.n_here);
	hd_out_uint(call, "published", dir.n_published);
	hd_out_uint(call, "elsewhere", dir.n_elsewhere);
	hd_out_uint(call, "puts", dir.puts);
	hd_out_uint(call, "deletes", dir.deletes);
	hd_out_uint(call, "asked", HASH_COUNT(dir.requests));
	hd_out_uint(call, "connects", dir.connects);
	hd_out_string(call, "error", dir.error[0] != '\0' ? dir.error : NULL);
	if (dir.error[0] != '\0')
		hd_out_uint(call, "error_s_ago",
			    (now_ms - dir.error_ms) / 1000);
}

static void directory(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	if (dir.conf == NULL) {
		hd_call_error(call,
			      "there is no directory: mesh_nats.name is not "
			      "set");
		return;
	}
	pthread_mutex_lock(&dir.lock);
	hd_out_open(call, NULL, '{');
	put_all(call, dir_now_ms());
	hd_out_open(call, "relays", '[');
	for (const struct dir_relay *r = dir.relays; r != NULL; r = r->hh.next)
		put_relay(call, r, dir_now_ms());
	hd_out_close(call);
	hd_out_close(call);
	pthread_mutex_unlock(&dir.lock);
}

static const struct hd_command command = {
	.words = "mesh directory",
	.args = "",
	.help = "the directory of keys in NATS, and the relays it has led to",
	.role = HD_ROLE_READ,
	.run = directory,
};

int dir_commands_add(struct hd_module *mod, struct hd_error *err)
{
	return hd_command_add(mod, &command, err);
}
