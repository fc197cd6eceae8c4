/* SPDX-License-Identifier: MIT */
/* core/stream/stream_worker.h - what a worker has of streams: their lists, and
 * the memory that they share. Context: the worker. */
#pragma once
#include "core/base/chunk.h"
#include "core/base/heap.h"
#include "core/base/slots.h"
#include "core/loop/xring.h"
#include "core/stream/ended.h"

struct hd_cipher_cache;
struct hd_proto;
struct hd_stream;
struct hd_tls_store;
struct hd_trace;
struct hd_worker;

struct hd_ready { /* streams that may have input, in order */
	struct hd_stream *first, *last;
	unsigned n;
};

struct hd_streams { /* w->streams */
	struct hd_slots slots;
	struct hd_stream *first; /* all of them */
	unsigned n;
	struct hd_stream *dirty; /* have output to flush */
	struct hd_ready ready, handshakes; /* to be read; a TLS step is due */
	/* to be read, too, when the ring that they feed has room: by its bit */
	struct hd_ready waiting[HD_XBITS];
	uint32_t ready_n; /* how many became ready, ever */
	size_t turn_bytes; /* read in this turn */
	uint64_t shared_bytes; /* in bulk lanes, above HD_LANE_OWN_BYTES; at
				  most HD_LANES_SHARED_BYTES of slow peers */
	uint64_t part_bytes; /* of WebSocket messages that are not whole */
	struct hd_chunk_pool pool;
	uint8_t *cipher; /* what TLS has received */
	struct hd_cipher_cache *ciphers;
	uint64_t sweep_ms; /* when they are looked through, if there are any */
	struct hd_heap timers;
	struct hd_slots acceptors;
	struct hd_slots dials; /* connections that modules are opening */
	/* what fresh ones begin with */
	const struct hd_proto *first_proto;
	struct hd_tls_store *tls; /* NULL: no listener has TLS */
	unsigned ktls; /* HD_KTLS_ directions */
	struct hd_trace *trace; /* made by its first record */
	struct hd_ended ended; /* connections that the log tells together */
};

#define HD_LANES_SHARED_BYTES (64 * 1024 * 1024) /* operations.md */

/* hd_streams_tight - slow peers have half of it: a turn reads little, so that
 * little is sealed for one that does not read. */
static inline bool hd_streams_tight(const struct hd_streams *all)
{
	return all->shared_bytes > HD_LANES_SHARED_BYTES / 2;
}

/* hd_streams_new - the worker's, before it runs. Returns 0; -ENOMEM.
 * hd_streams_free - when no worker runs; what was never made, too. */
int hd_streams_new(struct hd_worker *w);
void hd_streams_free(struct hd_worker *w);

/* hd_streams_have_input - there is more to read than was.
 * hd_streams_due_ms - when they have something to do; 0: now.
 * hd_streams_sweep - an idle connection owns keys and nothing else: what it has
 * not used since the last time goes. When sweep_ms is over. */
bool hd_streams_have_input(const struct hd_worker *w);
uint64_t hd_streams_due_ms(const struct hd_worker *w);
void hd_streams_sweep(struct hd_worker *w);
