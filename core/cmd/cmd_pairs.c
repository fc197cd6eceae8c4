/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_pairs.c - who sends how much to whom. Asking begins the
 * counting, which ends when nobody asks any more. */
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/loop/worker.h"
#include "core/relay/pairs.h"

struct pair_list {
	size_t n;
	uint64_t now_ms; /* of a worker: all read one clock */
	struct hd_pair v[];
};

static struct pair_list *list_of(struct hd_call *c)
{
	size_t max = (size_t)hd_workers() * HD_PAIRS_MAX;

	return hd_call_data(c, sizeof(struct pair_list) +
				       max * sizeof(struct hd_pair));
}

static void each_pairs(struct hd_module *mod, struct hd_call *c,
		       struct hd_worker *w)
{
	const struct hd_pair *v = hd_pairs_ask(w);
	struct pair_list *list = list_of(c);

	(void)mod;
	if (v == NULL || list == NULL) {
		hd_call_fail(c, "no_memory", "out of memory");
		return;
	}
	list->now_ms = HD_MAX(list->now_ms, hd_now_ms(w));
	for (size_t i = 0; i < HD_PAIRS_MAX; i++)
		if (v[i].packets > 0)
			list->v[list->n++] = v[i];
}

static int by_bytes(const void *a, const void *b)
{
	const struct hd_pair *pa = a, *pb = b;

	return (pa->bytes < pb->bytes) - (pa->bytes > pb->bytes);
}

static void put_pair(struct hd_call *c, const struct hd_pair *p,
		     uint64_t now_ms)
{
	hd_out_open(c, NULL, '{');
	hd_out_key(c, "src", &p->src);
	hd_out_key(c, "dst", &p->dst);
	hd_out_uint(c, "realm", p->realm);
	hd_out_string(c, "tenant", hd_tenant_of(p->realm).s);
	hd_out_uint(c, "packets", p->packets);
	hd_out_uint(c, "bytes", p->bytes);
	hd_out_double(c, "seconds", (double)(now_ms - p->since_ms) / 1000);
	hd_out_close(c);
}

static void done_pairs(struct hd_module *mod, struct hd_call *c)
{
	struct pair_list *list = list_of(c);

	(void)mod;
	if (list == NULL)
		return;
	qsort(list->v, list->n, sizeof(*list->v), by_bytes);
	hd_out_open(c, NULL, '[');
	for (size_t i = 0; i < list->n; i++)
		put_pair(c, &list->v[i], list->now_ms);
	hd_out_close(c);
}

const struct hd_command hd_cmd_pairs[] = {
	{ .words = "pairs",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "who sends how much to whom: counted from the first time "
		  "this is asked until 10 s after the last",
	  .each = each_pairs,
	  .done = done_pairs,
	  .columns = "src dst packets bytes seconds" },
	{ .words = NULL },
};
