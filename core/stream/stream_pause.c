/* SPDX-License-Identifier: MIT */
/* core/stream/stream_pause.c - reading that pauses: a module asks for it, or
 * peer_rate_limit. Context: the stream's worker. */
#include <hyper-derp/log.h>
#include "core/stream/stream_life.h"

static void rx_pause(struct hd_stream *s, uint64_t delay_ms)
{
	s->rx_paused = true;
	hd_stream_deadline(s, HD_DEADLINE_PAUSE, delay_ms);
	hd_count(&s->worker->stats.recv_paused, 1);
}

/* Bytes push the time at which they are paid for ahead of the clock; being
 * ahead by more than the burst means to wait. Source: derper stops reading and
 * never drops; its burst is at least one largest frame. */
#define BURST_BYTES (HD_PACKET_MAX_BYTES + HD_KEY_BYTES)

/* 0: what has come is paid for. */
static uint64_t unpaid_ms(const struct hd_stream *s)
{
	uint64_t limit = s->worker->conf->peer_rate_limit;
	uint64_t burst_us = limit > 0 ? BURST_BYTES * 1000000ull / limit : 0;
	uint64_t free_us = s->worker->now_ms * 1000 + burst_us;

	return limit > 0 && s->rate_free_us > free_us
		       ? (s->rate_free_us - free_us) / 1000 + 1
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

void hd_stream_charge(struct hd_stream *s, size_t n)
{
	uint64_t limit = s->worker->conf->peer_rate_limit;
	uint64_t wait_ms;

	if (hd_stream_key(s) == NULL)
		return;
	s->rate_free_us =
		HD_MAX(s->rate_free_us, s->worker->now_ms * 1000);
	s->rate_free_us += n * 1000000ull / limit;
	wait_ms = s->rx_paused ? 0 : unpaid_ms(s);
	if (wait_ms == 0)
		return;
	rx_pause(s, wait_ms);
	hd_log_info("recv_paused: key=%s pause_ms=%llu (it sends faster than "
		    "peer_rate_limit allows; TCP holds it back)",
		    hd_stream_key_text(s), (unsigned long long)wait_ms);
}
