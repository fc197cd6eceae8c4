/* SPDX-License-Identifier: MIT */
/* core/stream/stream_pause.c - reading that pauses: a module asks for it, or
 * limits do (throttle.c). Context: the stream's worker. */
#include "core/stream/limit.h"
#include "core/stream/stream_life.h"

void hd_stream_rx_pause(struct hd_stream *s, uint64_t delay_ms)
{
	s->rx_paused = true;
	hd_stream_deadline(s, HD_DEADLINE_PAUSE, delay_ms);
	hd_count(&s->worker->stats.recv_paused, 1);
}

/* Never from inside: who says so may be in data(). */
static void go_on(struct hd_stream *s)
{
	if (s->rx_paused)
		hd_stream_deadline(s, HD_DEADLINE_PAUSE,
				   HD_MAX(1u, hd_throttle_unpaid_ms(s)));
}

void hd_stream_pause(struct hd_stream *s, uint32_t delay_ms)
{
	if (!hd_stream_is_open(s))
		return;
	if (delay_ms > 0)
		hd_stream_rx_pause(s, delay_ms);
	else
		go_on(s);
}

void hd_stream_pause_passed(struct hd_stream *s)
{
	if (hd_throttle_holds(s))
		return;
	s->rx_paused = false;
	hd_stream_resume(s);
}
