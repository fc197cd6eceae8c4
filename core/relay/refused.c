/* SPDX-License-Identifier: MIT */
/* core/relay/refused.c - a table of 24 kB a worker, from the first refusal on:
 * a key has one place, by its hash, which no stranger can predict. */
#include "core/relay/refused.h"
#include <stdlib.h>
#include "core/base/key.h"
#include "core/relay/relay_worker.h"

struct hd_refused {
	uint64_t what;	   /* of the key and the reason */
	uint64_t until_ms; /* 0: nobody was refused here */
	uint32_t n; /* how often */
};

uint32_t hd_refused_count(struct hd_worker *w, uint16_t realm,
			  const struct hd_key *key, const char *reason)
{
	struct hd_relay *r = w->relay;
	uint64_t hash = hd_key_hash(realm, key);
	uint64_t what = hash ^ hd_text_hash(reason);

	if (r->refused == NULL)
		r->refused = calloc(HD_REFUSED_N, sizeof(*r->refused));
	if (r->refused == NULL)
		return 1; /* rather told too often than never */
	struct hd_refused *at = &r->refused[hash % HD_REFUSED_N];

	if (at->what != what || at->until_ms <= w->now_ms)
		*at = (struct hd_refused){ what, w->now_ms + HD_REFUSED_MS, 0 };
	if (at->n < UINT32_MAX)
		at->n++;
	return at->n;
}

void hd_refused_forget(struct hd_worker *w, uint16_t realm,
		       const struct hd_key *key)
{
	struct hd_refused *v = w->relay->refused;

	if (v != NULL)
		v[hd_key_hash(realm, key) % HD_REFUSED_N].until_ms = 0;
}
