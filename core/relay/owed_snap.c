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
#include "core/stream/stream_worker.h"

static void pack_owed(const struct hd_entry *e, struct hd_snap *to)
{
	struct hd_key key;
	uint32_t at = 0, looks = UINT32_MAX;
	size_t begin = hd_snap_begin(to, HD_SNAP_GONE);
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
	hd_snap_end(to, begin);
}

static void pack_table(const struct hd_relay_table *t, struct hd_snap *to)
{
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL && t->v[i]->to_notify.n > 0)
			pack_owed(t->v[i], to);
}

void hd_owed_pack(struct hd_worker *w, struct hd_snap *to)
{
	pack_table(&w->relay->table, to);
	pack_table(&w->relay->gone.table, to);
}

struct owed {
	struct hd_key key;
	bool has_key;
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
	case HD_SNAP_GONE_OWED:
		o->keys = item->in;
		return 0;
	default:
		return hd_snap_unknown(item, "what is owed", err);
	}
}

/* One that is here owes it when it leaves; one that has left owes it now. A
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
			hd_gone_owe(w, realm, &o->key, &key);
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

int hd_owed_take(struct hd_worker *w, struct hd_snap_in in,
		 struct hd_error *err)
{
	struct owed o = { .has_key = false };
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
