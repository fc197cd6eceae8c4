/* SPDX-License-Identifier: MIT */
/* modules/wg/restore.c - what the last run knew, where it still fits what is
 * registered. Nothing in the file is believed beyond that: a damaged one means
 * that everything is learned anew. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include "modules/wg/saved.h"

enum { FILE_MAX_BYTES = 1 << 30 };

int wg_saved_read(struct wg_saved **ret, struct hd_error *err)
{
	HD_AUTO(wg_saved_free) struct wg_saved *s = calloc(1, sizeof(*s));
	int r = -EFBIG;

	for (size_t cap = 1 << 16; r == -EFBIG && cap <= FILE_MAX_BYTES;
	     cap *= 4) {
		uint8_t *v = s != NULL ? realloc(s->v, cap) : NULL;

		if (v == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		s->v = v;
		r = hd_state_file_read(WG_STATE_FILE, v, cap, err);
	}
	if (r < 0)
		return r;
	s->n = (size_t)r;
	*ret = hd_steal(&s);
	return 0;
}

struct reading {
	struct wg_engine *e;
	const struct wg_saved_head *head;
	const struct wg_peer_record *peers;
	const struct wg_link_record *links;
	const struct wg_session_record *sessions;
	uint64_t gone_ms; /* since it was written */
};

static bool read_head(const struct wg_saved *s, struct reading *r)
{
	const struct wg_saved_head *h = (const void *)s->v;
	uint64_t now = wg_wall_ms();

	if (s->n < sizeof(*h) || memcmp(h->magic, WG_STATE_MAGIC, sizeof(h->magic)) != 0)
		return false;
	if (s->n != sizeof(*h) + h->n_peers * sizeof(*r->peers) +
			    h->n_links * sizeof(*r->links) +
			    h->n_sessions * sizeof(*r->sessions))
		return false;
	r->head = h;
	r->peers = (const void *)(h + 1);
	r->links = (const void *)(r->peers + h->n_peers);
	r->sessions = (const void *)(r->links + h->n_links);
	r->gone_ms = now >= h->wall_ms ? now - h->wall_ms : 0;
	return true;
}

/* The monotonic clock may be younger than what was saved. */
static uint64_t since(const struct reading *r, uint64_t ago_ms)
{
	if (ago_ms == UINT64_MAX)
		return 0;
	ago_ms += r->gone_ms;
	return ago_ms < r->e->now_ms ? r->e->now_ms - ago_ms : 1;
}

static struct wg_peer *peer_in(const struct reading *r, uint32_t i)
{
	const struct wg_peer_record *record;
	struct wg_peer *p;

	if (i >= r->head->n_peers)
		return NULL;
	record = &r->peers[i];
	if (memchr(record->name, 0, sizeof(record->name)) == NULL)
		return NULL;
	p = wg_peer_by_name(r->e, record->name);
	return p != NULL && memcmp(p->key, record->key, sizeof(p->key)) == 0
		       ? p
		       : NULL;
}

static void restore_peer(const struct reading *r, uint32_t i)
{
	const struct wg_peer_record *record = &r->peers[i];
	struct wg_peer *p = peer_in(r, i);

	/* another pinned endpoint is the operator's latest word */
	if (p == NULL || !record->endpoint.set ||
	    !wg_addr_same(&p->pinned, &record->pinned))
		return;
	wg_peer_move(r->e, p, &record->endpoint, &record->local);
	p->seen_ms = since(r, record->seen_ago_ms);
	p->handshake_ms = since(r, record->handshake_ago_ms);
	p->relearned = record->relearned;
}

static struct wg_link *link_in(const struct reading *r, uint32_t i,
			       unsigned *ret_first)
{
	const struct wg_peer *a, *b;
	struct wg_link *l;

	if (i >= r->head->n_links)
		return NULL;
	a = peer_in(r, r->links[i].peer[0]);
	b = peer_in(r, r->links[i].peer[1]);
	if (a == NULL || b == NULL)
		return NULL;
	l = wg_link_between(r->e, a->item.id, b->item.id);
	*ret_first = l != NULL ? wg_side(l, a->item.id) : 0;
	return l;
}

static void restore_link(const struct reading *r, uint32_t i)
{
	unsigned first;
	struct wg_link *l = link_in(r, i, &first);

	if (l == NULL)
		return;
	l->trusted = r->links[i].trusted;
	l->handshake_ms = since(r, r->links[i].handshake_ago_ms);
}

static void restore_session(const struct reading *r, uint32_t i)
{
	const struct wg_session_record *record = &r->sessions[i];
	unsigned first, initiator = record->initiator & 1;
	struct wg_link *l = link_in(r, record->link, &first);
	struct wg_end ends[2] = { 0 };
	struct wg_session *s;

	if (l == NULL || record->used_ago_ms + r->gone_ms > WG_REJECT_AFTER_MS)
		return;
	for (unsigned k = 0; k < 2; k++) {
		const struct wg_end_record *end = &record->end[k];

		if (!end->addr.set)
			return;
		ends[k ^ first] = (struct wg_end){ .addr = end->addr,
						   .local = end->local,
						   .next = end->next,
						   .index = end->index };
	}
	s = wg_session_new(r->e, l, initiator ^ first, ends);
	if (s == NULL || !wg_session_known(r->e, s))
		return;
	s->made_ms = since(r, record->made_ago_ms);
	s->used_ms = since(r, record->used_ago_ms);
}

void wg_restore(struct wg_engine *e, const struct wg_saved *saved)
{
	struct reading r = { .e = e };

	if (!read_head(saved, &r)) {
		hd_log_warn("wg: the file of saved endpoints is damaged; they "
			    "are learned anew");
		return;
	}
	for (uint32_t i = 0; i < r.head->n_peers; i++)
		restore_peer(&r, i);
	for (uint32_t i = 0; i < r.head->n_links; i++)
		restore_link(&r, i);
	for (uint32_t i = 0; i < r.head->n_sessions; i++)
		restore_session(&r, i);
	hd_log_notice("wg: taken up again: endpoints=%u sessions=%u",
		      e->sum.confirmed, e->sessions.used);
}
