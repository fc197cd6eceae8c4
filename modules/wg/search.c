/* SPDX-License-Identifier: MIT */
/* modules/wg/search.c - whom a handshake message is for, by its mac1.
 *
 * At once: the links of a known source (64 of each), whom the address wanted
 * last, the 64 keys that were found last, and everybody when they are few.
 * What is left goes into a bounded queue and is done in slices, a millisecond
 * apart. A cookie cannot come first: it is made from the very key that is
 * looked for. So it is the queue that protects: unproven addresses may fill
 * half of it, one search for each host. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

/* Of one host. A hub that answers many at once must not wait for itself. */
enum { PROVEN_SEARCHES = 4, RESPONSE_SEARCHES = 64 };

/* Up to eight keys that wait to be tried together. */
struct trial {
	const struct wg_engine *e;
	const uint8_t *message, *mac;
	size_t len;
	const struct wg_mac1_key *keys[WG_MAC1_LANES];
	uint32_t ids[WG_MAC1_LANES];
	unsigned n;
	struct wg_peer *found;
};

static struct trial trial_of(const struct wg_engine *e, const uint8_t *message,
			     bool response)
{
	size_t len = response ? WG_RESPONSE_MAC1 : WG_INIT_MAC1;

	return (struct trial){
		.e = e, .message = message, .mac = message + len, .len = len
	};
}

static bool trial_end(struct trial *t)
{
	int i;

	if (t->n == 0)
		return false;
	i = wg_mac1_try(t->keys, t->n, t->message, t->len, t->mac);
	t->n = 0;
	if (i < 0)
		return false;
	t->found = wg_peer(t->e, t->ids[i]);
	return t->found->has_key;
}

/* Returns whether it, or one that waited, is the one. */
static bool trial_add(struct trial *t, uint32_t id)
{
	t->ids[t->n] = id;
	t->keys[t->n++] = &t->e->keys[id];
	return t->n == WG_MAC1_LANES && trial_end(t);
}

static bool try_links(struct trial *t, const struct wg_peer *p, uint32_t *at,
		      uint32_t n)
{
	for (; *at < p->n_links && n > 0; (*at)++, n--) {
		const struct wg_link *l = wg_link(t->e, p->links[*at]);

		if (trial_add(t, l->peer[!wg_side(l, p->item.id)]))
			return true;
	}
	return trial_end(t);
}

static bool is_live(const struct wg_peer *p)
{
	return p->item.next_free == WG_LIVE;
}

static bool try_all(struct trial *t, uint32_t *at, uint32_t n)
{
	for (; *at < t->e->peers.n && n > 0; (*at)++, n--)
		if (trial_add(t, *at))
			return true;
	return trial_end(t);
}

/* ---- what was found last ---- */

static void hot_put(struct wg_engine *e, uint32_t id)
{
	unsigned i = 0;

	while (i < WG_HOT_KEYS - 1 && e->hot[i] != id)
		i++;
	memmove(e->hot + 1, e->hot, i * sizeof(e->hot[0]));
	e->hot[0] = id;
}

static bool try_hot(struct trial *t, const struct wg_addr *from)
{
	const struct wg_engine *e = t->e;
	const struct wg_caller *c = wg_caller_find(e, from);

	if (c != NULL && c->last_peer < e->peers.n &&
	    trial_add(t, c->last_peer))
		return true;
	for (unsigned i = 0; i < WG_HOT_KEYS; i++)
		if (e->hot[i] < e->peers.n && trial_add(t, e->hot[i]))
			return true;
	return trial_end(t);
}

/* ---- the queue ---- */

static bool may_wait(const struct wg_engine *e, const struct wg_search *s)
{
	const struct wg_searches *q = e->searches;
	struct wg_addr ip = wg_addr_source(&s->from);
	bool many = s->known || s->proof != WG_PROOF_NONE;
	unsigned limit = many ? PROVEN_SEARCHES : 1;

	if (s->pending != WG_NONE)
		limit = RESPONSE_SEARCHES;
	if (q->n >= (many ? WG_SEARCHES_MAX : WG_SEARCHES_MAX / 2))
		return false;
	for (uint32_t i = 0; i < q->n; i++) {
		const struct wg_search *other =
			&q->v[(q->first + i) % WG_SEARCHES_MAX];
		struct wg_addr other_ip = wg_addr_source(&other->from);

		if (wg_addr_same(&ip, &other_ip) && --limit == 0)
			return false;
	}
	return true;
}

static enum wg_found wait(struct wg_engine *e, const struct wg_in *in,
			  struct wg_search *s)
{
	struct wg_searches *q = e->searches;

	s->from = in->from;
	s->local = in->local;
	memcpy(s->message, in->data, in->len);
	if (!may_wait(e, s))
		return WG_BUSY;
	if (q->n == 0)
		hd_timer_set(e->search_timer, 1);
	q->v[(q->first + q->n++) % WG_SEARCHES_MAX] = *s;
	return WG_LATER;
}

