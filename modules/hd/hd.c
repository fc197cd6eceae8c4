/* SPDX-License-Identifier: MIT */
/* modules/hd/hd.c - HD: packets to public keys, for everybody who is not
 * Tailscale. doc/reference/protocol-hd.md describes the protocol. */
#include "modules/hd/addresses.h"
#include "modules/hd/commands.h"
#include "modules/hd/owed.h"
#include "modules/hd/redirect.h"
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/log.h>
#include <hyper-derp/offer.h>
#include <hyper-derp/secret.h>
#include <string.h>

struct hdp_relay *hdp_relay;
struct hdp_groups *hdp_groups;

static const char *const who_choices[] = { "nobody", "invited", "approved",
					   "anybody", NULL };

static const struct hd_option options[] = {
	{ .name = "enroll",
	  .type = HD_OPTION_CHOICE,
	  .offset = offsetof(struct hdp_conf, enroll),
	  .def = "invited",
	  .choices = who_choices,
	  .help = "Who may enrol: nobody; invited, who has an invitation or a "
		  "credential, or has been approved; approved, others too, "
		  "who then wait for \"hdctl hd approve\"; anybody who proves "
		  "a key. Rules of the module policy hold for all of them.",
	  .live = true },
	{ .name = "approval_wait",
	  .type = HD_OPTION_DURATION_MS,
	  .offset = offsetof(struct hdp_conf, approval_ms),
	  .def = "5m",
	  .min = 1000,
	  .max = 3600000,
	  .help = "How long a client may wait to be approved, in place of "
		  "login_timeout. Who is approved later comes in when it "
		  "connects again.",
	  .live = true },
	{ .name = "operators",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct hdp_conf, at_operators) },
	{ .name = "redirect",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct hdp_conf, at_redirect) },
	{ .name = "private_key",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct hdp_conf, at_private_key) },
	{ .name = "operator_key",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct hdp_conf, at_operator_key) },
	{ .name = "operators",
	  .type = HD_OPTION_LIST,
	  .offset = offsetof(struct hdp_conf, operators),
	  .max = HDP_OPERATORS_MAX,
	  .help = "Identities (hd1...) whose credentials are taken, beside "
		  "those of this relay's own operator_key: \"hdctl hd info\" "
		  "of another relay shows its operator.",
	  .live = true },
	{ .name = "redirect",
	  .type = HD_OPTION_LIST,
	  .offset = offsetof(struct hdp_conf, redirect),
	  .max = HDP_REDIRECTS_MAX,
	  .help = "Other relays, as HOST or HOST:PORT: when this one drains, "
		  "each client is sent to one of them.",
	  .live = true },
	{ .name = "redirect_rules",
	  .type = HD_OPTION_ENTRIES,
	  .offset = offsetof(struct hdp_conf, redirect_rules),
	  .max = HDP_RULES_MAX,
	  .entry = hdp_redirect_rule_options,
	  .entry_size = sizeof(struct hdp_redirect_rule),
	  .help = "Clients that belong to other relays, and are told so when "
		  "they have logged in: the first rule counts of which all "
		  "that it names matches.",
	  .live = true },
	{ .name = "keepalive",
	  .type = HD_OPTION_DURATION_MS,
	  .offset = offsetof(struct hdp_conf, keepalive_ms),
	  .def = "50s",
	  .min = 1000,
	  .max = 600000,
	  .help = "Time between KeepAlive frames to a client.",
	  .live = true },
	{ .name = "contacts_max",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct hdp_conf, contacts_max),
	  .def = "4096",
	  .min = 1,
	  .max = 32768,
	  .help = "How many others a client may allow to send to it, on one "
		  "connection; each costs the relay 42 to 84 bytes.",
	  .live = true },
	{ .name = "bridge",
	  .type = HD_OPTION_BOOL,
	  .offset = offsetof(struct hdp_conf, bridge),
	  .def = "no",
	  .help = "Let HD clients and DERP clients exchange packets: the "
		  "former are in DERP's realm, by their X25519 keys. All "
		  "relays of a mesh should say the same." },
	{ .name = "private_key",
	  .type = HD_OPTION_SECRET_FILE,
	  .offset = offsetof(struct hdp_conf, private_key),
	  .help = "File with the seed of the relay's key, as hdseed:<64 hex>. "
		  "Unset: state_dir/hd.key, made at the first start." },
	{ .name = "operator_key",
	  .type = HD_OPTION_SECRET_FILE,
	  .offset = offsetof(struct hdp_conf, operator_key),
	  .help = "The same of the key that signs credentials. Unset: "
		  "state_dir/hd.operator.key." },
	{ .name = "udp",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct hdp_conf, udp),
	  .help = "UDP address and port for packets, as [::]:3479: clients "
		  "that are reached by it use it beside their TCP connection. "
		  "See udp_port where a NAT is in between. Unset: TCP only." },
	{ .name = "udp_port",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct hdp_conf, udp_port),
	  .def = "0",
	  .max = 65535,
	  .help = "The UDP port that clients are told, where a NAT in front "
		  "of the relay has another one for it than udp says; at the "
		  "address that they have connected to. 0: that of udp.",
	  .live = true },
	HD_OPTION_END,
};

