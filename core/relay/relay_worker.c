/* SPDX-License-Identifier: MIT */
/* core/relay/relay_worker.c - what a worker has of the relay. */
#include "core/relay/relay_worker.h"
#include <errno.h>
#include <stdlib.h>
#include "core/base/lines.h"
#include "core/relay/debt.h"
#include "core/relay/held.h"
#include "core/relay/limits.h"
#include "core/relay/pairs.h"
#include "core/relay/presence.h"
#include "core/relay/wayless.h"

int hd_relay_new(struct hd_worker *w)
{
	w->relay = hd_alloc_lines(sizeof(*w->relay));
	return w->relay != NULL ? 0 : -ENOMEM;
}

void hd_relay_free(struct hd_worker *w)
{
	struct hd_relay *r = w->relay;

	if (r == NULL)
		return;
	hd_pairs_free(w);
	hd_feeds_free(w);
	hd_limits_free(w);
	hd_debts_free(w);
	hd_held_free(w);
	hd_wayless_free(w);
	hd_relay_table_free(&r->table);
	hd_relay_table_free(&r->gone.table);
	hd_relay_table_free(&r->away);
	hd_ways_free(&r->ways);
	free(r->seen);
	free(r->refused);
	w->relay = NULL;
	free(r);
}
