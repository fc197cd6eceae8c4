/* SPDX-License-Identifier: MIT */
/* core/relay/deliver.h - a packet is given to who has its key. Inline where its
 * way is: each instruction is paid a million times a second.
 * Context: the home of the key. */
#pragma once
#include "core/base/probes.h"
#include "core/relay/peer.h"
#include "core/stream/stream_life.h"

static inline void hd_hand_over(struct hd_peer *to,
				const struct hd_packet *packet)
{
	const struct hd_stream *s = to->stream;

	s->proto->peer->deliver(s->mod, to, packet);
}

__attribute__((cold, noinline)) static void
hd_deliver_measured(struct hd_worker *w, struct hd_peer *to,
		    const struct hd_packet *packet)
{
	struct hd_account *before =
		hd_meter_switch(&w->meter, to->stream->account);

	hd_hand_over(to, packet);
	hd_meter_switch(&w->meter, before);
}

/* A probe is one nop, but looks long to the compiler: it would not inline. */
__attribute__((always_inline)) static inline void
hd_deliver(struct hd_worker *w, struct hd_entry *e,
	   const struct hd_packet *packet)
{
	struct hd_peer *to = e->active;

	if (w->stats.packets_out.n % HD_TIMED_PACKETS == 0)
		hd_stream_time(to->stream);
	hd_count(&w->stats.packets_out, 1);
	to->packets_out++;
	hd_account_add(to->stream->account, HD_ACCOUNT_PACKETS_OUT, 1);
	HD_PROBE(packet_out, w->index, to->name.s, packet->src, packet->dst,
		 packet->len_bytes, packet->urgent);
	if (__builtin_expect(w->meter.on, 0))
		hd_deliver_measured(w, to, packet);
	else
		hd_hand_over(to, packet);
}
