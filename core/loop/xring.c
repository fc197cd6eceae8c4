/* SPDX-License-Identifier: MIT */
/* core/loop/xring.c - packets from one worker to another. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/xring.h"

#define RING_BYTES (256u * 1024)
/* From here on the producer reads no more from its sockets: one more read
 * still fits, and TCP holds the senders back instead of us dropping. */
#define FULL_BYTES (RING_BYTES / 2)
/* and from here on, parts only: a whole read would not fit beside it. */
#define NEAR_BYTES (RING_BYTES / 8)

struct hd_xring {
	_Alignas(64) uint32_t head; /* atomic; the consumer's, free-running */
	bool awaited; /* atomic: the producer sleeps until there is room */
	_Alignas(64) uint32_t tail; /* atomic; the producer's */
	bool wake;                  /* the producer owes a wake-up */
	_Alignas(64) uint8_t bytes[RING_BYTES];
};

int hd_xring_init(struct hd_worker *w, unsigned n_workers)
{
	w->from = calloc(n_workers, sizeof(*w->from));
	w->to = calloc(n_workers, sizeof(*w->to));
	return w->from != NULL && w->to != NULL ? 0 : -ENOMEM;
}

void hd_xring_free(struct hd_worker *w)
{
	for (unsigned i = 0; w->from != NULL && i < hd_workers(); i++)
		free(w->from[i]);
	free(w->from);
	free(w->to);
	w->from = w->to = NULL;
}

static struct hd_xring *ring_to(struct hd_worker *w, unsigned to)
{
	struct hd_xring *r = w->to[to];

	if (r != NULL)
		return r;
	r = aligned_alloc(64, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->head = r->tail = 0;
	r->wake = r->awaited = false;
	w->to[to] = r;
	__atomic_store_n(&hd_worker_at(to)->from[w->index], r,
			 __ATOMIC_RELEASE);
	return r;
}

/* Room for total contiguous bytes at *at, after a wrap record if the end of
 * the ring is too near. */
static bool ring_room(struct hd_xring *r, uint32_t total, uint32_t *at)
{
	uint32_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
	uint32_t to_end = RING_BYTES - *at % RING_BYTES;
	uint32_t skip = to_end < total ? to_end : 0;

	if (*at + skip + total - head > RING_BYTES)
		return false;
	if (skip > 0)
		memset(&r->bytes[*at % RING_BYTES], 0, sizeof(uint32_t));
	*at += skip;
	return true;
}

static uint32_t ring_used(const struct hd_xring *r)
{
	return r->tail - __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
}

bool hd_xring_has_room(struct hd_worker *w, unsigned to)
{
	return w->to[to] == NULL || ring_used(w->to[to]) < FULL_BYTES / 2;
}

int hd_xring_put(struct hd_worker *w, unsigned to,
		 const struct hd_xrecord *record, const uint8_t *data)
{
	struct hd_xring *r = ring_to(w, to);
	uint32_t total = (sizeof(*record) + record->len_bytes + 7) & ~7u;
	uint32_t at, used;

	if (r == NULL)
		return -ENOMEM;
	at = r->tail;
	if (!ring_room(r, total, &at))
		return -ENOBUFS;
	struct hd_xrecord *to_record = (void *)&r->bytes[at % RING_BYTES];

	*to_record = *record;
	to_record->total_bytes = total;
	if (record->len_bytes > 0) /* else data may be NULL */
		memcpy(to_record + 1, data, record->len_bytes);
	__atomic_store_n(&r->tail, at + total, __ATOMIC_RELEASE);
	r->wake = true;
	used = ring_used(r);
	w->xnear |= used > NEAR_BYTES;
	if (used > FULL_BYTES && !w->xfull) {
		w->xfull = true;
		hd_worker_wake(hd_worker_at(to)); /* not at the turn's end */
	}
	return 0;
}

void hd_xring_wake(struct hd_worker *w)
{
	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		if (w->to[i] == NULL || !w->to[i]->wake)
			continue;
		w->to[i]->wake = false;
		hd_worker_wake(hd_worker_at(i));
	}
}

static struct hd_xring *ring_from(const struct hd_worker *w, unsigned i)
{
	return __atomic_load_n(&w->from[i], __ATOMIC_ACQUIRE);
}

void hd_xring_look(struct hd_worker *w)
{
	uint32_t most = 0;

	for (unsigned i = 0, n = hd_workers(); i < n; i++)
		if (w->to[i] != NULL)
			most = HD_MAX(most, ring_used(w->to[i]));
	w->xfull = most > FULL_BYTES;
	w->xnear = most > NEAR_BYTES;
}

/* Both ends change `awaited`, one after the other: either the consumer finds
 * it set, or the producer sees what was taken before. */
bool hd_xring_await(struct hd_worker *w)
{
	bool full = false;

	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		struct hd_xring *r = w->to[i];

		if (r == NULL || ring_used(r) <= FULL_BYTES)
			continue;
		(void)__atomic_exchange_n(&r->awaited, true, __ATOMIC_SEQ_CST);
		full |= ring_used(r) > FULL_BYTES;
	}
	return full;
}

bool hd_xring_any(const struct hd_worker *w)
{
	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		struct hd_xring *r = ring_from(w, i);

		if (r != NULL &&
		    __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) != r->head)
			return true;
	}
	return false;
}

/* Returns whether its producer waits for what was taken. */
static bool ring_run(struct hd_worker *w, struct hd_xring *r, hd_xring_fn *fn)
{
	uint32_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	uint32_t head = r->head;

	if (head == tail)
		return false;

	while (head != tail) {
		uint32_t at = head % RING_BYTES;
		const struct hd_xrecord *x = (void *)&r->bytes[at];

		if (x->total_bytes == 0) {
			head += RING_BYTES - at;
		} else {
			fn(w, x, (const uint8_t *)(x + 1));
			head += x->total_bytes;
		}
		__atomic_store_n(&r->head, head, __ATOMIC_RELEASE);
	}
	return __atomic_exchange_n(&r->awaited, false, __ATOMIC_SEQ_CST);
}

void hd_xring_run(struct hd_worker *w, hd_xring_fn *fn)
{
	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		struct hd_xring *r = ring_from(w, i);

		if (r != NULL && ring_run(w, r, fn))
			hd_worker_wake(hd_worker_at(i));
	}
}
