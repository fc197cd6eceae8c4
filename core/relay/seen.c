/* SPDX-License-Identifier: MIT */
/* core/relay/seen.c - see seen.h. */
#include "core/relay/seen.h"
#include <sodium.h>
#include <stdlib.h>

static struct hd_seen_table *table_of(struct hd_worker *w)
{
	struct hd_seen_table *t = w->relay->seen;

	if (t != NULL)
		return t;
	t = w->relay->seen = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	randombytes_buf(t->mix, sizeof(t->mix));
	t->mix[0] |= 1;
	t->mix[1] |= 1;
	return t;
}

/* An empty one has never been kept. */
static struct hd_seen *oldest(struct hd_seen *set)
{
	struct hd_seen *ret = set;

	for (unsigned i = 1; i < HD_SEEN_WAYS; i++)
		if (set[i].until_ms < ret->until_ms)
			ret = &set[i];
	return ret;
}

struct hd_seen *hd_seen_make(struct hd_worker *w,
			     const struct hd_packet *packet, uint64_t hash)
{
	struct hd_seen *seen = hd_seen_find(w->relay, packet);
	struct hd_seen_table *t = table_of(w);

	if (seen != NULL || t == NULL)
		return seen;
	seen = oldest(hd_seen_set(t, packet));
	if (w->now_ms < seen->until_ms)
		return NULL;
	*seen = (struct hd_seen){ .src = *packet->src,
				  .dst = *packet->dst,
				  .realm = packet->realm,
				  .hash = hash };
	return seen;
}
