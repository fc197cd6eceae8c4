/* SPDX-License-Identifier: MIT */
/* t/lib/modules/live_links.c - the links of the module live. */
#include <stdio.h>
#include "t/lib/modules/live.h"

struct live_link {
	struct hd_counter bytes;
	struct hd_gauge begun;
};

static const struct hd_metric link_metrics[] = {
	HD_METRIC(struct live_link, bytes, "live_link_bytes_total", NULL,
		  "bytes of a link"),
	HD_METRIC(struct live_link, begun, "live_link_begun", NULL,
		  "how often a link was begun"),
	HD_METRIC_END,
};

static const struct hd_family_def links_def = {
	.name = "links",
	.labels = { "link" },
	.metrics = link_metrics,
	.size = sizeof(struct live_link),
	.max = 2,
};
static struct hd_family *links;

int live_links_add(struct hd_module *mod, struct hd_error *err)
{
	return hd_family_add(mod, &links_def, &links, err);
}

struct hd_series live_link_open(const char *name)
{
	return hd_series_open(links, &name);
}

void live_link_count(struct hd_worker *w, struct hd_series series, uint64_t n)
{
	struct live_link *numbers = hd_series_numbers(links, w, series);

	hd_count(&numbers->bytes, n);
}

void live_link_answer(struct hd_module *mod, struct hd_request *req)
{
	const char *query = hd_request_query(req);
	struct hd_worker *w = hd_request_worker(req);
	char value[64];

	(void)mod;
	snprintf(value, sizeof(value), "\"%s\\", query + 1);
	struct hd_series s = live_link_open(value);
	struct hd_series begun = s;
	struct live_link *numbers = hd_series_numbers(links, w, s);
	hd_gauge_add(&numbers->begun, query[0] == '+' ? 1 : -1);
	if (query[0] == '-') {
		hd_series_end(links, &s);
		hd_series_end(links, &begun);
	}
	hd_reply(req, 200, "text/plain", "done", 4);
}
