/* SPDX-License-Identifier: MIT */
/* core/stream/stream_worker.c - what a worker has of streams. */
#include "core/stream/stream_worker.h"
#include <errno.h>
#include <stdlib.h>
#include "core/base/lines.h"
#include "core/loop/worker.h"
#include "core/tls/cipher_cache.h"
#include "core/tls/tls.h"

/* What a read brings stands behind the front of a record. */
#define CIPHER_BYTES (HD_READ_BYTES + HD_TLS_PARTIAL_BYTES)
#define SWEEP_MS 2000

int hd_streams_new(struct hd_worker *w)
{
	struct hd_streams *all = hd_alloc_lines(sizeof(*all));

	w->streams = all;
	if (all == NULL)
		return -ENOMEM;
	all->cipher = hd_map_pages(CIPHER_BYTES);
	all->ciphers = hd_map_pages(sizeof(*all->ciphers));
	return all->cipher != NULL && all->ciphers != NULL ? 0 : -ENOMEM;
}

void hd_streams_free(struct hd_worker *w)
{
	struct hd_streams *all = hd_steal(&w->streams);

	if (all == NULL)
		return;
	if (all->ciphers != NULL)
		hd_cipher_cache_free(all->ciphers);
	hd_unmap_pages(all->ciphers, sizeof(*all->ciphers));
	hd_unmap_pages(all->cipher, CIPHER_BYTES);
	hd_chunk_pool_free(&all->pool);
	hd_heap_free(&all->timers);
	hd_slots_free(&all->slots);
	hd_slots_free(&all->acceptors);
	hd_slots_free(&all->dials);
	free(all->trace);
	free(all);
}

bool hd_streams_have_input(const struct hd_worker *w)
{
	return w->streams->ready.first != NULL ||
	       w->streams->handshakes.first != NULL;
}

uint64_t hd_streams_due_ms(const struct hd_worker *w)
{
	const struct hd_streams *all = w->streams;
	uint64_t next_ms = hd_heap_next_ms(&all->timers);

	/* input that another worker has no room for waits until it has */
	if (all->ready.first != NULL || (w->xawaited & ~w->xfull) != 0 ||
	    all->handshakes.first != NULL || all->dirty != NULL)
		return 0;
	if (all->ended.due_ms != 0)
		next_ms = HD_MIN(next_ms, all->ended.due_ms);
	if (all->ciphers->n_busy == 0)
		return next_ms;
	return HD_MIN(next_ms, all->sweep_ms);
}

/* A record counts in its worker's cache only: the numbers of the relay, which
 * others read, follow. */
static void count_keys(struct hd_worker *w)
{
	struct hd_cipher_cache *c = w->streams->ciphers;

	hd_count(&w->stats.key_hits, c->hits);
	hd_count(&w->stats.key_misses, c->misses);
	hd_count(&w->stats.key_evictions, c->evictions);
	c->hits = c->misses = c->evictions = 0;
}

void hd_streams_sweep(struct hd_worker *w)
{
	count_keys(w);
	hd_cipher_evict_unused(w->streams->ciphers);
	w->streams->sweep_ms = w->now_ms + SWEEP_MS;
}
