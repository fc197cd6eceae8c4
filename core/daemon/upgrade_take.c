/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_take.c - what the new process's workers do, which stand
 * parked before their first turn: each takes the connections whose home it is.
 * What cannot be taken is refused one by one, and stays the old process's. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/daemon/upgrade.h"
#include "core/http/http.h"
#include "core/loop/worker.h"
#include "core/module/metric_snap.h"
#include "core/module/module.h"
#include "core/net/listener.h"
#include "core/relay/debt.h"
#include "core/relay/peer_snap.h"
#include "core/stream/service.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap.h"
#include "core/stream/visitor.h"
#include "core/tls/tls_snap.h"

struct take { /* what all workers look at */
	struct hd_take *t;
	struct hd_snap_in *secret; /* by index */
	uint64_t state[HD_MODULES_MAX]; /* the old one's, by our modules */
	struct hd_unpack_from modules;
	pthread_mutex_t lock;
	int error; /* the first that a worker has met; why: */
	struct hd_error why;
};

/* ---- names become ours ---- */

struct find {
	const char *name;
	const struct hd_proto *found;
};

static void at_route(void *arg, const struct hd_route *route)
{
	struct find *f = arg;

	if (route->proto != NULL && strcmp(route->proto->name, f->name) == 0)
		f->found = route->proto;
}

static const struct hd_proto *find_proto(const struct hd_module *mod,
					 const char *name)
{
	struct find f = { .name = name };
	const struct hd_service *s = mod->def->services;

	hd_routes_each(mod, at_route, &f);
	for (; s != NULL && s->name != NULL; s++)
		if (strcmp(s->proto->name, name) == 0)
			f.found = s->proto;
	return f.found;
}

static struct hd_module *find_module(const char *name)
{
	return name != NULL ? hd_modules_find(name) : NULL;
}

static const struct hd_listener *find_listener(const struct hd_take *t,
					       struct hd_snap_in id)
{
	for (size_t i = 0; i < t->n_listeners; i++) {
		uint8_t own[HD_LISTENER_ID_BYTES];

		hd_listener_id(&t->listeners[i], own);
		if (id.n == sizeof(own) && memcmp(own, id.p, id.n) == 0)
			return &t->listeners[i];
	}
	return NULL;
}

/* ---- one stream ---- */

/* @ret_peer  the item of its peer */
static int take_items(struct hd_adopted *a, struct hd_worker *w,
		      struct hd_snap_in in, struct hd_snap_in *ret_peer,
		      struct hd_error *err)
{
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_PEER) {
			*ret_peer = item.in;
			r = hd_peer_of(a->s) != NULL
				    ? -EBADMSG
				    : hd_peer_unpack(a->s, item.in, err);
		} else {
			r = hd_adopted_take(a, w, &item, err);
			if (r == 0)
				r = hd_snap_unknown(&item, "a stream", err);
		}
		if (r < 0)
			return r;
	}
	return r;
}

static int join(struct take *k, struct hd_adopted *a, struct hd_error *err)
{
	struct hd_take *t = k->t;
	struct hd_module *mod = find_module(a->module);
	const struct hd_proto *proto = mod != NULL && a->proto != NULL
					       ? find_proto(mod, a->proto)
					       : NULL;
	const struct hd_listener *l = find_listener(t, a->listener);

	if (proto == NULL || proto->adopted == NULL || l == NULL)
		return hd_error_set(err, -ENOENT,
				    "its protocol or its listener is not here");
	if (mod->def->state_version == 0 ||
	    k->state[mod->index] != mod->def->state_version)
		return hd_error_set(err, -ENOENT, "module %s keeps other state",
				    mod->name);
	if (a->tls != NULL) {
		int r = hd_tls_unpack_secret(a->tls, k->secret[a->index], err);

		if (r < 0)
			return r;
	}
	/* another stream, of another worker, may claim it */
	int fd = __atomic_exchange_n(&t->fds[a->index], -1, __ATOMIC_RELAXED);

	if (fd < 0)
		return -EBADMSG;
	return hd_adopted_finish(a, fd, mod, proto, l, err);
}

static int enter(struct take *k, struct hd_adopted *a, struct hd_worker *w,
		 struct hd_snap_in peer, struct hd_error *err)
{
	struct hd_stream *s = a->s;
	int r = join(k, a, err);

	if (r == 0)
		r = hd_adopted_enter(a, w);
	if (r < 0)
		return r;
	r = hd_peer_adopt(s, peer, k->modules.version, &k->modules.fds, err);
	if (r < 0) { /* the old process keeps it: we must not have its keys */
		hd_peer_drop(s);
		hd_stream_given(s);
		return r;
	}
	hd_stream_mark_ready(s);
	hd_stream_mark_dirty(s);
	return 0;
}

static void take_stream(struct take *k, struct hd_worker *w,
			struct hd_snap_in in)
{
	struct hd_take *t = k->t;
	struct hd_adopted a;
	struct hd_snap_in peer = { NULL, 0 };
	struct hd_error err = { "" };
	int r = hd_adopted_new(&a);

	if (r == 0)
		r = take_items(&a, w, in, &peer, &err);
	if (r == 0 && (a.index >= t->n || hd_peer_of(a.s) == NULL))
		r = -EBADMSG;
	/* what is too broken to have a home is refused by nobody, and so by
	 * all: refused is where it begins; one worker says so */
	bool ours = r == 0 ? hd_peer_home_of(a.s) == w->index : w->index == 0;

