/* SPDX-License-Identifier: MIT */
/* modules/fallback/fallback.c - one port for a relay and a web server: TLS for
 * the server's names is passed on as it is, and so are requests, after the
 * relay's TLS, for paths that no module serves.
 *
 *   ClientHello --a name of sni--> the server, bytes unchanged
 *        `--another--> the relay's TLS --> a path that is served --> its module
 *                                             `--another--> the server of http
 */
#include "modules/fallback/fallback.h"
#include <hyper-derp/hook.h>
#include <errno.h>
#include <string.h>

#define STATE_VERSION 1

/* ---- options ---- */

static const char *const versions[] = { "none", "v1", "v2", NULL };

#define PROXY_PROTOCOL(conf)                                                   \
	{                                                                      \
		.name = "proxy_protocol", .type = HD_OPTION_CHOICE,            \
		.offset = offsetof(struct conf, version), .def = "none",       \
		.choices = versions,                                           \
		.help = "begin with a PROXY header of this version, which "    \
			"names the client"                                     \
	}

#define HTTP(field) .offset = offsetof(struct fallback_http_conf, field)
static const struct hd_option http_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, HTTP(at) },
	{ .name = "to", .type = HD_OPTION_PLACE, HTTP(at_to) },
	{ .name = "to",
	  .type = HD_OPTION_STRING,
	  HTTP(to),
	  .required = true,
	  .bare = true,
	  .help = "the web server, which speaks HTTP/1.1 without TLS: host and "
		  "port, or unix: and the path of a socket" },
	PROXY_PROTOCOL(fallback_http_conf),
	{ .name = "paths",
	  .type = HD_OPTION_LIST,
	  HTTP(paths),
	  .def = "[/, /robots.txt]",
	  .max = 64,
	  .help = "paths that go to the server although a module serves them; "
		  "never those where clients of the relay log in" },
	HD_OPTION_END,
};

#define SNI(field) .offset = offsetof(struct fallback_sni_conf, field)
static const struct hd_option sni_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, SNI(at) },
	{ .name = "to", .type = HD_OPTION_PLACE, SNI(at_to) },
	{ .name = "name", .type = HD_OPTION_PLACE, SNI(at_name) },
	{ .name = "name",
	  .type = HD_OPTION_LIST,
	  SNI(name),
	  .required = true,
	  .min = 1,
	  .max = 64,
	  .example = "[www.example.com]",
	  .help = "names that browsers ask for; *.example.com is every name "
		  "below that one" },
	{ .name = "to",
	  .type = HD_OPTION_STRING,
	  SNI(to),
	  .required = true,
	  .example = "\"127.0.0.1:8443\"",
	  .help = "the web server, which has TLS and its own certificate: host "
		  "and port, or unix: and the path of a socket" },
	PROXY_PROTOCOL(fallback_sni_conf),
	HD_OPTION_END,
};

#define CONF(field) .offset = offsetof(struct fallback_conf, field)
static const struct hd_option options[] = {
	{ .name = "http",
	  .type = HD_OPTION_ENTRIES,
	  CONF(http),
	  .def = "[]",
	  .max = 1,
	  .live = true,
	  .entry = http_options,
	  .entry_size = sizeof(struct fallback_http_conf),
	  .help = "who gets requests that no module serves, after the relay's "
		  "TLS or on a listener without" },
	{ .name = "sni",
	  .type = HD_OPTION_ENTRIES,
	  CONF(sni),
	  .def = "[]",
	  .live = true,
	  .entry = sni_options,
	  .entry_size = sizeof(struct fallback_sni_conf),
	  .help = "who gets TLS connections for other names, as they are: the "
		  "first entry that has the name" },
	{ .name = "connect_timeout",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(connect_timeout_ms),
	  .def = "5s",
	  .min = 100,
	  .max = 60000,
	  .live = true,
	  .help = "how long a server may take to be there" },
	{ .name = "idle_timeout",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(idle_timeout_ms),
	  .def = "10m",
	  .min = 1000,
	  .max = 86400000,
	  .live = true,
	  .help = "a connection without a byte for so long is closed" },
	HD_OPTION_END,
};

/* ---- numbers ---- */

#define ROW(field, name, help)                                                 \
	HD_METRIC(struct fallback_numbers, field,                              \
		  "hyper_derp_fallback_" name, NULL, help)
