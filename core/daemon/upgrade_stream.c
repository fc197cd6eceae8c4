/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_stream.c - the new process's workers take connections one
 * by one: each those whose home it is. What cannot be taken is refused, and
 * stays the old process's. Context: a worker, parked. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/daemon/upgrade_take.h"
#include "core/http/http.h"
#include "core/loop/worker.h"
#include "core/module/module.h"
#include "core/net/listener.h"
#include "core/relay/peer_snap.h"
#include "core/stream/service.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap.h"
#include "core/tls/tls_snap.h"

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

static bool has_id(const struct hd_listener *l, struct hd_snap_in id)
{
	uint8_t own[HD_LISTENER_ID_BYTES];

	hd_listener_id(l, own);
	return id.n == sizeof(own) && memcmp(own, id.p, id.n) == 0;
}

/* Those of the configuration, then those of modules: no module comes or goes
 * while a process takes over. */
static const struct hd_listener *find_listener(const struct hd_take *t,
					       struct hd_snap_in id)
{
	const struct hd_listener *l = hd_listens_first();

	for (size_t i = 0; i < t->n_listeners; i++)
		if (has_id(&t->listeners[i], id))
			return &t->listeners[i];
	while (l != NULL && (l->left || !has_id(l, id)))
		l = l->next;
	return l;
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

static int join(struct hd_taking *k, struct hd_adopted *a, struct hd_error *err)
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
		int r = hd_tls_unpack_secret(
			a->tls, k->secret[a->index - k->first], err);

		if (r < 0)
			return r;
	}
	/* another stream, of another worker, may claim it */
	int fd = __atomic_exchange_n(&t->fds[a->index], -1, __ATOMIC_RELAXED);

	if (fd < 0)
		return -EBADMSG;
	return hd_adopted_finish(a, fd, mod, proto, l, err);
}

/* The old process keeps it: we must not have its keys. */
static void back(struct hd_take *t, size_t index, struct hd_stream *s)
{
	t->refused[index] = 1;
	t->fds[index] = hd_adopted_back(&s);
}

/* It may come again, as it has become since: with kTLS a socket may be another
 * one than was written down a moment ago. */
static void keep_fd(struct hd_take *t, const struct hd_adopted *a)
{
	int fd = a->s->fd;

	a->s->fd = -1;
	if (fd >= 0)
		__atomic_store_n(&t->fds[a->index], fd, __ATOMIC_RELAXED);
}

static int enter(struct hd_taking *k, struct hd_adopted *a, struct hd_worker *w,
		 struct hd_snap_in peer, struct hd_error *err)
{
	struct hd_stream *s = a->s;
	int r = join(k, a, err);

	if (r == 0)
		r = hd_adopted_enter(a, w);
	if (r < 0) {
		keep_fd(k->t, a);
		return r;
	}
	r = hd_peer_adopt(s, peer, k->modules.version, &k->modules.fds, err);
	if (r < 0) {
		back(k->t, a->index, s);
		return r;
	}
	k->t->refused[a->index] = 0;
	if (k->t->taken != NULL)
		k->t->taken[a->index] = (struct hd_taken){ s, w };
	return 0;
}

static int take_stream(struct hd_taking *k, struct hd_adopted *a,
		       struct hd_worker *w, struct hd_snap_in in,
		       struct hd_error *err)
{
	struct hd_snap_in peer = { NULL, 0 };
	int r = take_items(a, w, in, &peer, err);

	if (r < 0)
		return r;
	if (a->index < k->first || a->index >= k->t->n ||
	    hd_peer_of(a->s) == NULL)
		return -EBADMSG;
	return enter(k, a, w, peer, err);
}

/* What is too broken to have a home is refused by nobody, and so by all:
 * refused is where it begins; one worker says so. */
static bool is_ours(const struct hd_worker *w, struct hd_snap_in in)
{
	struct hd_snap_item item;
	int home = -ENOENT;

	while (home < 0 && hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_PEER)
			home = hd_peer_home_in(item.in);
	return w->index == (home < 0 ? 0 : (unsigned)home);
}

void hd_taking_stream(struct hd_taking *k, struct hd_worker *w,
		      struct hd_snap_in in)
{
	struct hd_adopted a;
	struct hd_error err = { "" };

	if (!is_ours(w, in))
		return;
	int r = hd_adopted_new(&a);

	if (r == 0)
		r = take_stream(k, &a, w, in, &err);
	if (r < 0)
		hd_log_warn("upgrade: a connection stays behind: %s",
			    err.text[0] ? err.text : strerror(-r));
	hd_peer_drop(a.s);
	hd_adopted_free(&a);
}

/* Its protocol has heard of it, and has counted it. */
static void over(struct hd_stream *s)
{
	s->phase = HD_PHASE_ABORTED; /* takes nothing any more */
	hd_peer_down(s);
	hd_stream_closed(s, HD_CLOSE_DONE);
	hd_peer_back(s);
}

void hd_taking_back(struct hd_taking *k, struct hd_worker *w)
{
	struct hd_take *t = k->t;

	for (size_t i = 0; i < t->n_ahead; i++) {
		if (t->since[i] == HD_AHEAD_SAME || t->taken[i].w != w)
			continue;
		struct hd_stream *s = hd_steal(&t->taken[i].s);

		over(s);
		back(t, i, s);
	}
}
