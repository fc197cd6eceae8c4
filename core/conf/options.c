/* SPDX-License-Identifier: MIT */
/* core/conf/options.c - every option of the core, its default and what it
 * means. Parser, checks, example file, -T and manual come from here. */
#include "core/conf/conf_value.h"

#define AT(member) .offset = offsetof(struct hd_conf, member)

/* conf.h has these in full, where HD_ENTRIES_OF() fills them: an array and how
 * many. */
#define IS_PAIR(type, first, second)                                           \
	_Static_assert(offsetof(struct type, second) -                         \
				       offsetof(struct type, first) ==         \
			       sizeof(void *),                                 \
		       #first)
IS_PAIR(hd_conf, listen, n_listen);
IS_PAIR(hd_conf, load_module, n_load_module);
IS_PAIR(hd_conf, certificates, n_certificates);

static const char *const backends[] = { "auto", "io_uring", "epoll", NULL };
static const char *const ktls[] = { "auto", "on", "off", NULL };
static const char *const cryptos[] = { "auto",		"openssl",
				       "ipsec-mb",	"ipsec-mb-avx2",
				       "ipsec-mb-sse",	NULL };
static const char *const records[] = { "auto", "own", "openssl", NULL };
static const char *const formats[] = { "text", "json", NULL };
static const char *const others[] = { "refuse", "read", NULL };
static const char *const trusted[] = { "X-Forwarded-For", "X-Real-IP",
				       "Forwarded", NULL };
static const char *const levels[] = { "error", "warn",	"notice",
				      "info",  "debug", NULL };

static const struct hd_option top_options[] = {
	{ .name = "listen",
	  .type = HD_OPTION_ENTRIES,
	  AT(listen),
	  .example = "[{addr: \"[::]:443\", tls: true}, "
		     "{addr: \"[::]:80\", only: [captive_portal]}]",
	  .help = "TCP ports, instead of `port`",
	  .entry = hd_listen_options,
	  .entry_size = sizeof(struct hd_listen_conf) },
	{ .name = "load_module",
	  .type = HD_OPTION_ENTRIES,
	  AT(load_module),
	  .def = "[derp, stun]",
	  .live = true, /* it is what the next start loads */
	  .help = "modules to load",
	  .entry = hd_load_options,
	  .entry_size = sizeof(struct hd_load_conf) },
	{ .name = "workers",
	  .type = HD_OPTION_UINT,
	  AT(workers),
	  .def = "0",
	  .max = 256,
	  .unit = "threads",
	  .help = "threads that serve connections; 0: one per CPU that the "
		  "process may use" },
	{ .name = "pin_cores",
	  .type = HD_OPTION_LIST,
	  AT(pin_cores),
	  .def = "[]",
	  .help = "CPU of the first worker, of the second, and so on; empty: "
		  "not pinned" },
	{ .name = "event_backend",
	  .type = HD_OPTION_CHOICE,
	  AT(event_backend),
	  .def = "auto",
	  .choices = backends,
	  .help = "how workers wait; auto: io_uring where the kernel allows "
		  "it, else epoll" },
	{ .name = "sqpoll",
	  .type = HD_OPTION_BOOL,
	  AT(sqpoll),
	  .def = "false",
	  .help = "let a kernel thread submit for io_uring: spends a CPU to "
		  "save system calls" },
	{ .name = "coalesce_usecs",
	  .type = HD_OPTION_UINT,
	  AT(coalesce_us),
	  .def = "250",
	  .max = 1000,
	  .unit = "us",
	  .live = true,
	  .help = "how far apart a busy worker may hold its turns, so that "
		  "each finds more; 0: always take the first event" },
	{ .name = "trusted_proxies",
	  .type = HD_OPTION_LIST,
	  AT(trusted_proxies),
	  .def = "[]",
	  .max = HD_PROXIES_MAX,
	  .live = true,
	  .help = "addresses or prefixes of HTTP proxies: `trusted_header` "
		  "from them says whose a request is" },
	{ .name = "trusted_header",
	  .type = HD_OPTION_CHOICE,
	  AT(trusted_header),
	  .def = "X-Forwarded-For",
	  .choices = trusted,
	  .live = true,
	  .help = "the header that `trusted_proxies` set; others are not "
		  "read, for proxies pass on what clients write there" },
	{ .name = "sockbuf",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(sockbuf_bytes),
	  .def = "0",
	  .max = 268435456,
	  .help = "socket buffers of each connection, each way; 0: the "
		  "kernel sizes them" },
	{ .name = "tcp_congestion",
	  .type = HD_OPTION_STRING,
	  AT(tcp_congestion),
	  .def = "auto",
	  .help = "congestion control of each connection, by its name: cubic, "
		  "bbr; auto: bbr for those that are far and lose packets, for "
		  "others what the kernel has chosen; kernel: that for all" },
	{ .name = "max_accept_rate",
	  .type = HD_OPTION_UINT,
	  AT(max_accept_rate),
	  .def = "0",
	  .max = 1000000,
	  .unit = "connections/s",
	  .live = true,
	  .help = "new connections per second, of all workers and listeners "
		  "together; further ones wait; 0: no limit" },
	{ .name = "max_connections_per_address",
	  .type = HD_OPTION_UINT,
	  AT(address_connections),
	  .def = "0",
	  .max = 1000000,
	  .live = true,
	  .help = "connections that one address may have at once; further "
		  "ones are closed; 0: any number" },
	{ .name = "max_accept_rate_per_address",
	  .type = HD_OPTION_UINT,
	  AT(address_rate),
	  .def = "0",
	  .max = 1000000,
	  .unit = "connections/s",
	  .live = true,
	  .help = "new connections, and so logins, per second of one address; "
		  "a second's worth, 10 at least, may come at once; further "
		  "ones are closed; 0: no limit" },
	{ .name = "address_prefix_ipv6",
	  .type = HD_OPTION_UINT,
	  AT(address_bits),
	  .def = "64",
	  .min = 1,
	  .max = 128,
	  .unit = "bits",
	  .live = true,
	  .help = "IPv6 clients whose addresses begin with so many same bits "
		  "are one address for the limits above" },
	{ .name = "peer_rate_limit",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(peer_rate_limit),
	  .def = "0",
	  .unit = "bytes/s",
	  .live = true,
	  .help = "bytes per second that are read from each peer, from all "
		  "connections of its key together; 0: no limit" },
	{ .name = "relay_rate_limit",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(relay_rate_limit),
	  .def = "0",
	  .unit = "bytes/s",
	  .live = true,
	  .help = "bytes per second that are read from all peers together, of "
		  "each the same; 0: no limit" },
	{ .name = "login_timeout",
	  .type = HD_OPTION_DURATION_MS,
	  AT(login_timeout_ms),
	  .def = "10s",
	  .min = 1000,
	  .max = 600000,
	  .live = true,
	  .help = "from accept to admitted; slower connections are closed" },
	{ .name = "write_timeout",
	  .type = HD_OPTION_DURATION_MS,
	  AT(write_timeout_ms),
	  .def = "2s",
	  .min = 100,
	  .max = 600000,
	  .live = true,
	  .help = "a peer that takes not one byte for so long is closed" },
	{ .name = "drain_time",
	  .type = HD_OPTION_DURATION_MS,
	  AT(drain_time_ms),
	  .def = "30s",
	  .max = 3600000,
	  .live = true,
	  .help = "from the first sign of a drain until peers are closed" },
	{ .name = "output_limit",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(output_limit_bytes),
	  .def = "256KiB",
	  .min = HD_OUTPUT_LIMIT_MIN_BYTES,
	  .max = 67108864,
	  .live = true,
	  .help = "packets that wait for one slow peer; beyond it and "
		  "output_packets the oldest are dropped" },
	{ .name = "output_packets",
	  .type = HD_OPTION_UINT,
	  AT(output_packets),
	  .def = "32",
	  .max = 1024,
	  .unit = "packets",
	  .live = true,
	  .help = "so many may wait whatever their size, as long as all that "
		  "takes in a worker is below 32 MiB" },
	{ .name = "urgent_limit",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(urgent_limit_bytes),
	  .def = "16KiB",
	  .min = 4096,
	  .max = 1048576,
	  .live = true,
	  .help = "the same for the small packets that find direct paths" },
	{ .name = "module_path",
	  .type = HD_OPTION_LIST,
	  AT(module_path),
	  .def = "[" HD_MODULE_DIR "]",
	  .live = true,
	  .help = "folders where modules are looked for, in order" },
	{ .name = "state_dir",
	  .type = HD_OPTION_PATH,
	  AT(state_dir),
	  .def = "/var/lib/hyper-derp",
	  .help = "what outlives the process: the relay's keys" },
	{ .name = "user",
	  .type = HD_OPTION_STRING,
	  AT(user),
	  .help = "user to switch to after the ports are open" },
	{ .name = "group",
	  .type = HD_OPTION_STRING,
	  AT(group),
	  .help = "which group to become a member of; default: the user's" },
	{ .name = "core_dumps",
	  .type = HD_OPTION_BOOL,
	  AT(core_dumps),
	  .def = "off",
	  .help = "allow core dumps and debuggers; keys are left out of "
		  "dumps either way" },
	HD_OPTION_END,
};

static const struct hd_option tls_options[] = {
	{ .name = "certificates",
	  .type = HD_OPTION_ENTRIES,
	  AT(certificates),
	  .example = "[{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}]",
	  .live = true,
	  .help = "chosen by the name that the client asks for; the first "
		  "answers everybody else; none by default",
	  .entry = hd_cert_options,
	  .entry_size = sizeof(struct hd_cert_files) },
	{ .name = "self_signed",
	  .type = HD_OPTION_BOOL,
	  AT(self_signed),
	  .def = "false",
	  .live = true,
	  .help = "without a certificate, serve one that the first start "
		  "makes in state_dir; clients need its pin: hdctl derpmap" },
	{ .name = "ktls",
	  .type = HD_OPTION_CHOICE,
	  AT(ktls),
	  .def = "auto",
	  .choices = ktls,
	  .help = "let the kernel encrypt; auto: where it can" },
	{ .name = "record_layer",
	  .type = HD_OPTION_CHOICE,
	  AT(record_layer),
	  .def = "auto",
	  .choices = records,
	  .help = "who encrypts after the handshake; auto: ours, and OpenSSL "
		  "for what ours does not speak" },
	{ .name = "crypto",
	  .type = HD_OPTION_CHOICE,
	  AT(crypto),
	  .def = "auto",
	  .choices = cryptos,
	  .help = "whose AES-GCM and ChaCha20 our records take; auto: "
		  "ipsec-mb's where it is built in and this processor makes it "
		  "faster; -avx2, -sse: its code for older processors" },
	HD_OPTION_END,
};

static const struct hd_option log_options[] = {
	{ .name = "target",
	  .type = HD_OPTION_PATH,
	  AT(log_target),
	  .def = "stderr",
	  .help = "stderr, or the path of a file" },
	{ .name = "format",
	  .type = HD_OPTION_CHOICE,
	  AT(log_format),
	  .def = "text",
	  .choices = formats,
	  .help = "lines of text or of JSON" },
	{ .name = "level",
	  .type = HD_OPTION_CHOICE,
	  AT(log_level),
	  .def = "info",
	  .choices = levels,
	  .live = true,
	  .help = "the least urgent lines that are written; `log_level` is "
		  "the short form" },
	HD_OPTION_END,
};

static const struct hd_option audit_options[] = {
	{ .name = "file",
	  .type = HD_OPTION_PATH,
	  AT(audit_file),
	  .help = "what operators and rules did, a line of JSON each, as "
		  "/var/log/hyper-derp/audit.log; `hdctl audit` reads it; "
		  "none by default" },
	HD_OPTION_END,
};

static const struct hd_option control_options[] = {
	{ .name = "socket",
	  .type = HD_OPTION_PATH,
	  AT(control_socket),
	  .help = "unix socket where hdctl asks; default: "
		  "/run/hyper-derp/control.sock, with --dev control.sock in "
		  "state_dir" },
	{ .name = "group",
	  .type = HD_OPTION_STRING,
	  AT(control_group),
	  .help = "whose members may operate the relay; default: hyper-derp, "
		  "if there is such a group" },
	{ .name = "others",
	  .type = HD_OPTION_CHOICE,
	  AT(control_others),
	  .def = "refuse",
	  .choices = others,
	  .help = "what all other users may do; root and the relay's own user "
		  "may do everything" },
	HD_OPTION_END,
};

const struct hd_core_section hd_core_sections[] = {
	{ NULL, top_options },	{ "tls", tls_options },
	{ "log", log_options }, { "audit", audit_options },
	{ "control", control_options },
	{ NULL, NULL },
};

/* Rows for what conf_list.c and conf_merge.c read. */
static const struct hd_option special_top[] = {
	{ .name = "include",
	  .type = HD_OPTION_LIST,
	  .def = "[" HD_DEFAULT_INCLUDE "]",
	  .help = "more files, as paths or patterns, relative to this file's "
		  "folder; their lists are appended to those here; [] is "
		  "none" },
	{ .name = "port",
	  .type = HD_OPTION_UINT,
	  .def = "3340",
	  .min = 1,
	  .max = 65535,
	  .help = "short form of `listen: [{addr: \"[::]:3340\"}]`, with TLS "
		  "if a certificate is set" },
	{ .name = "tls_cert",
	  .type = HD_OPTION_PATH,
	  .example = HD_SYSCONF_DIR "/hyper-derp/tls/NAME.crt",
	  .help = "short form of one entry in tls.certificates: PEM, the "
		  "whole chain; none by default" },
	{ .name = "tls_key",
	  .type = HD_OPTION_PATH,
	  .example = HD_SYSCONF_DIR "/hyper-derp/tls/NAME.key",
	  .help = "its private key" },
	{ .name = "log_level",
	  .type = HD_OPTION_STRING,
	  .def = "info",
	  .help = "short form of log.level" },
	HD_OPTION_END,
};

const struct hd_core_section hd_special_sections[] = {
	{ NULL, special_top },
	{ NULL, NULL },
};

const struct hd_option hd_port_option = {
	.name = "port", .type = HD_OPTION_UINT, .min = 1, .max = 65535
};
