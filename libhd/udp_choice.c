/* SPDX-License-Identifier: MIT */
/* libhd/udp_choice.c - see udp_choice.h. What TCP would do is not known without
 * doing it. That is tried only when something is wrong with UDP, as where a
 * network holds UDP back: loss alone is no reason, for TCP suffers from it as
 * well, and often more. */
#include "libhd/udp_choice.h"
#include <hyper-derp/base.h>

enum {
	WINDOW_MS = 2000,
	BEGIN_MS = 1000, /* of a trial: TCP has to find its speed */
	DATAGRAMS_MIN = 100, /* in a window, or it says nothing */
	LOSS_PERCENT = 5,
	BETTER_PERCENT = 110, /* of UDP's rate */
	ANSWERS_MIN = 5, /* in a window, or they say nothing of the time */
	SLOWER_MS = 50, /* and half as long again */
	HOLD_MIN_MS = 60000,
	HOLD_MAX_MS = 600000,
};

static void begin(struct hdl_choice *c, const struct hdl_seen *seen,
		  int64_t now_ms)
{
	c->since_ms = now_ms;
	c->from = *seen;
	c->rtt_ms = INT64_MAX;
	c->answers = 0;
}

static int64_t hold(struct hdl_choice *c)
{
	c->hold_ms = c->hold_ms == 0 ? HOLD_MIN_MS
				     : HD_MIN(2 * c->hold_ms, HOLD_MAX_MS);
	return c->hold_ms;
}

static bool loses(uint64_t sent, uint64_t got)
{
	return sent >= DATAGRAMS_MIN && got < sent &&
	       (sent - got) * 100 > sent * LOSS_PERCENT;
}

/* Bytes that have arrived, a second. */
static uint64_t rate(const struct hdl_choice *c, const struct hdl_seen *s,
		     bool udp, int64_t now_ms)
{
	uint64_t sent = s->out_sent - c->from.out_sent;
	uint64_t got = s->out_got - c->from.out_got;
	uint64_t out = s->bytes_out - c->from.bytes_out;
	uint64_t in = s->bytes_in - c->from.bytes_in;

	if (udp && got < sent)
		out = out / sent * got;
	return (in + out) * 1000 / (uint64_t)HD_MAX(now_ms - c->since_ms, 1);
}

int64_t hdl_choice_udp(struct hdl_choice *c, const struct hdl_seen *seen,
		       int64_t rtt_ms, int64_t tcp_rtt_ms, int64_t now_ms)
{
	struct hdl_seen from;
	uint64_t was;
	bool slow;

	if (c->since_ms == 0)
		begin(c, seen, now_ms);
	from = c->from;
	c->rtt_ms = HD_MIN(c->rtt_ms, rtt_ms);
	c->answers++;
	if (now_ms - c->since_ms < WINDOW_MS)
		return 0;
	slow = tcp_rtt_ms >= 0 && c->answers >= ANSWERS_MIN &&
	       c->rtt_ms > tcp_rtt_ms + tcp_rtt_ms / 2 + SLOWER_MS;
	was = rate(c, seen, true, now_ms);
	begin(c, seen, now_ms);
	if (slow) {
		c->is = HDL_CHOICE_TCP;
		return hold(c);
	}
	if (now_ms < c->no_trial_ms ||
	    (!loses(seen->out_sent - from.out_sent,
		    seen->out_got - from.out_got) &&
	     !loses(seen->in_sent - from.in_sent, seen->in_got - from.in_got)))
		return 0;
	c->udp_rate = was;
	c->is = HDL_CHOICE_BEGIN;
	return BEGIN_MS;
}

static int64_t tried(struct hdl_choice *c, const struct hdl_seen *seen,
		     int64_t now_ms)
{
	if (rate(c, seen, false, now_ms) * 100 > c->udp_rate * BETTER_PERCENT) {
		c->is = HDL_CHOICE_TCP;
		return hold(c);
	}
	hdl_choice_lost(c);
	c->no_trial_ms = now_ms + hold(c);
	return 0;
}

int64_t hdl_choice_tcp(struct hdl_choice *c, const struct hdl_seen *seen,
		       int64_t now_ms)
{
	if (c->is == HDL_CHOICE_BEGIN) {
		begin(c, seen, now_ms);
		c->is = HDL_CHOICE_TRIAL;
		return WINDOW_MS;
	}
	if (c->is == HDL_CHOICE_TRIAL)
		return tried(c, seen, now_ms);
	hdl_choice_lost(c);
	return 0;
}

void hdl_choice_lost(struct hdl_choice *c)
{
	c->is = HDL_CHOICE_UDP;
	c->since_ms = 0;
}
