/* SPDX-License-Identifier: MIT */
/* tools/hdbench/rate.c - one rate, or the search for the highest. */
#include "tools/hdbench/crew.h"
#include "tools/hdbench/modes.h"
#include "tools/hdbench/progress.h"
#include "tools/hdbench/report.h"
#include <errno.h>

#define TRIES 3 /* a rate fails if it fails that often, or clearly: */
#define CLEARLY 0.97 /* not even that share of the wanted, undisturbed */
#define RATE_MIN 100.0
#define STEP 2.0
#define STEP_NEAR 1.1
#define RATE_MAX 1e8

static struct run_conf conf_of(const struct opts *o)
{
	return (struct run_conf){ .rate_pps = o->rate_pps,
				  .is_max = o->is_rate_max,
				  .warmup_s = o->warmup_s,
				  .duration_s = o->duration_s };
}

int mode_rate(struct net *net, struct hd_error *err)
{
	struct run_conf conf = conf_of(net->opts);
	static struct run_result res; /* too large for some stacks */
	struct crew crew;
	int r = crew_open(&crew, net, err);

	conf.ends_on_int = true;
	if (r == 0)
		r = crew_run(&crew, &conf, &res, err);
	if (r == 0)
		report_run(crew.opts, &res);
	if (r == 0 && res.closed > 0)
		r = hd_error_set(
			err, -ECONNRESET, "%llu connections were lost: %s",
			(unsigned long long)res.closed, res.error.text);
	crew_close(&crew);
	return r;
}

struct search {
	struct crew crew;
	struct run_conf conf;
	struct found found;
	struct run_result last;
	double low, high; /* passed, failed; high 0: none yet */
};

/* A failure that trying again may turn: a near one, or other programs took
 * the CPU. */
static bool is_doubtful(const struct run_result *r, double want)
{
	return r->others_cores > DISTURBED_CORES ||
	       (r->share >= want * CLEARLY &&
		1 - r->lost_share >= want * CLEARLY);
}

/* Returns 1 it is delivered, 0 it is not, or an error. */
static int try_rate(struct search *s, struct hd_error *err)
{
	double want = s->crew.opts->share_percent / 100;

	for (int i = 0; i < TRIES; i++) {
		int r = crew_run(&s->crew, &s->conf, &s->last, err);

		if (r < 0)
			return r;
		s->found.steps++;
		if (s->last.closed > 0)
			return hd_error_set(
				err, -ECONNRESET,
				"at %.0f packets/s the relay closed "
				"connections: %s",
				s->conf.rate_pps, s->last.error.text);
		if (s->last.share >= want && 1 - s->last.lost_share >= want)
			return 1;
		if (!is_doubtful(&s->last, want))
			break;
	}
	return 0;
}

static void passed(struct search *s)
{
	s->found.is_any = true;
	s->found.best = s->last;
	s->low = s->conf.rate_pps;
}

static void failed(struct search *s)
{
	s->found.failed_pps = s->high = s->conf.rate_pps;
}

/* Doubles or halves until there is a bound on both sides, then bisects. */
static double next_rate(const struct search *s)
{
	double step = s->crew.opts->is_near ? STEP_NEAR : STEP;

	if (s->high == 0)
		return s->low * step;
	if (s->low == 0)
		return s->high / step;
	return (s->low + s->high) / 2;
}

static bool is_found(const struct search *s)
{
	double close = s->crew.opts->resolution_percent / 100;

	if (s->high > 0 && s->low > 0)
		return s->high - s->low <= close * s->high;
	return s->conf.rate_pps < RATE_MIN || s->conf.rate_pps > RATE_MAX;
}

static int search(struct search *s, struct hd_error *err)
{
	do {
		int r = try_rate(s, err);

		if (r < 0)
			return r;
		if (r == 1)
			passed(s);
		else
			failed(s);
		s->conf.rate_pps = next_rate(s);
	} while (!is_found(s));
	return 0;
}

int mode_find(struct net *net, struct hd_error *err)
{
	static struct search s;
	int r = crew_open(&s.crew, net, err);

	s.conf = conf_of(net->opts);
	s.conf.is_max = false;
	if (r == 0)
		r = search(&s, err);
	if (r == 0)
		report_found(s.crew.opts, &s.found);
	if (r == 0 && !s.found.is_any)
		r = hd_error_set(err, -ENOENT, "no rate was delivered");
	crew_close(&s.crew);
	return r;
}
