/* SPDX-License-Identifier: MIT */
/* core/relay/debt_snap.c - what keys owe that have left goes to another
 * process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/key.h"
#include "core/base/snap_format.h"
#include "core/relay/debt.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/stream/limit.h"

static void pack(void *arg, uint16_t realm, const struct hd_key *key,
		 const struct hd_limit *limit)
{
	struct hd_snap *to = arg;
	uint16_t tenant = hd_realm_tenant(realm);
	size_t at = hd_snap_begin(to, HD_SNAP_DEBT);

	hd_snap_bytes(to, HD_SNAP_DEBT_KEY, key, sizeof(*key));
	hd_snap_text(to, HD_SNAP_DEBT_REALM, hd_realm_name(realm));
	if (tenant != 0)
		hd_snap_text(to, HD_SNAP_DEBT_TENANT, hd_tenant_name(tenant));
	hd_snap_number(to, HD_SNAP_DEBT_PAID_NS, limit->bucket.paid_ns);
	hd_snap_number(to, HD_SNAP_DEBT_RATE, limit->per_s);
	hd_snap_number(to, HD_SNAP_DEBT_BURST, limit->burst);
	hd_snap_end(to, at);
}

void hd_debts_pack(struct hd_worker *w, struct hd_snap *to)
{
	hd_debts_each(w, pack, to);
}

struct image { /* of a debt */
	struct hd_key key;
	bool has_key;
	char *realm, *tenant;
	uint64_t paid_ns, per_s, burst;
};

static int take_item(struct image *d, const struct hd_snap_item *item,
		     struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_DEBT_KEY:
		d->has_key = true;
		return hd_snap_to_bytes(item, &d->key, sizeof(d->key));
	case HD_SNAP_DEBT_REALM:
		return hd_snap_to_text(item, &d->realm);
	case HD_SNAP_DEBT_TENANT:
		return hd_snap_to_text(item, &d->tenant);
	case HD_SNAP_DEBT_PAID_NS:
		return hd_snap_to_number(item, &d->paid_ns);
	case HD_SNAP_DEBT_RATE:
		return hd_snap_to_number(item, &d->per_s);
	case HD_SNAP_DEBT_BURST:
		return hd_snap_to_number(item, &d->burst);
	default:
		return hd_snap_unknown(item, "a debt", err);
	}
}

static void put(struct hd_worker *w, const struct image *d, uint16_t realm)
{
	struct hd_limit *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return; /* forgotten, as where there is no memory for one */
	l->per_s = d->per_s;
	l->burst = d->burst;
	l->rate = hd_rate_of(d->per_s, d->burst);
	l->bucket.paid_ns = d->paid_ns;
	hd_debt_put(w, realm, &d->key, l);
}

/* A tenant that nobody is in any more begins anew, as where all have left. */
static int apply(struct hd_worker *w, const struct image *d)
{
	int realm = d->realm != NULL ? hd_realm_find(d->realm) : -1;
	uint16_t tenant = 0;

	if (realm < 0 || !d->has_key)
		return -EBADMSG;
	if (hd_key_home(hd_key_hash((uint16_t)realm, &d->key)) != w->index)
		return 0;
	if (d->tenant != NULL && hd_tenant_hold(d->tenant, &tenant) < 0)
		return 0;
	put(w, d, hd_realm_with((uint16_t)realm, tenant));
	hd_tenant_drop(tenant);
	return 0;
}

int hd_debt_take(struct hd_worker *w, struct hd_snap_in in,
		 struct hd_error *err)
{
	struct image d = { .has_key = false };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_item(&d, &item, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = apply(w, &d);
	free(d.realm);
	free(d.tenant);
	return r;
}