	if (r == 0 && ours) {
		r = enter(k, &a, w, peer, &err);
		if (r == 0)
			t->refused[a.index] = 0;
	}
	if (r < 0 && ours)
		hd_log_warn("upgrade: a connection stays behind: %s",
			    err.text[0] ? err.text : strerror(-r));
	hd_peer_drop(a.s);
	hd_adopted_free(&a);
}

/* ---- all of them ---- */

static void take_streams(struct take *k, struct hd_worker *w)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_STREAM)
			take_stream(k, w, item.in);
	hd_visitors_reload(w); /* they count for their addresses */
}

/* What they owe who are here, and who have left: the first have entries now. */
static void take_owed(struct take *k, struct hd_worker *w)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	struct hd_error err;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_GONE)
			(void)hd_owed_take(w, item.in, &err);
		else if (item.tag == HD_SNAP_DEBT)
			(void)hd_debt_take(w, item.in, &err);
}

static void take_here(struct hd_worker *w, void *arg)
{
	struct take *k = arg;
	struct hd_error err = { "" };
	int r = hd_modules_unpack_here(w, &k->modules, &err);

	if (r == 0) {
		take_streams(k, w);
		take_owed(k, w);
		return;
	}
	pthread_mutex_lock(&k->lock);
	if (k->error == 0) {
		k->error = r;
		k->why = err;
	}
	pthread_mutex_unlock(&k->lock);
}

static int take_module(struct take *k, struct hd_snap_in in,
		       struct hd_error *err)
{
	char *name = NULL;
	uint64_t state = 0, pack = 0, unused;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_MODULE_NAME)
			r = hd_snap_to_text(&item, &name);
		else if (item.tag == HD_SNAP_MODULE_STATE)
			r = hd_snap_to_number(&item, &state);
		else if (item.tag == HD_SNAP_MODULE_PACK)
			r = hd_snap_to_number(&item, &pack);
		else if (item.tag == HD_SNAP_MODULE_PACK_OLDEST)
			r = hd_snap_to_number(&item, &unused);
		else
			r = hd_snap_unknown(&item, "a module", err);
		if (r < 0)
			break;
	}
	const struct hd_module *mod = find_module(name);

	if (mod != NULL) {
		k->state[mod->index] = state;
		k->modules.version[mod->index] = pack;
	}
	free(name);
	return r;
}

static int take_version(const struct take *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_version v = { 0 };
	struct hd_snap_item item;

	while (hd_snap_next(&in, &item) == 1)
		if (hd_snap_version_take(&v, &item) < 0)
			return -EBADMSG;
	if (v.format == 0)
		return -EBADMSG;
	if (hd_snap_version_fits(&v))
		return 0;
	return hd_error_set(err, -ENOTSUP,
			    "the running relay writes snapshots of version "
			    "%ju, this one reads %u to %u: restart it instead",
			    (uintmax_t)v.format, hd_snap_format_oldest,
			    hd_snap_format);
}

static bool is_later(unsigned tag)
{
	return tag == HD_SNAP_STREAM || tag == HD_SNAP_GONE ||
	       tag == HD_SNAP_DEBT || tag == HD_SNAP_PACK ||
	       tag == HD_SNAP_METRIC;
}

static int take_head(struct take *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_MODULE)
			r = take_module(k, item.in, err);
		else if (item.tag != HD_SNAP_VERSION && !is_later(item.tag))
			r = hd_snap_unknown(&item, "a relay", err);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_secrets(struct take *k)
{
	struct hd_snap_in in = { k->t->secrets, k->t->secrets_bytes };
	struct hd_snap_item item;
	uint64_t i;
	int r;

	k->secret = calloc(k->t->n + 1, sizeof(*k->secret));
	if (k->secret == NULL)
		return -ENOMEM;
	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_PACK_KEY &&
		    item.in.n == HD_PACK_KEY_BYTES) {
			k->modules.fds.key = item.in.p;
			continue;
		}
		if (item.tag != HD_SNAP_RECORDS ||
		    hd_tls_secret_of(item.in, &i) < 0 || i >= k->t->n)
			return -EBADMSG;
		k->secret[i] = item.in;
	}
	return r;
}

static int take_metrics(struct take *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	int r = 0;

	while (r == 0 && hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_METRIC)
			r = hd_metric_unpack(item.in, err);
	return r;
}

static int take_all(struct take *k, struct hd_error *err)
{
	int r = hd_modules_unpack(&k->modules, err);

	if (r == 0)
		r = take_metrics(k, err);
	if (r < 0)
		return r;
	hd_workers_run_parked(take_here, k);
	if (k->error < 0)
		*err = k->why;
	return k->error;
}

int hd_take_all(struct hd_take *t, struct hd_error *err)
{
	struct take k = {
		.t = t,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.modules = { .in = { t->snapshot, t->snapshot_bytes },
			     .fds = { t->fds + t->n, t->n_module_fds, NULL } },
	};
	int r;

	err->text[0] = '\0';
	r = take_version(&k, err);
	if (r == 0)
		r = take_head(&k, err);
	if (r == 0)
		r = take_secrets(&k);
	if (r == 0)
		r = take_all(&k, err);
	free(k.secret);
	if (r < 0 && err->text[0] == '\0')
		hd_error_set(err, r, "the snapshot is broken: %s",
			     strerror(-r));
	return r;
}
