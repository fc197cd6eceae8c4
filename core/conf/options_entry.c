/* SPDX-License-Identifier: MIT */
/* core/conf/options_entry.c - the options of an entry in the core's lists:
 * listeners, modules to load, certificates. The lists are in options.c. */
#include "core/conf/conf_value.h"

#define AT_OF(type, member) .offset = offsetof(struct type, member)

/* HD_OPTION_PLACE fills a file and a line. */
#define IS_PLACE(type, file, line)                                             \
	_Static_assert(offsetof(struct type, line) -                           \
				       offsetof(struct type, file) ==          \
			       sizeof(void *),                                 \
		       #file)
IS_PLACE(hd_listen_conf, file, line);
IS_PLACE(hd_load_conf, file, line);
IS_PLACE(hd_cert_files, file, line);
IS_PLACE(hd_cert_files, key_file, key_line);

const struct hd_option hd_listen_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, AT_OF(hd_listen_conf, file) },
	{ .name = "proxy_protocol",
	  .type = HD_OPTION_PLACE,
	  AT_OF(hd_listen_conf, at_proxies) },
	{ .name = "only",
	  .type = HD_OPTION_PLACE,
	  AT_OF(hd_listen_conf, at_only) },
	{ .name = "addr",
	  .type = HD_OPTION_ADDR,
	  AT_OF(hd_listen_conf, addr),
	  .required = true,
	  .bare = true,
	  .help = "address and port" },
	{ .name = "tls",
	  .type = HD_OPTION_BOOL,
	  AT_OF(hd_listen_conf, tls),
	  .def = "false",
	  .help = "whether clients speak TLS" },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  AT_OF(hd_listen_conf, name),
	  .help = "for modules that serve one port only" },
	{ .name = "protocol",
	  .type = HD_OPTION_STRING,
	  AT_OF(hd_listen_conf, protocol),
	  .help = "http, or what a module speaks from the first byte" },
	{ .name = "proxy_protocol",
	  .type = HD_OPTION_LIST,
	  AT_OF(hd_listen_conf, proxy_protocol),
	  .min = 1,
	  .max = HD_PROXIES_MAX,
	  .help = "addresses or prefixes of proxies: each connection begins "
		  "with a PROXY header, and nobody else may connect" },
	{ .name = "only",
	  .type = HD_OPTION_LIST,
	  AT_OF(hd_listen_conf, only_names),
	  .min = 1,
	  .max = 8,
	  .help = "serves these pages and nothing else, no relaying: "
		  "captive_portal, acme" },
	HD_OPTION_END,
};

const struct hd_option hd_load_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, AT_OF(hd_load_conf, file) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  AT_OF(hd_load_conf, name),
	  .required = true,
	  .bare = true,
	  .help = "a name, or an absolute path" },
	{ .name = "optional",
	  .type = HD_OPTION_BOOL,
	  AT_OF(hd_load_conf, optional),
	  .def = "false",
	  .help = "skip it if it cannot be loaded" },
	HD_OPTION_END,
};

const struct hd_option hd_cert_options[] = {
	{ .name = "cert", .type = HD_OPTION_PLACE, AT_OF(hd_cert_files, file) },
	{ .name = "key",
	  .type = HD_OPTION_PLACE,
	  AT_OF(hd_cert_files, key_file) },
	{ .name = "cert",
	  .type = HD_OPTION_PATH,
	  AT_OF(hd_cert_files, cert),
	  .required = true,
	  .help = "PEM, the whole chain" },
	{ .name = "key",
	  .type = HD_OPTION_PATH,
	  AT_OF(hd_cert_files, key),
	  .required = true,
	  .help = "its private key" },
	HD_OPTION_END,
};

/* `tls_cert` and `tls_key`: one certificate. */
const struct hd_option hd_short_cert_options[] = {
	{ .name = "tls_cert",
	  .type = HD_OPTION_PLACE,
	  AT_OF(hd_cert_files, file) },
	{ .name = "tls_key",
	  .type = HD_OPTION_PLACE,
	  AT_OF(hd_cert_files, key_file) },
	{ .name = "tls_cert",
	  .type = HD_OPTION_PATH,
	  AT_OF(hd_cert_files, cert) },
	{ .name = "tls_key",
	  .type = HD_OPTION_PATH,
	  AT_OF(hd_cert_files, key) },
	HD_OPTION_END,
};
