/* SPDX-License-Identifier: MIT */
/* modules/metrics/relay.c - /api/v1/relay: the relay on one page. */
#include <hyper-derp/about.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/metrics/metrics.h"

/* Members of an object: the comma stands before all but the first. */
static void put_name(struct metrics_text *t, const char *name)
{
	if (t->n > 0 && t->v[t->n - 1] != '{')
		metrics_puts(t, ",");
	metrics_put_json(t, name);
	metrics_puts(t, ":");
}

static void put_string(struct metrics_text *t, const char *name, const char *s)
{
	put_name(t, name);
	metrics_put_json(t, s);
}

static void open_item(struct metrics_text *t)
{
	metrics_puts(t, t->v != NULL && t->v[t->n - 1] == '[' ? "{" : ",{");
}

static void put_module(void *arg, const struct hd_about_module *m)
{
	struct metrics_text *t = arg;

	open_item(t);
	put_string(t, "name", m->name);
	put_string(t, "version", m->version);
	put_string(t, "state", m->state);
	put_name(t, "streams");
	metrics_put_uint(t, m->streams);
	metrics_puts(t, "}");
}

static void put_certificate(void *arg, const struct hd_about_certificate *c)
{
	struct metrics_text *t = arg;

	open_item(t);
	put_string(t, "subject", c->subject);
	put_string(t, "names", c->names);
	put_name(t, "not_after");
	metrics_printf(t, "%jd}", (intmax_t)c->not_after);
}

/* "times": {"login": {"count": 3, "p50": 0.001, "p99": 0.002}, ...} */
static void put_times(void *arg, const struct hd_sample *s)
{
	static const char prefix[] = "hyper_derp_", suffix[] = "_seconds";
	const struct hd_times *times = s->times;
	size_t len = strlen(s->name);
	char name[METRICS_NAME_BYTES];

	if (times == NULL || s->labels != NULL ||
	    len <= sizeof(prefix) + sizeof(suffix) || len >= sizeof(name) ||
	    strncmp(s->name, prefix, sizeof(prefix) - 1) != 0)
		return;
	len -= sizeof(prefix) + sizeof(suffix) - 2;
	memcpy(name, s->name + sizeof(prefix) - 1, len);
	name[len] = '\0';
	put_name(arg, name);
	metrics_printf(arg,
		       "{\"count\":%ju,\"p50\":%.6f,\"p99\":%.6f,"
		       "\"p999\":%.6f}",
		       (uintmax_t)times->n,
		       (double)hd_times_us(times, 0.5) / 1e6,
		       (double)hd_times_us(times, 0.99) / 1e6,
		       (double)hd_times_us(times, 0.999) / 1e6);
}

static void put_relay(struct metrics_text *t, const struct hd_about_relay *r)
{
	put_string(t, "version", r->version);
	put_string(t, "commit", r->commit);
	put_string(t, "state", r->state);
	put_name(t, "uptime_seconds");
	metrics_printf(t, "%.1f", (double)r->uptime_ms / 1000);
	put_name(t, "workers");
	metrics_put_uint(t, hd_workers());
	put_string(t, "backend", r->backend);
}

void metrics_answer_relay(struct hd_module *mod, struct hd_request *req)
{
	struct hd_about_relay relay;
	struct metrics_text t = { 0 };

	(void)mod;
	hd_about_relay(&relay);
	metrics_puts(&t, "{");
	put_relay(&t, &relay);
	put_name(&t, "modules");
	metrics_puts(&t, "[");
	hd_about_modules(put_module, &t);
	metrics_puts(&t, "]");
	put_name(&t, "certificates");
	metrics_puts(&t, "[");
	hd_about_certificates(put_certificate, &t);
	metrics_puts(&t, "]");
	put_name(&t, "times");
	metrics_puts(&t, "{");
	hd_metrics_read(NULL, put_times, &t);
	metrics_puts(&t, "}}\n");
	hd_reply_header(req, "Cache-Control", "no-store");
	metrics_reply(req, 200, "application/json", &t);
}
