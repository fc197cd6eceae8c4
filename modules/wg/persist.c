/* SPDX-License-Identifier: MIT */
/* modules/wg/persist.c - endpoints and tunnels outlive the process, so that
 * after a restart the next packet of a tunnel finds its way. */
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <time.h>
#include "modules/wg/saved.h"

enum { BIG_BYTES = 1 << 20 };

uint64_t wg_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void wg_saved_free(struct wg_saved **at)
{
	struct wg_saved *s = hd_steal(at);

	if (s == NULL)
		return;
	free(s->v);
	free(s);
}

/* ---- writing ---- */

static void put(struct wg_saved *s, const void *record, size_t n)
{
	if (s->n + n > s->cap) {
		size_t cap = HD_MAX(s->cap * 2, s->n + n + 4096);
		uint8_t *v = s->failed ? NULL : realloc(s->v, cap);

		if (v == NULL) {
			s->failed = true;
			return;
		}
		s->v = v;
		s->cap = cap;
	}
	memcpy(s->v + s->n, record, n);
	s->n += n;
}

static uint64_t ago(const struct wg_engine *e, uint64_t at_ms)
{
	return at_ms == 0 ? UINT64_MAX : e->now_ms - at_ms;
}

/* @number  of each peer's record, by id */
static uint32_t put_peers(const struct wg_engine *e, struct wg_saved *s,
			  uint32_t *number)
{
	uint32_t at = 0, n = 0;
	const struct wg_peer *p;

	while ((p = wg_pool_next(&e->peers, &at)) != NULL) {
		struct wg_peer_record r = {
			.pinned = p->pinned,
			.endpoint = p->endpoint,
			.local = p->local,
			.seen_ago_ms = ago(e, p->seen_ms),
			.handshake_ago_ms = ago(e, p->handshake_ms),
			.relearned = p->relearned,
		};

		number[p->item.id] = WG_NONE;
		if (!p->endpoint.set)
			continue;
		memcpy(r.name, p->name, sizeof(r.name));
		memcpy(r.key, p->key, sizeof(r.key));
		number[p->item.id] = n++;
		put(s, &r, sizeof(r));
	}
	return n;
}

/* After this, number is that of links. */
static uint32_t put_links(const struct wg_engine *e, struct wg_saved *s,
			  const uint32_t *peers, uint32_t *number)
{
	uint32_t at = 0, n = 0;
	const struct wg_link *l;

	while ((l = wg_pool_next(&e->links, &at)) != NULL) {
		struct wg_link_record r = {
			.peer = { peers[l->peer[0]], peers[l->peer[1]] },
			.trusted = l->trusted,
			.handshake_ago_ms = ago(e, l->handshake_ms),
		};

		number[l->item.id] = WG_NONE;
		if (l->handshake_ms == 0 || r.peer[0] == WG_NONE ||
		    r.peer[1] == WG_NONE)
			continue;
		number[l->item.id] = n++;
		put(s, &r, sizeof(r));
	}
	return n;
}

static uint32_t put_sessions(const struct wg_engine *e, struct wg_saved *s,
			     const uint32_t *links)
{
	uint32_t at = 0, n = 0;
	const struct wg_session *x;

	while ((x = wg_pool_next(&e->sessions, &at)) != NULL) {
		struct wg_session_record r = {
			.link = links[x->link],
			.initiator = x->initiator,
			.made_ago_ms = ago(e, x->made_ms),
			.used_ago_ms = ago(e, x->used_ms),
		};

		if (!x->confirmed || r.link == WG_NONE)
			continue;
		for (unsigned i = 0; i < 2; i++)
			r.end[i] = (struct wg_end_record){
				.addr = x->end[i].addr,
				.local = x->end[i].local,
				.next = x->end[i].next,
				.index = x->end[i].index,
			};
		put(s, &r, sizeof(r));
		n++;
	}
	return n;
}

struct wg_saved *wg_save_all(struct wg_engine *e)
{
	struct wg_saved_head head = { .magic = WG_STATE_MAGIC, .wall_ms = wg_wall_ms() };
	struct wg_saved *s = calloc(1, sizeof(*s));
	uint32_t *peers = malloc((e->peers.n + 1) * sizeof(*peers));
	uint32_t *links = malloc((e->links.n + 1) * sizeof(*links));

	if (s != NULL && peers != NULL && links != NULL) {
		put(s, &head, sizeof(head));
		head.n_peers = put_peers(e, s, peers);
		head.n_links = put_links(e, s, peers, links);
		head.n_sessions = put_sessions(e, s, links);
		if (!s->failed)
			memcpy(s->v, &head, sizeof(head));
	}
	free(peers);
	free(links);
	if (s != NULL && (s->failed || s->n == 0))
		wg_saved_free(&s);
	return s;
}

int wg_saved_write(const struct wg_saved *s, struct hd_error *err)
{
	return hd_state_file_write(WG_STATE_FILE, s->v, s->n, err);
}

/* ---- now and then ---- */

static void write_it(void *arg)
{
	struct hd_error err = { "" };

	if (wg_saved_write(arg, &err) < 0)
		hd_log_warn("wg: endpoints are not saved: %s", err.text);
}

static void written(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_saved *s = arg;

	wg_saved_free(&s);
	if (e != NULL)
		e->save_running = false;
}

/* A second after something changed; less often when there is much. */
void wg_save_tick(struct wg_engine *e)
{
	uint64_t every_ms = e->saved_bytes > BIG_BYTES ? 15000 : 1000;
	struct wg_saved *s;

	if (e->dirty_ms == 0 || e->save_running ||
	    e->now_ms - e->saved_ms < every_ms)
		return;
	e->saved_ms = e->now_ms;
	s = wg_save_all(e);
	if (s == NULL)
		return;
	e->saved_bytes = s->n;
	if (hd_task(e->mod, e->w, write_it, written, s) < 0) {
		wg_saved_free(&s);
		return;
	}
	e->dirty_ms = 0;
	e->save_running = true;
}
