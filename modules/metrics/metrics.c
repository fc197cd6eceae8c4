/* SPDX-License-Identifier: MIT */
/* modules/metrics/metrics.c - what the relay does, for Prometheus and for eyes:
 * on a listener of its own, so that it can stay on loopback or in a network of
 * the operators while the relay serves everybody. Nothing can be changed
 * here: all routes are GET. */
#include "modules/metrics/metrics.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/listen.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "modules/metrics/status.h"

static const char *const compats[] = { "none", "derper", NULL };

static const struct hd_option options[] = {
	{ .name = "port",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct metrics_conf, port),
	  .def = "9340",
	  .max = 65535,
	  .help = "TCP port of 127.0.0.1 for /metrics and the other pages. 0: "
		  "only listeners named metrics in `listen:` serve them." },
	{ .name = "addr",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct metrics_conf, addr),
	  .help = "Address and port to listen on instead. Nobody is asked for "
		  "a password: keep others out with a firewall." },
	{ .name = "tls_cert",
	  .type = HD_OPTION_PATH,
	  .offset = offsetof(struct metrics_conf, tls_cert),
	  .help = "PEM file with the certificate of the listener. Without it "
		  "the pages are served in plain HTTP." },
	{ .name = "tls_key",
	  .type = HD_OPTION_PATH,
	  .offset = offsetof(struct metrics_conf, tls_key),
	  .help = "PEM file with its key." },
	{ .name = "compat",
	  .type = HD_OPTION_CHOICE,
	  .offset = offsetof(struct metrics_conf, compat),
	  .def = "none",
	  .choices = compats,
	  .live = true,
	  .help = "derper: also export the derp_* names of derper." },
	{ .name = "hosts",
	  .type = HD_OPTION_LIST,
	  .offset = offsetof(struct metrics_conf, hosts),
	  .def = "[]",
	  .live = true,
	  .help = "Names under which programs on this machine may ask, beside "
		  "addresses, localhost, its host name and those of the "
		  "certificates. Others get 403: a web page could have made a "
		  "browser here ask." },
	{ .name = "debug_endpoints",
	  .type = HD_OPTION_BOOL,
	  .offset = offsetof(struct metrics_conf, debug_endpoints),
	  .def = "false",
	  .live = true,
	  .help = "Serve /debug/peers and /debug/workers, which show keys and "
		  "addresses of peers, and the numbers of each worker." },
	{ .name = "status_page",
	  .type = HD_OPTION_BOOL,
	  .offset = offsetof(struct metrics_conf, status_page),
	  .def = "false",
	  .live = true,
	  .help = "Serve /status, a page for a browser, which shows keys, "
		  "names and addresses of peers." },
	HD_OPTION_END,
};

/* ---- /metrics ---- */

#define TYPE_PLAIN "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPEN                                                              \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/* q=0 means never. Source: RFC 9110, 12.4.2. */
static bool is_refused(const char *params)
{
	size_t n = strcspn(params, ",");
	const char *q = strstr(params, "q=");

	return q != NULL && q < params + n && strtod(q + 2, NULL) == 0;
}

/* Who can read OpenMetrics says so, and Prometheus prefers it then. */
static bool wants_open(struct hd_request *req)
{
	static const char type[] = "application/openmetrics-text";
	const char *accept = hd_request_header(req, "Accept");
	const char *at = accept != NULL ? strstr(accept, type) : NULL;

	return at != NULL && !is_refused(at + sizeof(type) - 1);
}

void metrics_reply(struct hd_request *req, int status, const char *type,
		   struct metrics_text *t)
{
	static const char sorry[] = "out of memory\n";

	if (t->failed)
		hd_reply(req, 503, "text/plain; charset=utf-8", sorry,
			 sizeof(sorry) - 1);
	else
		hd_reply(req, status, type, t->v, t->n);
	metrics_text_free(t);
}

struct scrape {
	bool open;
	enum metrics_compat compat;
};

/* In a helper thread: what workers do meanwhile is not held up by hundreds of
 * samples, nor by counting 10,000 descriptors. */