#define ROW(field, name, labels, help)                                         \
	HD_METRIC(struct hdp_numbers, field, "hyper_derp_hd_" name, labels,    \
		  help)
#define DROPPED "packets_dropped_total"
#define DROPPED_HELP "Packets of HD clients that went nowhere"
#define REFUSED "enrolments_refused_total"
#define REFUSED_HELP "Connections that became HD but did not log in"

#define UDP_DROPPED(why, reason)                                               \
	ROW(udp_dropped[why], "udp_dropped_total", "reason=\"" reason "\"",    \
	    "Datagrams to the HD port that were dropped")

static const struct hd_metric metrics[] = {
	ROW(packets_in, "packets_received_total", NULL,
	    "Packets from HD clients"),
	ROW(packet_bytes_in, "packet_bytes_received_total", NULL,
	    "Bytes of packets from HD clients"),
	ROW(packets_no_handle, DROPPED, "reason=\"handle\"", DROPPED_HELP),
	ROW(packets_not_allowed, DROPPED, "reason=\"not_allowed\"",
	    DROPPED_HELP),
	ROW(knocks, "knocks_total", NULL, "Knocks that went their way"),
	ROW(knocks_dropped, "knocks_dropped_total", NULL,
	    "Knocks too many, or of no contact, or at who wants none"),
	ROW(group_copies, "group_copies_total", NULL,
	    "Copies of packets to a group, one for each of its members"),
	ROW(group_copies_dropped, "group_copies_dropped_total", NULL,
	    "Copies that the sender's limits did not allow"),
	ROW(groups_full, "groups_full_total", NULL,
	    "Clients that found no place in their group"),
	ROW(visitors, "visitors_total", NULL,
	    "DERP clients of whom HD clients were told, since they had "
	    "not allowed them"),
	ROW(unknown_frames, "frames_unknown_total", NULL,
	    "Frames of an unknown type, which were skipped"),
	ROW(refused_length, "frames_refused_total", NULL,
	    "Frames that closed their connection"),
	ROW(refused_proxy, "upgrades_refused_total", NULL,
	    "Requests for HD on connections that can prove nobody: plain, TLS "
	    "1.2, or through a proxy that ends TLS"),
	ROW(enrolls_refused[HDP_REFUSED_FRAME], REFUSED, "reason=\"frame\"",
	    REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_VERSION], REFUSED, "reason=\"version\"",
	    REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_IDENTITY], REFUSED,
	    "reason=\"identity\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_SIGNATURE], REFUSED,
	    "reason=\"signature\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_WELCOME], REFUSED,
	    "reason=\"not_open\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_PROOFS], REFUSED, "reason=\"proofs\"",
	    REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_OPERATOR], REFUSED,
	    "reason=\"credential_operator\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_EXPIRED], REFUSED,
	    "reason=\"credential_expired\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_SUBJECT], REFUSED,
	    "reason=\"credential_subject\"", REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_DENIED], REFUSED, "reason=\"denied\"",
	    REFUSED_HELP),
	ROW(enrolls_refused[HDP_REFUSED_TIMEOUT], REFUSED, "reason=\"timeout\"",
	    REFUSED_HELP),
	ROW(clients, "clients", NULL, "HD clients connected"),
	ROW(contacts, "contacts", NULL,
	    "Others that HD clients allow to send to them"),
	ROW(udp_packets_in, "udp_packets_received_total", NULL,
	    "Those of the packets from HD clients that came by UDP"),
	ROW(udp_packets_out, "udp_packets_sent_total", NULL,
	    "Packets to HD clients that went by UDP"),
	UDP_DROPPED(HDP_UDP_DROP_SHAPE, "shape"),
	UDP_DROPPED(HDP_UDP_DROP_UNKNOWN, "unknown"),
	UDP_DROPPED(HDP_UDP_DROP_FORGED, "forged"),
	UDP_DROPPED(HDP_UDP_DROP_REPLAY, "replay"),
	UDP_DROPPED(HDP_UDP_DROP_LIMIT, "limit"),
	UDP_DROPPED(HDP_UDP_DROP_BUSY, "busy"),
	ROW(paths_found, "udp_paths_found_total", NULL,
	    "Addresses of HD clients that answered by UDP"),
	ROW(paths_lost, "udp_paths_lost_total", NULL,
	    "Of those, that answered no more: packets went on by TCP"),
	ROW(paths, "udp_clients", NULL,
	    "HD clients whose packets go by UDP now"),
	HD_METRIC_END,
};

