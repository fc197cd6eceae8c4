/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_metrics.c - all numbers of the core and of the modules. */
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module.h"

static void put_times(struct hd_call *c, const struct hd_times *t)
{
	hd_out_uint(c, "mean_us", t->n > 0 ? t->sum_ns / t->n / 1000 : 0);
	hd_out_uint(c, "p50_us", hd_times_us(t, 0.5));
	hd_out_uint(c, "p90_us", hd_times_us(t, 0.9));
	hd_out_uint(c, "p99_us", hd_times_us(t, 0.99));
}

static void put_sample(void *call, const struct hd_sample *s)
{
	static const char *const kinds[] = { [HD_METRIC_COUNTER] = "counter",
					     [HD_METRIC_GAUGE] = "gauge",
					     [HD_METRIC_HISTOGRAM] =
						     "histogram" };
	struct hd_call *c = call;

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "module", s->module);
	hd_out_string(c, "name", s->name);
	hd_out_string(c, "labels", s->labels);
	hd_out_string(c, "kind", kinds[s->kind]);
	hd_out_int(c, "value", s->value);
	if (s->times != NULL)
		put_times(c, s->times);
	hd_out_string(c, "help", s->help);
	hd_out_close(c);
}

static void run_metrics(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	hd_metrics_read(NULL, put_sample, c);
	hd_out_close(c);
}

const struct hd_command hd_cmd_metrics[] = {
	{ .words = "metrics",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "every number of the core and of the modules",
	  .run = run_metrics,
	  .columns = "name labels value mean_us p99_us" },
	{ .words = NULL },
};
