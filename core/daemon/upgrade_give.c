/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_give.c - what the old process's workers do, which stand
 * parked: settle, write down, forget, say goodbye. Nothing is read from a
 * socket here. */
#include <errno.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/worker.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/clock.h"
#include "core/base/snap_format.h"
#include "core/base/version.h"
#include "core/daemon/turn.h"
#include "core/daemon/upgrade_ahead.h"
#include "core/loop/worker.h"
#include "core/module/metric_snap.h"
#include "core/module/module.h"
#include "core/relay/debt.h"
#include "core/relay/limits.h"
#include "core/relay/peer_snap.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap.h"
#include "core/stream/trace.h"
#include "core/tls/tls_snap.h"

enum { SETTLE_ROUNDS = 200, GOODBYE_MS = 500, HASTE_ROUNDS = 20 };

/* ---- settle ---- */

static void settle_here(struct hd_worker *w, void *arg)
{
	unsigned *busy = arg;

	if (hd_turn_settle(w))
		__atomic_add_fetch(busy, 1, __ATOMIC_RELAXED);
}

/* Twice in a row: what one worker had for another shows in the next round. */
int hd_give_settle(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	unsigned quiet = 0;

	for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
		unsigned busy = 0;

		if (i >= HASTE_ROUNDS) /* the kernel is not that fast */
			nanosleep(&step, NULL);
		hd_workers_run_parked(settle_here, &busy);
		quiet = busy == 0 ? quiet + 1 : 0;
		if (quiet == 2)
			return 0;
	}
	return -EBUSY;
}

/* ---- write down ---- */

int hd_give_stream(struct hd_give *g, struct hd_stream *s, uint64_t index,
		   struct hd_snap *to, struct hd_error *err)
{
	size_t at = hd_snap_begin(to, HD_SNAP_STREAM);

	hd_snap_number(to, HD_SNAP_STREAM_INDEX, index);
	hd_stream_pack(s, to);
	int r = hd_peer_pack(s, to, &g->fds, err);

	hd_snap_end(to, at);
	return r;
}

struct packing { /* of one worker */
	struct hd_give *g;
	struct hd_snap *to;
	struct hd_ahead_scratch scratch;
};

/* Of those that went ahead: is it as it was? Else it goes once more. */
static bool was_taken(struct packing *p, struct hd_stream *s, size_t i)
{
	bool same = hd_peer_is_alone(s) &&
		    hd_ahead_is_same(p->g, s, i, &p->scratch);

	hd_ahead_note(p->g->ahead, i, same ? HD_AHEAD_SAME : HD_AHEAD_AGAIN);
	return same;
}

static int pack_stream(struct packing *p, struct hd_stream *s,
		       struct hd_error *err)
{
	struct hd_give *g = p->g;
	size_t i;
	bool went = hd_ahead_index(g->ahead, s, &i);

	if (!went)
		i = __atomic_fetch_add(&g->n, 1, __ATOMIC_RELAXED);
	hd_assert(i < g->size);
	g->gifts[i] = s;
	if (went && was_taken(p, s, i))
		return 0;
	__atomic_fetch_add(&g->secrets, s->tls != NULL, __ATOMIC_RELAXED);
	return hd_give_stream(g, s, i, p->to, err);
}

static struct hd_peer *turned_round(struct hd_peer *first)
{
	struct hd_peer *ret = NULL, *next;

	for (struct hd_peer *p = first; p != NULL; p = next) {
		next = p->next;
		p->next = ret;
		ret = p;
	}
	return ret;
}

/* Of a key the one that spoke last is to come last. There may be very many:
 * the list is turned round and back again, for a stack has an end. */
static int pack_key(struct packing *pack, struct hd_entry *e,
		    struct hd_error *err)
{
	struct hd_peer *last = turned_round(e->active);
	int r = 0;

	for (struct hd_peer *p = last; r == 0 && p != NULL; p = p->next)
		if (hd_give_stays(pack->g, p->stream) == NULL)
			r = pack_stream(pack, p->stream, err);
	e->active = turned_round(last);
	return r;
}

