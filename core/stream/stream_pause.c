/* SPDX-License-Identifier: MIT */
/* core/stream/stream_pause.c - reading that pauses: a module asks for it, or
 * peer_rate_limit. Context: the stream's worker. */
#include <hyper-derp/log.h>
#include "core/stream/limit.h"
#include "core/stream/stream_life.h"

static void rx_pause(struct hd_stream *s, uint64_t delay_ms)
{
	s->rx_paused = true;
	hd_stream_deadline(s, HD_DEADLINE_PAUSE, delay_ms);
	hd_count(&s->worker->stats.recv_paused, 1);
}

/* 0: what has come of its key is paid for. */
static uint64_t unpaid_ms(const struct hd_stream *s)
{
	const struct hd_limit *l = s->limit;

	return l != NULL ? hd_ns_to_ms(hd_bucket_unpaid_ns(&l->bucket, &l->rate,
							   s->worker->now_ns))
			 : 0;
}

/* Never from inside: who says so may be in data(). */
static void go_on(struct hd_stream *s)
{
	if (s->rx_paused)
		hd_stream_deadline(s, HD_DEADLINE_PAUSE,
				   HD_MAX(1u, unpaid_ms(s)));
}

void hd_stream_pause(struct hd_stream *s, uint32_t delay_ms)
{
	if (!hd_stream_is_open(s))
		return;
	if (delay_ms > 0)
		rx_pause(s, delay_ms);
	else
		go_on(s);
}

/* What has come is not held back: the debt is paid before more is read. */
void hd_stream_charge(struct hd_stream *s, size_t n)
{
	uint64_t wait_ms;

	hd_bucket_take(&s->limit->bucket, &s->limit->rate, n,
		       s->worker->now_ns);
	wait_ms = s->rx_paused ? 0 : unpaid_ms(s);
	if (wait_ms == 0)
		return;
	rx_pause(s, wait_ms);
	hd_log_info("recv_paused: key=%s pause_ms=%llu (it sends faster than "
		    "peer_rate_limit allows; TCP holds it back)",
		    hd_stream_key_text(s), (unsigned long long)wait_ms);
}
