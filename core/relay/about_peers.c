/* SPDX-License-Identifier: MIT */
/* core/relay/about_peers.c - who is connected, for commands and modules that
 * show it. */
#include <hyper-derp/about.h>
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/stream/stream_life.h"
#include "core/tls/tls.h"

static const char *tls_of(const struct hd_stream *s)
{
	if (s->tls == NULL)
		return NULL;
	if (hd_tls_kernel(s->tls) != 0)
		return "ktls";
	return hd_tls_is_own(s->tls) ? "own" : "openssl";
}

void hd_peer_about(const struct hd_stream *s, struct hd_about_peer *ret)
{
	const struct hd_peer *p = hd_peer_of(s);

	*ret = (struct hd_about_peer){
		.conn = ((uint64_t)s->gen << 32) | s->slot,
		.key = &p->login.key,
		.addr = &s->addr,
		.proto = s->proto->name,
		.agent = p->login.agent,
		.name = hd_peer_label(p),
		.tenant = hd_tenant_name(p->tenant),
		.age_ms = s->worker->now_ms - s->since_ms,
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
		.listener = hd_stream_listener_name(s),
		.server_name = hd_stream_server_name(s),
		.tls = tls_of(s),
		.queued_bytes = s->flight.bytes,
		.realm = p->login.realm,
		.active = p->entry != NULL && p->entry->active == p,
		.proxy = hd_stream_proxy(s),
		.mesh = p->login.mesh,
		.peer = p,
		.packets_in = p->packets_in,
		.packets_out = p->packets_out,
		.datagrams = p->datagrams,
	};
	for (unsigned i = 0; i < HD_LANE_N; i++)
		ret->queued_bytes += s->lane[i].bytes;
	for (unsigned i = 0; i < HD_DROP_N; i++)
		ret->drops += s->drops[i];
}

static void about(const struct hd_stream *s, hd_about_peer_fn *fn, void *arg)
{
	struct hd_about_peer p;

	hd_peer_about(s, &p);
	fn(arg, &p);
}

static void about_entry(const struct hd_entry *e, hd_about_peer_fn *fn,
			void *arg)
{
	const struct hd_peer *next, *p = e->active;

	for (; p != NULL; p = next) {
		next = p->next;
		about(p->stream, fn, arg);
	}
}

void hd_about_key(struct hd_worker *w, const struct hd_key *key,
		  hd_about_peer_fn *fn, void *arg)
{
	unsigned n = hd_realms_n();

	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = hd_key_hash((uint16_t)i, key);
		const struct hd_entry *e;
		uint32_t at = 0;

		while ((e = hd_relay_table_next(&w->relay->table, hash, key,
						&at)) != NULL)
			about_entry(e, fn, arg);
	}
}

static bool about_each(struct hd_worker *w, uint64_t *at, unsigned n,
		       enum hd_peer_state state, hd_about_peer_fn *fn,
		       void *arg)
{
	uint64_t end = HD_MIN(*at + n, w->streams->slots.n);

	for (; *at < end; (*at)++) {
		const struct hd_stream *s = w->streams->slots.v[*at].object;
		const struct hd_peer *p = s != NULL ? hd_peer_of(s) : NULL;

		if (p != NULL && p->state == state)
			about(s, fn, arg);
	}
	return *at < w->streams->slots.n;
}

bool hd_about_peers(struct hd_worker *w, uint64_t *at, unsigned n,
		    hd_about_peer_fn *fn, void *arg)
{
	return about_each(w, at, n, HD_PEER_UP, fn, arg);
}

bool hd_about_logins(struct hd_worker *w, uint64_t *at, unsigned n,
		     hd_about_peer_fn *fn, void *arg)
{
	return about_each(w, at, n, HD_PEER_PENDING, fn, arg);
}
