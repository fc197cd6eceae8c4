/* SPDX-License-Identifier: MIT */
/* core/relay/held.c - see held.h: a list, the oldest first. It is short, and
 * nobody looks at it while every key is known. */
#include "core/relay/held.h"
#include <hyper-derp/hook.h>
#include <hyper-derp/timer.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/hooks.h"
#include "core/loop/xring.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/way.h"
#include "core/stream/stream_life.h"

#define HELD_MAX_BYTES (512 * 1024)
#define HELD_BY_SHARE 8 /* of that is for those who share a counter */

struct held {
	struct held *next;
	uint64_t until_ms;
	uint64_t hash; /* of dst */
	struct hd_key src, dst;
	uint32_t len_bytes;
	uint16_t realm;
	bool urgent;
	uint8_t data[];
};

struct hd_held_queue {
	struct held *first, **end;
	unsigned n;
	size_t bytes;
	struct held_by {
		unsigned n;
		size_t bytes;
	} by[64]; /* senders, by their keys */
	struct hd_timer *timer;
};

static struct held_by *by(struct hd_held_queue *q, const struct hd_key *src)
{
	return &q->by[src->b[0] % HD_ARRAY_N(q->by)];
}

static struct held *take_out(struct hd_held_queue *q, struct held **at)
{
	struct held *h = *at;

	*at = h->next;
	if (*at == NULL)
		q->end = at;
	q->n--;
	q->bytes -= h->len_bytes;
	by(q, &h->src)->n--;
	by(q, &h->src)->bytes -= h->len_bytes;
	return h;
}

/* ---- they end ---- */

static struct hd_entry *find(const struct hd_worker *w, uint16_t realm,
			     const struct hd_key *key, uint64_t hash)
{
	return hd_relay_table_find(&w->relay->table, hash, realm, key);
}

static void tell_sender(struct hd_worker *w, const struct held *h)
{
	uint64_t hash = hd_key_hash(h->realm, &h->src);
	const struct hd_xrecord x = {
		.hash = hash,
		.src = h->dst,
		.dst = h->src,
		.realm = h->realm,
		.kind = HD_X_NOT_HERE,
	};
	struct hd_entry *e;

	if (hd_key_home(hash) != w->index) {
		hd_xring_put(w, hd_key_home(hash), &x, NULL);
		return;
	}
	e = find(w, h->realm, &h->src, hash);
	if (e != NULL)
		hd_peer_not_here(e->active, &h->dst);
}

static void drop(struct hd_worker *w, struct held *h)
{
	const struct hd_packet packet = {
		.src = &h->src,
		.dst = &h->dst,
		.data = h->data,
		.len_bytes = h->len_bytes,
		.realm = h->realm,
		.urgent = h->urgent,
	};

	hd_relay_drop(w, HD_DROP_UNKNOWN_DEST, &packet, "");
	if (h->urgent)
		tell_sender(w, h);
	free(h);
}

/* Who got a packet is told when its sender leaves. */
static void note_here(struct hd_worker *w, const struct held *h, uint64_t src)
{
	struct hd_entry *e = find(w, h->realm, &h->src, src);

	if (e != NULL && find(w, h->realm, &h->dst, h->hash) != NULL)
		hd_gone_note(w, e, &h->dst);
}

static void go(struct hd_worker *w, struct held *h)
{
	uint64_t src = hd_key_hash(h->realm, &h->src);
	bool ours = hd_key_home(src) == w->index;
	const struct hd_xrecord x = {
		.len_bytes = h->len_bytes,
		.hash = h->hash,
		.src = h->src,
		.dst = h->dst,
		.realm = h->realm,
		.kind = HD_X_PACKET,
		.urgent = h->urgent,
		.first = !ours,
	};

	hd_relay_take(w, &x, h->data);
	if (ours)
		note_here(w, h, src);
	free(h);
}

static bool is_known(const struct hd_worker *w, const struct held *h)
{
	return find(w, h->realm, &h->dst, h->hash) != NULL ||
	       hd_way_find(&w->relay->ways, h->hash, h->realm, &h->dst) != NULL;
}

/* ---- while they wait ---- */

static void set_timer(struct hd_worker *w)
{
	const struct hd_held_queue *q = w->relay->held;
	const struct held *h = q->first;
	uint64_t ms = 0;

	if (h != NULL)
		ms = h->until_ms > w->now_ms ? h->until_ms - w->now_ms : 1;
	hd_timer_set(q->timer, (uint32_t)ms);
}

static void look(struct hd_module *mod, struct hd_worker *w, void *unused)
{
	struct hd_held_queue *q = w->relay->held;
	struct held **at = &q->first;

	(void)mod, (void)unused;
	while (*at != NULL) {
		if (is_known(w, *at))
			go(w, take_out(q, at));
		else if ((*at)->until_ms <= w->now_ms)
			drop(w, take_out(q, at));
		else
			at = &(*at)->next;
	}
	set_timer(w);
}

static struct hd_held_queue *queue_of(struct hd_worker *w)
{
	struct hd_held_queue *q = w->relay->held;

	if (q != NULL)
		return q;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->end = &q->first;
	q->timer = hd_timer_new(NULL, w, look, NULL);
	if (q->timer == NULL) {
		free(q);
		return NULL;
	}
	w->relay->held = q;
	return q;
}

static struct held *held_new(const struct hd_worker *w,
			     const struct hd_packet *packet, uint64_t hash)
{
	struct held *h = malloc(sizeof(*h) + packet->len_bytes);

	if (h == NULL)
		return NULL;
	*h = (struct held){
		.until_ms = w->now_ms + HD_HELD_MS,
		.hash = hash,
		.src = *packet->src,
		.dst = *packet->dst,
		.len_bytes = packet->len_bytes,
		.realm = packet->realm,
		.urgent = packet->urgent,
	};
	memcpy(h->data, packet->data, packet->len_bytes);
	return h;
}

