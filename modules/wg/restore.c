/* SPDX-License-Identifier: MIT */
/* modules/wg/restore.c - what the last run knew, where it still fits what is
 * registered. Nothing in the file is believed beyond that. A damaged one is not
 * taken: the copy before it is, and without that everything is learned anew. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <stdlib.h>
#include "modules/wg/saved.h"
#include "modules/wg/seal.h"

enum { FILE_MAX_BYTES = 1 << 30 };

bool wg_saved_damaged;

static int read_bytes(const char *name, struct wg_saved *s,
		      struct hd_error *err)
{
	int r = -EFBIG;

	for (size_t cap = 1 << 16; r == -EFBIG && cap <= FILE_MAX_BYTES;
	     cap *= 4) {
		uint8_t *v = realloc(s->v, cap);

		if (v == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		s->v = v;
		r = hd_state_file_read(name, v, cap, err);
	}
	s->n = r < 0 ? 0 : (size_t)r;
	return HD_MIN(r, 0);
}

static bool has_magic(const struct wg_saved *s, const char *magic)
{
	return s->n >= sizeof(struct wg_saved_head) &&
	       memcmp(s->v, magic,
		      sizeof(((struct wg_saved_head *)0)->magic)) == 0;
}

/* Its seal is taken off. Returns 1; 0 it never had one; < 0 it is damaged. */
static int unseal(struct wg_saved *s)
{
	uint8_t seal[WG_SEAL_BYTES];

	if (has_magic(s, WG_STATE_MAGIC_UNSEALED))
		return 0;
	if (!has_magic(s, WG_STATE_MAGIC) || s->n < WG_SEAL_BYTES)
		return -EBADMSG;
	s->n -= WG_SEAL_BYTES;
	wg_seal_make(s->v, s->n, seal);
	return memcmp(seal, s->v + s->n, sizeof(seal)) == 0 ? 1 : -EBADMSG;
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

	if (!(has_magic(s, WG_STATE_MAGIC) ||
	      has_magic(s, WG_STATE_MAGIC_UNSEALED)) ||
	    s->n != sizeof(*h) + h->n_peers * sizeof(*r->peers) +
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

static int read_one(const char *name, struct wg_saved **ret,
		    struct hd_error *err)
{
	HD_AUTO(wg_saved_free) struct wg_saved *s = calloc(1, sizeof(*s));
	struct reading unused = { .e = NULL };
	char path[256];
	int r = s != NULL ? read_bytes(name, s, err) : -ENOMEM;

	if (r < 0)
		return r;
	hd_state_file_path(name, path, sizeof(path));
	r = unseal(s);
	if (r < 0 || !read_head(s, &unused))
		return hd_error_set(err, -EBADMSG,
				    "%s: it is cut off, damaged or of another "
				    "version (%zu bytes): its SHA-256 is not "
				    "the one at its end",
				    path, s->n);
	if (r == 0)
		hd_log_warn("wg: %s: an earlier relay wrote it, whether it is "
			    "whole cannot be told: it is taken as it is",
			    path);
	*ret = hd_steal(&s);
	return 0;
}

int wg_saved_read(struct wg_saved **ret, struct hd_error *err)
{
	struct hd_error before = { "" };
	int r = read_one(WG_STATE_FILE, ret, err);

	wg_saved_damaged = r == -EBADMSG;
	if (!wg_saved_damaged)
		return r;
	if (read_one(WG_STATE_BEFORE, ret, &before) < 0)
		return r;
	hd_log_warn("wg: %s; the copy before it, " WG_STATE_BEFORE
		    ", is taken instead",
		    err->text);
	return 0;
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
	s = wg_session_new(r->e, l, initiator ^ first, ends, 0);
	if (s == NULL || !wg_session_known(r->e, s, record->initiator & 2))
		return;
	s->made_ms = since(r, record->made_ago_ms);
	s->used_ms = since(r, record->used_ago_ms);
}

bool wg_restore(struct wg_engine *e, const struct wg_saved *saved)
{
	struct reading r = { .e = e };

	if (!read_head(saved, &r)) {
		hd_log_warn("wg: the file of saved endpoints is damaged; they "
			    "are learned anew");
		return false;
	}
	for (uint32_t i = 0; i < r.head->n_peers; i++)
		restore_peer(&r, i);
	for (uint32_t i = 0; i < r.head->n_links; i++)
		restore_link(&r, i);
	for (uint32_t i = 0; i < r.head->n_sessions; i++)
		restore_session(&r, i);
	hd_log_notice("wg: taken up again: endpoints=%u sessions=%u",
		      e->sum.confirmed, e->sessions.used);
	return true;
}