static void unload(struct hd_module *mod)
{
	(void)mod;
	hdp_people_clear();
	hdp_groups_drop(hdp_groups);
	hdp_groups = NULL;
	hd_secret_free(hdp_relay);
	hdp_relay = NULL;
}

static int relay_make(struct hd_module *mod, struct hd_error *err)
{
	const struct hdp_conf *conf = hd_module_conf(mod);
	int r;

	hdp_groups = hdp_groups_new();
	hdp_relay = hd_secret_alloc(sizeof(*hdp_relay));
	if (hdp_relay == NULL || hdp_groups == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hdp_relay->realm = hd_realm(HDP_REALM);
	if (conf->bridge)
		hdp_relay->realm = hd_realm("");
	r = hdp_keys_load(hdp_relay, conf, err);
	if (r == 0)
		hd_log_notice("hd: relay identity %s", hdp_relay->key.text);
	return r;
}

static int commands_add(struct hd_module *mod, const struct hd_command *c,
			struct hd_error *err)
{
	int r = 0;

	for (; r == 0 && c->words != NULL; c++)
		r = hd_command_add(mod, c, err);
	return r;
}

static int operators_check(const struct hdp_conf *c, struct hd_error *err)
{
	const struct hd_list *list = &c->operators;
	uint8_t identity[HD_KEY_BYTES];

	for (size_t i = 0; i < list->n; i++)
		if (!hdp_identity_parse(list->v[i], identity))
			return hd_error_at(
				&c->at_operators, err, -EINVAL,
				"hd.operators: %s is not an "
				"identity: it begins with hd1 and has 61 "
				"characters, as \"hdctl hd info\" "
				"shows them",
				list->v[i]);
	return 0;
}

static int check(struct hd_module *mod, const void *conf, struct hd_error *err)
{
	const struct hdp_conf *c = conf;
	int r = operators_check(c, err);

	(void)mod;
	if (r == 0)
		r = hdp_keys_check(c, err);
	return r == 0 ? hdp_redirect_check(c, err) : r;
}

static int load(struct hd_module *mod, struct hd_error *err)
{
	const struct hdp_conf *conf = hd_module_conf(mod);
	int r;

	if (sodium_init() < 0)
		return hd_error_set(err, -ENOTSUP, "libsodium does not start");
	r = check(mod, conf, err);
	if (r == 0)
		r = relay_make(mod, err);
	if (r == 0)
		r = hd_offer(mod, HDP_UDP_OFFERED, &conf->udp,
			     sizeof(conf->udp), err);
	if (r == 0)
		r = hdp_people_load(err);
	if (r == 0)
		r = hdp_redirect_add(mod, err);
	if (r == 0)
		r = hdp_routes_add(mod, err);
	if (r == 0)
		r = hdp_admission_add(mod, err);
	if (r == 0)
		r = hd_hook_unknown(mod, hdp_late, err);
	if (r == 0)
		r = hd_hook_there(mod, hdp_owed_there, err);
	if (r == 0)
		r = commands_add(mod, hdp_commands, err);
	if (r == 0)
		r = commands_add(mod, hdp_people_commands, err);
	if (r < 0)
		unload(mod);
	return r;
}

/* After a reload the worker has kept those of before. */
static int start(struct hd_module *mod, struct hd_worker *w,
		 struct hd_error *err)
{
	struct hdp_worker *hw = hd_module_worker_data(mod, w);
	int r = hdp_udp_start(mod, w, err);

	if (r == 0 && hw->groups == NULL)
		hw->groups = hdp_groups_hold(hdp_groups);
	if (r == 0 && hw->addresses == NULL)
		hw->addresses = hdp_addresses_new(); /* it works without */
	return r;
}

static void stop(struct hd_module *mod, struct hd_worker *w)
{
	struct hdp_worker *hw = hd_module_worker_data(mod, w);

	if (!hd_module_kept(mod, w)) {
		hdp_groups_drop(hw->groups);
		hw->groups = NULL;
		hdp_addresses_free(&hw->addresses);
	}
	hdp_udp_stop(mod, w);
}

#define REASON(row, name) [row] = { .word = name, .like = HD_CLOSE_PROTOCOL }

static const struct hd_close_reason reasons[] = {
	REASON(HDP_REASON_ENROLL_FRAME, "enroll_frame"),
	REASON(HDP_REASON_ENROLL_VERSION, "enroll_version"),
	REASON(HDP_REASON_ENROLL_IDENTITY, "enroll_identity"),
	REASON(HDP_REASON_ENROLL_SIGNATURE, "enroll_signature"),
	[HDP_REASON_ENROLL_WELCOME] = { .word = "enroll_not_open",
					.like = HD_CLOSE_DENIED },
	REASON(HDP_REASON_FRAME_LENGTH, "frame_length"),
	[HDP_REASON_ENROLL_PROOFS] = { .word = "enroll_proofs",
				       .like = HD_CLOSE_DENIED },
	[HDP_REASON_ENROLL_CREDENTIAL] = { .word = "enroll_credential",
					   .like = HD_CLOSE_DENIED },
	HD_CLOSE_REASON_END,
};

static const struct hd_event_def events[] = {
	{ "hd.group_full", "a client has found no place in its group: packets "
			   "to that do not reach it" },
	{ .name = NULL },
};

HD_MODULE(hd, .version = "1.0", .licence = "MIT",
	  .summary = "HD: packets to public keys", .state_version = 11,
	  .flags = HD_MODULE_UPGRADES | HD_MODULE_AHEAD,
	  .upgrade = &hdp_upgrade, .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct hdp_numbers),
	  .conf_size = sizeof(struct hdp_conf), .reasons = reasons,
	  .events = events,
	  .worker_size = sizeof(struct hdp_worker),
	  .load = load, .check = check, .start = start, .stop = stop,
	  .unload = unload);
