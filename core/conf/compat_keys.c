/* SPDX-License-Identifier: MIT */
/* core/conf/compat_keys.c - what became of each key of the predecessor that is
 * not a key of today with the same meaning. */
#include "core/conf/compat_keys.h"

#define WG_MODE                                                                \
	.key = "mode", .module = "wg", .drops = "port",                        \
	.sets = "{load_module: [wg], listen: []}"
#define EINHEIT "the control socket is a unix socket and needs no setting"
#define BUFFERS "buffers are sized as they are needed"
#define LEVEL2 "direct paths are the business of clients"
#define LINKS "relays of HD are not linked in this version"
#define DIRECT "HD's packets always go through the relay"
#define LOG "`log` has every login and every end, and `hdctl events` shows them"
#define NONE "there is no audit log"
#define ROTATED "logrotate(8) turns `audit.file`, as it does the log"
#define FLEET "there are no fleets in this version"

const struct hd_old_key hd_old_keys[] = {
	{ .key = "mode", .value = "derp" },
	{ WG_MODE, .value = "wireguard" },
	{ WG_MODE, .value = "wg" },
	{ .key = "log_level", .to = "log.level" },
	{ .key = "buf_ring_size", .ignored = BUFFERS },
	{ .key = "buf_size", .ignored = BUFFERS },
	{ .key = "metrics.port", .module = "metrics", .keep = true },
	{ .key = "wg_relay.xdp_bpf_obj_path",
	  .ignored = "the program is part of the module" },
	{ .key = "wg_relay", .to = "wg" },
	{ .key = "level2.stun_port", .to = "stun.listen", .format = "[::]:" },
	{ .key = "level2.enabled", .ignored = LEVEL2 },
	{ .key = "level2.xdp_interface", .ignored = LEVEL2 },
	{ .key = "level2.turn.realm", .ignored = LEVEL2 },
	{ .key = "level2.turn.max_allocations", .ignored = LEVEL2 },
	{ .key = "level2.turn.default_lifetime", .ignored = LEVEL2 },
	{ .key = "einheit.ctl_endpoint", .ignored = EINHEIT },
	{ .key = "einheit.pub_endpoint", .ignored = EINHEIT },
	{ .key = "einheit.commit_log_path", .ignored = EINHEIT },

	/* HD: version 2 has no secret that all share, and no older client
	 * speaks it. So nobody may come in by what an old file says. */
	{ .key = "hd.relay_key",
	  .module = "hd",
	  .ignored =
		  "HD, version 2, has no key that all share, and older "
		  "clients do not speak it; `hd.enroll` says who may enrol" },
	{ .key = "hd.enroll_mode",
	  .value = "manual",
	  .ignored = "`hd.enroll: approved` does the same" },
	{ .key = "hd.enroll_mode",
	  .ignored = "`hd.enroll` says who may enrol" },
	{ .key = "hd.relay_id", .ignored = LINKS },
	{ .key = "hd.seed_relays", .ignored = LINKS },
	{ .key = "hd.denylist_path",
	  .refused = "write the keys' addresses into a file of keys of "
		     "`policy.rules`, with `action: deny`" },
	{ .key = "hd.peer_policy_path",
	  .refused = "write `policy.rules` instead" },
	{ .key = "hd.fleet_policy_path", .refused = FLEET },
	{ .key = "hd.audit_log_path", .value = "", .ignored = NONE },
	{ .key = "hd.audit_log_path", .to = "audit.file" },
	{ .key = "hd.audit_log_max_bytes", .ignored = ROTATED },
	{ .key = "hd.audit_log_keep", .ignored = ROTATED },
	{ .key = "hd.enrollment.max_peers",
	  .refused = "give a tenant `limits: {connections: N}` in "
		     "`policy.tenants`" },
	{ .key = "hd.enrollment.allowed_keys",
	  .refused = "write the keys' addresses into a file of keys of "
		     "`policy.rules`, with `default: deny`" },
	{ .key = "hd.enrollment.require_ip_range",
	  .refused = "write a rule with `from:` into `policy.rules`, with "
		     "`default: deny`" },
	{ .key = "hd.relay_policy.forbid_direct", .ignored = DIRECT },
	{ .key = "hd.relay_policy.forbid_relayed", .refused = DIRECT },
	{ .key = "hd.relay_policy.max_direct_peers", .ignored = DIRECT },
	{ .key = "hd.relay_policy.audit_relayed_traffic", .ignored = LOG },
	{ .key = "hd.relay_policy.default_mode", .ignored = DIRECT },
	{ .key = "hd.federation.fleet_id", .ignored = FLEET },
	{ .key = "hd.federation.accept_from", .refused = FLEET },
	{ .key = "hd.federation.reject_from", .refused = FLEET },
	{ .key = "hd.fleet_controller.url", .refused = FLEET },
	{ .key = "hd.fleet_controller.signing_pubkey_b64", .ignored = FLEET },
	{ .key = "hd.fleet_controller.client_cert", .ignored = FLEET },
	{ .key = "hd.fleet_controller.client_key", .ignored = FLEET },
	{ .key = "hd.fleet_controller.ca_bundle", .ignored = FLEET },
	{ .key = "hd.fleet_controller.bundle_cache_path", .ignored = FLEET },
	{ .key = "hd.fleet_controller.poll_interval_secs", .ignored = FLEET },
};

const size_t hd_n_old_keys = HD_ARRAY_N(hd_old_keys);
_Static_assert(HD_ARRAY_N(hd_old_keys) <= HD_OLD_KEYS_MAX, "room for names");

const char *const hd_old_sections[] = {
	"level2",
	"einheit",
	"hd.enrollment",
	"hd.relay_policy",
	"hd.federation",
	"hd.fleet_controller",
	NULL,
};