/* ---- an initiation ---- */

/* Of the peers at its address; *ret_more one with links that are left. */
static bool try_known(struct trial *t, const struct wg_addr *from,
		      const struct wg_peer **ret_more)
{
	struct wg_at_cursor c = { 0 };
	const struct wg_peer *p;

	*ret_more = NULL;
	while ((p = wg_at_next(t->e, from, &c)) != NULL) {
		uint32_t at = 0;

		if (try_links(t, p, &at, WG_FEW_LINKS))
			return true;
		if (at < p->n_links)
			*ret_more = p;
	}
	return false;
}

enum wg_found wg_find_receiver(struct wg_engine *e, const struct wg_in *in,
			       enum wg_proof proof, struct wg_peer **ret)
{
	struct trial t = trial_of(e, in->data, false);
	const struct wg_peer *more;
	struct wg_search s = { .of = WG_NONE,
			       .pending = WG_NONE,
			       .proof = proof };
	bool few = e->peers.n <= WG_FEW_LINKS, found;

	found = try_known(&t, &in->from, &more);
	if (!found && more != NULL) {
		s.of = more->item.id;
		s.of_serial = more->serial;
		s.at = WG_FEW_LINKS;
		s.known = true;
		return wait(e, in, &s);
	}
	if (!found && !few)
		found = try_hot(&t, &in->from);
	if (!found && few)
		found = try_all(&t, &s.at, WG_FEW_LINKS);
	*ret = t.found;
	if (found)
		hot_put(e, t.found->item.id);
	return found ? WG_FOUND : few ? WG_NOBODY : wait(e, in, &s);
}

/* ---- a response ---- */

/* The initiator stands at the address that the initiation came from: the peers
 * that are known to be there come first. */
static bool try_there(struct trial *t, const struct wg_pending *p)
{
	struct wg_at_cursor c = { 0 };
	const struct wg_peer *a;

	while ((a = wg_at_next(t->e, &p->from, &c)) != NULL)
		if (trial_add(t, a->item.id))
			return true;
	return trial_end(t);
}

enum wg_found wg_find_initiator(struct wg_engine *e, const struct wg_in *in,
				const struct wg_pending *p,
				struct wg_peer **ret)
{
	struct trial t = trial_of(e, in->data, true);
	const struct wg_peer *to = wg_peer(e, p->to);
	struct wg_search s = { .of = p->to,
			       .of_serial = p->to_serial,
			       .pending = p->item.id,
			       .known = true };
	bool found = try_there(&t, p) ||
		     try_links(&t, to, &s.at, WG_FEW_LINKS);

	*ret = t.found;
	if (found)
		return WG_FOUND;
	return s.at < to->n_links ? wait(e, in, &s) : WG_NOBODY;
}

/* ---- slices ---- */

/* Returns whether it is over. */
static bool run_slice(struct wg_engine *e, struct wg_search *s, uint32_t n,
		      struct wg_peer **ret)
{
	struct trial t = trial_of(e, s->message, s->pending != WG_NONE);
	bool found;

	if (s->of == WG_NONE) {
		found = try_all(&t, &s->at, n);
		*ret = found ? t.found : NULL;
		return found || s->at >= e->peers.n;
	}
	const struct wg_peer *of = wg_peer(e, s->of);

	if (!is_live(of) || of->serial != s->of_serial)
		return true;
	found = try_links(&t, of, &s->at, n);
	*ret = found ? t.found : NULL;
	return found || s->at >= of->n_links;
}

static void found(struct wg_engine *e, const struct wg_search *s,
		  struct wg_peer *p)
{
	bool response = s->pending != WG_NONE;
	struct wg_in in = {
		.from = s->from,
		.local = s->local,
		.data = s->message,
		.len = response ? WG_RESPONSE_BYTES : WG_INIT_BYTES,
	};
	struct wg_pending *pending = wg_pending_at(e, s->pending);

	if (p == NULL) {
		wg_drop(e, WG_DROP_NO_PUBKEY_MATCH, &s->from, NULL);
	} else if (!response) {
		hot_put(e, p->item.id);
		wg_init_found(e, &in, p, s->proof);
	} else if (pending != NULL &&
		   pending->index == wg_get32(in.data +
					      WG_RECEIVER_OF_RESPONSE)) {
		wg_response_found(e, &in, pending, p);
	}
}

void wg_search_run(struct wg_engine *e)
{
	struct wg_searches *q = e->searches;
	uint32_t n = (uint32_t)HD_MAX(e->conf->search_rate / 1000, 8u);
	struct wg_search *s = &q->v[q->first];
	struct wg_peer *p = NULL;

	if (q->n == 0)
		return;
	if (run_slice(e, s, n, &p)) {
		struct wg_search done = *s;

		q->first = (q->first + 1) % WG_SEARCHES_MAX;
		q->n--;
		found(e, &done, p);
	}
	if (q->n > 0)
		hd_timer_set(e->search_timer, 1);
}
