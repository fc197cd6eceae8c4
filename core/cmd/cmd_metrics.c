/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_metrics.c - all numbers of the core and of the modules. */
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module.h"

static void put_times(struct hd_call *c, const struct hd_histogram *h)
{
	hd_out_uint(c, "mean_us", h->n > 0 ? h->sum_ns / h->n / 1000 : 0);
	hd_out_uint(c, "p50_us", hd_histogram_us(h, 0.5));
	hd_out_uint(c, "p90_us", hd_histogram_us(h, 0.9));
	hd_out_uint(c, "p99_us", hd_histogram_us(h, 0.99));
}

static void put_metric(void *call, const char *module,
		       const struct hd_metric *metric, uint64_t sum,
		       const struct hd_histogram *h)
{
	static const char *const kinds[] = { [HD_METRIC_COUNTER] = "counter",
					     [HD_METRIC_GAUGE] = "gauge",
					     [HD_METRIC_HISTOGRAM] =
						     "histogram" };
	struct hd_call *c = call;

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "module", module);
	hd_out_string(c, "name", metric->name);
	hd_out_string(c, "labels", metric->labels);
	hd_out_string(c, "kind", kinds[metric->kind]);
	hd_out_uint(c, "value", sum);
	if (h != NULL)
		put_times(c, h);
	hd_out_string(c, "help", metric->help);
	hd_out_close(c);
}

static void run_metrics(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	hd_metrics_read(NULL, put_metric, c);
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
