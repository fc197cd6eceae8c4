/* SPDX-License-Identifier: MIT */
/* core/relay/peer.c - a key's connection: in the table of its home while it is
 * up, and what others ask of it.
 *
 *   PROVEN --admitted--> UP --its stream closes--> DOWN --it ends--> freed
 *
 * Several may have one key: they hang on its entry, the one that spoke last
 * first. Context: the stream's worker. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/key.h"
#include "core/base/probes.h"
#include "core/relay/away.h"
#include "core/relay/brought.h"
#include "core/relay/debt.h"
#include "core/relay/held.h"
#include "core/relay/leave.h"
#include "core/relay/limits.h"
#include "core/relay/peer.h"
#include "core/relay/peer_data.h"
#include "core/relay/presence.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/relay/wayless.h"
#include "core/stream/stream_life.h"

#define NOT_HERE_BURST 3
#define NOT_HERE_BURST_MESH 210 /* 70 a second */
#define NOT_HERE_PERIOD_MS 1000

struct hd_peer *hd_peer_new(struct hd_stream *s, const struct hd_login *login)
{
	struct hd_peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->magic = HD_PEER_MAGIC;
	p->stream = s;
	p->login = *login;
	p->login.realm &= HD_REALM_PROTOCOL_MASK;
	p->mesh_key = login->mesh;
	p->name = hd_key_text(&login->key);
	p->user = (struct hd_stream_user){ .ops = &hd_peer_user,
					   .key = &p->login.key,
					   .key_text = p->name.s };
	p->not_here_tokens = NOT_HERE_BURST;
	return p;
}

void hd_peer_set_label(struct hd_peer *p, const char *label)
{
	if (label[0] == '\0')
		return;
	free(p->label);
	p->label = strdup(label);
	p->user.name = p->label;
}

const char *hd_peer_label(const struct hd_peer *p)
{
	return p->label != NULL ? p->label : "";
}

int hd_peer_set_tenant(struct hd_peer *p, const char *name)
{
	uint16_t old = p->tenant;
	int r = hd_tenant_hold(name, &p->tenant);

	hd_tenant_drop(old);
	p->user.tenant = p->tenant != 0 ? hd_tenant_name(p->tenant) : NULL;
	return r;
}

static void ended(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);

	hd_assert(p->entry == NULL);
	hd_leave_tell(p);
	hd_stream_set_user(s, NULL);
	p->magic = 0;
	hd_tenant_drop(p->tenant);
	hd_brought_free(p);
	hd_peer_data_free(p);
	free(p->refusal);
	free(p->late);
	free(p->label);
	free(p->limits);
	free(p);
}

static void drained(struct hd_stream *s)
{
	if (hd_peer_of(s)->watch != NULL)
		hd_presence_offer(s);
	else
		hd_login_drained(s);
}

const struct hd_stream_user_ops hd_peer_user = {
	.drained = drained,
	.hung_up = hd_login_hung_up,
	.late = hd_login_late,
	.closing = hd_peer_down,
	.ended = ended,
};

/* ---- here and gone ---- */

static void count_peers(struct hd_worker *w, int change)
{
	hd_gauge_add(&w->stats.peers, change);
}

int hd_peer_up(struct hd_peer *p)
{
	struct hd_worker *w = p->stream->worker;
	struct hd_login *l = &p->login;
	uint64_t hash = hd_key_hash(l->realm, &l->key);
	struct hd_entry *e;

	l->realm = hd_realm_with(l->realm, p->tenant);
	e = hd_relay_table_find(&w->relay->table, hash, l->realm, &l->key);
	if (e == NULL)
		e = hd_gone_back(w, &w->relay->table, hash, l->realm,
				 &l->key);
	if (e == NULL)
		e = hd_away_back(w, hash, l->realm, &l->key);
	if (e == NULL)
		e = hd_relay_table_add(&w->relay->table, hash, l->realm,
				       &l->key);
	if (e == NULL)
		return -ENOMEM;
	hd_wayless_join(w, e);
	p->entry = e;
	p->next = e->active; /* the newest is active */
	e->active = p;
	p->state = HD_PEER_UP;
	p->admitted = true;
	hd_held_came(p);
	if (w->relay->feeds != NULL)
		hd_feeds_up(w, e);
	count_peers(w, 1);
	hd_account_add(p->stream->account, HD_ACCOUNT_PEERS, 1);
	return hd_limits_begin(p);
}

static void entry_out(struct hd_entry *e, struct hd_peer *p)
{
	struct hd_peer **at = &e->active;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->next = NULL;
}

void hd_peer_active(struct hd_peer *p)
{
	struct hd_entry *e = p->entry;

	if (e == NULL || e->active == p)
		return;
	entry_out(e, p);
	p->next = e->active;
	e->active = p;
}