static void make_metrics(struct hd_module *mod, struct hd_answer *a)
{
	const struct scrape *scrape = hd_answer_data(a);
	struct metrics_page page = { 0 };
	struct metrics_text t = { 0 };

	(void)mod;
	metrics_gather(&page, scrape->compat);
	metrics_write(&page, scrape->open, &t);
	metrics_page_free(&page);
	if (t.failed)
		hd_answer_fail(a);
	else
		hd_answer_put(a, t.v, t.n);
	metrics_text_free(&t);
}

static void metrics_answer_metrics(struct hd_module *mod,
				   struct hd_request *req)
{
	static const struct hd_body body = { .task = make_metrics };
	const struct metrics_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));
	bool open = wants_open(req);
	struct hd_answer *a;

	hd_reply_header(req, "Vary", "Accept");
	a = hd_reply_body(req, 200, open ? TYPE_OPEN : TYPE_PLAIN, &body,
			  sizeof(struct scrape));
	if (a != NULL)
		*(struct scrape *)hd_answer_data(a) = (struct scrape){
			.open = open,
			.compat = (enum metrics_compat)conf->compat,
		};
}

/* ---- life ---- */

#define GUARDED(page)                                                          \
	static void may_##page(struct hd_module *mod, struct hd_request *req)  \
	{                                                                      \
		if (metrics_may_ask(mod, req))                                 \
			metrics_answer_##page(mod, req);                       \
	}
GUARDED(metrics)
GUARDED(health)
GUARDED(status)
GUARDED(status_json)
GUARDED(relay)
GUARDED(peers)
GUARDED(debug_peers)
GUARDED(debug_workers)
GUARDED(root)

static const struct {
	const char *path;
	void (*answer)(struct hd_module *mod, struct hd_request *req);
} metrics_routes[] = {
	{ "/", may_root },
	{ "/metrics", may_metrics },
	{ "/health", may_health },
	{ "/status", may_status },
	{ "/status.json", may_status_json },
	{ "/api/v1/relay", may_relay },
	{ "/api/v1/peers", may_peers },
	{ "/debug/peers", may_debug_peers },
	{ "/debug/workers", may_debug_workers },
};

static int add_routes(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(metrics_routes) && r == 0; i++) {
		const struct hd_route route = {
			.listener = METRICS_LISTENER,
			.path = metrics_routes[i].path,
			.methods = HD_HTTP_GET,
			.answer = metrics_routes[i].answer,
		};

		r = hd_route_add(mod, &route, err);
	}
	return r;
}

static int open_listener(struct hd_module *mod, struct hd_error *err)
{
	const struct metrics_conf *conf = hd_module_conf(mod);
	struct hd_listen listen = { .name = METRICS_LISTENER,
				    .addr = conf->addr };

	if (conf->addr.sa.sa_family == AF_UNSPEC) {
		if (conf->port == 0)
			return 0;
		listen.addr.in = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)conf->port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		hd_log_notice("metrics: only this machine is served; "
			      "metrics.addr widens that");
	}
	int r = hd_listen_open(mod, &listen, err);

	if (r == 0 && conf->tls_cert != NULL)
		r = hd_listen_tls(mod, METRICS_LISTENER, conf->tls_cert,
				  conf->tls_key, err);
	return r;
}

static int metrics_check(struct hd_module *mod, const void *new_conf,
			 struct hd_error *err)
{
	const struct metrics_conf *conf = new_conf;

	(void)mod;
	if ((conf->tls_cert == NULL) == (conf->tls_key == NULL))
		return 0;
	return hd_error_set(err, -EINVAL,
			    "metrics.tls_cert and metrics.tls_key belong "
			    "together: set both or none");
}

static int metrics_load(struct hd_module *mod, struct hd_error *err)
{
	int r = add_routes(mod, err);

	return r == 0 ? open_listener(mod, err) : r;
}

HD_MODULE(metrics, .version = "1.0", .licence = "MIT", .state_version = 1,
	  .summary = "what the relay does, for Prometheus and for eyes",
	  .flags = HD_MODULE_UPGRADES, .options = options,
	  .conf_size = sizeof(struct metrics_conf),
	  .worker_size = sizeof(struct metrics_worker),
	  .check = metrics_check, .load = metrics_load,
	  .start = metrics_status_start, .changed = metrics_status_changed,
	  .stop = metrics_status_stop);
