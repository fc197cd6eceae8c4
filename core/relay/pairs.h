/* SPDX-License-Identifier: MIT */
/* core/relay/pairs.h - who sends how much to whom, counted while somebody asks:
 * a table of bounded size in each worker. Context: the worker.
 *
 * A pair has eight places; when all are taken the quietest pair loses its own.
 * So the busiest pairs are right, and who sends to thousands of keys pushes
 * out others that are as quiet. */
#pragma once
#include <hyper-derp/relay.h>

enum {
	HD_PAIRS_WAYS = 8,
	HD_PAIRS_SETS = 128, /* a power of two */
	HD_PAIRS_MAX = HD_PAIRS_WAYS * HD_PAIRS_SETS,
	HD_PAIRS_KEEP_MS = 10000, /* after the last question */
};

struct hd_pair {
	struct hd_key src, dst;
	uint16_t realm;
	uint64_t packets, bytes; /* 0 packets: free */
	uint64_t since_ms, last_ms;
};

struct hd_worker;
struct hd_pairs; /* of the relay; NULL: nobody asks */

/* hd_pairs_ask - count from now on, for HD_PAIRS_KEEP_MS. Returns the table's
 * HD_PAIRS_MAX rows; NULL: out of memory.
 * hd_pairs_count - a packet of a peer of this worker.
 * hd_pairs_free - the worker ends. */
const struct hd_pair *hd_pairs_ask(struct hd_worker *w);
void hd_pairs_count(struct hd_worker *w, const struct hd_packet *packet);
void hd_pairs_free(struct hd_worker *w);
