/* SPDX-License-Identifier: MIT */
/* modules/mesh/mesh.c - several relays as one region: the side that dials. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/offer.h>
#include <sodium.h>
#include <string.h>

struct hd_family *mesh_family;

/* ---- the section ---- */

#define MEMBER(field) .offset = offsetof(struct mesh_member_conf, field)

static const struct hd_option member_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, MEMBER(at) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  MEMBER(name),
	  .required = true,
	  .bare = true,
	  .example = "derp2.example.com",
	  .help = "another relay's host, and a port if it is not 443; its "
		  "certificate must be for this host. A slash and another host "
		  "behind it: that one is dialled, as with derper's "
		  "-mesh-with" },
	{ .name = "dial",
	  .type = HD_OPTION_STRING,
	  MEMBER(dial),
	  .example = "10.0.0.2",
	  .help = "the host or address that is dialled, if it is another one" },
	{ .name = "tls",
	  .type = HD_OPTION_BOOL,
	  MEMBER(tls),
	  .def = "true",
	  .help = "false: no TLS, port 80. Then whoever stands between the two "
		  "can take the mesh key; for relays on one machine, and "
		  "tests" },
	{ .name = "ca_file",
	  .type = HD_OPTION_PATH,
	  MEMBER(ca_file),
	  .example = "/etc/hyper-derp/mesh-ca.pem",
	  .help = "CAs that may have signed its certificate, in place of those "
		  "of mesh.ca_file" },
	{ .name = "pin",
	  .type = HD_OPTION_STRING,
	  MEMBER(pin),
	  .example = "sha256-raw:0123456789abcdef0123456789abcdef0123456789abcd"
		     "ef0123456789abcdef",
	  .help = "the SHA-256 that its certificate must have; several with ; "
		  "between them. Without ca_file no CA and no name is asked "
		  "for then" },
	HD_OPTION_END,
};

#define CONF(field) .offset = offsetof(struct mesh_conf, field)

static const struct hd_option options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, CONF(at) },
	{ .name = "members",
	  .type = HD_OPTION_ENTRIES,
	  CONF(members),
	  .def = "[]",
	  .max = MESH_MEMBERS_MAX,
	  .live = true,
	  .entry = member_options,
	  .entry_size = sizeof(struct mesh_member_conf),
	  .help = "the other relays of the region. This relay may be among "
		  "them: it notices" },
	{ .name = "members_file", .type = HD_OPTION_PLACE, CONF(at_file) },
	{ .name = "members_file",
	  .type = HD_OPTION_PATH,
	  CONF(members_file),
	  .live = true,
	  .help = "a file with more members, a line each, which is read again "
		  "when it changes: a name, and behind it dial=, ca_file=, "
		  "pin= or tls=false" },
	{ .name = "members_dns", .type = HD_OPTION_PLACE, CONF(at_dns) },
	{ .name = "members_dns",
	  .type = HD_OPTION_STRING,
	  CONF(members_dns),
	  .live = true,
	  .help = "a name in DNS, with a port if it is not 443. Each of its "
		  "addresses is a member whose certificate is for this name. "
		  "With an underscore in front (_derp-mesh._tcp.example.com) "
		  "each target of its SRV records is one" },
	{ .name = "refresh",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(refresh_ms),
	  .def = "30s",
	  .min = 1000,
	  .max = 86400000,
	  .live = true,
	  .help = "how often DNS is asked for members_dns" },
	{ .name = "ca_file",
	  .type = HD_OPTION_PATH,
	  CONF(ca_file),
	  .live = true,
	  .help = "CAs that may have signed the members' certificates. Unset: "
		  "those of the system" },
	{ .name = "ping_interval",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(ping_ms),
	  .def = "1s",
	  .min = 100,
	  .max = 60000,
	  .live = true,
	  .help = "how often a link is asked whether it lives" },
	{ .name = "silence_max",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(silence_ms),
	  .def = "5s",
	  .min = 1000,
	  .max = 120000,
	  .live = true,
	  .help = "a link over which nothing has come for so long is closed "
		  "and dialled anew; so is one that does not come up. One "
		  "with unacknowledged bytes is closed sooner, by TCP's own "
		  "measure: after 2 s where the round trip is short" },
	{ .name = "retry_max",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(retry_max_ms),
	  .def = "2s",
	  .min = 100,
	  .max = 300000,
	  .live = true,
	  .help = "the longest time between two tries to reach a member. It "
		  "begins with a tenth of a second; up to half of it is left "
		  "to chance" },
	{ .name = "idle_max",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(idle_ms),
	  .def = "1m",
	  .min = 1000,
	  .max = 86400000,
	  .live = true,
	  .help = "a link that another module has wished for (mesh_nats) is "
		  "closed when no packet has gone over it for so long" },
	HD_OPTION_END,
};

/* ---- metrics: of each link ---- */

#define ROW(field, name, help)                                                 \
	HD_METRIC(struct mesh_numbers, field, "hyper_derp_mesh_" name, NULL,   \
		  help)

static const struct hd_metric metrics[] = {
	ROW(up, "link_up", "1: the link to this member is up"),
	ROW(down, "link_down",
	    "1: this is a member, and there is no link to it"),
	ROW(keys, "link_keys", "Keys that are reached over this link"),
	ROW(packets, "link_packets_total", "Packets sent over this link"),
	ROW(bytes, "link_packet_bytes_total",
	    "Bytes of packets sent over this link"),
	ROW(drops, "link_drops_total",
	    "Packets that this link did not take fast enough"),
	ROW(losses, "link_losses_total", "How often this link was lost"),
	ROW(failures, "link_failures_total",
	    "How often this member was dialled, and no link came of it"),
	ROW(latency, "link_latency_seconds",
	    "Times between a ping and its answer over this link"),
	HD_METRIC_END,
};

