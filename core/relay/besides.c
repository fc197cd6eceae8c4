/* SPDX-License-Identifier: MIT */
/* core/relay/besides.c - what a peer sends and gets beside its stream, in
 * datagrams of a module: it is counted and charged as if it had come by it.
 * Context: the peer's worker. */
#include <errno.h>
#include <hyper-derp/relay.h>
#include "core/relay/peer.h"
#include "core/stream/limit.h"

/* A stream that is not read, whatever holds it back, brings nothing either. */
static bool is_held(struct hd_stream *s)
{
	return s->rx_paused ||
	       (s->throttle != NULL && hd_throttle_stops(s));
}

int hd_peer_received(struct hd_peer *peer, uint32_t len_bytes,
		     uint32_t packets)
{
	struct hd_stream *s = peer->stream;

	if (!hd_stream_is_open(s))
		return -ESHUTDOWN;
	if (is_held(s))
		return hd_stream_is_open(s) ? -EBUSY : -ESHUTDOWN;
	s->bytes_in += len_bytes;
	hd_count(&s->worker->stats.recv_bytes, len_bytes);
	if (s->throttle != NULL)
		hd_throttle_charge(s, len_bytes, packets);
	return 0;
}

void hd_peer_sent(struct hd_peer *peer, uint32_t len_bytes)
{
	struct hd_stream *s = peer->stream;

	s->bytes_out += len_bytes;
	hd_count(&s->worker->stats.send_bytes, len_bytes);
	/* the packet whose way through the relay was to be timed */
	if (s->flight.bytes == 0 && s->lane[HD_LANE_BULK].bytes == 0)
		s->queued_ns = 0;
}

void hd_peer_by_datagrams(struct hd_peer *peer, bool on)
{
	peer->datagrams = on;
}
