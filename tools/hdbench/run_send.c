/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run_send.c - what is due is sent: DERP as far as one write
 * takes it, HD as far as libhd does. */
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/run_private.h"
#include <errno.h>

#define WRITE_BYTES 262144 /* about as much as goes into one write */

void run_mark_dirty(struct traffic *t, struct pair *pair)
{
	if (pair->is_dirty || pair->is_blocked)
		return;
	pair->is_dirty = true;
	t->dirty[t->dirty_n++] = (uint32_t)(pair - t->pairs);
}

void run_closed(struct run *r, struct peer *p)
{
	r->res->closed++;
	r->res->error = p->error;
}

/* The next packet of a pair; it is sent() when it has gone. */
static struct stamp stamp(struct run *r, struct pair *pair)
{
	struct stamp s = { .run = r->id,
			   .pair = (uint32_t)(pair - r->t->pairs),
			   .seq = pair->sent };
	uint64_t burst = r->t->net->opts->burst;
	uint64_t k = (pair->sent / burst * r->t->n + s.pair) * burst +
		     pair->sent % burst;

	s.due_ns = r->conf->is_max ? r->now_ns : due_ns(r, k);
	s.sent_ns = r->write_ns;
	memcpy(pair->frame + DERP_HEADER_BYTES + HD_KEY_BYTES, &s, sizeof(s));
	return s;
}

static void sent(struct run *r, struct pair *pair, const struct stamp *s)
{
	if (in_window(r, s->due_ns))
		hist_add(&r->res->late, (uint64_t)(s->sent_ns - s->due_ns));
	pair->sent++;
	r->sent++;
	r->in_window_sent += in_window(r, r->now_ns);
}

/* One packet into out. Returns its bytes on the wire. */
static size_t put_packet(struct run *r, struct pair *pair, uint8_t *out)
{
	const struct stamp s = stamp(r, pair);

	sent(r, pair, &s);
	return peer_seal(pair->from, out, pair->frame,
			 DERP_HEADER_BYTES + HD_KEY_BYTES +
				 r->t->net->opts->size_bytes);
}

/* The same as send_some(), by HD. */
static int hd_send_some(struct run *r, struct pair *pair)
{
	uint64_t n = HD_MIN(pair->due - pair->sent, r->t->net->opts->batch);
	const uint8_t *packet = pair->frame + DERP_HEADER_BYTES + HD_KEY_BYTES;
	int left = 0;

	while (n-- > 0 && left == 0) {
		const struct stamp s = stamp(r, pair);

		left = hd_peer_send(pair->from, packet,
				    r->t->net->opts->size_bytes);
		if (left == 0)
			sent(r, pair, &s);
	}
	if (hd_peer_run(r->t->net, pair->from, NULL, NULL) < 0)
		return -EPIPE;
	return left < 0;
}

/* What is due, as far as one write may take it. Returns as peer_write(). */
static int send_some(struct run *r, struct pair *pair)
{
	uint8_t *out = r->t->net->tx;
	uint64_t n;
	size_t bytes = 0;

	r->write_ns = clock_ns();
	if (pair->from->hd != NULL)
		return hd_send_some(r, pair);
	n = HD_MIN(pair->due - pair->sent, r->t->net->opts->batch);
	while (n-- > 0 && bytes < WRITE_BYTES)
		bytes += put_packet(r, pair, out + bytes);
	return peer_write(pair->from, out, bytes);
}

static void pump(struct run *r, struct pair *pair)
{
	uint64_t limit = pair->sent + QUOTA;
	int left;

	if (pair->from->state != PEER_UP)
		return;
	left = peer_flush(pair->from);
	while (left == 0 && pair->sent < pair->due && pair->sent < limit)
		left = send_some(r, pair);
	pair->is_blocked = left == 1;
	if (left < 0)
		run_closed(r, pair->from);
	else if (pair->sent < pair->due)
		run_mark_dirty(r->t, pair);
}

/* Returns whether anything was to be sent. */
bool run_pump_dirty(struct run *r)
{
	struct traffic *t = r->t;
	size_t n = t->dirty_n;

	/* those that have more come again behind the n of this turn */
	for (size_t i = 0; i < n; i++) {
		struct pair *pair = &t->pairs[t->dirty[i]];

		pair->is_dirty = false;
		pump(r, pair);
	}
	t->dirty_n -= n;
	memmove(t->dirty, t->dirty + n, t->dirty_n * sizeof(*t->dirty));
	return n > 0;
}
