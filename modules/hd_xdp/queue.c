/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/queue.c - frames of a queue, in and out. In copy mode, which
 * every driver has, the kernel copies a frame that comes into our memory, and
 * makes a packet of one that leaves when it is told to. Context: the queue's
 * worker. */
#include "modules/hd_xdp/queue.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>

enum {
	TURN_FRAMES = 4 * HXP_TURN, /* taken before others have their turn */
	TICK_MS = 1000,
	SOON_MS = 2, /* a driver that had no room may have some by then */
};

static uint64_t frame_of(uint64_t at)
{
	return at & ~(uint64_t)(HXP_FRAME_BYTES - 1);
}

/* ---- in ---- */

void hxp_queue_give_frames(struct hxp_queue *q)
{
	uint32_t at = 0;

	hd_assert(xsk_ring_prod__reserve(&q->fill, HXP_RING, &at) == HXP_RING);
	for (uint64_t i = 0; i < HXP_RING; i++) {
		*xsk_ring_prod__fill_addr(&q->fill, at + (uint32_t)i) =
			i * HXP_FRAME_BYTES;
		q->free[q->n_free++] = (HXP_RING + i) * HXP_FRAME_BYTES;
	}
	xsk_ring_prod__submit(&q->fill, HXP_RING);
}

/* All have room: HXP_FILL. */
static void give_back(struct hxp_queue *q, uint32_t at, unsigned n)
{
	uint32_t to = 0;

	hd_assert(xsk_ring_prod__reserve(&q->fill, n, &to) == n);
	for (unsigned i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&q->fill, to + i) = frame_of(
			xsk_ring_cons__rx_desc(&q->rx, at + i)->addr);
	xsk_ring_prod__submit(&q->fill, n);
	xsk_ring_cons__release(&q->rx, n);
	if (xsk_ring_prod__needs_wakeup(&q->fill))
		(void)recvfrom(xsk_socket__fd(q->xsk), NULL, 0, MSG_DONTWAIT,
			       NULL, NULL);
}

static bool read_frame(struct hxp_queue *q, const struct xdp_desc *d,
		       struct hd_datagram *ret)
{
	if (!hxp_frame_get(q->area + d->addr, d->len, ret))
		return false;
	/* as IPV6_PKTINFO has it */
	if (ret->to.sa.sa_family == AF_INET6)
		ret->to.in6.sin6_scope_id = (uint32_t)q->port->ifindex;
	return true;
}

static unsigned take(struct hxp_queue *q)
{
	struct hd_datagram v[HXP_TURN];
	unsigned n_v = 0, n;
	uint32_t at = 0;

	n = xsk_ring_cons__peek(&q->rx, HXP_TURN, &at);
	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		n_v += read_frame(q, xsk_ring_cons__rx_desc(&q->rx, at + i),
				  &v[n_v]);
	hd_count(&q->numbers->received, n_v);
	hd_count(&q->numbers->received_bad, n - n_v);
	if (n_v > 0)
		hd_carrier_deliver(q->carrier, v, n_v);
	give_back(q, at, n);
	return n;
}

static bool on_readable(struct hd_module *mod, void *arg)
{
	unsigned n = HXP_TURN;

	(void)mod;
	for (unsigned all = 0; n == HXP_TURN && all < TURN_FRAMES; all += n)
		n = take(arg);
	return n == HXP_TURN;
}

/* ---- out ---- */

static void collect(struct hxp_queue *q)
{
	uint32_t at = 0;
	unsigned n = xsk_ring_cons__peek(&q->done, HXP_RING, &at);

	for (unsigned i = 0; i < n; i++)
		q->free[q->n_free++] = frame_of(
			*xsk_ring_cons__comp_addr(&q->done, at + i));
	if (n > 0)
		xsk_ring_cons__release(&q->done, n);
}

static const struct hxp_way *way_of(struct hxp_queue *q,
				    const union hd_addr *to,
				    const union hd_addr *from)
{
	const struct hxp_way *way = NULL;
	struct hxp_pair pair;

	if (hxp_pair_of(to, from, &pair))
		way = hxp_ways_find(q->ways, &pair, hd_now_ms(q->worker));
	return way != NULL && way->ifindex == (uint32_t)q->port->ifindex
		       ? way
		       : NULL;
}

