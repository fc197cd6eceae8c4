/* SPDX-License-Identifier: MIT */
/* modules/metrics/status.c - what the status page is told.
 *
 * The page is one file without anything from elsewhere. What it may run is
 * named by a number that each answer makes anew, so that a text which found
 * its way into the page could not run; and the script puts what it is told
 * into the page as text only. */
#include "modules/metrics/status.h"
#include <hyper-derp/about.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* ---- /status ---- */

#define NONCE_MARK "@NONCE@"

struct nonce {
	char s[33];
};

static bool make_nonce(struct nonce *n)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return false;
	for (size_t i = 0; i < sizeof(b); i++)
		snprintf(n->s + 2 * i, 3, "%02x", b[i]);
	return true;
}

static void put_page(struct metrics_text *t, const struct nonce *nonce)
{
	const char *at = metrics_status_page, *mark;

	while ((mark = strstr(at, NONCE_MARK)) != NULL) {
		metrics_put(t, at, (size_t)(mark - at));
		metrics_puts(t, nonce->s);
		at = mark + strlen(NONCE_MARK);
	}
	metrics_puts(t, at);
}

static void put_headers(struct hd_request *req, const char *policy)
{
	hd_reply_header(req, "Cache-Control", "no-store");
	hd_reply_header(req, "Content-Security-Policy", policy);
	hd_reply_header(req, "X-Content-Type-Options", "nosniff");
	hd_reply_header(req, "Referrer-Policy", "no-referrer");
	hd_reply_header(req, "Cross-Origin-Resource-Policy", "same-origin");
}

/* Off: as if there were no such page. Returns whether it is on. */
static bool is_on(struct hd_module *mod, struct hd_request *req)
{
	static const char off[] = "metrics.status_page is off.\n";
	const struct metrics_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));

	if (!conf->status_page)
		hd_reply(req, 404, "text/plain; charset=utf-8", off,
			 sizeof(off) - 1);
	return conf->status_page;
}

void metrics_answer_status(struct hd_module *mod, struct hd_request *req)
{
	struct metrics_text t = { 0 };
	struct nonce nonce;
	char policy[300];

	if (!is_on(mod, req))
		return;
	if (!make_nonce(&nonce)) {
		t.failed = true;
		metrics_reply(req, 503, "text/plain", &t);
		return;
	}
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; style-src 'nonce-%s'; "
		 "script-src 'nonce-%s'; connect-src 'self'; img-src data:; "
		 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		 nonce.s, nonce.s);
	put_headers(req, policy);
	put_page(&t, &nonce);
	metrics_reply(req, 200, "text/html; charset=utf-8", &t);
}

/* ---- / ---- */

/* To the page; without it, what there is instead. */
void metrics_answer_root(struct hd_module *mod, struct hd_request *req)
{
	static const char here[] = "See status.\n";
	static const char others[] =
		"Hyper-DERP\n\n"
		"/metrics  for Prometheus\n"
		"/health   200 while the relay serves, else 503\n"
		"/status   is off: metrics.status_page switches it on\n";
	const struct metrics_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));

	hd_reply_header(req, "Cache-Control", "no-store");
	if (!conf->status_page) {
		hd_reply(req, 200, "text/plain; charset=utf-8", others,
			 sizeof(others) - 1);
		return;
	}
	/* Relative: a proxy may show us below a path of its own. */
	hd_reply_header(req, "Location", "status");
	hd_reply(req, 302, "text/plain; charset=utf-8", here, sizeof(here) - 1);
}

/* ---- /status.json ---- */

struct list { /* of JSON values in the making */
	struct metrics_text *t;
	unsigned n;
	int64_t now_s;
};

static void next(struct list *l)
{
	if (l->n++ > 0)
		metrics_puts(l->t, ",");
}

static void put_field(struct metrics_text *t, const char *name,
		      const char *value)
{
	metrics_printf(t, "\"%s\":", name);
	metrics_put_json(t, value);
}

static void put_relay(struct metrics_text *t)
{
	struct hd_about_relay r;

	hd_about_relay(&r);
	metrics_puts(t, "\"relay\":{");
	put_field(t, "version", r.version);
	metrics_puts(t, ",");
	put_field(t, "commit", r.commit);
	metrics_puts(t, ",");
	put_field(t, "backend", r.backend);
	metrics_puts(t, ",");
	put_field(t, "state", r.state);
	metrics_printf(t, ",\"uptime_s\":%ju}",
		       (uintmax_t)(r.uptime_ms / 1000));
}

static void put_totals(struct metrics_text *t, const struct status_totals *v)
{
	for (unsigned i = 0; i < STATUS_NUMBERS; i++)
		metrics_printf(t, "%s\"%s\":%ju", i > 0 ? "," : "",
			       status_number_name(i), (uintmax_t)v->v[i]);
}

