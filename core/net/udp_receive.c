/* SPDX-License-Identifier: MIT */
/* core/net/udp_receive.c - one recvmmsg a turn. Where the kernel joins
 * datagrams of one sender (UDP_GRO), one message is several of them.
 * Context: the socket's worker. */
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include "core/loop/tag.h"
#include "core/net/udp_addr.h"
#include "core/net/udp_private.h"

/* Without buffers of its own a socket uses the worker's: 18 KiB for each
 * datagram, longer ones are lost. */
enum { BATCH = 32, SHARED_BYTES = HD_PLAIN_BYTES / BATCH };

/* Room for IP_PKTINFO, IPV6_PKTINFO and UDP_GRO. */
#define CONTROL_BYTES (2 * HD_UDP_CONTROL_BYTES + CMSG_SPACE(sizeof(int)))

struct batch {
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	union hd_addr from[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_BYTES];
};

struct delivery { /* datagrams on their way to a module */
	struct hd_udp *to; /* NULL: nobody's */
	struct hd_datagram v[HD_UDP_IN];
	unsigned n;
};

static void deliver(struct delivery *d)
{
	struct hd_udp *u = d->to;
	struct hd_worker *w = u->socket->worker;
	struct hd_account *account = hd_account_of(w, u->mod);
	struct hd_account *before = hd_meter_enter(&w->meter, account);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < d->n; i++)
		bytes += d->v[i].len_bytes;
	hd_account_add(account, HD_ACCOUNT_PACKETS_IN, d->n);
	hd_account_add(account, HD_ACCOUNT_BYTES_IN, bytes);
	u->fn(u->mod, u, u->arg, d->v, d->n);
	hd_meter_leave(&w->meter, before);
}

static void deliver_if_open(struct delivery *d)
{
	if (!d->to->closed)
		deliver(d);
	d->n = 0;
}

/* Whose it is, by its first byte: of who asked for that, else of who did not
 * say. An empty one has none. */
static struct hd_udp *whose(const struct hd_udp_socket *u, const uint8_t *p,
			    size_t len)
{
	struct hd_udp *rest = NULL;

	for (struct hd_udp *user = u->users; user != NULL; user = user->next) {
		if (user->closed)
			continue;
		if (user->last == 0)
			rest = user;
		else if (len > 0 && p[0] >= user->first && p[0] <= user->last)
			return user;
	}
	return rest;
}

static void add(struct delivery *d, const struct hd_udp_socket *u,
		const struct hd_datagram *dg)
{
	struct hd_udp *to = whose(u, dg->data, dg->len_bytes);

	if (d->n > 0 && (to != d->to || d->n == HD_UDP_IN))
		deliver_if_open(d);
	d->to = to;
	if (to != NULL)
		d->v[d->n++] = *dg;
}

static void prepare(const struct hd_udp_socket *u, struct batch *b,
		    unsigned room)
{
	size_t each = u->large ? HD_UDP_LARGE_BYTES : SHARED_BYTES;
	size_t apart = u->large ? HD_UDP_STRIDE_BYTES : SHARED_BYTES;
	uint8_t *in = u->large ? u->in : u->worker->plain;

	for (unsigned i = 0; i < room; i++) {
		b->iov[i] = (struct iovec){ in + i * apart, each };
		b->m[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i],
			.msg_namelen = sizeof(b->from[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = b->control[i],
			.msg_controllen = sizeof(b->control[i]),
		};
	}
}

/* Bytes of each datagram in the message but the last; 0: it is one. */
static uint32_t segment_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int n;

		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		return n > 0 ? (uint32_t)n : 0;
	}
	return 0;
}

static void take(struct delivery *d, const struct hd_udp_socket *u,
		 struct batch *b, unsigned i)
{
	struct msghdr *m = &b->m[i].msg_hdr;
	uint32_t n = b->m[i].msg_len, each = segment_of(m), at = 0;
	union hd_addr to = hd_udp_came_to(m);

	if (m->msg_flags & MSG_TRUNC)
		return;
	hd_udp_unmap(&b->from[i]);
	hd_udp_unmap(&to);
	if (each == 0)
		each = n;
	do {
		uint32_t len = HD_MIN(each, n - at);

		add(d, u,
		    &(struct hd_datagram){
			    .from = b->from[i],
			    .to = to,
			    .data = (uint8_t *)b->iov[i].iov_base + at,
			    .len_bytes = len,
		    });
		at += len;
	} while (at < n);
}

static void receive(struct hd_udp_socket *u)
{
	/* a turn has about as many as the last one: less to prepare */
	int room = HD_MIN(2 * u->last_n + 2, (int)BATCH), n;
	struct delivery d = { .to = NULL };
	struct batch b;

	prepare(u, &b, (unsigned)room);
	n = recvmmsg(u->fd, b.m, (unsigned)room, MSG_DONTWAIT, NULL);
	u->last_n = (uint8_t)HD_MAX(n, 0);
	if (n < room)
		u->readable = n < 0 && errno != EAGAIN && errno != EINTR;
	u->delivers = true;
	for (int i = 0; i < n; i++)
		take(&d, u, &b, (unsigned)i);
	if (d.n > 0)
		deliver_if_open(&d);
	u->delivers = false;
}

void hd_udp_deliver(struct hd_udp_socket *u, struct hd_datagram *v, unsigned n)
{
	struct delivery d = { .to = NULL };

	u->delivers = true;
	for (unsigned i = 0; i < n; i++)
		add(&d, u, &v[i]);
	if (d.n > 0)
		deliver_if_open(&d);
	u->delivers = false;
	hd_udp_end_closed(u);
}

void hd_udp_on_ready(struct hd_worker *w, struct hd_udp_socket *u,
		     bool disarmed)
{
	if (disarmed)
		w->ring_ops->watch(w->ring, u->fd, HD_READY_IN,
				   hd_tag(HD_OP_UDP, u->slot, u->gen));
	u->readable = true;
}

bool hd_udps_run(struct hd_worker *w)
{
	bool more = false;

	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp_socket *u = w->udps->slots.v[i].object;

		if (u == NULL || !u->readable)
			continue;
		receive(u);
		more |= u->readable;
		hd_udp_end_closed(u);
	}
	return hd_carriers_run(w) || more;
}
