/* SPDX-License-Identifier: MIT */
/* modules/derp/derp.c - DERP as Tailscale's clients speak it.
 * doc/reference/protocol-derp.md describes the protocol. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/log.h>
#include <hyper-derp/offer.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/tls.h>
#include <openssl/crypto.h>
#include <stdio.h>

struct derp_server *derp_server;

static const struct hd_option options[] = {
	{ .name = "home",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct derp_conf, at_home) },
	{ .name = "keepalive",
	  .type = HD_OPTION_DURATION_MS,
	  .offset = offsetof(struct derp_conf, keepalive_ms),
	  .def = "60s",
	  .min = 1000,
	  .max = 100000, /* clients give up after 120 s of silence */
	  .help = "Time between KeepAlive frames to a client; a twelfth of "
		  "it, at most 5 s, is added by chance.",
	  .live = true },
	{ .name = "keepalive_proxied",
	  .type = HD_OPTION_DURATION_MS,
	  .offset = offsetof(struct derp_conf, keepalive_proxied_ms),
	  .def = "40s",
	  .min = 1000,
	  .max = 100000,
	  .help = "The same for clients behind a proxy (no TLS here, a PROXY "
		  "header, or one of X-Forwarded-For, Forwarded and Via), if "
		  "that is less: nginx closes what is silent for 60 s, "
		  "haproxy often after 50 s.",
	  .live = true },
	{ .name = "private_key",
	  .type = HD_OPTION_SECRET_FILE,
	  .offset = offsetof(struct derp_conf, private_key),
	  .help = "File with the relay's private key, as privkey:<64 hex> or "
		  "derper's JSON. Unset: state_dir/derp.key, made at the "
		  "first start." },
	{ .name = "home",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct derp_conf, home),
	  .def = "page",
	  .help = "What a browser sees at /: page (a sentence about the "
		  "relay), blank, none (404), a URL to go to, or the absolute "
		  "path of a file.",
	  .live = true },
	{ .name = "mesh_key",
	  .type = HD_OPTION_SECRET_FILE,
	  .offset = offsetof(struct derp_conf, mesh_key),
	  .help = "File with the key that the relays of a region share: 64 "
		  "hexadecimal digits, as derper's -mesh-psk-file. A relay "
		  "that logs in with it is told which clients are here, brings "
		  "packets for them, may close them, and is asked by no rule. "
		  "Unset: no relay may." },
	HD_OPTION_END,
};

#define ROW(field, name, labels, help)                                         \
	HD_METRIC(struct derp_numbers, field, name, labels, help)
#define PACKETS "hyper_derp_derp_packets_received_total"
#define PACKETS_HELP "Packets from DERP clients"
#define BYTES "hyper_derp_derp_packet_bytes_received_total"
#define BYTES_HELP "Bytes of packets from DERP clients"
#define FORWARDED "hyper_derp_derp_mesh_packets_received_total"
#define FORWARDED_HELP "Packets that other relays have brought"
#define FORWARDED_BYTES "hyper_derp_derp_mesh_packet_bytes_received_total"
#define FORWARDED_BYTES_HELP "Bytes of packets that other relays have brought"
#define GONE "hyper_derp_derp_peer_gone_total"
#define GONE_HELP "PeerGone frames sent"
#define REFUSED "hyper_derp_derp_frames_refused_total"
#define REFUSED_HELP "Frames that closed their connection"
#define UPGRADES "hyper_derp_derp_upgrades_total"
#define UPGRADES_HELP "Connections that became DERP"
#define LOGINS "hyper_derp_derp_logins_refused_total"
#define LOGINS_HELP "Connections that became DERP but did not log in"
#define CLIENTS "hyper_derp_derp_clients"

static const struct hd_metric metrics[] = {
	ROW(packets[0], PACKETS, "kind=\"other\"", PACKETS_HELP),
	ROW(packets[1], PACKETS, "kind=\"disco\"", PACKETS_HELP),
	ROW(bytes[0], BYTES, "kind=\"other\"", BYTES_HELP),
	ROW(bytes[1], BYTES, "kind=\"disco\"", BYTES_HELP),
	ROW(pings, "hyper_derp_derp_pings_total", NULL, "Pings from clients"),
	ROW(keep_alives, "hyper_derp_derp_keep_alives_total", NULL,
	    "KeepAlive frames sent"),
	ROW(gone_disconnected, GONE, "reason=\"disconnected\"", GONE_HELP),
	ROW(gone_not_here, GONE, "reason=\"not_here\"", GONE_HELP),
	ROW(forwarded[0], FORWARDED, "kind=\"other\"", FORWARDED_HELP),
	ROW(forwarded[1], FORWARDED, "kind=\"disco\"", FORWARDED_HELP),
	ROW(forwarded_bytes[0], FORWARDED_BYTES, "kind=\"other\"",
	    FORWARDED_BYTES_HELP),
	ROW(forwarded_bytes[1], FORWARDED_BYTES, "kind=\"disco\"",
	    FORWARDED_BYTES_HELP),
	ROW(presence, "hyper_derp_derp_mesh_presence_total", NULL,
	    "PeerPresent and PeerGone frames to other relays that watch"),
	ROW(peers_closed, "hyper_derp_derp_mesh_peers_closed_total", NULL,
	    "ClosePeer frames from other relays"),
	ROW(mesh_peers, "hyper_derp_derp_mesh_peers", NULL,
	    "Other relays connected to this one"),
	ROW(unknown_frames, "hyper_derp_derp_frames_unknown_total", NULL,
	    "Frames that were skipped: of an unknown type, or not "
	    "for a server to receive"),
	ROW(refused_length, REFUSED, "reason=\"length\"", REFUSED_HELP),
	ROW(refused_privileged, REFUSED, "reason=\"privileged\"", REFUSED_HELP),
	ROW(upgrades_tcp, UPGRADES, "transport=\"tcp\"", UPGRADES_HELP),
	ROW(upgrades_websocket, UPGRADES, "transport=\"websocket\"",
	    UPGRADES_HELP),
	ROW(logins_refused[DERP_REFUSED_FRAME], LOGINS, "reason=\"frame\"",
	    LOGINS_HELP),
	ROW(logins_refused[DERP_REFUSED_KEY], LOGINS, "reason=\"key\"",
	    LOGINS_HELP),
	ROW(logins_refused[DERP_REFUSED_BOX], LOGINS, "reason=\"box\"",
	    LOGINS_HELP),
	ROW(logins_refused[DERP_REFUSED_JSON], LOGINS, "reason=\"json\"",
	    LOGINS_HELP),
	ROW(logins_refused[DERP_REFUSED_TIMEOUT], LOGINS, "reason=\"timeout\"",
	    LOGINS_HELP),
	ROW(logins_refused[DERP_REFUSED_DENIED], LOGINS, "reason=\"denied\"",
	    LOGINS_HELP),
	ROW(clients, CLIENTS, NULL, "DERP clients connected"),
	ROW(clients_home, CLIENTS "_home", NULL,
	    "DERP clients that have this relay as their home"),
	ROW(clients_not_ideal, CLIENTS "_not_ideal", NULL,
	    "DERP clients that would rather be on another node"),
	HD_METRIC_END,
};

