/* SPDX-License-Identifier: MIT */
/* core/relay/link.c - streams to other relays, and the packets that go over
 * them. Context: the link's worker, where nothing else is said. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/base/probes.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/way.h"
#include "core/relay/xpacket.h"
#include "core/stream/stream_life.h"

enum { UNHEARD_TIMES = 3 }; /* an answer was due */

static const struct hd_stream_user_ops link_user;

static struct hd_link *link_of(const struct hd_stream *s)
{
	return s->user != NULL && s->user->ops == &link_user
		       ? hd_container_of(s->user, struct hd_link, user)
		       : NULL;
}

void hd_link_put(struct hd_link *link)
{
	if (__atomic_sub_fetch(&link->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(link);
}

/* ---- what changes ---- */

static struct hd_way_batch *batch_new(struct hd_link *link)
{
	struct hd_way_batch *b = malloc(sizeof(*b));

	if (b == NULL)
		return NULL;
	b->link = link;
	b->n = 0;
	__atomic_add_fetch(&link->refs, 1, __ATOMIC_RELAXED);
	return b;
}

static void batch_free(struct hd_way_batch **batch)
{
	struct hd_way_batch *b = hd_steal(batch);

	if (b == NULL)
		return;
	hd_link_put(b->link);
	free(b);
}

/* Returns 0; -ENOMEM. A worker that has ended needs no ways. */
static int send_off(struct hd_link *link, unsigned home)
{
	struct hd_way_batch *b = hd_steal(&link->batch[home]);
	int r;

	if (b == NULL)
		return 0;
	r = hd_worker_post(hd_worker_at(home), hd_ways_take, b, NULL);
	if (r < 0)
		batch_free(&b);
	return r == -ENOMEM ? r : 0;
}

static int change(struct hd_link *link, const struct hd_way_change *c)
{
	unsigned home = hd_key_home(hd_key_hash(c->realm, &c->key));
	struct hd_way_batch *b = link->batch[home];

	if (b == NULL)
		b = link->batch[home] = batch_new(link);
	if (b == NULL || __atomic_load_n(&link->lost, __ATOMIC_RELAXED))
		return -ENOMEM;
	b->v[b->n++] = *c;
	return b->n == HD_WAY_BATCH ? send_off(link, home) : 0;
}

/* What is not full goes at the end of the turn: drained(). */
static int change_of(struct hd_stream *s, const struct hd_way_change *c)
{
	struct hd_link *link = link_of(s);
	int r;

	if (link == NULL || !hd_stream_is_open(s))
		return -EPIPE;
	r = change(link, c);
	if (r < 0) {
		hd_stream_close(s, HD_CLOSE_ERROR);
		return r;
	}
	s->user_waits = true;
	hd_stream_mark_dirty(s);
	return 0;
}

int hd_link_add(struct hd_stream *s, uint16_t realm, const struct hd_key *key)
{
	const struct hd_way_change c = { *key, realm, .add = true };

	if (hd_link_keys(s) >= HD_LINK_KEYS_MAX)
		return -ENOSPC;
	return change_of(s, &c);
}

int hd_link_del(struct hd_stream *s, uint16_t realm, const struct hd_key *key)
{
	const struct hd_way_change c = { *key, realm, .add = false };

	return change_of(s, &c);
}

static int forget_all(struct hd_stream *s)
{
	struct hd_link *link = link_of(s);

	if (link == NULL || !hd_stream_is_open(s))
		return -EPIPE;
	__atomic_store_n(&link->quiet, true, __ATOMIC_RELAXED);
	return 0;
}

int hd_link_forget(struct hd_stream *s, uint16_t realm,
		   const struct hd_key *key)
{
	struct hd_way_change c = { .realm = realm, .quiet = true };

	if (key == NULL)
		return forget_all(s);
	c.key = *key;
	return change_of(s, &c);
}

uint32_t hd_link_keys(const struct hd_stream *s)
{
	const struct hd_link *link = link_of(s);

	return link != NULL ? __atomic_load_n(&link->n_keys, __ATOMIC_RELAXED)
			    : 0;
}

void hd_link_about(const struct hd_stream *s, struct hd_link_about *ret)
{
	*ret = (struct hd_link_about){
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
		.queued_bytes = s->flight.bytes,
	};
	for (unsigned i = 0; i < HD_LANE_N; i++)
		ret->queued_bytes += s->lane[i].bytes;
	for (unsigned i = 0; i < HD_DROP_N; i++)
		ret->drops += s->drops[i];
}

/* The fourth sending comes after 1 + 2 + 4 of the first RTO, and may take half
 * a one to be answered. Data that comes in acknowledges, but the kernel's quick
 * path does not write that down. */
uint32_t hd_link_unheard_in(const struct tcp_info *about)
{
	uint32_t silent_ms = HD_MIN(about->tcpi_last_ack_recv,
				    about->tcpi_last_data_recv);
	uint32_t first_rto_us = about->tcpi_rto >>
				HD_MIN(about->tcpi_backoff, (uint8_t)31);

	if (about->tcpi_unacked == 0 ||
	    about->tcpi_retransmits < UNHEARD_TIMES ||
	    silent_ms < (uint64_t)first_rto_us * 15 / 2 / 1000)
		return 0;
	return silent_ms;
}

uint32_t hd_link_unheard_ms(const struct hd_stream *s)
{
	struct tcp_info about = { 0 };
	socklen_t len = sizeof(about);

	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &about, &len) < 0)
		return 0;
	return hd_link_unheard_in(&about);
}

