/* SPDX-License-Identifier: MIT */
/* core/module/module_streams.c - the connections of a module: closed when it
 * goes, given to its new code when it is reloaded. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/http/http.h"
#include "core/module/module_live.h"
#include "core/net/listener.h"
#include "core/relay/peer.h"
#include "core/stream/stream_life.h"

enum {
	BACK_IN_MS = 1000, /* when peers may come back */
	TRY_FOR_MS = 30000,
	ROUND_MS = 50, /* some were on their way from worker to worker */
	GONE_MS = 5000,
};

/* ---- closing ---- */

static void close_here(struct hd_worker *w, void *arg)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);

		/* who came by its listener finds no route any more */
		if (s->listener->mod == arg)
			hd_stream_close(s, HD_CLOSE_DRAIN);
		if (s->mod != arg || !hd_stream_is_open(s))
			continue;
		if (ops != NULL && ops->drain != NULL)
			ops->drain(s->mod, hd_peer_of(s), BACK_IN_MS,
				   TRY_FOR_MS);
		hd_stream_close(s, HD_CLOSE_DRAIN);
	}
}

/* They get the write timeout to take what is queued. */
static uint64_t limit_ms(void)
{
	return hd_worker_at(0)->conf->write_timeout_ms + 1000 + GONE_MS;
}

static void abort_here(struct hd_worker *w, void *arg)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		if (s->mod == arg)
			hd_stream_abort(s, HD_CLOSE_DRAIN);
}

int hd_module_close_streams(struct hd_change *c)
{
	struct hd_module *mod = c->mod;
	uint64_t now_us = hd_clock_us();

	if (c->until_us == 0) {
		c->until_us = now_us + 1000 * limit_ms();
		c->round_us = 0;
	}
	if (now_us >= c->round_us) {
		c->round_us = now_us + 1000 * ROUND_MS;
		hd_workers_run_all(now_us + 1000 * GONE_MS < c->until_us
					   ? close_here
					   : abort_here,
				   mod);
	}
	unsigned n = __atomic_load_n(&mod->streams, __ATOMIC_ACQUIRE);

	if (n > 0 && now_us < c->until_us)
		return -EINPROGRESS;
	c->until_us = 0;
	if (n == 0)
		return 0;
	hd_bug_once("connections do not end: module=%s n=%u", mod->name, n);
	return -EBUSY;
}

/* ---- other code ---- */

static void note(struct hd_protos *p, const struct hd_proto *proto)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].old == proto)
			return;
	if (p->n == HD_PROTOS_MAX)
		return; /* its connections will be closed */
	snprintf(p->v[p->n].name, sizeof(p->v[0].name), "%s", proto->name);
	p->v[p->n].state_size = proto->state_size;
	p->v[p->n].data = proto->data != NULL;
	p->v[p->n].message = proto->message != NULL;
	p->v[p->n++].old = proto;
}

/* What the old code's connections speak, the new one must take. */
static bool takes_over(const struct hd_proto *proto,
		       const struct hd_proto_pair *p)
{
	return p->state_size == proto->state_size &&
	       strcmp(p->name, proto->name) == 0 &&
	       (proto->data != NULL || !p->data) &&
	       (proto->message != NULL || !p->message);
}

static void match(struct hd_protos *p, const struct hd_proto *proto)
{
	for (unsigned i = 0; i < p->n; i++)
		if (takes_over(proto, &p->v[i]))
			p->v[i].now = proto;
}

struct walk { /* over the protocols of a module's routes and services, and
		* those that it dials with */
	struct hd_protos *protos;
	void (*fn)(struct hd_protos *p, const struct hd_proto *proto);
};

static void at_route(void *arg, const struct hd_route *route)
{
	const struct walk *walk = arg;

	if (route->proto != NULL)
		walk->fn(walk->protos, route->proto);
}

static void walk_all(struct walk walk, const struct hd_module *mod)
{
	const struct hd_service *s = mod->def->services;
	const struct hd_proto *const *dials = mod->def->dials;

	hd_routes_each(mod, at_route, &walk);
	for (; s != NULL && s->name != NULL; s++)
		walk.fn(walk.protos, s->proto);
	for (; dials != NULL && *dials != NULL; dials++)
		walk.fn(walk.protos, *dials);
}

void hd_protos_note(struct hd_protos *p, const struct hd_module *mod)
{
	*p = (struct hd_protos){ 0 };
	walk_all((struct walk){ p, note }, mod);
}

void hd_protos_match(struct hd_protos *p, const struct hd_module *mod)
{
	for (unsigned i = 0; i < p->n; i++)
		p->v[i].now = NULL;
	walk_all((struct walk){ p, match }, mod);
}

/* What a connection speaks whose code has gone: nothing, until it is closed,
 * which it is at the end of the next turn. */
static size_t orphan_data(struct hd_module *mod, struct hd_stream *s,
			  void *state, uint8_t *p, size_t n)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static void orphan_message(struct hd_module *mod, struct hd_stream *s,
			   void *state, const struct hd_ws_message *message)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)message;
}

static void orphan_admitted(struct hd_module *mod, struct hd_stream *s,
			    void *state, struct hd_peer *peer)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)peer;
}

static void orphan_deliver(struct hd_module *mod, struct hd_peer *peer,
			   const struct hd_packet *packet)
{
	(void)mod;
	(void)peer;
	(void)packet;
}

static void orphan_gone(struct hd_module *mod, struct hd_peer *peer,
			const struct hd_key *other, enum hd_gone why)
{
	(void)mod;
	(void)peer;
	(void)other;
	(void)why;
}

static const struct hd_peer_ops orphan_ops = {
	.deliver = orphan_deliver,
	.gone = orphan_gone,
};

static const struct hd_proto orphan = {
	.name = "orphan",
	.data = orphan_data,
	.message = orphan_message,
	.admitted = orphan_admitted,
	.peer = &orphan_ops,
};

static const struct hd_proto *now(const struct hd_protos *p,
				  const struct hd_proto *old)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].old == old)
			return p->v[i].now;
	return NULL;
}

void hd_protos_swap(const struct hd_protos *p, struct hd_module *mod,
		    struct hd_worker *w)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		const struct hd_proto *proto;

		if (s->mod != mod)
			continue;
		proto = now(p, s->proto);
		if (proto != NULL) {
			s->proto = proto;
			continue;
		}
		hd_peer_set_proto(s, NULL, &orphan);
		hd_stream_close(s, HD_CLOSE_DRAIN);
	}
}
