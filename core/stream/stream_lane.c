/* SPDX-License-Identifier: MIT */
/* core/stream/stream_lane.c - how much may wait in a lane, and what goes when
 * it is full. Context: the stream's worker.
 *
 * The bulk lane has a limit of bytes, so that what waits is not old when it
 * leaves. Of packets as large as a whole limit's share that leaves a few, so
 * some packets may wait whatever their size: a sender that keeps 30 of 64 KiB
 * under way (tailscale's derpprobe) loses none. What a stream has beyond a
 * small part of its own comes from a sum that all of a worker share: a thousand
 * strangers who do not read cannot multiply it. */
#include <hyper-derp/log.h>
#include "core/net/path.h"
#include "core/stream/stream_life.h"

/* A control lane this full means a peer that does not read. */
#define CONTROL_LIMIT_BYTES (256 * 1024)
#define TRUSTED_SHARES 16 /* output limits: 4 MiB, 60 ms of 50,000 packets/s */

/* Another relay takes the packets of many. */
static uint64_t bulk_limit(const struct hd_stream *s)
{
	uint64_t limit = s->worker->conf->output_limit_bytes;

	return s->trusted ? TRUSTED_SHARES * limit : limit;
}

/* What of n bytes in the bulk lane comes from the shared sum. */
static uint32_t shared_part(const struct hd_stream *s, size_t n)
{
	uint64_t limit = bulk_limit(s);
	uint64_t own = s->trusted ? limit : HD_LANE_OWN_BYTES;

	return n > own ? (uint32_t)(n - own) : 0;
}

void hd_lane_recount(struct hd_stream *s)
{
	uint32_t shared = shared_part(s, s->lane[HD_LANE_BULK].bytes);

	s->worker->streams->shared_bytes += shared;
	s->worker->streams->shared_bytes -= s->shared_bytes;
	s->shared_bytes = shared;
}

void hd_lane_moves(struct hd_stream *s)
{
	s->worker->streams->shared_bytes -= s->shared_bytes;
	s->shared_bytes = 0;
}

/* What a turn may bring to one peer: its reads, and another worker's ring. */
#define TURN_BRINGS_BYTES (640 * 1024)

/* All that it was sent so far has left: it is not slow, and what comes in this
 * turn leaves at its end. */
static bool keeps_up(const struct hd_stream *s)
{
	return s->output == HD_OUTPUT_IDLE && s->flight.first == NULL;
}

/* Beyond output_limit: a few packets of any size, or what a long path holds. */
static bool may_exceed(const struct hd_stream *s, uint64_t bytes,
		       unsigned packets)
{
	return packets <= s->worker->conf->output_packets ||
	       (s->path != NULL && bytes <= s->path->room_bytes);
}

/* Large packets, and those to peers that are far, leave half of the sum to
 * others beyond output_limit: those of a few peers would be all of it.
 * @n  of one more; 0: what there is */
static bool bulk_fits(const struct hd_stream *s, size_t n)
{
	const struct hd_queue *q = &s->lane[HD_LANE_BULK];
	uint32_t shared = shared_part(s, q->bytes + n);
	uint64_t limit = bulk_limit(s), most = HD_LANES_SHARED_BYTES;

	if (shared == 0)
		return true;
	if (keeps_up(s)) {
		limit += TURN_BRINGS_BYTES;
		most *= 2;
	}
	if (q->bytes + n > limit) {
		if (!may_exceed(s, q->bytes + n, q->frames + (n > 0)))
			return false;
		most /= 2;
	}
	return s->worker->streams->shared_bytes - s->shared_bytes + shared <=
	       most;
}

static bool fits(const struct hd_stream *s, enum hd_lane lane, size_t n)
{
	if (lane == HD_LANE_BULK)
		return bulk_fits(s, n);
	return s->lane[lane].bytes + n <= s->worker->conf->urgent_limit_bytes;
}

static void drop_oldest(struct hd_stream *s, enum hd_lane lane)
{
	struct hd_chunk *c = hd_queue_pop(&s->lane[lane]);

	hd_lane_changed(s);
	hd_stream_dropped(s, HD_DROP_QUEUE_HEAD, lane == HD_LANE_URGENT,
			  c->frames);
	hd_log_info("send_drop: key=%s packets=%u reason=queue_head (it reads "
		    "slower than others send to it)",
		    hd_stream_key_text(s), c->frames);
	hd_chunk_put(&s->worker->streams->pool, &c);
}

bool hd_lane_make_room(struct hd_stream *s, enum hd_lane lane, size_t n)
{
	if (lane == HD_LANE_CONTROL) {
		if (s->lane[lane].bytes + n <=
		    CONTROL_LIMIT_BYTES + (keeps_up(s) ? TURN_BRINGS_BYTES : 0))
			return true;
		hd_stream_abort(s, HD_CLOSE_SLOW);
		return false;
	}
	while (s->lane[lane].first != NULL && !fits(s, lane, n))
		drop_oldest(s, lane);
	return true;
}
