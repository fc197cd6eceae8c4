/* SPDX-License-Identifier: MIT */
/* core/cmd_metrics.c - all numbers of the core and of the modules. */
#include "core/control.h"
#include "core/module.h"

static void put_metric(void *call, const char *module,
		       const struct hd_metric *metric, uint64_t sum)
{
	static const char *const kinds[] = { [HD_COUNTER] = "counter",
					     [HD_GAUGE] = "gauge",
					     [HD_HISTOGRAM] = "histogram" };
	struct hd_call *c = call;

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "module", module);
	hd_out_string(c, "name", metric->name);
	hd_out_string(c, "labels", metric->labels);
	hd_out_string(c, "kind",
		      kinds[metric->kind]);
	hd_out_uint(c, "value", sum);
	hd_out_string(c, "help", metric->help);
	hd_out_close(c);
}

static void run_metrics(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	hd_metrics_each(put_metric, c);
	hd_out_close(c);
}

const struct hd_command hd_cmd_metrics[] = {
	{ .words = "metrics",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "every number of the core and of the modules",
	  .run = run_metrics,
	  .columns = "name labels value" },
	{ .words = NULL },
};
