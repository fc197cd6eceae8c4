/* SPDX-License-Identifier: MIT */
/* modules/metrics/status_history.c - the last minutes, so that a page which is
 * opened after something has happened shows it. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <string.h>
#include "modules/metrics/status.h"

static const struct {
	const char *shown, *metric;
} numbers[STATUS_NUMBERS] = {
	[STATUS_RECV_BYTES] = { "recv_bytes", "hyper_derp_recv_bytes_total" },
	[STATUS_SEND_BYTES] = { "send_bytes", "hyper_derp_send_bytes_total" },
	[STATUS_RECV_PACKETS] = { "recv_packets",
				  "hyper_derp_recv_packets_total" },
	[STATUS_SEND_PACKETS] = { "send_packets",
				  "hyper_derp_send_packets_total" },
	[STATUS_DROPS] = { "drops", "hyper_derp_send_drops_total" },
	[STATUS_LOGINS] = { "logins", "hyper_derp_logins_total" },
	[STATUS_PEERS] = { "peers", "hyper_derp_peers_active" },
	[STATUS_STREAMS] = { "streams", "hyper_derp_streams_active" },
};

const char *status_number_name(enum status_number i)
{
	return numbers[i].shown;
}

/* ---- totals ---- */

static void add(void *totals, const struct hd_sample *s)
{
	struct status_totals *t = totals;

	if (strcmp(s->module, "core") != 0)
		return;
	for (unsigned i = 0; i < STATUS_NUMBERS; i++)
		if (strcmp(s->name, numbers[i].metric) == 0)
			t->v[i] += (uint64_t)s->value;
}

void status_totals_read(struct hd_worker *w, struct status_totals *ret)
{
	*ret = (struct status_totals){ 0 };
	hd_metrics_read(w, add, ret);
}

/* ---- samples ---- */

static void sample(struct status_history *h, uint64_t now_ms)
{
	struct status_totals now;
	float *to = h->samples[h->next];
	double seconds = (double)(now_ms - h->at_ms) / 1000;

	status_totals_read(NULL, &now);
	if (h->at_ms != 0 && now_ms > h->at_ms) {
		for (unsigned i = 0; i < STATUS_RATES; i++)
			to[i] = (float)((double)(now.v[i] - h->totals.v[i]) /
					seconds);
		to[STATUS_PEERS] = (float)now.v[STATUS_PEERS];
		h->next = (h->next + 1) % STATUS_SAMPLES;
		h->n = HD_MIN(h->n + 1, (unsigned)STATUS_SAMPLES);
	}
	h->totals = now;
	h->at_ms = now_ms;
}

static void on_step(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct metrics_worker *mw = hd_module_worker_data(mod, w);
	struct status_history *h = &mw->history;

	(void)arg;
	hd_timer_set(h->timer, STATUS_STEP_MS);
	sample(h, hd_now_ms(w));
}

void status_history_put(const struct status_history *h, struct metrics_text *t)
{
	metrics_puts(t, "{");
	for (unsigned i = 0; i < STATUS_STREAMS; i++) {
		metrics_printf(t, "%s\"%s\":[", i > 0 ? "," : "",
			       numbers[i].shown);
		for (unsigned j = 0; j < h->n; j++)
			metrics_printf(
				t, "%s%.7g", j > 0 ? "," : "",
				(double)h->samples[(h->next + STATUS_SAMPLES -
						    h->n + j) %
						   STATUS_SAMPLES][i]);
		metrics_puts(t, "]");
	}
	metrics_puts(t, "}");
}

/* ---- life ---- */

/* What was remembered is forgotten while the page is off: a gap would look as
 * if nothing had happened. */
static void follow(struct status_history *h, bool on, uint64_t now_ms)
{
	hd_timer_set(h->timer, on ? STATUS_STEP_MS : 0);
	if (on) {
		sample(h, now_ms);
		return;
	}
	h->at_ms = 0;
	h->n = 0;
}

int metrics_status_start(struct hd_module *mod, struct hd_worker *w,
			 struct hd_error *err)
{
	const struct metrics_conf *conf = hd_module_worker_conf(mod, w);
	struct metrics_worker *mw = hd_module_worker_data(mod, w);
	struct status_history *h = &mw->history;

	h->timer = hd_timer_new(mod, w, on_step, NULL);
	if (h->timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	follow(h, conf->status_page, hd_now_ms(w));
	return 0;
}

void metrics_status_changed(struct hd_module *mod, struct hd_worker *w,
			    const void *old_conf)
{
	const struct metrics_conf *conf = hd_module_worker_conf(mod, w);
	const struct metrics_conf *old = old_conf;
	struct metrics_worker *mw = hd_module_worker_data(mod, w);

	if (conf->status_page != old->status_page)
		follow(&mw->history, conf->status_page, hd_now_ms(w));
}

/* Before a reload, too: the next code asks its own peers. */
void metrics_status_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct metrics_worker *mw = hd_module_worker_data(mod, w);

	mw->history.timer = NULL; /* the core frees it */
	status_peers_free(&mw->peers);
}