static bool on_send(struct hd_module *mod, void *arg, const union hd_addr *to,
		    const union hd_addr *from, const uint8_t *data,
		    size_t len_bytes)
{
	struct hxp_queue *q = arg;
	const struct hxp_way *way = way_of(q, to, from);
	uint32_t at = 0;
	uint64_t frame;

	(void)mod;
	if (way == NULL) {
		hd_count(&q->numbers->no_way, 1);
		return false;
	}
	if (len_bytes + way->head.n > HD_UDP_FRAME_MAX_BYTES ||
	    len_bytes + way->head.n - ETH_HLEN > way->mtu) {
		hd_count(&q->numbers->too_long, 1);
		return false;
	}
	if (q->n_free == 0)
		collect(q);
	if (q->n_free == 0 ||
	    xsk_ring_prod__reserve(&q->tx, 1, &at) != 1) {
		hd_count(&q->numbers->full, 1);
		return false;
	}
	frame = q->free[--q->n_free];
	*xsk_ring_prod__tx_desc(&q->tx, at) = (struct xdp_desc){
		.addr = frame,
		.len = (uint32_t)hxp_frame_put(q->area + frame, &way->head,
					       data, len_bytes),
	};
	q->unsubmitted++;
	hd_count(&q->numbers->sent, 1);
	hd_count(&q->numbers->sent_bytes, len_bytes);
	return true;
}

/* Frames that the kernel has not taken yet. */
static unsigned waiting(struct hxp_queue *q)
{
	return HXP_RING - xsk_prod_nb_free(&q->tx, HXP_RING);
}

/* In copy mode the kernel takes some at once, as long as the driver has room.
 * Returns whether it has stopped before the end, after some. */
static bool kick(struct hxp_queue *q)
{
	int fd = xsk_socket__fd(q->xsk);
	unsigned all = waiting(q), left = all, before;

	do {
		before = left;
		if (left == 0 || !xsk_ring_prod__needs_wakeup(&q->tx))
			return false;
		if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		    errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
			return false;
		left = waiting(q);
	} while (left < before);
	return left < all;
}

static void on_flush(struct hd_module *mod, void *arg)
{
	struct hxp_queue *q = arg;
	const struct hxp_worker *hw = hd_module_worker_data(mod, q->worker);
	bool has_new = q->unsubmitted > 0;

	xsk_ring_prod__submit(&q->tx, q->unsubmitted);
	q->unsubmitted = 0;
	kick(q);
	collect(q);
	if (has_new && !q->zero_copy && waiting(q) > 0)
		hd_timer_set(hw->tick, SOON_MS);
	hxp_ways_ask(q->ways, mod, q->worker);
}

/* ---- in this worker ---- */

static void begin(struct hxp_queue *q, struct hd_module *mod,
		  struct hd_worker *w)
{
	const struct hd_carrier_options options = {
		.bind = hxp.bind,
		.fd = xsk_socket__fd(q->xsk),
		.arg = q,
		.run = on_readable,
		.send = on_send,
		.flush = on_flush,
	};
	struct hxp_worker *hw = hd_module_worker_data(mod, w);

	q->mod = mod;
	q->worker = w;
	q->ways = hw->ways;
	q->numbers = hd_metrics(mod, w);
	if (hd_carrier_open(mod, w, &options, &q->carrier) < 0) {
		hxp_queue_hide(q); /* nobody would read it */
		return;
	}
	q->next = hw->queues;
	hw->queues = q;
}

/* Half of the gain is lost there, and nothing else says so. */
static void say_none(const struct hd_worker *w)
{
	hd_log_notice("hd_xdp: worker %u has no receive queue: what it sends "
		      "goes by the socket; remedy: ethtool -L IFACE combined "
		      "%u, then hdctl module reload hd_xdp",
		      hd_worker_index(w), hd_workers());
}

void hxp_queues_begin(struct hd_module *mod, struct hd_worker *w)
{
	const struct hxp_worker *hw = hd_module_worker_data(mod, w);

	for (unsigned p = 0; p < hxp.n_ports; p++)
		for (unsigned i = 0; i < hxp.ports[p].n_queues; i++)
			if (i % hd_workers() == hd_worker_index(w))
				begin(hxp.ports[p].queues[i], mod, w);
	if (hxp.n_ports > 0 && hxp.ports[0].n_queues > 0 && hw->queues == NULL)
		say_none(w);
}

/* What has come before the program went is still delivered. */
void hxp_queues_end(struct hxp_worker *hw)
{
	for (struct hxp_queue *q = hw->queues; q != NULL; q = q->next) {
		while (take(q) > 0)
			;
		hd_carrier_close(&q->carrier);
	}
	hw->queues = NULL;
}

uint32_t hxp_queues_tick(struct hxp_worker *hw)
{
	bool soon = false;

	for (struct hxp_queue *q = hw->queues; q != NULL; q = q->next) {
		soon |= kick(q);
		collect(q);
	}
	return soon ? SOON_MS : TICK_MS;
}