/* One who tries keys does not push out the packets of all others. */
static bool may_wait(struct hd_held_queue *q, const struct hd_packet *packet)
{
	const struct held_by *b = by(q, packet->src);

	return b->n == 0 ||
	       (b->n < HD_HELD_MAX / HELD_BY_SHARE &&
		b->bytes + packet->len_bytes <= HELD_MAX_BYTES / HELD_BY_SHARE);
}

static bool hold(struct hd_worker *w, const struct hd_packet *packet,
		 uint64_t hash)
{
	struct hd_held_queue *q = queue_of(w);
	struct held *h = q != NULL && may_wait(q, packet)
				 ? held_new(w, packet, hash)
				 : NULL;

	if (h == NULL)
		return false;
	while (q->n > 0 && (q->n == HD_HELD_MAX ||
			    q->bytes + h->len_bytes > HELD_MAX_BYTES))
		drop(w, take_out(q, &q->first));
	*q->end = h;
	q->end = &h->next;
	q->n++;
	q->bytes += h->len_bytes;
	by(q, &h->src)->n++;
	by(q, &h->src)->bytes += h->len_bytes;
	if (q->n == 1)
		set_timer(w);
	return true;
}

__attribute__((cold, noinline)) static bool
ask(struct hd_worker *w, const struct hd_packet *packet, uint64_t hash)
{
	enum hd_verdict v = HD_VERDICT_PASS;

	for (const struct hd_hook *h = w->hooks->unknown.v;
	     h->unknown != NULL && v == HD_VERDICT_PASS; h++) {
		struct hd_account *before = hd_meter_enter(
			&w->meter, hd_account_of(w, h->mod));

		v = h->unknown(h->mod, w, packet);
		hd_meter_leave(&w->meter, before);
	}
	return v == HD_VERDICT_PENDING && hold(w, packet, hash);
}

bool hd_held_ask(struct hd_worker *w, const struct hd_packet *packet,
		 uint64_t hash)
{
	return w->hooks->unknown.n > 0 && ask(w, packet, hash);
}

/* ---- what is found ---- */

static bool is_for(const struct held *h, uint16_t realm,
		   const struct hd_key *key)
{
	return h->realm == realm && memcmp(&h->dst, key, sizeof(*key)) == 0;
}

/* @end  go() or drop() */
static void end_those(struct hd_worker *w, uint16_t realm,
		      const struct hd_key *key,
		      void (*end)(struct hd_worker *w, struct held *h))
{
	struct hd_held_queue *q = w->relay->held;
	struct held **at;

	if (q == NULL || q->n == 0)
		return;
	for (at = &q->first; *at != NULL;)
		if (is_for(*at, realm, key))
			end(w, take_out(q, at));
		else
			at = &(*at)->next;
	set_timer(w);
}

static void tell_there(struct hd_worker *w, uint16_t realm,
		       const struct hd_key *key)
{
	for (const struct hd_hook *h = w->hooks->there.v; h->there != NULL;
	     h++) {
		struct hd_account *before = hd_meter_enter(
			&w->meter, hd_account_of(w, h->mod));

		h->there(h->mod, w, realm, key);
		hd_meter_leave(&w->meter, before);
	}
}

void hd_held_found(struct hd_worker *w, uint64_t hash, uint16_t realm,
		   const struct hd_key *key)
{
	if (w->relay->held != NULL &&
	    hd_way_find(&w->relay->ways, hash, realm, key) != NULL)
		end_those(w, realm, key, go);
	tell_there(w, realm, key);
}

void hd_relay_unknown(struct hd_worker *w, uint16_t realm,
		      const struct hd_key *key)
{
	end_those(w, realm, key, drop);
}

/* ---- who is here ---- */

static void tell(struct hd_peer *p, bool present)
{
	struct hd_worker *w = p->stream->worker;
	const struct hd_presence what = {
		.key = &p->login.key,
		.realm = p->login.realm,
		.present = present,
		.flags = p->login.flags,
		.addr = &p->stream->addr,
	};

	if (p->login.mesh || w->relay->here_later)
		return;
	for (const struct hd_hook *h = w->hooks->here.v; h->here != NULL; h++) {
		struct hd_account *before = hd_meter_enter(
			&w->meter, hd_account_of(w, h->mod));

		h->here(h->mod, w, &what);
		hd_meter_leave(&w->meter, before);
	}
}

/* Its protocol is told a little later that it is admitted: no packet comes
 * before that. */
void hd_held_came(struct hd_peer *p)
{
	struct hd_held_queue *q = p->stream->worker->relay->held;

	tell(p, true);
	if (q != NULL && q->n > 0)
		hd_timer_set(q->timer, 1);
}

void hd_held_left(struct hd_peer *p)
{
	tell(p, false);
}

void hd_held_later(struct hd_worker *w)
{
	w->relay->here_later = true;
}

void hd_held_now(struct hd_worker *w)
{
	if (!w->relay->here_later)
		return;
	w->relay->here_later = false;
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		struct hd_peer *p = hd_peer_up_of(s);

		if (p != NULL)
			tell(p, true);
	}
}

void hd_held_free(struct hd_worker *w)
{
	struct hd_held_queue *q = hd_steal(&w->relay->held);

	if (q == NULL)
		return;
	while (q->first != NULL)
		free(take_out(q, &q->first));
	hd_timer_free(&q->timer);
	free(q);
}
