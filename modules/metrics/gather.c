/* SPDX-License-Identifier: MIT */
/* modules/metrics/gather.c - what is shown: the tables of the core and of all
 * modules, and what is known of relay, modules, certificates and process. */
#include <hyper-derp/about.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include "modules/metrics/metrics.h"

#define OWNER "metrics"

/* ---- tables ---- */

static void put_sample(void *page, const struct hd_sample *s)
{
	static const enum metrics_type types[] = {
		[HD_METRIC_COUNTER] = METRICS_COUNTER,
		[HD_METRIC_GAUGE] = METRICS_GAUGE,
		[HD_METRIC_HISTOGRAM] = METRICS_HISTOGRAM,
	};
	struct metrics_family *f = metrics_family(page, s->name, types[s->kind],
						  s->help, s->module);

	if (s->times != NULL)
		metrics_sample_times(f, s->labels, s->times);
	else
		metrics_sample(f, s->labels, s->value);
}

/* ---- names of the predecessor that differ from ours ---- */

struct alias {
	struct metrics_page *page;
	int64_t xfer_drops;
};

static void add_alias(void *arg, const struct hd_sample *s)
{
	struct alias *a = arg;

	if (strcmp(s->name, "hyper_derp_send_drops_total") == 0 &&
	    s->labels != NULL && strstr(s->labels, "\"xfer_full\"") != NULL)
		a->xfer_drops += s->value;
}

static void put_aliases(struct metrics_page *p)
{
	struct alias a = { .page = p };

	hd_metrics_read(NULL, add_alias, &a);
	metrics_sample(metrics_family(p, "hyper_derp_xfer_drops_total",
				      METRICS_COUNTER,
				      "Packets dropped between workers: "
				      "send_drops with reason xfer_full",
				      OWNER),
		       NULL, a.xfer_drops);
	metrics_sample(metrics_family(p, "hyper_derp_workers", METRICS_GAUGE,
				      "Worker threads", OWNER),
		       NULL, hd_workers());
}

/* ---- the relay ---- */

static void put_labels(struct metrics_family *f, struct metrics_text *labels,
		       int64_t value)
{
	metrics_put(labels, "", 1);
	if (!labels->failed)
		metrics_sample(f, labels->v, value);
	metrics_text_free(labels);
}

static void put_module(void *page, const struct hd_about_module *m)
{
	struct metrics_text t = { 0 };

	metrics_put_label(&t, "module", m->name);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "version", m->version);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "state", m->state);
	put_labels(metrics_family(page, "hyper_derp_module_info", METRICS_INFO,
				  "Modules that are loaded", OWNER),
		   &t, 1);
}

struct twins { /* certificates with the same labels: RSA and ECDSA, say */
	const struct hd_about_certificate *of;
	int64_t first_end;
};

static void look_at_twin(void *arg, const struct hd_about_certificate *c)
{
	struct twins *twins = arg;

	if (strcmp(c->subject, twins->of->subject) == 0 &&
	    strcmp(c->names, twins->of->names) == 0)
		twins->first_end = HD_MIN(twins->first_end, c->not_after);
}

/* Twins have one series, or the page would be invalid: the first end, since
 * clients that get this one are refused then. */
static void put_certificate(void *page, const struct hd_about_certificate *c)
{
	struct twins twins = { .of = c, .first_end = c->not_after };
	struct metrics_family *f = metrics_family(
		page, "hyper_derp_tls_certificate_expiry_seconds",
		METRICS_GAUGE,
		"When a certificate that is served expires, in seconds since "
		"the epoch",
		OWNER);
	struct metrics_text t = { 0 };

	hd_about_certificates(look_at_twin, &twins);
	metrics_family_unique(f);
	metrics_put_label(&t, "subject", c->subject);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "names", c->names);
	put_labels(f, &t, HD_MAX(twins.first_end, (int64_t)0));
}

static void put_build(struct metrics_page *p, const struct hd_about_relay *r)
{
	struct metrics_text t = { 0 };
	char abi[16];

	snprintf(abi, sizeof(abi), "%d.%d", HD_ABI_MAJOR, HD_ABI_MINOR);
	metrics_put_label(&t, "version", r->version);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "commit", r->commit);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "abi", abi);
	metrics_puts(&t, ",");
	metrics_put_label(&t, "backend", r->backend);
	put_labels(metrics_family(p, "hyper_derp_build_info", METRICS_INFO,
				  "What runs", OWNER),
		   &t, 1);
}

static void put_relay(struct metrics_page *p, const struct hd_about_relay *r)
{
	metrics_sample(metrics_family(p, "hyper_derp_serving", METRICS_GAUGE,
				      "0: the relay drains and refuses logins; "
				      "else 1",
				      OWNER),
		       NULL, strcmp(r->state, "draining") != 0);
	put_build(p, r);
	hd_about_modules(put_module, p);
	hd_about_certificates(put_certificate, p);
}

void metrics_gather(struct metrics_page *p, enum metrics_compat compat)
{
	struct hd_about_relay relay;

	hd_about_relay(&relay);
	hd_metrics_read(NULL, put_sample, p);
	put_aliases(p);
	put_relay(p, &relay);
	metrics_put_process(p, relay.started_s);
	if (compat == METRICS_COMPAT_DERPER)
		metrics_put_derper(p);
}