static int pack_streams(struct packing *pack, struct hd_worker *w,
			struct hd_error *err)
{
	int r = 0;

	for (struct hd_stream *s = w->streams->first; r == 0 && s != NULL;
	     s = s->next) {
		const struct hd_peer *p = hd_peer_up_of(s);

		if (p != NULL && p->entry->active == p)
			r = pack_key(pack, p->entry, err);
	}
	return r;
}

static void note_error(struct hd_give *g, int r, const struct hd_error *err)
{
	pthread_mutex_lock(&g->lock);
	if (g->error == 0) {
		g->error = r;
		g->why = *err;
	}
	pthread_mutex_unlock(&g->lock);
}

/* Modules first: what they do may change what they keep beside peers. */
static void pack_here(struct hd_worker *w, void *arg)
{
	struct hd_give *g = arg;
	struct packing p = { .g = g, .to = &g->snaps[w->index] };
	struct hd_error err = { "" };
	int r = hd_modules_pack_here(w, g->reads, p.to, &g->fds, &err);

	if (r == 0)
		r = hd_ahead_scratch_new(&p.scratch);
	if (r == 0)
		r = pack_streams(&p, w, &err);
	hd_ahead_scratch_free(&p.scratch);
	if (r < 0)
		note_error(g, r, &err);
	hd_owed_pack(w, p.to);
	hd_debts_pack(w, p.to);
	hd_trace_pack(*hd_trace_own(w), p.to);
}

static size_t count_streams(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		n += hd_worker_at(i)->streams->n;
	return n;
}

void hd_give_head(struct hd_snap *to)
{
	hd_snap_number(to, HD_SNAP_VERSION, hd_snap_format);
	hd_snap_number(to, HD_SNAP_OLDEST, hd_snap_format_oldest);
	hd_snap_text(to, HD_SNAP_RELAY_VERSION, hd_version);
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);
		const struct hd_upgrade_def *u = mod->def->upgrade;
		size_t at = hd_snap_begin(to, HD_SNAP_MODULE);

		hd_snap_text(to, HD_SNAP_MODULE_NAME, mod->name);
		hd_snap_number(to, HD_SNAP_MODULE_STATE,
			       mod->def->state_version);
		if (u != NULL) {
			hd_snap_number(to, HD_SNAP_MODULE_PACK, u->version);
			hd_snap_number(to, HD_SNAP_MODULE_PACK_OLDEST,
				       u->oldest);
		}
		hd_snap_end(to, at);
	}
}

static bool goes_now(const struct hd_give *g, size_t i)
{
	return i >= hd_ahead_n(g->ahead) ||
	       g->ahead->since[i] == HD_AHEAD_AGAIN;
}

static int pack_secrets(const struct hd_give *g, struct hd_snap *to)
{
	to->fixed = true;
	to->size = (g->secrets + 1) * HD_TLS_SECRET_BYTES;
	to->v = hd_secret_alloc(to->size);
	if (to->v == NULL)
		return -ENOMEM;
	if (g->fds.secrets > 0) /* older binaries do not know it */
		hd_snap_bytes(to, HD_SNAP_PACK_KEY, g->fds.key,
			      HD_PACK_KEY_BYTES);
	for (size_t i = 0; i < g->n; i++)
		if (goes_now(g, i) && g->gifts[i]->tls != NULL)
			hd_tls_pack_secret(g->gifts[i]->tls, i, to);
	hd_assert(!to->failed);
	return 0;
}

static int join(struct hd_give *g, struct hd_snap *to)
{
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct hd_snap *part = &g->snaps[i];

		if (part->failed)
			return -ENOMEM;
		hd_snap_append(to, part);
		hd_snap_free(part);
	}
	return to->failed ? -ENOMEM : 0;
}

