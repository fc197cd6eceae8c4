/* SPDX-License-Identifier: MIT */
/* core/loop/xring.c - packets from one worker to another. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/xring.h"

#define RING_BYTES HD_XRING_BYTES
/* From here on the producer reads no more from those of its sockets that feed
 * this ring: TCP holds their senders back instead of us dropping. One more read
 * fits, and beside it some of streams that have not fed it before. */
#define FULL_BYTES (RING_BYTES * 3 / 8)

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

__attribute__((cold, noinline)) static struct hd_xring *
ring_make(struct hd_worker *w, unsigned to)
{
	struct hd_xring *r = aligned_alloc(64, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->head = r->tail = 0;
	r->wake = r->awaited = false;
	w->to[to] = r;
	__atomic_store_n(&hd_worker_at(to)->from[w->index], r,
			 __ATOMIC_RELEASE);
	return r;
}

static inline struct hd_xring *ring_to(struct hd_worker *w, unsigned to)
{
	return w->to[to] != NULL ? w->to[to] : ring_make(w, to);
}

/* What is skipped for total contiguous bytes: the end of the ring, if that is
 * too near. */
static uint32_t ring_skip(uint32_t at, uint32_t total)
{
	uint32_t to_end = RING_BYTES - at % RING_BYTES;

	return to_end < total ? to_end : 0;
}

static uint32_t ring_used(const struct hd_xring *r)
{
	return r->tail - __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
}

bool hd_xring_has_room(struct hd_worker *w, unsigned to)
{
	return w->to[to] == NULL || ring_used(w->to[to]) < RING_BYTES / 4;
}

static inline void note_used(struct hd_worker *w, unsigned to, uint32_t used)
{
	w->xused = HD_MAX(w->xused, used);
	if (used <= FULL_BYTES || w->xfull & HD_XBIT(to))
		return;
	w->xfull |= HD_XBIT(to);
	hd_worker_wake(hd_worker_at(to)); /* not at the turn's end */
}

struct put { /* a record that is written */
	struct hd_xring *r;
	uint32_t end, used; /* of the ring, with it */
};

/* The head of a record. Returns where its bytes go; NULL: the ring is full. */
static inline uint8_t *put_begin(struct put *put, struct hd_xring *r,
				 const struct hd_xrecord *record)
{
	uint32_t total = (sizeof(*record) + record->len_bytes + 7) & ~7u;
	uint32_t at = r->tail, skip = ring_skip(at, total);

	put->r = r;
	put->used = ring_used(r) + skip + total;
	if (put->used > RING_BYTES)
		return NULL;
	if (skip > 0)
		memset(&r->bytes[at % RING_BYTES], 0, sizeof(uint32_t));
	at += skip;
	struct hd_xrecord *to_record = (void *)&r->bytes[at % RING_BYTES];

	*to_record = *record;
	to_record->total_bytes = total;
	put->end = at + total;
	return (uint8_t *)(to_record + 1);
}

static inline int put_end(struct hd_worker *w, unsigned to,
			  const struct put *put)
{
	__atomic_store_n(&put->r->tail, put->end, __ATOMIC_RELEASE);
	put->r->wake = true;
	w->xfed |= HD_XBIT(to);
	if (put->used > HD_XRING_NEAR_BYTES)
		note_used(w, to, put->used);
	return 0;
}

int hd_xring_put(struct hd_worker *w, unsigned to,
		 const struct hd_xrecord *record, const uint8_t *data)
{
	struct hd_xring *r = ring_to(w, to);
	struct put put;
	uint8_t *p;

	if (r == NULL)
		return -ENOMEM;
	p = put_begin(&put, r, record);
	if (p == NULL)
		return -ENOBUFS;
	if (record->len_bytes > 0) /* else data may be NULL */
		memcpy(p, data, record->len_bytes);
	return put_end(w, to, &put);
}

int hd_xring_put_members(struct hd_worker *w, unsigned to,
			 const struct hd_xrecord *record,
			 const struct hd_xmember *members, const uint8_t *data)
{
	size_t head = record->n * sizeof(*members);
	struct hd_xring *r = ring_to(w, to);
	struct put put;
	uint8_t *p;

	if (r == NULL)
		return -ENOMEM;
	p = put_begin(&put, r, record);
	if (p == NULL)
		return -ENOBUFS;
	memcpy(p, members, head);
	if (record->len_bytes > head)
		memcpy(p + head, data, record->len_bytes - head);
	return put_end(w, to, &put);
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
	w->xused = 0;
	w->xfull = 0;
	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		uint32_t used = w->to[i] != NULL ? ring_used(w->to[i]) : 0;

		if (used > w->xused)
			w->xused = used;
		if (used > FULL_BYTES)
			w->xfull |= HD_XBIT(i);
	}
}

unsigned hd_xring_fullest(const struct hd_worker *w)
{
	uint32_t most = 0;
	unsigned at = (unsigned)__builtin_ctzll(w->xfull);

	for (unsigned i = 0, n = hd_workers(); i < n; i++) {
		uint32_t used = w->to[i] != NULL ? ring_used(w->to[i]) : 0;

		if (used <= most || !(w->xfull & HD_XBIT(i)))
			continue;
		most = used;
		at = i % HD_XBITS;
	}
	return at;
}

/* Both ends change `awaited`, one after the other: either the consumer finds
 * it set, or the producer sees what was taken before. */
bool hd_xring_await(struct hd_worker *w)
{
	uint64_t full = w->xfull;

	for (unsigned i = 0, n = hd_workers(); i < n; i++)
		if (w->to[i] != NULL && full & HD_XBIT(i))
			(void)__atomic_exchange_n(&w->to[i]->awaited, true,
						  __ATOMIC_SEQ_CST);
	hd_xring_look(w);
	return w->xfull == full;
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