void hd_peer_down(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);
	struct hd_entry *e;

	if (p == NULL || p->state == HD_PEER_DOWN)
		return;
	p->state = HD_PEER_DOWN;
	hd_limits_end(p);
	e = hd_steal(&p->entry);
	if (e == NULL)
		return;
	entry_out(e, p);
	count_peers(s->worker, -1);
	hd_account_add(s->account, HD_ACCOUNT_PEERS, (uint64_t)-1);
	HD_PROBE(peer_down, s, s->worker->index, p->name.s, &p->login.key,
		 s->why);
	hd_presence_end(p);
	if (e->active != NULL)
		return;
	hd_held_left(p);
	hd_debt_keep(s->worker, e);
	if (s->worker->relay->feeds != NULL)
		hd_feeds_down(s->worker, e);
	hd_gone_leave(s->worker, &e);
}

void hd_peer_set_proto(struct hd_stream *s, struct hd_module *mod,
		       const struct hd_proto *proto)
{
	uint64_t peers = hd_peer_up_of(s) != NULL;

	hd_account_add(s->account, HD_ACCOUNT_PEERS, -peers);
	hd_stream_set_proto(s, mod, proto);
	hd_account_add(s->account, HD_ACCOUNT_PEERS, peers);
}

/* ---- told of others ---- */

void hd_peer_notify_gone(struct hd_peer *p, const struct hd_key *other,
			 enum hd_gone why)
{
	struct hd_stream *s = p->stream;
	struct hd_meter *m = &s->worker->meter;
	struct hd_account *before = hd_meter_enter(m, s->account);

	s->proto->peer->gone(s->mod, p, other, why);
	hd_meter_leave(m, before);
}

/* Another relay asks for all of its clients. */
static bool takes_not_here(struct hd_peer *p)
{
	uint64_t now = p->stream->worker->now_ms;
	uint8_t burst = p->login.mesh ? NOT_HERE_BURST_MESH : NOT_HERE_BURST;
	uint64_t period_ms = NOT_HERE_PERIOD_MS / (burst / NOT_HERE_BURST);

	if (now - p->not_here_ms >= burst * period_ms) {
		p->not_here_tokens = burst;
		p->not_here_ms = now;
	}
	while (p->not_here_tokens < burst &&
	       now - p->not_here_ms >= period_ms) {
		p->not_here_tokens++;
		p->not_here_ms += period_ms;
	}
	if (p->not_here_tokens == burst)
		p->not_here_ms = now;
	return p->not_here_tokens > 0;
}

void hd_peer_not_here(struct hd_peer *p, const struct hd_key *dst)
{
	if (!takes_not_here(p))
		return;
	p->not_here_tokens--;
	hd_peer_notify_gone(p, dst, HD_GONE_NOT_HERE);
}

void hd_peer_not_here_in(struct hd_peer *p, uint16_t realm,
			 const struct hd_key *dst)
{
	struct hd_stream *s = p->stream;
	const struct hd_presence what = { .key = dst, .realm = realm };
	struct hd_account *before;

	if (s->proto->peer->presence == NULL || !takes_not_here(p))
		return;
	p->not_here_tokens--;
	before = hd_meter_enter(&s->worker->meter, s->account);
	s->proto->peer->presence(s->mod, p, &what);
	hd_meter_leave(&s->worker->meter, before);
}

/* ---- what others ask ---- */

struct hd_peer *hd_peer_find(struct hd_worker *w, uint16_t realm,
			     const struct hd_key *key)
{
	struct hd_entry *e = hd_relay_table_find(
		&w->relay->table, hd_key_hash(realm, key), realm, key);

	return e != NULL ? e->active : NULL;
}

struct kick {
	struct hd_key key;
	uint16_t realm;
	enum hd_close why;
};

static void kick_here(struct hd_worker *w, void *what, void *unused)
{
	struct kick *k = what;

	(void)unused;
	for (struct hd_peer *p = hd_peer_find(w, k->realm, &k->key); p != NULL;
	     p = p->next)
		hd_stream_close(p->stream, k->why);
	free(k);
}

struct hd_worker *hd_relay_home(uint16_t realm, const struct hd_key *key)
{
	if (hd_workers() == 0)
		return NULL;
	return hd_worker_at(hd_key_home(hd_key_hash(realm, key)));
}

void hd_relay_kick(uint16_t realm, const struct hd_key *key, enum hd_close why)
{
	struct hd_worker *home = hd_relay_home(realm, key);
	struct kick *k = home != NULL ? malloc(sizeof(*k)) : NULL;

	if (k == NULL)
		return;
	*k = (struct kick){ *key, realm, why };
	if (hd_worker_post(home, kick_here, k, NULL) < 0)
		free(k);
}

struct hd_stream *hd_peer_stream(const struct hd_peer *p)
{
	return p->stream;
}

const struct hd_key *hd_peer_key(const struct hd_peer *p)
{
	return &p->login.key;
}

const struct hd_login *hd_peer_login(const struct hd_peer *p)
{
	return &p->login;
}

bool hd_peer_has_mesh_key(const struct hd_peer *p)
{
	return p->mesh_key;
}

/* They are read when watchers are told, which is later in the turn. */
void hd_peer_set_flags(struct hd_peer *p, uint32_t flags)
{
	p->login.flags = flags;
}
