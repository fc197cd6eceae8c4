/* SPDX-License-Identifier: MIT */
/* modules/acme/commands.c - what operators ask and see. */
#include <hyper-derp/control.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/acme/acme.h"

/* ---- metrics: those of the first worker ---- */

#define ROW(field, name, help)                                                 \
	HD_METRIC(struct acme_numbers, field, "hyper_derp_acme_" name, NULL,   \
		  help)

const struct hd_metric acme_metrics[] = {
	ROW(expires, "expires_timestamp_seconds",
	    "When the certificate of the module acme ends; 0 without one"),
	ROW(failing, "failing",
	    "How often in a row no certificate could be had"),
	ROW(attempts, "attempts_total", "Attempts to get a certificate"),
	ROW(failures, "failures_total", "Attempts that failed"),
	ROW(renewals, "renewals_total", "Certificates that were got"),
	HD_METRIC_END,
};

/* What is added to the counters, and the gauges. */
static void on_told(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct acme_numbers *n = hd_metrics(mod, w);
	struct acme_told *t = arg;

	hd_gauge_set(&n->expires, t->expires);
	hd_gauge_set(&n->failing, t->failing);
	hd_count(&n->attempts, t->attempts);
	hd_count(&n->failures, t->failures);
	hd_count(&n->renewals, t->renewals);
	free(t);
}

void acme_numbers_tell(void)
{
	struct acme_main *m = &acme_main;
	const struct acme_told now = {
		.expires = m->pem != NULL ? m->about.not_after_s : 0,
		.failing = m->failures,
		.attempts = m->attempts,
		.failures = m->failed,
		.renewals = m->renewed,
	};
	struct acme_told *t;

	if (memcmp(&now, &m->told, sizeof(now)) == 0)
		return;
	t = malloc(sizeof(*t));
	if (t == NULL)
		return;
	*t = now;
	t->attempts -= m->told.attempts;
	t->failures -= m->told.failures;
	t->renewals -= m->told.renewals;
	if (hd_post(m->mod, hd_worker_at(0), on_told, t, free) == 0)
		m->told = now;
}

/* ---- commands ---- */

static void run_status(struct hd_module *mod, struct hd_call *call)
{
	const struct acme_main *m = &acme_main;
	const struct acme_conf *conf = acme_conf();
	int64_t now = time(NULL), due = acme_due();

	(void)mod;
	hd_out_open(call, NULL, '{');
	hd_out_open(call, "hosts", '[');
	for (size_t i = 0; i < conf->hosts.n; i++)
		hd_out_string(call, NULL, conf->hosts.v[i]);
	hd_out_close(call);
	hd_out_string(call, "directory", conf->directory);
	hd_out_string(call, "account", m->kid[0] != '\0' ? m->kid : NULL);
	hd_out_string(call, "doing", acme_steps[m->step].name);
	hd_out_bool(call, "certificate", m->pem != NULL);
	if (m->pem != NULL) {
		hd_out_int(call, "not_after", m->about.not_after_s);
		hd_out_double(call, "days_left",
			      (double)(m->about.not_after_s - now) / 86400);
		hd_out_int(call, "renewed_at", due > 0 ? due : now);
	}
	hd_out_uint(call, "failures", m->failures);
	hd_out_string(call, "error", m->error[0] != '\0' ? m->error : NULL);
	hd_out_int(call, "tried_again_in",
		   m->next_s > now ? m->next_s - now : 0);
	hd_out_close(call);
}

static void run_renew(struct hd_module *mod, struct hd_call *call)
{
	struct acme_main *m = &acme_main;

	(void)mod;
	if (acme_conf()->hosts.n == 0) {
		hd_call_error(call, "`acme.hosts` is empty: name the hosts "
				    "that a certificate is for, and reload");
		return;
	}
	if (m->step != ACME_IDLE && !m->wants_info) {
		hd_call_error(call, "a certificate is being fetched already: "
				    "hdctl acme status");
		return;
	}
	m->forced = true;
	m->next_s = 0;
	if (!m->asked)
		acme_go(ACME_IDLE);
}

static const struct hd_command commands[] = {
	{ .words = "acme status",
	  .args = "",
	  .help = "the certificate, and what is done for the next one",
	  .role = HD_ROLE_READ,
	  .run = run_status },
	{ .words = "acme renew",
	  .args = "",
	  .help = "fetch a certificate now, whatever there is",
	  .role = HD_ROLE_OPERATE,
	  .run = run_renew },
};

int acme_commands_add(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(commands) && r == 0; i++)
		r = hd_command_add(mod, &commands[i], err);
	return r;
}
