/* SPDX-License-Identifier: MIT */
/* modules/wg/persist.c - endpoints and tunnels outlive the process, so that
 * after a restart the next packet of a tunnel finds its way. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <hyper-derp/task.h>
#include <stdlib.h>
#include <time.h>
#include "modules/wg/saved.h"
#include "modules/wg/seal.h"

enum { BIG_BYTES = 1 << 20, SLICE_ITEMS = 2000 };

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

/* Ids that came after the beginning are for the next time. */
static uint32_t number_of(const uint32_t *numbers, uint32_t n, uint32_t id)
{
	return id < n ? numbers[id] : WG_NONE;
}

static void put_peer(const struct wg_engine *e, struct wg_saving *v,
		     const struct wg_peer *p)
{
	struct wg_peer_record r = {
		.pinned = p->pinned,
		.endpoint = p->endpoint,
		.local = p->local,
		.seen_ago_ms = ago(e, p->seen_ms),
		.handshake_ago_ms = ago(e, p->handshake_ms),
		.relearned = p->relearned,
	};

	if (!p->endpoint.set || p->item.id >= v->peer_ids)
		return;
	memcpy(r.name, p->name, sizeof(r.name));
	memcpy(r.key, p->key, sizeof(r.key));
	v->peers[p->item.id] = v->head.n_peers++;
	put(v->file, &r, sizeof(r));
}

static void put_link(const struct wg_engine *e, struct wg_saving *v,
		     const struct wg_link *l)
{
	struct wg_link_record r = {
		.trusted = l->trusted,
		.handshake_ago_ms = ago(e, l->handshake_ms),
	};

	for (unsigned i = 0; i < 2; i++)
		r.peer[i] = number_of(v->peers, v->peer_ids, l->peer[i]);
	if (l->handshake_ms == 0 || r.peer[0] == WG_NONE ||
	    r.peer[1] == WG_NONE || l->item.id >= v->link_ids)
		return;
	v->links[l->item.id] = v->head.n_links++;
	put(v->file, &r, sizeof(r));
}

static void put_session(const struct wg_engine *e, struct wg_saving *v,
			const struct wg_session *x)
{
	struct wg_session_record r = {
		.link = number_of(v->links, v->link_ids, x->link),
		.initiator = x->initiator | (uint32_t)x->stands << 1,
		.made_ago_ms = ago(e, x->made_ms),
		.used_ago_ms = ago(e, x->used_ms),
	};

	if (!x->confirmed || r.link == WG_NONE)
		return;
	for (unsigned i = 0; i < 2; i++)
		r.end[i] = (struct wg_end_record){
			.addr = x->end[i].addr,
			.local = x->end[i].local,
			.next = x->end[i].next,
			.index = x->end[i].index,
		};
	v->head.n_sessions++;
	put(v->file, &r, sizeof(r));
}

static void saving_free(struct wg_saving **at)
{
	struct wg_saving *v = hd_steal(at);

	if (v == NULL)
		return;
	wg_saved_free(&v->file);
	free(v->peers);
	free(v->links);
	free(v);
}

void wg_saving_free(struct wg_engine *e)
{
	saving_free(&e->saving);
}

static struct wg_saving *saving_new(const struct wg_engine *e)
{
	struct wg_saving *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	*v = (struct wg_saving){
		.head = { .magic = WG_STATE_MAGIC, .wall_ms = wg_wall_ms() },
		.peer_ids = e->peers.n,
		.link_ids = e->links.n,
		.file = calloc(1, sizeof(*v->file)),
		.peers = malloc((e->peers.n + 1) * sizeof(*v->peers)),
		.links = malloc((e->links.n + 1) * sizeof(*v->links)),
	};
	if (v->file == NULL || v->peers == NULL || v->links == NULL) {
		saving_free(&v);
		return NULL;
	}
	memset(v->peers, 0xff, v->peer_ids * sizeof(*v->peers)); /* WG_NONE */
	memset(v->links, 0xff, v->link_ids * sizeof(*v->links));
	put(v->file, &v->head, sizeof(v->head));
	return v;
}

/* Peers, then links, then sessions; n of them. Returns whether there is more.
 * What changes meanwhile may be missing, and is dirty for the next time. */
static bool saving_step(const struct wg_engine *e, struct wg_saving *v,
			uint32_t n)
{
	const struct wg_pool *const pools[] = { &e->peers, &e->links,
						&e->sessions };

	for (; n > 0 && v->pool < HD_ARRAY_N(pools); n--) {
		const void *item = wg_pool_next(pools[v->pool], &v->at);

		if (item == NULL) {
			v->pool++;
			v->at = 0;
		} else if (v->pool == 0) {
			put_peer(e, v, item);
		} else if (v->pool == 1) {
			put_link(e, v, item);
		} else {
			put_session(e, v, item);
		}
	}
	return v->pool < HD_ARRAY_N(pools);
}

/* @v  taken */
static struct wg_saved *saving_end(struct wg_saving **v)
{
	struct wg_saved *s = hd_steal(&(*v)->file);

	if (s->failed)
		wg_saved_free(&s);
	else
		memcpy(s->v, &(*v)->head, sizeof((*v)->head));
	saving_free(v);
	return s;
}

struct wg_saved *wg_save_all(struct wg_engine *e)
{
	struct wg_saving *v = saving_new(e);

	if (v == NULL)
		return NULL;
	while (saving_step(e, v, UINT32_MAX))
		;
	return saving_end(&v);
}

/* What was there and cannot be read must not push out the copy before it. */
int wg_saved_write(struct wg_saved *s, struct hd_error *err)
{
	uint8_t seal[WG_SEAL_BYTES];
	int r;

	wg_seal_make(s->v, s->n, seal);
	put(s, seal, sizeof(seal));
	if (s->failed)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (!wg_saved_damaged)
		return hd_state_file_update(WG_STATE_FILE, s->v, s->n, err);
	r = hd_state_file_write(WG_STATE_FILE, s->v, s->n, err);
	if (r == 0)
		wg_saved_damaged = false;
	return r;
}

/* ---- now and then ---- */

static void write_it(struct hd_module *mod, void *arg)
{
	struct hd_error err = { "" };

	(void)mod;
	if (wg_saved_write(arg, &err) < 0)
		hd_log_warn("wg: endpoints are not saved: %s", err.text);
}

static void not_written(void *arg)
{
	struct wg_saved *s = arg;

	wg_saved_free(&s);
}

static void written(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = wg_engine_of(mod, w);

	not_written(arg);
	if (e != NULL)
		e->save_running = false;
}

static void write_out(struct wg_engine *e)
{
	struct wg_saved *s = saving_end(&e->saving);

	if (s == NULL)
		return;
	e->saved_bytes = s->n;
	e->save_running =
		hd_task(e->mod, e->w, write_it, written, s, not_written) == 0;
}

void wg_save_run(struct wg_engine *e)
{
	if (e->saving == NULL)
		return;
	if (saving_step(e, e->saving, SLICE_ITEMS))
		hd_timer_set(e->save, 1);
	else
		write_out(e);
}

/* A second after something changed; less often when there is much. */
void wg_save_tick(struct wg_engine *e)
{
	uint64_t every_ms = e->saved_bytes > BIG_BYTES ? 15000 : 1000;

	if (e->dirty_ms == 0 || e->save_running || e->saving != NULL ||
	    e->now_ms - e->saved_ms < every_ms)
		return;
	e->saved_ms = e->now_ms;
	e->saving = saving_new(e);
	if (e->saving == NULL)
		return;
	e->dirty_ms = 0;
	wg_save_run(e);
}
