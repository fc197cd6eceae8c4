/* SPDX-License-Identifier: MIT */
/* core/relay/limits_snap.c - limits that hooks gave, and what keys owe, go to
 * another process. Context: the key's home worker, parked; of what many have
 * together: the main thread. */
#include <errno.h>
#include <stdlib.h>
#include "core/base/clock.h"
#include "core/base/snap_format.h"
#include "core/relay/limits.h"
#include "core/relay/tenant.h"
#include "core/stream/limit.h"

#define N(field, tag) HD_SNAP_NUMBER(struct hd_limits, field, tag)

static const struct hd_snap_field fields[] = {
	N(bytes_per_s, HD_SNAP_LIMITS_RATE),
	N(burst_bytes, HD_SNAP_LIMITS_BURST),
	N(packet_bytes, HD_SNAP_LIMITS_PACKET),
	N(connections, HD_SNAP_LIMITS_CONNECTIONS),
};

void hd_limits_pack(const struct hd_peer *p, struct hd_snap *to)
{
	for (unsigned i = 0; p->limits != NULL && i < HD_LIMITS_N; i++) {
		size_t at = hd_snap_begin(to, HD_SNAP_PEER_LIMITS);

		hd_snap_number(to, HD_SNAP_LIMITS_OF, i);
		hd_snap_struct(to, fields, HD_ARRAY_N(fields), &p->limits[i]);
		hd_snap_end(to, at);
	}
}

static int take_item(const struct hd_snap_item *item, struct hd_limits *l,
		     uint64_t *of, uint64_t *seen, struct hd_error *err)
{
	int r = hd_snap_fill(item, fields, HD_ARRAY_N(fields), l, seen);

	if (r != 0)
		return HD_MIN(r, 0);
	return item->tag == HD_SNAP_LIMITS_OF
		       ? hd_snap_to_number(item, of)
		       : hd_snap_unknown(item, "limits", err);
}

int hd_limits_unpack(struct hd_peer *p, struct hd_snap_in in,
		     struct hd_error *err)
{
	struct hd_limits l = { 0 };
	uint64_t of = HD_LIMITS_N, seen = 0;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_item(&item, &l, &of, &seen, err);
		if (r < 0)
			return r;
	}
	if (r < 0 || of >= HD_LIMITS_N ||
	    !hd_snap_whole(fields, HD_ARRAY_N(fields), seen))
		return -EBADMSG;
	return hd_limits_give(p, (enum hd_limits_of)of, &l);
}

/* What was taken there and is not paid is not paid here. */
void hd_limits_owe(struct hd_peer *p, uint64_t paid_ns)
{
	struct hd_limit *l = p->entry->limit;

	if (l != NULL && l->rate.unit_ns > 0)
		l->bucket.paid_ns = HD_MAX(l->bucket.paid_ns, paid_ns);
}

/* ---- together ---- */

/* Who has taken nothing lately has all of it, and no item. */
static void pack_fund(const struct hd_fund *f, const char *tenant,
		      struct hd_snap *to)
{
	uint64_t paid_ns = __atomic_load_n(&f->pool.paid_ns, __ATOMIC_RELAXED);

	if (!hd_fund_has_limit(f) || paid_ns <= hd_clock_ns())
		return;
	size_t at = hd_snap_begin(to, HD_SNAP_FUND);

	hd_snap_text(to, HD_SNAP_FUND_TENANT, tenant);
	hd_snap_number(to, HD_SNAP_FUND_PAID_NS, paid_ns);
	hd_snap_end(to, at);
}

void hd_funds_pack(struct hd_snap *to)
{
	pack_fund(hd_fund_relay(), NULL, to);
	for (unsigned i = 1; i <= HD_TENANTS_MAX; i++) {
		const struct hd_fund *f = hd_fund_of((uint16_t)i);

		if (f != NULL)
			pack_fund(f, hd_tenant_name((uint16_t)i), to);
	}
}

/* The number of a tenant without peers may soon be another's. */
static int set_paid(const char *tenant, uint64_t paid_ns)
{
	struct hd_fund *f = hd_fund_relay();
	uint16_t number = 0;

	if (tenant != NULL && hd_tenant_hold_known(tenant, &number) < 0)
		return 0;
	if (tenant != NULL)
		f = hd_fund_made(number);
	if (f != NULL)
		__atomic_store_n(&f->pool.paid_ns, paid_ns, __ATOMIC_RELAXED);
	hd_tenant_drop(number);
	return f != NULL ? 0 : -ENOMEM;
}

int hd_fund_take(struct hd_snap_in in, struct hd_error *err)
{
	uint64_t paid_ns = 0;
	char *tenant = NULL;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_FUND_TENANT && tenant == NULL)
			r = hd_snap_to_text(&item, &tenant);
		else if (item.tag == HD_SNAP_FUND_PAID_NS)
			r = hd_snap_to_number(&item, &paid_ns);
		else
			r = hd_snap_unknown(&item, "a fund", err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = set_paid(tenant, paid_ns);
	free(tenant);
	return r;
}
