/* SPDX-License-Identifier: MIT */
/* modules/metrics/status_peers.c - the peers that the status page shows: those
 * with most bytes.
 *
 *   somebody asks --> every worker walks its peers, a portion a turn, and posts
 *   the best of them to the worker that was asked --> the next answer has them
 *
 * So an answer waits for nobody: it has what the round of the answer before
 * brought. When nobody asks, nobody walks. */
#include <hyper-derp/about.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/metrics/status.h"

enum { PEERS_MAX = 50, PORTION = 256, LATE_MS = 10000 };

struct peer {
	unsigned worker;
	uint64_t conn;
	struct hd_key key;
	union hd_addr addr;
	char proto[16], agent[64], name[64], tenant[HD_TENANT_BYTES];
	uint64_t age_ms, bytes_in, bytes_out, drops;
};

struct status_top { /* no order until it is shown */
	unsigned n;
	unsigned least; /* of a full one */
	uint64_t at_ms;
	struct peer v[PEERS_MAX];
};

struct walk { /* from worker to worker */
	unsigned asker, round;
	uint64_t at;
	unsigned worker;
	struct status_top top;
};

/* ---- the best ---- */

static uint64_t bytes_of(const struct peer *p)
{
	return p->bytes_in + p->bytes_out;
}

static void find_least(struct status_top *t)
{
	t->least = 0;
	for (unsigned i = 1; i < t->n; i++)
		if (bytes_of(&t->v[i]) < bytes_of(&t->v[t->least]))
			t->least = i;
}

/* Where one with so many bytes goes; NULL: nowhere. */
static struct peer *place(struct status_top *t, uint64_t bytes)
{
	if (t->n < PEERS_MAX)
		return &t->v[t->n++];
	return bytes > bytes_of(&t->v[t->least]) ? &t->v[t->least] : NULL;
}

static void add_peer(void *arg, const struct hd_about_peer *about)
{
	struct walk *walk = arg;
	struct peer *p = place(&walk->top, about->bytes_in + about->bytes_out);

	if (p == NULL)
		return;
	*p = (struct peer){
		.worker = walk->worker,
		.conn = about->conn,
		.key = *about->key,
		.addr = *about->addr,
		.age_ms = about->age_ms,
		.bytes_in = about->bytes_in,
		.bytes_out = about->bytes_out,
		.drops = about->drops,
	};
	snprintf(p->proto, sizeof(p->proto), "%s", about->proto);
	snprintf(p->agent, sizeof(p->agent), "%s", about->agent);
	snprintf(p->name, sizeof(p->name), "%s", about->name);
	snprintf(p->tenant, sizeof(p->tenant), "%s", about->tenant);
	find_least(&walk->top);
}

static void merge(struct status_top *to, const struct status_top *from)
{
	for (unsigned i = 0; i < from->n; i++) {
		struct peer *p = place(to, bytes_of(&from->v[i]));

		if (p == NULL)
			continue;
		*p = from->v[i];
		find_least(to);
	}
}

static int more_bytes_first(const void *a, const void *b)
{
	uint64_t x = bytes_of(a), y = bytes_of(b);

	return (x < y) - (x > y);
}

/* ---- a round ---- */

static void on_walked(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct metrics_worker *mw = hd_module_worker_data(mod, w);
	struct status_peers *p = &mw->peers;
	struct walk *walk = arg;

	if (p->making != NULL && walk->round == p->round) {
		merge(p->making, &walk->top);
		p->awaited--;
	}
	free(walk);
	if (p->making == NULL || p->awaited > 0)
		return;
	free(p->shown);
	p->shown = hd_steal(&p->making);
	qsort(p->shown->v, p->shown->n, sizeof(*p->shown->v), more_bytes_first);
}

static void on_walk(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct walk *walk = arg;
	bool more = hd_about_peers(w, &walk->at, PORTION, add_peer, walk);

	/* one that is dropped: the round is given up when it is late */
	if (more)
		hd_post(mod, w, on_walk, walk, free);
	else
		hd_post(mod, hd_worker_at(walk->asker), on_walked, walk, free);
}

static void send_out(struct hd_module *mod, unsigned to, unsigned asker,
		     unsigned round)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (walk == NULL)
		return;
	walk->asker = asker;
	walk->round = round;
	walk->worker = to;
	hd_post(mod, hd_worker_at(to), on_walk, walk, free);
}

void status_peers_ask(struct hd_module *mod, struct hd_worker *w,
		      struct status_peers *p)
{
	uint64_t now = hd_now_ms(w);

	if (p->making != NULL && now - p->making->at_ms < LATE_MS)
		return;
	free(p->making);
	p->making = calloc(1, sizeof(*p->making));
	if (p->making == NULL)
		return;
	p->making->at_ms = now;
	p->awaited = hd_workers();
	p->round++;
	for (unsigned i = 0; i < hd_workers(); i++)
		send_out(mod, i, hd_worker_index(w), p->round);
}

void status_peers_free(struct status_peers *p)
{
	free(p->making);
	free(p->shown);
	p->making = p->shown = NULL;
}

/* ---- showing ---- */

static void put_peer(struct metrics_text *t, const struct peer *p)
{
	char addr[HD_ADDR_TEXT_BYTES];

	metrics_printf(t, "{\"id\":\"%u.%" PRIx64 "\",\"key\":\"", p->worker,
		       p->conn);
	metrics_put_key(t, &p->key);
	metrics_puts(t, "\",\"addr\":");
	metrics_put_json(t, hd_addr_text(&p->addr, addr));
	metrics_puts(t, ",\"proto\":");
	metrics_put_json(t, p->proto);
	metrics_puts(t, ",\"agent\":");
	metrics_put_json(t, p->agent);
	metrics_puts(t, ",\"name\":");
	metrics_put_json(t, p->name);
	metrics_puts(t, ",\"tenant\":");
	metrics_put_json(t, p->tenant);
	metrics_printf(t,
		       ",\"seconds\":%ju,\"bytes_in\":%ju,\"bytes_out\":%ju,"
		       "\"drops\":%ju}",
		       (uintmax_t)(p->age_ms / 1000), (uintmax_t)p->bytes_in,
		       (uintmax_t)p->bytes_out, (uintmax_t)p->drops);
}

void status_peers_put(const struct status_peers *p, struct metrics_text *t)
{
	if (p->shown == NULL) {
		metrics_puts(t, "\"peers\":null");
		return;
	}
	metrics_printf(t, "\"peers_time\":%.3f,\"peers\":[",
		       (double)p->shown->at_ms / 1000);
	for (unsigned i = 0; i < p->shown->n; i++) {
		metrics_puts(t, i > 0 ? "," : "");
		put_peer(t, &p->shown->v[i]);
	}
	metrics_puts(t, "]");
}