static int pack_all(struct hd_give *g, struct hd_snap *to, struct hd_error *err)
{
	hd_workers_run_parked(pack_here, g);
	if (g->error < 0) {
		*err = g->why;
		return g->error;
	}
	int r = join(g, to);

	if (g->ahead != NULL)
		hd_snap_bytes(to, HD_SNAP_AHEAD, g->ahead->since,
			      hd_ahead_n(g->ahead));
	hd_metrics_pack(to);
	hd_trace_pack(hd_trace_main(), to);
	hd_funds_pack(to);
	return r == 0 ? hd_modules_pack(g->reads, to, &g->fds, err) : r;
}

int hd_give_key(struct hd_give *g)
{
	if (g->key != NULL)
		return 0;
	g->key = hd_secret_alloc(HD_PACK_KEY_BYTES);
	if (g->key == NULL)
		return -ENOMEM;
	hd_pack_key_new(g->key);
	g->fds.key = g->key;
	return 0;
}

int hd_give_pack(struct hd_give *g, struct hd_snap *ret,
		 struct hd_snap *ret_secrets, struct hd_error *err)
{
	g->size = hd_ahead_n(g->ahead) + count_streams();
	g->gifts = calloc(g->size + 1, sizeof(*g->gifts));
	g->snaps = calloc(hd_workers(), sizeof(*g->snaps));
	if (g->gifts == NULL || g->snaps == NULL || hd_give_key(g) < 0)
		return -ENOMEM;
	hd_give_head(ret);
	hd_give_count_parked(g);
	err->text[0] = '\0';
	int r = pack_all(g, ret, err);

	if (r == 0 && (ret->failed || g->fds.failed))
		r = -ENOMEM;
	return r == 0 ? pack_secrets(g, ret_secrets) : r;
}

int *hd_give_fds(const struct hd_give *g, size_t *ret_n)
{
	size_t n = 0, ahead = hd_ahead_n(g->ahead);
	int *v = calloc(g->n - ahead + g->fds.n + 1, sizeof(*v));

	for (size_t i = ahead; v != NULL && i < g->n; i++)
		v[n++] = g->gifts[i]->fd;
	for (size_t i = 0; v != NULL && i < g->fds.n; i++)
		v[n++] = g->fds.v[i];
	*ret_n = n;
	return v;
}

void hd_give_free(struct hd_give *g)
{
	for (unsigned i = 0; g->snaps != NULL && i < hd_workers(); i++)
		hd_snap_free(&g->snaps[i]);
	free(g->snaps);
	free(g->gifts);
	free(g->fds.v);
	hd_secret_free(g->key);
	hd_ahead_free(&g->ahead);
	g->key = NULL;
	g->fds.key = NULL;
	g->fds.v = NULL;
	g->snaps = NULL;
	g->gifts = NULL;
	g->n = g->size = 0;
}

/* ---- it is another's now ---- */

static void gone_here(struct hd_worker *w, void *arg)
{
	struct hd_give *g = arg;

	for (size_t i = 0; i < g->n; i++) {
		struct hd_stream *s = g->gifts[i];

		if (s != NULL && s->worker == w && !g->refused[i])
			hd_stream_given(s);
	}
}

void hd_give_gone(struct hd_give *g, const uint8_t *refused)
{
	g->refused = refused;
	hd_workers_run_parked(gone_here, g);
}

static void close_here(struct hd_worker *w, void *arg)
{
	enum { BACK_IN_MS = 100, TRY_FOR_MS = 30000 };

	(void)arg;
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);

		if (ops != NULL && ops->drain != NULL && hd_stream_is_open(s))
			ops->drain(s->mod, hd_peer_of(s), BACK_IN_MS,
				   TRY_FOR_MS);
		hd_stream_close(s, HD_CLOSE_DRAIN);
	}
}

/* Its keys are still ours alone, so it may be told why. */
void hd_give_rest(void)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	uint64_t until_ms = hd_clock_ms() + GOODBYE_MS;
	unsigned busy = 0;

	hd_workers_run_parked(close_here, NULL);
	while (count_streams() > 0 && hd_clock_ms() < until_ms) {
		hd_workers_run_parked(settle_here, &busy);
		nanosleep(&step, NULL);
	}
}
