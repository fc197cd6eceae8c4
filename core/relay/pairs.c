/* SPDX-License-Identifier: MIT */
/* core/relay/pairs.c - who sends how much to whom. */
#include "core/relay/pairs.h"
#include <stdlib.h>
#include <string.h>
#include "core/loop/timer.h"
#include "core/relay/relay_worker.h"

enum { QUIET_MS = 2000 }; /* then a pair gives way before all others */

struct hd_pairs {
	struct hd_timer *end;
	struct hd_pair v[HD_PAIRS_MAX];
};

void hd_pairs_free(struct hd_worker *w)
{
	if (w->relay->pairs == NULL)
		return;
	hd_timer_free(&w->relay->pairs->end);
	free(w->relay->pairs);
	w->relay->pairs = NULL;
}

static void on_end(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	(void)mod;
	(void)arg;
	hd_pairs_free(w);
}

const struct hd_pair *hd_pairs_ask(struct hd_worker *w)
{
	if (w->relay->pairs == NULL) {
		struct hd_timer *end = hd_timer_new(NULL, w, on_end, NULL);

		w->relay->pairs = calloc(1, sizeof(*w->relay->pairs));
		if (end == NULL || w->relay->pairs == NULL) {
			hd_timer_free(&end);
			free(w->relay->pairs);
			w->relay->pairs = NULL;
			return NULL;
		}
		w->relay->pairs->end = end;
	}
	hd_timer_set(w->relay->pairs->end, HD_PAIRS_KEEP_MS);
	return w->relay->pairs->v;
}

static bool is_it(const struct hd_pair *p, const struct hd_packet *packet)
{
	return p->packets > 0 && p->realm == packet->realm &&
	       memcmp(&p->dst, packet->dst, HD_KEY_BYTES) == 0 &&
	       memcmp(&p->src, packet->src, HD_KEY_BYTES) == 0;
}

/* What a pair is worth that may have to give way. */
static uint64_t worth(const struct hd_pair *p, uint64_t now_ms)
{
	return now_ms - p->last_ms > QUIET_MS ? 0 : p->bytes;
}

static struct hd_pair *find(struct hd_pair *set, const struct hd_packet *packet,
			    uint64_t now_ms)
{
	struct hd_pair *least = set;

	for (struct hd_pair *p = set; p < set + HD_PAIRS_WAYS; p++) {
		if (is_it(p, packet))
			return p;
		if (worth(p, now_ms) < worth(least, now_ms))
			least = p;
	}
	*least = (struct hd_pair){ .src = *packet->src,
				   .dst = *packet->dst,
				   .realm = packet->realm,
				   .since_ms = now_ms };
	return least;
}

void hd_pairs_count(struct hd_worker *w, const struct hd_packet *packet)
{
	uint64_t hash = hd_key_hash(packet->realm, packet->src) * 31 +
			hd_key_hash(packet->realm, packet->dst);
	struct hd_pair *set =
		&w->relay->pairs
			 ->v[(hash >> 32) % HD_PAIRS_SETS * HD_PAIRS_WAYS];
	struct hd_pair *p = find(set, packet, w->now_ms);

	p->packets++;
	p->bytes += packet->len_bytes;
	p->last_ms = w->now_ms;
}
