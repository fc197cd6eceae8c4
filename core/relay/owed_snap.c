/* SPDX-License-Identifier: MIT */
/* core/relay/owed_snap.c - who is owed PeerGone, by whom, goes to another
 * process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/key.h"
#include "core/base/snap_format.h"
#include "core/relay/peer_snap.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/relay/wayless.h"
#include "core/stream/stream_worker.h"

/* @tag  HD_SNAP_GONE; HD_SNAP_AWAY: the key is elsewhere */
static size_t begin(const struct hd_entry *e, unsigned tag, struct hd_snap *to)
{
	struct hd_key key;
	uint32_t at = 0, looks = UINT32_MAX;
	size_t begun = hd_snap_begin(to, tag);
	uint8_t *v;

	hd_snap_bytes(to, HD_SNAP_GONE_KEY, &e->key, sizeof(e->key));
	hd_snap_text(to, HD_SNAP_GONE_REALM, hd_realm_name(e->realm));
	if (hd_realm_tenant(e->realm) != 0)
		hd_snap_text(to, HD_SNAP_GONE_TENANT,
			     hd_tenant_name(hd_realm_tenant(e->realm)));
	v = hd_snap_room(to, HD_SNAP_GONE_OWED, e->to_notify.n * sizeof(key));
	for (uint32_t n = 0; v != NULL && n < e->to_notify.n &&
			     hd_keyset_next(&e->to_notify, &at, &looks, &key);
	     n++, at++)
		memcpy(v + n * sizeof(key), &key, sizeof(key));
	return begun;
}

static void pack_table(const struct hd_relay_table *t, struct hd_snap *to)
{
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL && t->v[i]->to_notify.n > 0)
			hd_snap_end(to, begin(t->v[i], HD_SNAP_GONE, to));
}

/* @all  had a way; else their entries say it */
static void pack_away(const struct hd_relay_table *t, bool all,
		      struct hd_snap *to)
{
	for (uint32_t i = 0; t != NULL && i < t->size; i++) {
		const struct hd_entry *e = t->v[i];
		size_t begun;

		if (e == NULL || e->to_notify.n == 0)
			continue;
		begun = begin(e, HD_SNAP_AWAY, to);
		hd_snap_number(to, HD_SNAP_AWAY_HAD_WAY, all || e->had_way);
		hd_snap_end(to, begun);
	}
}

void hd_owed_pack(struct hd_worker *w, struct hd_snap *to)
{
	pack_table(&w->relay->table, to);
	pack_table(&w->relay->gone.table, to);
	pack_away(&w->relay->away, true, to);
	pack_away(hd_wayless_table(w), false, to);
}

struct owed {
	struct hd_key key;
	bool has_key, away;
	uint64_t had_way; /* away */
	char *realm, *tenant;
	struct hd_snap_in keys;
};

static int take_owed(struct owed *o, const struct hd_snap_item *item,
		     struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_GONE_KEY:
		o->has_key = true;
		return hd_snap_to_bytes(item, &o->key, sizeof(o->key));
	case HD_SNAP_GONE_REALM:
		return hd_snap_to_text(item, &o->realm);
	case HD_SNAP_GONE_TENANT:
		return hd_snap_to_text(item, &o->tenant);
	case HD_SNAP_AWAY_HAD_WAY:
		return hd_snap_to_number(item, &o->had_way);
	case HD_SNAP_GONE_OWED:
		o->keys = item->in;
		return 0;
	default:
		return hd_snap_unknown(item, "what is owed", err);
	}
}

static void owe_one(struct hd_worker *w, const struct owed *o, uint64_t hash,
		    uint16_t realm, const struct hd_key *receiver)
{
	if (!o->away)
		hd_gone_owe(w, realm, &o->key, receiver);
	else if (o->had_way)
		hd_wayless_owe(w, hash, realm, &o->key, receiver);
	else
		hd_wayless_note(w, hash, realm, &o->key, receiver);
}

/* One that is here owes it when it leaves; one that has left owes it now; one
 * that is elsewhere waits for its way, which comes with the links. A
 * tenant that nobody is in any more is owed nothing. */
static void owe(struct hd_worker *w, const struct owed *o, uint16_t realm)
{
	uint64_t hash = hd_key_hash(realm, &o->key);
	struct hd_entry *e =
		hd_relay_table_find(&w->relay->table, hash, realm, &o->key);
	struct hd_key key;

	for (size_t i = 0; i + sizeof(key) <= o->keys.n; i += sizeof(key)) {
		memcpy(&key, o->keys.p + i, sizeof(key));
		if (e != NULL)
			(void)hd_keyset_add(&e->to_notify, &key,
					    &w->stats.gone_bytes);
		else
			owe_one(w, o, hash, realm, &key);
	}
}

static int apply_owed(struct hd_worker *w, const struct owed *o)
{
	int realm = o->realm != NULL ? hd_realm_find(o->realm) : -1;
	uint16_t tenant = 0;

	if (realm < 0 || !o->has_key || o->keys.n % sizeof(struct hd_key) != 0)
		return -EBADMSG;
	if (hd_key_home(hd_key_hash((uint16_t)realm, &o->key)) != w->index)
		return 0;
	if (o->tenant != NULL && hd_tenant_hold(o->tenant, &tenant) < 0)
		return 0;
	owe(w, o, hd_realm_with((uint16_t)realm, tenant));
	hd_tenant_drop(tenant);
	return 0;
}

int hd_owed_take(struct hd_worker *w, struct hd_snap_in in, bool away,
		 struct hd_error *err)
{
	struct owed o = { .has_key = false, .away = away };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_owed(&o, &item, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = apply_owed(w, &o);
	free(o.realm);
	free(o.tenant);
	return r;
}