/* ---- life ---- */

static void drained(struct hd_stream *s)
{
	struct hd_link *link = link_of(s);
	int r = 0;

	s->user_waits = false;
	for (unsigned i = 0; i < hd_workers(); i++)
		r |= send_off(link, i);
	if (r < 0)
		hd_stream_close(s, HD_CLOSE_ERROR);
}

static void go_down(struct hd_link *link)
{
	if (!hd_link_is_up(link))
		return;
	__atomic_store_n(&link->down, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < hd_workers(); i++) {
		batch_free(&link->batch[i]);
		hd_worker_post(hd_worker_at(i), hd_ways_sweep, NULL, NULL);
	}
}

static void closing(struct hd_stream *s)
{
	go_down(link_of(s));
}

static void ended(struct hd_stream *s)
{
	struct hd_link *link = link_of(s);

	go_down(link);
	hd_stream_set_user(s, NULL);
	hd_link_put(link);
}

static const struct hd_stream_user_ops link_user = {
	.drained = drained,
	.closing = closing,
	.ended = ended,
};

static struct hd_link *link_new(const struct hd_stream *s, const char *name)
{
	struct hd_link *link = calloc(
		1, sizeof(*link) + hd_workers() * sizeof(link->batch[0]));

	if (link == NULL)
		return NULL;
	link->user.ops = &link_user;
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->worker = s->worker->index;
	link->slot = s->slot;
	link->gen = s->gen;
	link->refs = 1;
	return link;
}

int hd_link_open(struct hd_stream *s, const char *name)
{
	struct hd_link *link;

	if (!hd_stream_is_open(s))
		return -EPIPE;
	if (s->user != NULL)
		return -EBUSY;
	if (s->proto->forward == NULL)
		return -ENOTSUP;
	link = link_new(s, name);
	if (link == NULL)
		return -ENOMEM;
	hd_stream_set_user(s, &link->user);
	s->user_waits = s->rx_held = false; /* it goes on reading */
	s->trusted = true;
	return 0;
}

/* ---- packets ---- */

static void hand_over(struct hd_worker *w, struct hd_stream *s,
		      const struct hd_packet *packet)
{
	struct hd_account *before = hd_meter_enter(&w->meter, s->account);

	s->proto->forward(s->mod, s, packet);
	hd_meter_leave(&w->meter, before);
}

/* forward: new code of the protocol may have none. */
static void give(struct hd_worker *w, uint32_t slot, uint32_t gen,
		 const struct hd_packet *packet)
{
	struct hd_stream *s = hd_slots_get(&w->streams->slots, slot, gen);
	struct hd_link *link = s != NULL ? link_of(s) : NULL;

	if (link == NULL || !hd_stream_is_open(s) ||
	    s->proto->forward == NULL) {
		hd_relay_drop(w, HD_DROP_GONE, packet, "");
		return;
	}
	if (__atomic_load_n(&link->lost, __ATOMIC_RELAXED))
		hd_stream_close(s, HD_CLOSE_ERROR);
	if (w->stats.packets_out.n % HD_TIMED_PACKETS == 0)
		hd_stream_time(s);
	hd_count(&w->stats.packets_out, 1);
	hd_account_add(s->account, HD_ACCOUNT_PACKETS_OUT, 1);
	HD_PROBE(packet_out, w->index, "", packet->src, packet->dst,
		 packet->len_bytes, packet->urgent);
	hand_over(w, s, packet);
}

static uint64_t name_of(const struct hd_link *link)
{
	return (uint64_t)link->gen << 32 | link->slot;
}

static void give_away(struct hd_worker *w, const struct hd_link *link,
		      const struct hd_packet *packet)
{
	const struct hd_xrecord x =
		hd_record_of(packet, name_of(link), HD_X_LINK);

	if (hd_xring_put(w, link->worker, &x, packet->data) < 0)
		hd_relay_drop(w, HD_DROP_XFER_FULL, packet, "");
}

void hd_link_send_by(struct hd_worker *w, struct hd_way *way,
		     const struct hd_packet *packet)
{
	const struct hd_link *link = way->link;

	way->used = true;
	if (link->worker == w->index)
		give(w, link->slot, link->gen, packet);
	else
		give_away(w, link, packet);
}

bool hd_link_send(struct hd_worker *w, const struct hd_packet *packet,
		  uint64_t hash)
{
	struct hd_way *way =
		hd_way_take(&w->relay->ways, hash, packet->realm, packet->dst);

	if (way == NULL)
		return false;
	hd_link_send_by(w, way, packet);
	return true;
}

void hd_link_take(struct hd_worker *w, const struct hd_xrecord *x,
		  const uint8_t *data)
{
	const struct hd_packet packet = hd_packet_of(x, data);

	give(w, (uint32_t)x->hash, (uint32_t)(x->hash >> 32), &packet);
}
