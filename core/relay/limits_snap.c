/* SPDX-License-Identifier: MIT */
/* core/relay/limits_snap.c - limits that hooks gave, and what keys owe, go to
 * another process. Context: the key's home worker, parked. */
#include <errno.h>
#include "core/base/snap_format.h"
#include "core/relay/limits.h"
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
