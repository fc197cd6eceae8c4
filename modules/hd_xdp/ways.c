/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/ways.c - see ways.h. */
#include "modules/hd_xdp/ways.h"
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/hd_xdp/hd_xdp.h"

enum {
	SETS = 512, /* a power of 2 */
	PLACES = 4, /* of a set */
	ASKS = 64, /* at once */
	USED_MS = 1000, /* used again within it: worth to be asked for */
	GOOD_MS = 1000,
	LOST_MS = 5000, /* no answer comes any more */
};

enum state { EMPTY, SEEN, ASKED, KNOWN, NONE };

struct entry {
	struct hxp_pair pair;
	enum state state;
	uint64_t since_ms, used_ms; /* in that state */
	struct hxp_way way;
};

struct hxp_ways {
	in_port_t port;
	bool asking; /* a helper thread has some, since: */
	uint64_t asking_ms;
	unsigned n_asks;
	struct hxp_pair asks[ASKS];
	struct entry sets[SETS][PLACES];
};

struct batch { /* for a helper thread */
	in_port_t port;
	unsigned n;
	struct {
		struct hxp_pair pair;
		struct hxp_route route;
		int result;
	} v[ASKS];
};

struct hxp_ways *hxp_ways_new(in_port_t port)
{
	struct hxp_ways *ways = calloc(1, sizeof(*ways));

	if (ways != NULL)
		ways->port = port;
	return ways;
}

void hxp_ways_free(struct hxp_ways **ways)
{
	free(*ways);
	*ways = NULL;
}

/* ---- the table ---- */

static struct entry *set_of(struct hxp_ways *ways, const struct hxp_pair *pair)
{
	uint32_t w[4], h;

	memcpy(w, pair->to, sizeof(w));
	h = (w[0] ^ w[1] ^ w[2] ^ w[3] ^ pair->to_port) * 0x9e3779b1u;
	return ways->sets[h / (UINT32_MAX / SETS + 1)];
}

static struct entry *find(struct hxp_ways *ways, const struct hxp_pair *pair)
{
	struct entry *set = set_of(ways, pair);

	for (unsigned i = 0; i < PLACES; i++)
		if (set[i].state != EMPTY &&
		    memcmp(&set[i].pair, pair, sizeof(*pair)) == 0)
			return &set[i];
	return NULL;
}

/* In the place of the one that has not been used for longest. */
static void make(struct hxp_ways *ways, const struct hxp_pair *pair,
		 uint64_t now_ms)
{
	struct entry *set = set_of(ways, pair), *e = set;

	for (unsigned i = 1; i < PLACES; i++)
		if (set[i].used_ms < e->used_ms)
			e = &set[i];
	*e = (struct entry){ .pair = *pair,
			     .state = SEEN,
			     .since_ms = now_ms,
			     .used_ms = now_ms };
}

static void become(struct entry *e, enum state state, uint64_t now_ms)
{
	e->state = state;
	e->since_ms = now_ms;
}

/* With no room it stays as it is, and is tried again when it is used. */
static void note(struct hxp_ways *ways, struct entry *e, uint64_t now_ms)
{
	if (ways->n_asks == ASKS)
		return;
	ways->asks[ways->n_asks++] = e->pair;
	become(e, ASKED, now_ms);
}

const struct hxp_way *hxp_ways_find(struct hxp_ways *ways,
				    const struct hxp_pair *pair,
				    uint64_t now_ms)
{
	struct entry *e = find(ways, pair);
	uint64_t age_ms, unused_ms;

	if (e == NULL) {
		make(ways, pair, now_ms);
		return NULL;
	}
	age_ms = now_ms - e->since_ms;
	unused_ms = now_ms - e->used_ms;
	e->used_ms = now_ms;
	if (e->state == KNOWN && age_ms < GOOD_MS)
		return &e->way;
	if ((e->state == SEEN || e->state == KNOWN) && unused_ms < USED_MS)
		note(ways, e, now_ms);
	else if (e->state == KNOWN || (e->state == NONE && age_ms >= GOOD_MS) ||
		 (e->state == ASKED && age_ms >= LOST_MS))
		become(e, SEEN, now_ms);
	return NULL;
}

void hxp_ways_answer(struct hxp_ways *ways, const struct hxp_pair *pair,
		     const struct hxp_route *route, uint64_t now_ms)
{
	struct entry *e = find(ways, pair);

	if (e == NULL)
		return;
	become(e, route != NULL ? KNOWN : NONE, now_ms);
	if (route == NULL)
		return;
	e->way.ifindex = route->ifindex;
	e->way.mtu = route->mtu;
	hxp_head_make(&e->way.head, pair, ways->port, route->next,
		      route->ours);
}

size_t hxp_ways_known(const struct hxp_ways *ways, uint64_t now_ms)
{
	const struct entry *e = ways->sets[0];
	size_t n = 0;

	for (unsigned i = 0; i < SETS * PLACES; i++)
		n += e[i].state == KNOWN && now_ms - e[i].since_ms < GOOD_MS;
	return n;
}

/* ---- asking ---- */

static void look(struct hd_module *mod, void *arg)
{
	struct batch *b = arg;
	int fd = hxp_lookup_open();

	(void)mod;
	for (unsigned i = 0; i < b->n; i++)
		b->v[i].result = fd < 0 ? fd
					: hxp_lookup(fd, &b->v[i].pair,
						     b->port, &b->v[i].route);
	if (fd >= 0)
		close(fd);
}

static void take(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hxp_worker *hw = hd_module_worker_data(mod, w);
	struct batch *b = arg;

	if (hw->ways != NULL) {
		hw->ways->asking = false;
		for (unsigned i = 0; i < b->n; i++)
			hxp_ways_answer(hw->ways, &b->v[i].pair,
					b->v[i].result == 0 ? &b->v[i].route
							    : NULL,
					hd_now_ms(w));
	}
	free(b);
}

void hxp_ways_ask(struct hxp_ways *ways, struct hd_module *mod,
		  struct hd_worker *w)
{
	uint64_t now_ms = hd_now_ms(w);
	struct batch *b;

	/* without memory an answer may be lost on its way back */
	if (ways->n_asks == 0 ||
	    (ways->asking && now_ms - ways->asking_ms < LOST_MS))
		return;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return;
	b->port = ways->port;
	b->n = ways->n_asks;
	for (unsigned i = 0; i < b->n; i++)
		b->v[i].pair = ways->asks[i];
	ways->n_asks = 0;
	ways->asking_ms = now_ms;
	ways->asking = hd_task(mod, w, look, take, b, free) == 0;
}
