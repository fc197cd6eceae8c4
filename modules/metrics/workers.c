/* SPDX-License-Identifier: MIT */
/* modules/metrics/workers.c - /debug/workers: every number of each worker. */
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/metrics/metrics.h"

bool metrics_may_debug(struct hd_module *mod, struct hd_request *req)
{
	static const char why[] = "set metrics.debug_endpoints to true and "
				  "reload\n";
	const struct metrics_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));

	if (!conf->debug_endpoints)
		hd_reply(req, 404, "text/plain; charset=utf-8", why,
			 sizeof(why) - 1);
	return conf->debug_endpoints;
}

/* Rows of one name stand together in a table: they become one number, as in
 * the predecessor's page. */
struct row {
	struct metrics_text *t;
	char name[METRICS_NAME_BYTES];
	int64_t sum;
};

static void put_row(struct row *r)
{
	if (r->name[0] == '\0')
		return;
	metrics_puts(r->t, ",");
	metrics_put_json(r->t, r->name);
	metrics_puts(r->t, ":");
	metrics_put_int(r->t, r->sum);
}

/* "recv_bytes" of "hyper_derp_recv_bytes_total" */
static void short_name(const char *name, char ret[METRICS_NAME_BYTES])
{
	static const char prefix[] = "hyper_derp_", suffix[] = "_total";
	size_t n;

	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		name += sizeof(prefix) - 1;
	n = strnlen(name, METRICS_NAME_BYTES - 1);
	if (n > sizeof(suffix) &&
	    strcmp(name + n - sizeof(suffix) + 1, suffix) == 0)
		n -= sizeof(suffix) - 1;
	memcpy(ret, name, n);
	ret[n] = '\0';
}

static void add_sample(void *arg, const struct hd_sample *s)
{
	struct row *r = arg;
	char name[METRICS_NAME_BYTES];

	short_name(s->name, name);
	if (strcmp(name, r->name) != 0) {
		put_row(r);
		strcpy(r->name, name);
		r->sum = 0;
	}
	r->sum += s->value;
}

void metrics_answer_debug_workers(struct hd_module *mod, struct hd_request *req)
{
	struct metrics_text t = { 0 };

	if (!metrics_may_debug(mod, req))
		return;
	metrics_puts(&t, "{\"workers\":[");
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct row r = { .t = &t };

		metrics_printf(&t, "%s{\"id\":%u", i > 0 ? ",\n" : "\n", i);
		hd_metrics_read(hd_worker_at(i), add_sample, &r);
		put_row(&r);
		metrics_puts(&t, "}");
	}
	metrics_puts(&t, "]}\n");
	hd_reply_header(req, "Cache-Control", "no-store");
	metrics_reply(req, 200, "application/json", &t);
}