static void put_now(struct metrics_text *t)
{
	struct status_totals v;

	status_totals_read(NULL, &v);
	metrics_puts(t, "\"now\":{");
	put_totals(t, &v);
	metrics_puts(t, "}");
}

/* ---- its lists ---- */

enum { REASONS_MAX = 32, REASON_BYTES = 32 };

struct reasons {
	unsigned n;
	struct {
		char reason[REASON_BYTES];
		uint64_t packets, disco;
	} v[REASONS_MAX];
};

static void add_drop(void *arg, const struct hd_sample *s)
{
	struct reasons *r = arg;
	char reason[REASON_BYTES], kind[16];
	unsigned i = 0;

	if (strcmp(s->name, "hyper_derp_send_drops_total") != 0 ||
	    s->labels == NULL ||
	    sscanf(s->labels, "reason=\"%31[^\"]\",kind=\"%15[^\"]\"", reason,
		   kind) != 2)
		return;
	while (i < r->n && strcmp(r->v[i].reason, reason) != 0)
		i++;
	if (i == REASONS_MAX)
		return;
	if (i == r->n)
		strcpy(r->v[r->n++].reason, reason);
	r->v[i].packets += (uint64_t)s->value;
	if (strcmp(kind, "disco") == 0)
		r->v[i].disco += (uint64_t)s->value;
}

static void put_drops(struct metrics_text *t)
{
	struct reasons r = { 0 };

	hd_metrics_read(NULL, add_drop, &r);
	metrics_puts(t, "\"drops\":[");
	for (unsigned i = 0; i < r.n; i++) {
		metrics_puts(t, i > 0 ? ",{" : "{");
		put_field(t, "reason", r.v[i].reason);
		metrics_printf(t, ",\"packets\":%ju,\"disco\":%ju}",
			       (uintmax_t)r.v[i].packets,
			       (uintmax_t)r.v[i].disco);
	}
	metrics_puts(t, "]");
}

static void put_workers(struct metrics_text *t)
{
	metrics_puts(t, "\"workers\":[");
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct status_totals v;

		status_totals_read(hd_worker_at(i), &v);
		metrics_printf(t, "%s{\"worker\":%u,", i > 0 ? "," : "", i);
		put_totals(t, &v);
		metrics_puts(t, "}");
	}
	metrics_puts(t, "]");
}

static void put_module(void *arg, const struct hd_about_module *m)
{
	struct list *l = arg;

	next(l);
	metrics_puts(l->t, "{");
	put_field(l->t, "name", m->name);
	metrics_puts(l->t, ",");
	put_field(l->t, "version", m->version);
	metrics_puts(l->t, ",");
	put_field(l->t, "state", m->state);
	metrics_printf(l->t, ",\"streams\":%u}", m->streams);
}

static void put_certificate(void *arg, const struct hd_about_certificate *c)
{
	struct list *l = arg;

	next(l);
	metrics_puts(l->t, "{");
	put_field(l->t, "subject", c->subject);
	metrics_puts(l->t, ",");
	put_field(l->t, "names", c->names);
	metrics_printf(l->t, ",\"left_s\":%jd}",
		       (intmax_t)(c->not_after - l->now_s));
}

static void put_lists(struct metrics_text *t)
{
	struct list modules = { .t = t }, certificates = { .t = t };

	certificates.now_s = time(NULL);
	put_drops(t);
	metrics_puts(t, ",");
	put_workers(t);
	metrics_puts(t, ",\"modules\":[");
	hd_about_modules(put_module, &modules);
	metrics_puts(t, "],\"certificates\":[");
	hd_about_certificates(put_certificate, &certificates);
	metrics_puts(t, "]");
}

void metrics_answer_status_json(struct hd_module *mod, struct hd_request *req)
{
	struct hd_worker *w = hd_request_worker(req);
	struct metrics_worker *mw = hd_module_worker_data(mod, w);
	struct metrics_text t = { 0 };

	if (!is_on(mod, req))
		return;
	metrics_printf(&t, "{\"time\":%.3f,\"step_s\":%d,\"history_size\":%d,",
		       (double)hd_now_ms(w) / 1000, STATUS_STEP_MS / 1000,
		       STATUS_SAMPLES);
	put_relay(&t);
	metrics_puts(&t, ",");
	put_now(&t);
	metrics_puts(&t, ",\"history\":");
	status_history_put(&mw->history, &t);
	metrics_puts(&t, ",");
	put_lists(&t);
	metrics_puts(&t, ",");
	status_peers_put(&mw->peers, &t);
	status_peers_ask(mod, w, &mw->peers);
	metrics_puts(&t, "}\n");
	put_headers(req, "default-src 'none'");
	metrics_reply(req, 200, "application/json", &t);
}
