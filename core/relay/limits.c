/* SPDX-License-Identifier: MIT */
/* core/relay/limits.c - how much keys may send. Context: the key's home worker.
 */
#include "core/relay/limits.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include "core/relay/relay_table.h"
#include "core/stream/limit.h"
#include "core/stream/stream_life.h"

/* Source: derper, whose buckets hold one largest packet and its key at least.
 */
#define BURST_BYTES (HD_PACKET_MAX_BYTES + HD_KEY_BYTES)

/* What was taken stays taken. */
static void set_rate(struct hd_limit *l, uint64_t per_s)
{
	if (l->per_s == per_s)
		return;
	l->per_s = per_s;
	l->rate = hd_rate_of(per_s, BURST_BYTES);
}

/* Another relay brings the packets of many: they have been counted there. */
static uint64_t rate_of(const struct hd_peer *p)
{
	return p->login.mesh ? 0 : p->stream->worker->conf->peer_rate_limit;
}

int hd_limits_begin(struct hd_peer *p)
{
	uint64_t per_s = rate_of(p);
	struct hd_entry *e = p->entry;

	if (per_s != 0 && e->limit == NULL)
		e->limit = calloc(1, sizeof(*e->limit));
	if (per_s != 0 && e->limit == NULL)
		return -ENOMEM;
	if (e->limit != NULL)
		set_rate(e->limit, per_s);
	p->stream->limit = per_s != 0 ? e->limit : NULL;
	return 0;
}

void hd_limits_end(struct hd_peer *p)
{
	p->stream->limit = NULL;
}

void hd_limits_reload(struct hd_worker *w)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		struct hd_peer *p = hd_peer_up_of(s);

		if (p != NULL && hd_limits_begin(p) < 0)
			hd_log_warn("peer_rate_limit does not count for "
				    "key=%s: out of memory",
				    p->name.s);
	}
}
