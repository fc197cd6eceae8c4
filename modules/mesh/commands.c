/* SPDX-License-Identifier: MIT */
/* modules/mesh/commands.c - what operators ask and order. Context: each worker,
 * for its own links and keys. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/log.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define PLACES 1024 /* of the table of ways, in a turn */

/* ---- mesh status ---- */

static const char *const sources[] = { [MESH_FROM_CONF] = "configuration",
				       [MESH_FROM_FILE] = "file",
				       [MESH_FROM_DNS] = "dns",
				       [MESH_FROM_OPERATOR] = "operator",
				       [MESH_ON_DEMAND] = "demand" };

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

static void put_numbers(struct hd_call *call, const struct mesh_link *l)
{
	struct hd_link_about about = { 0 };

	if (l->stream != NULL)
		hd_link_about(l->stream, &about);
	hd_out_uint(call, "packets", l->packets);
	hd_out_uint(call, "bytes", l->bytes);
	hd_out_uint(call, "drops", l->drops + about.drops - l->drops_shown);
	hd_out_uint(call, "queued", about.queued_bytes);
}

static void put_link(struct hd_call *call, const struct mesh_link *l,
		     struct hd_worker *w)
{
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "member", l->to.name);
	hd_out_string(call, "state", mesh_state_text(l->state));
	put_connection(call, l);
	put_numbers(call, l);
	hd_out_string(call, "source", sources[l->source]);
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

/* ---- mesh peers ---- */

struct peers {
	struct hd_call *call;
	const char *prefix; /* of the key; NULL: all */
};

static void put_way(void *arg, const struct hd_link_way *way)
{
	const struct peers *p = arg;
	struct hd_realm_text realm = hd_realm_text(way->realm);
	char hex[2 * HD_KEY_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), way->key->b, HD_KEY_BYTES);
	if (p->prefix != NULL &&
	    strncasecmp(hex, p->prefix, strlen(p->prefix)) != 0)
		return;
	hd_out_open(p->call, NULL, '{');
	hd_out_key(p->call, "key", way->key);
	hd_out_string(p->call, "member", way->link);
	hd_out_string(p->call, "realm", realm.s);
	hd_out_bool(p->call, "preferred", way->preferred);
	hd_out_close(p->call);
}

static void peers_here(struct hd_module *mod, struct hd_call *call,
		       struct hd_worker *w)
{
	struct peers p = { call, hd_call_arg(call, "key") };
	uint64_t *at = hd_call_cursor(call);

	(void)mod;
	/* 0: this worker has no more */
	if (!hd_link_ways(w, at, PLACES, put_way, &p))
		*at = 0;
}

/* ---- mesh add, mesh remove ---- */

static int member_of(struct hd_call *call, struct hd_module *mod,
		     struct hd_worker *w, struct mesh_member *ret)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	const struct mesh_member_conf c = {
		.name = hd_call_arg(call, "name"),
		.dial = hd_call_arg(call, "dial"),
		.ca_file = hd_call_arg(call, "ca-file"),
		.pin = hd_call_arg(call, "pin"),
		.tls = hd_call_arg(call, "plain") == NULL,
	};
	struct hd_error err = { "" };
	int r = mesh_member_set(ret, &c, conf->ca_file, &err);

	if (r < 0)
		hd_call_refuse(call, "bad_argument", "%s", err.text);
	return r;
}

static void add(struct hd_module *mod, struct hd_call *call,
		struct hd_worker *w, struct mesh_member *m)
{
	if (mesh_links_find(mesh_here(mod, w), m->name) != NULL) {
		hd_call_error(call, "%s is a member already", m->name);
		return;
	}
	hd_log_notice("mesh: member added by an operator: %s", m->name);
	if (mesh_links_add(mod, w, m, MESH_FROM_OPERATOR) < 0)
		hd_call_error(call, "out of memory");
}

/* Each worker looks whether it falls to it. */
static void add_here(struct hd_module *mod, struct hd_call *call,
		     struct hd_worker *w)
{
	struct mesh_member m;

	if (member_of(call, mod, w, &m) == 0 &&
	    hd_link_worker(m.name) == hd_worker_index(w))
		add(mod, call, w, &m);
	mesh_member_free(&m);
}

static void remove_here(struct hd_module *mod, struct hd_call *call,
			struct hd_worker *w)
{
	const char *name = hd_call_arg(call, "name");
	struct mesh_link *l;

	if (hd_link_worker(name) != hd_worker_index(w))
		return;
	l = mesh_links_find(mesh_here(mod, w), name);
	if (l == NULL) {
		hd_call_error(call,
			      "there is no member %s; `hdctl mesh status` "
			      "lists them",
			      name);
		return;
	}
	hd_log_notice("mesh: member removed by an operator: %s", name);
	mesh_links_remove(mod, w, l);
}

static void done(struct hd_module *mod, struct hd_call *call)
{
	(void)mod, (void)call; /* ok, or what was refused */
}

static const struct hd_command commands[] = {
	{ .words = "mesh status",
	  .args = "",
	  .help = "the links to other relays, and what is wrong with them",
	  .role = HD_ROLE_READ,
	  .each = status_here,
	  .columns = "member state for_s addr latency_us keys packets bytes "
		     "drops error" },
	{ .words = "mesh peers",
	  .args = "[KEY]",
	  .help = "the keys at other relays, and the links that lead there",
	  .role = HD_ROLE_READ,
	  .each = peers_here },
	{ .words = "mesh add",
	  .args = "NAME [--dial HOST] [--ca-file PATH] [--pin PIN] [--plain]",
	  .help = "dial one more relay, until this one restarts",
	  .role = HD_ROLE_ADMIN,
	  .each = add_here,
	  .done = done },
	{ .words = "mesh remove",
	  .args = "NAME",
	  .help = "end a link; one of the configuration is back at a reload",
	  .role = HD_ROLE_ADMIN,
	  .each = remove_here,
	  .done = done },
};

int mesh_commands_add(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(commands) && r == 0; i++)
		r = hd_command_add(mod, &commands[i], err);
	return r;
}
