/* SPDX-License-Identifier: MIT */
/* tools/hdbench/crew.c - a run by several threads. */
#include "tools/hdbench/crew.h"
#include "tools/hdbench/clock.h"
#include <errno.h>
#include <stdlib.h>

#define HEAD_START_NS (2 * NS_PER_MS) /* until all threads have begun */

/* All at a time, the first in this thread. Returns 0; the first error. */
static int each(struct crew *c, void *(*work)(void *), struct hd_error *err)
{
	size_t started = 1;

	for (; started < c->n; started++)
		if (pthread_create(&c->hands[started].thread, NULL, work,
				   &c->hands[started]) != 0)
			break;
	(void)work(&c->hands[0]);
	for (size_t i = 1; i < started; i++)
		pthread_join(c->hands[i].thread, NULL);
	if (started < c->n)
		return hd_error_set(err, -EAGAIN, "no more threads");
	for (size_t i = 0; i < c->n; i++)
		if (c->hands[i].r < 0) {
			*err = c->hands[i].error;
			return c->hands[i].r;
		}
	return 0;
}

/* Who comes first has a pair more if they cannot be shared evenly. */
static void share(struct crew *c, size_t i)
{
	struct opts *o = &c->hands[i].opts;

	*o = *c->opts;
	o->pairs = c->opts->pairs / c->n + (i < c->opts->pairs % c->n);
	if (i == 0)
		return;
	o->is_quiet = true;
	o->pids.n = 0;
	o->cpu_command = NULL;
}

static void *log_in(void *arg)
{
	struct hand *h = arg;

	h->r = traffic_open(&h->traffic, h->net, &h->error);
	return NULL;
}

int crew_open(struct crew *c, struct net *net, struct hd_error *err)
{
	*c = (struct crew){ .opts = net->opts, .n = net->opts->threads };
	c->hands = calloc(c->n, sizeof(*c->hands));
	if (c->hands == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->n; i++) {
		struct hand *h = &c->hands[i];
		int r = 0;

		share(c, i);
		h->net = i == 0 ? net : &h->own;
		if (i > 0)
			r = net_open(&h->own, &h->opts, err);
		if (r < 0)
			return r;
	}
	net->opts = &c->hands[0].opts;
	return each(c, log_in, err);
}

static void *run(void *arg)
{
	struct hand *h = arg;

	h->r = run_traffic(&h->traffic, &h->conf, &h->result, &h->error);
	return NULL;
}

/* The threads' packets are due between each other's. */
static void plan(struct crew *c, const struct run_conf *conf, size_t i)
{
	struct hand *h = &c->hands[i];
	double gap_s = (double)c->opts->burst / conf->rate_pps;

	h->conf = *conf;
	h->conf.rate_pps *= (double)h->opts.pairs / (double)c->opts->pairs;
	if (c->n > 1 && !conf->is_max)
		h->conf.start_ns +=
			(int64_t)(gap_s * (double)i * (double)NS_PER_S);
}

static void add(struct run_result *sum, const struct run_result *r)
{
	sum->offered_pps += r->offered_pps;
	sum->sent_pps += r->sent_pps;
	sum->delivered_pps += r->delivered_pps;
	sum->lost += r->lost;
	sum->sent += r->sent;
	sum->reordered += r->reordered;
	sum->foreign += r->foreign;
	sum->unsent += r->unsent;
	if (r->closed > 0)
		sum->error = r->error;
	sum->closed += r->closed;
	sum->busy = HD_MAX(sum->busy, r->busy);
	hist_merge(&sum->latency, &r->latency);
	hist_merge(&sum->late, &r->late);
	hist_merge(&sum->since_sent, &r->since_sent);
	hist_merge(&sum->silence, &r->silence);
}

int crew_run(struct crew *c, const struct run_conf *conf,
	     struct run_result *ret_result, struct hd_error *err)
{
	struct run_conf common = *conf;
	int r;

	if (c->n > 1)
		common.start_ns = clock_ns() + HEAD_START_NS;
	for (size_t i = 0; i < c->n; i++)
		plan(c, &common, i);
	r = each(c, run, err);
	if (r < 0)
		return r;
	*ret_result = c->hands[0].result;
	for (size_t i = 1; i < c->n; i++)
		add(ret_result, &c->hands[i].result);
	run_result_end(ret_result);
	return 0;
}

void crew_close(struct crew *c)
{
	for (size_t i = 0; c->hands != NULL && i < c->n; i++) {
		struct hand *h = &c->hands[i];

		traffic_close(&h->traffic);
		if (i > 0 && h->net != NULL)
			net_close(h->net);
	}
	if (c->hands != NULL && c->hands[0].net != NULL)
		c->hands[0].net->opts = c->opts;
	free(c->hands);
	c->hands = NULL;
}
