/* SPDX-License-Identifier: MIT */
/* modules/metrics/health.c - whether a client should be sent here. */
#include <hyper-derp/about.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include <time.h>
#include "modules/metrics/metrics.h"

struct health {
	int64_t peers, recv_bytes, send_bytes;
	int64_t first_expiry; /* of the certificates; 0: there are none */
};

static void add_sample(void *arg, const struct hd_sample *s)
{
	struct health *h = arg;
	const struct {
		const char *name;
		int64_t *to;
	} rows[] = {
		{ "hyper_derp_peers_active", &h->peers },
		{ "hyper_derp_recv_bytes_total", &h->recv_bytes },
		{ "hyper_derp_send_bytes_total", &h->send_bytes },
	};

	for (size_t i = 0; i < HD_ARRAY_N(rows); i++)
		if (strcmp(s->module, "core") == 0 &&
		    strcmp(s->name, rows[i].name) == 0)
			*rows[i].to += s->value;
}

static void add_certificate(void *arg, const struct hd_about_certificate *c)
{
	struct health *h = arg;

	if (h->first_expiry == 0 || c->not_after < h->first_expiry)
		h->first_expiry = c->not_after;
}

/* "ok", or why clients had better go elsewhere. */
static const char *status_of(const struct health *h, const char *state,
			     bool serving)
{
	if (!serving)
		return "draining";
	if (strcmp(state, "locked") == 0)
		return state;
	if (h->first_expiry > 0 && h->first_expiry <= time(NULL))
		return "certificate expired";
	return "ok";
}

/* One certificate among several may have ended; clients that ask for its name
 * are refused, so that is not well. */
void metrics_answer_health(struct hd_module *mod, struct hd_request *req)
{
	struct metrics_text t = { 0 };
	struct health h = { 0 };
	struct hd_about_relay relay;
	const char *status;

	(void)mod;
	hd_about_relay(&relay);
	hd_metrics_read(NULL, add_sample, &h);
	hd_about_certificates(add_certificate, &h);
	status = status_of(&h, relay.state,
			   hd_worker_serving(hd_request_worker(req)));
	metrics_puts(&t, "{\"status\":");
	metrics_put_json(&t, status);
	metrics_printf(&t, ",\"uptime_seconds\":%.1f,\"workers\":%u",
		       (double)relay.uptime_ms / 1000, hd_workers());
	metrics_printf(&t,
		       ",\"peers_active\":%jd,\"recv_bytes\":%jd,"
		       "\"send_bytes\":%jd",
		       (intmax_t)h.peers, (intmax_t)h.recv_bytes,
		       (intmax_t)h.send_bytes);
	if (h.first_expiry > 0)
		metrics_printf(&t, ",\"certificate_expiry_seconds\":%jd",
			       (intmax_t)h.first_expiry);
	metrics_puts(&t, "}\n");
	hd_reply_header(req, "Cache-Control", "no-store");
	metrics_reply(req, strcmp(status, "ok") == 0 ? 200 : 503,
		      "application/json", &t);
}