static const struct hd_family_def family = {
	.name = "links",
	.labels = { "member", NULL },
	.metrics = metrics,
	.size = sizeof(struct mesh_numbers),
	.max = 512,
};

/* ---- life ---- */

static bool names_any(const struct mesh_conf *conf)
{
	return conf->members.n > 0 || conf->members_file != NULL ||
	       conf->members_dns != NULL;
}

/* A file that is wrong stops the start; later its members of before stay. */
static int check_sources(const struct mesh_conf *conf, struct hd_error *err)
{
	struct mesh_list *list = NULL;
	struct hd_error why = { "" };
	int r = 0;

	if (conf->members_file != NULL)
		r = mesh_list_read(conf->members_file, &list, &why);
	mesh_list_put(list);
	if (r < 0)
		return hd_error_at(&conf->at_file, err, r,
				   "mesh.members_file: %s", why.text);
	if (conf->members_dns != NULL)
		r = mesh_dns_check(conf->members_dns, &why);
	return r < 0 ? hd_error_at(&conf->at_dns, err, r,
				   "mesh.members_dns: %s", why.text)
		     : 0;
}

/* A child that tries this module's file has no module derp. */
static int check_key(const struct mesh_conf *conf, struct hd_error *err)
{
	struct derp_identity id = { 0 };
	int r = hd_offered(DERP_IDENTITY, &id, sizeof(id));
	bool has = id.has_mesh_key;

	sodium_memzero(&id, sizeof(id));
	if (r == -ENOENT || (r == 0 && (has || !names_any(conf))))
		return 0;
	if (r == 0)
		return hd_error_at(&conf->at, err, -EINVAL,
				   "mesh.members: there is no mesh key; set "
				   "derp.mesh_key to a file with the one that "
				   "all relays of the region have");
	return hd_error_set(err, r,
			    "the module derp is of another version than this "
			    "one: install both alike");
}

static int mesh_check(struct hd_module *mod, const void *conf,
		      struct hd_error *err)
{
	const struct mesh_conf *c = conf;
	int r;

	(void)mod;
	if (c->silence_ms <= c->ping_ms)
		return hd_error_at(&c->at, err, -EINVAL,
				   "mesh.silence_max must be longer than "
				   "mesh.ping_interval");
	r = mesh_members_check(c, err);
	if (r == 0)
		r = check_sources(c, err);
	return r == 0 ? check_key(c, err) : r;
}

static int mesh_load(struct hd_module *mod, struct hd_error *err)
{
	int r;

	if (sodium_init() < 0)
		return hd_error_set(err, -ENOTSUP, "libsodium does not start");
	r = hd_family_add(mod, &family, &mesh_family, err);
	if (r == 0)
		r = mesh_demand_load(mod, err);
	return r == 0 ? mesh_commands_add(mod, err) : r;
}

static int mesh_start(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	int r = mesh_links_wake(mod, w, err);

	if (r == 0)
		r = mesh_links_sync(mod, w, err);
	if (r == 0 && mesh_sources_start(mod, w) < 0)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	return r;
}

static void mesh_changed(struct hd_module *mod, struct hd_worker *w,
			 const void *old_conf)
{
	struct hd_error err = { "" };

	mesh_sources_changed(mod, w, old_conf);
	if (mesh_links_sync(mod, w, &err) < 0)
		hd_log_error("mesh: not all members are dialled: %s; reload "
			     "once more",
			     err.text);
}

static void mesh_stop(struct hd_module *mod, struct hd_worker *w)
{
	if (!hd_module_kept(mod, w))
		mesh_links_free(mod, w);
}

#define REASON(row, name, kind) [row] = { .word = name, .like = kind }

static const struct hd_close_reason reasons[] = {
	REASON(MESH_REASON_SILENT, "mesh_silent", HD_CLOSE_TIMEOUT),
	REASON(MESH_REASON_GREETING, "mesh_greeting", HD_CLOSE_PROTOCOL),
	REASON(MESH_REASON_FRAME, "mesh_frame", HD_CLOSE_PROTOCOL),
	REASON(MESH_REASON_SELF, "mesh_self", HD_CLOSE_DONE),
	REASON(MESH_REASON_REMOVED, "mesh_removed", HD_CLOSE_DONE),
	HD_CLOSE_REASON_END,
};

static const struct hd_event_def events[] = {
	{ "mesh.up", "the link to another relay is up" },
	{ "mesh.lost", "the link to another relay is lost" },
	{ NULL, NULL },
};

static const char *const needs[] = { "derp", NULL };
static const struct hd_proto *const dials[] = { &mesh_proto, NULL };

HD_MODULE(mesh, .version = "1.0", .licence = "MIT",
	  .summary = "several relays as one region: links to the others",
	  .state_version = 7, .requires_ = needs, .options = options,
	  .flags = HD_MODULE_UPGRADES, .upgrade = &mesh_upgrade,
	  .conf_size = sizeof(struct mesh_conf),
	  .worker_size = sizeof(struct mesh_worker), .reasons = reasons,
	  .events = events, .dials = dials, .check = mesh_check,
	  .load = mesh_load, .start = mesh_start, .changed = mesh_changed,
	  .stop = mesh_stop);