#define ROW_OF(field, name, labels, help)                                      \
	HD_METRIC(struct fallback_numbers, field,                              \
		  "hyper_derp_fallback_" name, labels, help)

static const struct hd_metric rows[] = {
	ROW(connections, "connections_total",
	    "Connections that were for a web server"),
	ROW(open, "connections", "Those that are open"),
	ROW(failed, "unreached_total",
	    "Connections whose web server was not reached"),
	ROW(broken, "broken_total",
	    "Connections that broke off, or were idle for too long"),
	ROW_OF(to_server_bytes, "bytes_total", "direction=\"to_server\"",
	       "Bytes that were passed on"),
	ROW_OF(to_client_bytes, "bytes_total", "direction=\"to_client\"",
	       "Bytes that were passed on"),
	HD_METRIC_END,
};

struct hd_family *fallback_family;

/* ---- whose a connection is ---- */

static const struct hd_proto *on_hello(struct hd_module *mod,
				       struct hd_worker *w,
				       const struct hd_hello *hello)
{
	const struct fallback_conf *conf = hd_module_worker_conf(mod, w);
	struct fallback_worker *fw = hd_module_worker_data(mod, w);

	if (hello->server_name == NULL)
		return NULL;
	fw->chosen = fallback_names_find(conf, hello->server_name);
	return fw->chosen != NULL ? &fallback_sni_proto : NULL;
}

static bool wants(struct hd_module *mod, struct hd_request *req, bool served)
{
	const struct fallback_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));

	if (conf->http.n == 0)
		return false;
	if (!served)
		return true;
	for (size_t i = 0; i < conf->http.v[0].paths.n; i++)
		if (strcmp(conf->http.v[0].paths.v[i],
			   hd_request_path(req)) == 0)
			return true;
	return false;
}

/* ---- its life ---- */

static int check_http(const struct fallback_http_conf *c, struct hd_error *err)
{
	int r = fallback_target_check(&c->at_to, c->to, err);

	for (size_t i = 0; i < c->paths.n && r == 0; i++)
		if (c->paths.v[i][0] != '/')
			r = hd_error_at(&c->at, err, -EINVAL,
					"`paths`: %.80s: a path begins with /",
					c->paths.v[i]);
	return r;
}

static int check_sni(const struct fallback_sni_conf *c, struct hd_error *err)
{
	for (size_t i = 0; i < c->name.n; i++) {
		const char *why = fallback_name_fault(c->name.v[i]);

		if (why != NULL)
			return hd_error_at(&c->at_name, err, -EINVAL,
					   "`name: %.80s`: %s", c->name.v[i],
					   why);
	}
	return fallback_target_check(&c->at_to, c->to, err);
}

static int fallback_check(struct hd_module *mod, const void *conf,
			  struct hd_error *err)
{
	const struct fallback_conf *c = conf;
	int r = 0;

	(void)mod;
	for (size_t i = 0; i < c->http.n && r == 0; i++)
		r = check_http(&c->http.v[i], err);
	for (size_t i = 0; i < c->sni.n && r == 0; i++)
		r = check_sni(&c->sni.v[i], err);
	return r;
}

static const struct hd_family_def family = {
	.name = "servers",
	.labels = { "to" },
	.metrics = rows,
	.size = sizeof(struct fallback_numbers),
	.max = 256,
};

static int fallback_load(struct hd_module *mod, struct hd_error *err)
{
	static const struct hd_route rest = {
		.rest = true,
		.wants = wants,
		.proto = &fallback_http_proto,
	};
	int r = fallback_check(mod, hd_module_conf(mod), err);

	if (r == 0)
		r = hd_family_add(mod, &family, &fallback_family, err);
	if (r == 0)
		r = hd_hook_hello(mod, on_hello, err);
	return r == 0 ? hd_route_add(mod, &rest, err) : r;
}

static const struct hd_proto *const dials[] = { &fallback_server_proto,
						&fallback_sni_proto, NULL };

HD_MODULE(fallback, .version = "1.0", .licence = "MIT",
	  .summary = "passes what is not the relay's on to a web server",
	  .state_version = STATE_VERSION, .flags = HD_MODULE_UPGRADES,
	  .options = options, .conf_size = sizeof(struct fallback_conf),
	  .worker_size = sizeof(struct fallback_worker),
	  .check = fallback_check, .load = fallback_load, .dials = dials);
