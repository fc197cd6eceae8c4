/* SPDX-License-Identifier: MIT */
/* core/relay/presence.c - the watcher's side: batches are offered to its
 * protocol, as much as its stream takes, and go back empty.
 * Context: the watcher's worker. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include "core/relay/peer.h"
#include "core/relay/presence.h"
#include "core/stream/stream_life.h"

/* In the control lane, where all else that must arrive goes too: an eighth of
 * what it may hold. */
#define WAITS_MAX_BYTES (32 * 1024)

struct hd_watcher { /* of a peer */
	struct hd_watcher_id id;
	uint16_t realm;
	struct hd_presence_batch *first, *last;
};

/* Returns false when out of memory: that feed says no more. */
static bool send_back(struct hd_presence_batch *b)
{
	int r = hd_worker_post(hd_worker_at(b->from), hd_feed_back, b, NULL);

	if (r < 0)
		hd_presence_batch_free(b);
	return r != -ENOMEM;
}

/* ---- begin and end ---- */

static int feed_tell(unsigned worker, const struct hd_watcher_id *id,
		     hd_worker_fn *fn)
{
	struct hd_watcher_id *copy = malloc(sizeof(*copy));
	int r;

	if (copy == NULL)
		return -ENOMEM;
	*copy = *id;
	r = hd_worker_post(hd_worker_at(worker), fn, copy, NULL);
	if (r < 0)
		free(copy);
	return r;
}

/* Without memory its next batch comes back as one nobody wants. */
static void feed_close_at(unsigned worker, const struct hd_watcher_id *id)
{
	feed_tell(worker, id, hd_feed_close);
}

/* Nobody wants the batches: without a feed they are freed. */
void hd_presence_end(struct hd_peer *p)
{
	struct hd_watcher *watch = hd_steal(&p->watch);
	struct hd_presence_batch *b;

	if (watch == NULL)
		return;
	p->stream->user_waits = false;
	for (unsigned i = 0; i < hd_workers(); i++)
		feed_close_at(i, &watch->id);
	while ((b = watch->first) != NULL) {
		watch->first = b->next;
		send_back(b);
	}
	free(watch);
}

static int feed_open_at(unsigned worker, const struct hd_watcher_id *id,
			uint16_t realm)
{
	struct hd_presence_batch *b = malloc(sizeof(*b));
	int r;

	if (b == NULL)
		return -ENOMEM;
	b->next = NULL;
	b->id = *id;
	b->from = worker;
	b->realm = realm;
	b->lost = false;
	b->n = b->at = 0;
	r = hd_worker_post(hd_worker_at(worker), hd_feed_open, b, NULL);
	if (r < 0)
		free(b);
	return r;
}

static struct hd_watcher *watch_new(struct hd_peer *p, uint16_t realm)
{
	const struct hd_stream *s = p->stream;
	struct hd_watcher *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->realm = realm;
	watch->id = (struct hd_watcher_id){
		.worker = s->worker->index,
		.slot = s->slot,
		.gen = s->gen,
		.nth = ++p->watches,
	};
	return watch;
}

/* Its feeds go on: what they have not told yet is still owed. */
static int feeds_tell(const struct hd_watcher *watch, hd_worker_fn *fn)
{
	int r = 0;

	for (unsigned i = 0; i < hd_workers() && r == 0; i++)
		r = feed_tell(i, &watch->id, fn);
	return r;
}

static int watch_begin(struct hd_peer *p, uint16_t realm)
{
	int r = 0;

	hd_presence_end(p);
	p->watch = watch_new(p, realm);
	if (p->watch == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < hd_workers() && r == 0; i++)
		r = feed_open_at(i, &p->watch->id, realm);
	return r;
}

int hd_presence_watch(struct hd_peer *p, uint16_t realm)
{
	int r;

	if (p->state != HD_PEER_UP)
		return -EPIPE;
	if (p->stream->proto->peer->presence == NULL)
		return -ENOTSUP;
	r = p->watch != NULL && p->watch->realm == realm
		    ? feeds_tell(p->watch, hd_feed_again)
		    : watch_begin(p, realm);
	if (r < 0)
		hd_presence_end(p);
	return r;
}

int hd_presence_watch_also(struct hd_peer *p, uint32_t realms)
{
	int r;

	if (p->state != HD_PEER_UP)
		return -EPIPE;
	if (p->watch == NULL)
		return -ENOENT;
	if ((realms & ~p->watch->id.also) == 0)
		return 0;
	p->watch->id.also |= realms;
	r = feeds_tell(p->watch, hd_feed_widen);
	if (r < 0)
		hd_presence_end(p);
	return r;
}

/* ---- batches ---- */

static void queue_in(struct hd_watcher *watch, struct hd_presence_batch *b)
{
	b->next = NULL;
	if (watch->first == NULL)
		watch->first = b;
	else
		watch->last->next = b;
	watch->last = b;
}

static struct hd_peer *watcher_of(struct hd_worker *w,
				  const struct hd_watcher_id *id)
{
	struct hd_stream *s =
		hd_slots_get(&w->streams->slots, id->slot, id->gen);
	struct hd_peer *p = s != NULL ? hd_peer_up_of(s) : NULL;

	return p != NULL && p->watch != NULL && p->watch->id.nth == id->nth
		       ? p
		       : NULL;
}

void hd_presence_take(struct hd_worker *w, void *batch, void *unused)
{
	struct hd_presence_batch *b = batch;
	struct hd_peer *p = watcher_of(w, &b->id);

	(void)unused;
	if (p == NULL) {
		feed_close_at(b->from, &b->id);
		hd_presence_batch_free(b);
		return;
	}
	if (b->lost) {
		hd_stream_close(p->stream, HD_CLOSE_ERROR);
		hd_presence_batch_free(b);
		return;
	}
	queue_in(p->watch, b);
	p->stream->user_waits = true;
	hd_stream_mark_dirty(p->stream);
}

static bool takes_more(const struct hd_stream *s)
{
	return hd_stream_is_open(s) &&
	       s->lane[HD_LANE_CONTROL].bytes < WAITS_MAX_BYTES;
}

static void offer(struct hd_stream *s, struct hd_peer *p,
		  const struct hd_presence_item *item)
{
	const struct hd_presence what = {
		.key = &item->key,
		.realm = item->realm,
		.present = item->present,
		.flags = item->flags,
		.addr = &item->addr,
	};

	s->proto->peer->presence(s->mod, p, &what);
}

static void offer_batches(struct hd_stream *s, struct hd_peer *p)
{
	struct hd_presence_batch *b;

	while ((b = p->watch->first) != NULL && takes_more(s)) {
		offer(s, p, &b->item[b->at++]);
		if (b->at < b->n)
			continue;
		p->watch->first = b->next;
		if (!send_back(b))
			hd_stream_close(s, HD_CLOSE_ERROR);
	}
}

/* What it appends makes the stream dirty: it is flushed in this turn, and
 * offered more then, or when the kernel has taken what it has. */
void hd_presence_offer(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);
	struct hd_account *before;

	if (s->proto->peer->presence == NULL) { /* new code without it */
		hd_presence_end(p);
		return;
	}
	before = hd_meter_enter(&s->worker->meter, s->account);
	offer_batches(s, p);
	hd_meter_leave(&s->worker->meter, before);
	s->user_waits = p->watch->first != NULL;
	if (s->user_waits && s->output == HD_OUTPUT_SENDING)
		hd_stream_expect_sent(s);
}