static void switching_make(struct derp_server *server)
{
	int n = snprintf(server->switching, sizeof(server->switching),
			 "HTTP/1.1 101 Switching Protocols\r\n"
			 "Upgrade: DERP\r\n"
			 "Connection: Upgrade\r\n"
			 "Derp-Version: %d\r\n"
			 "Derp-Public-Key: %s\r\n"
			 "\r\n",
			 DERP_VERSION, server->public_hex);

	hd_assert(n > 0 && (size_t)n < sizeof(server->switching));
	server->switching_len = (size_t)n;
}

static int meta_cert_add(struct hd_module *mod, struct hd_error *err)
{
	uint8_t *der;
	int n = derp_meta_cert_make(derp_server, &der, err);

	if (n < 0)
		return n;
	n = hd_tls_chain_append(mod, der, (size_t)n, err);
	OPENSSL_free(der);
	return n;
}

static void derp_unload(struct hd_module *mod)
{
	(void)mod;
	derp_shared_keys_end();
	hd_secret_free(derp_server);
	derp_server = NULL;
}

static int server_make(struct hd_module *mod, struct hd_error *err)
{
	const struct derp_conf *conf = hd_module_conf(mod);
	int r;

	derp_server = hd_secret_alloc(sizeof(*derp_server));
	if (derp_server == NULL || !derp_shared_keys_start())
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = derp_server_key_load(derp_server, &conf->private_key, err);
	if (r < 0)
		return r;
	r = derp_mesh_key_load(derp_server, &conf->mesh_key, err);
	if (r < 0)
		return r;
	switching_make(derp_server);
	hd_log_notice("derp: relay key %s", derp_server->public_hex);
	return 0;
}

static void run_info(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	hd_out_open(call, NULL, '{');
	hd_out_key(call, "key", &derp_server->id.public_key);
	hd_out_uint(call, "version", DERP_VERSION);
	hd_out_close(call);
}

static const struct hd_command info_command = {
	.words = "derp info",
	.help = "the relay's key, as its clients know it",
	.run = run_info,
};

static int derp_check(struct hd_module *mod, const void *conf,
		      struct hd_error *err)
{
	(void)mod;
	return derp_home_check(conf, err);
}

static int derp_load(struct hd_module *mod, struct hd_error *err)
{
	int r;

	if (sodium_init() < 0)
		return hd_error_set(err, -ENOTSUP, "libsodium does not start");
	r = server_make(mod, err);
	if (r == 0)
		r = hd_offer(mod, DERP_IDENTITY, &derp_server->id,
			     sizeof(derp_server->id), err);
	if (r == 0)
		r = meta_cert_add(mod, err);
	if (r == 0)
		r = derp_routes_add(mod, err);
	if (r == 0)
		r = hd_command_add(mod, &info_command, err);
	if (r < 0)
		derp_unload(mod);
	return r;
}

#define REASON(row, name) [row] = { .word = name, .like = HD_CLOSE_PROTOCOL }

static const struct hd_close_reason reasons[] = {
	REASON(DERP_REASON_LOGIN_FRAME, "login_frame"),
	REASON(DERP_REASON_LOGIN_KEY, "login_key"),
	REASON(DERP_REASON_LOGIN_BOX, "login_box"),
	REASON(DERP_REASON_LOGIN_JSON, "login_json"),
	REASON(DERP_REASON_FRAME_LENGTH, "frame_length"),
	REASON(DERP_REASON_FRAME_PRIVILEGED, "frame_privileged"),
	HD_CLOSE_REASON_END,
};

HD_MODULE(derp, .version = "1.0", .licence = "MIT",
	  .summary = "DERP, as Tailscale's clients speak it",
	  .state_version = 3, .flags = HD_MODULE_UPGRADES,
	  .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct derp_numbers),
	  .conf_size = sizeof(struct derp_conf), .reasons = reasons,
	  .check = derp_check, .load = derp_load, .unload = derp_unload);
