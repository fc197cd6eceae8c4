/* SPDX-License-Identifier: MIT */
/* libhd/udp_io.c - datagrams in and out. The socket is connected: the kernel
 * drops what comes from anybody else. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "libhd/udp.h"

union place {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* ---- the socket ---- */

static int place_of(const struct libhd *h, uint16_t port, union place *ret,
		    socklen_t *ret_n)
{
	*ret_n = sizeof(*ret);
	if (getpeername(h->fd, &ret->sa, ret_n) < 0)
		return -errno;
	if (ret->sa.sa_family == AF_INET)
		ret->in.sin_port = htons(port);
	else if (ret->sa.sa_family == AF_INET6)
		ret->in6.sin6_port = htons(port);
	else
		return -EAFNOSUPPORT;
	return 0;
}

int hdl_udp_open(struct libhd *h, uint16_t port)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct hdl_udp *u = h->udp;
	union place place;
	socklen_t n;
	int r = place_of(h, port, &place, &n);

	if (r < 0)
		return r;
	u->fd = socket(place.sa.sa_family,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0 || connect(u->fd, &place.sa, n) < 0 ||
	    epoll_ctl(h->epfd, EPOLL_CTL_ADD, u->fd, &ev) < 0)
		return -errno;
	hdl_batch_init(&u->batch, u->fd);
	return 0;
}

void hdl_udp_close(struct libhd *h)
{
	struct hdl_udp *u = h->udp;

	if (u->fd < 0)
		return;
	/* close() is not enough where a child of our program has it, too */
	if (h->epfd >= 0)
		(void)epoll_ctl(h->epfd, EPOLL_CTL_DEL, u->fd, NULL);
	close(u->fd);
	u->fd = -1;
	hdl_batch_free(&u->batch);
}

void hdl_udp_idle(struct hdl_udp *u)
{
	if (u->batch.n == 0)
		hdl_batch_free(&u->batch);
	hdp_udp_rest(&u->tx, &u->rx);
}

/* ---- out ---- */

enum hdl_udp_put hdl_udp_put(struct libhd *h, uint32_t handle, const void *data,
			     size_t n)
{
	struct hdl_udp *u = h->udp;
	uint8_t head[4], *room;

	if (!hdl_udp_up(h) || u->unsure || n > HDP_UDP_PACKET_MAX_BYTES)
		return HDL_UDP_NOT;
	room = hdl_batch_room(&u->batch, u->fd);
	if (room == NULL)
		return u->batch.blocked ? HDL_UDP_FULL : HDL_UDP_NOT;
	hdp_put_u32(head, handle);
	n = hdp_udp_seal(&u->tx, HDP_UDP_PACKET, u->conn, head, sizeof(head),
			 data, n, room);
	if (n == 0)
		return HDL_UDP_NOT;
	hdl_batch_add(&u->batch, n);
	return HDL_UDP_SENT;
}

static void wait_for_room(struct libhd *h, bool wanted)
{
	struct epoll_event ev = { .events = wanted ? EPOLLIN | EPOLLOUT
						   : EPOLLIN };

	if (h->udp->waits_for_room != wanted &&
	    epoll_ctl(h->epfd, EPOLL_CTL_MOD, h->udp->fd, &ev) == 0)
		h->udp->waits_for_room = wanted;
}

void hdl_udp_flush(struct libhd *h)
{
	if (h->udp == NULL)
		return;
	hdl_batch_flush(&h->udp->batch, h->udp->fd);
	wait_for_room(h, h->udp->batch.blocked);
}

bool hdl_udp_full(const struct libhd *h)
{
	return hdl_udp_up(h) && h->udp->batch.blocked;
}

bool hdl_udp_waits(const struct libhd *h)
{
	return h->udp != NULL && h->udp->batch.n > 0 && !h->udp->batch.blocked;
}

/* At once: it may be what shows that the way is good. */
void hdl_udp_control(struct hdl_udp *u, enum hdp_udp_op op,
		     const uint8_t *token, size_t n)
{
	uint8_t control[HDP_UDP_DATA_MAX_BYTES] = { (uint8_t)op };
	uint8_t out[HDP_UDP_MAX_BYTES];

	memcpy(control + 1, token, HDP_UDP_TOKEN_BYTES);
	n = hdp_udp_seal(&u->tx, HDP_UDP_CONTROL, u->conn, control, n, NULL, 0,
			 out);
	if (n > 0)
		(void)send(u->fd, out, n, MSG_NOSIGNAL);
}

/* ---- in ---- */

void hdl_udp_take(void *arg, uint8_t *p, size_t n)
{
	struct libhd *h = arg;
	struct hdl_udp *u = h->udp;
	struct hdp_udp_head head;
	int r;

	if (!hdp_udp_head_get(p, n, &head) || head.conn != u->conn)
		return;
	r = hdp_udp_open(&u->rx, &head, p, n);
	p += HDP_UDP_HEAD_BYTES;
	if (r < 0)
		return;
	if (head.type == HDP_UDP_CONTROL)
		hdl_udp_take_control(h, p, (size_t)r);
	else if (r >= 4)
		hdl_take_packet(h, &(struct hdp_packet){
					   .handle = hdp_get_u32(p),
					   .len_bytes = (uint32_t)r - 4,
					   .data = p + 4 });
}

bool hdl_udp_read(struct libhd *h)
{
	return hdl_batch_read(&h->udp->batch, h->udp->fd, hdl_udp_take,
			      h);
}
