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

#define READS_MAX 64

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
}

/* ---- out ---- */

static bool seal_and_send(struct hdl_udp *u, enum hdp_udp_type type,
			  const void *head, size_t head_bytes, const void *tail,
			  size_t tail_bytes)
{
	uint8_t out[HDP_UDP_MAX_BYTES];
	size_t n = hdp_udp_seal(&u->tx, type, u->conn, head, head_bytes, tail,
				tail_bytes, out);

	return n > 0 && send(u->fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool hdl_udp_put(struct libhd *h, uint32_t handle, const void *data, size_t n)
{
	uint8_t head[4];

	if (!hdl_udp_up(h) || n > HDP_UDP_PACKET_MAX_BYTES)
		return false;
	hdp_put_u32(head, handle);
	return seal_and_send(h->udp, HDP_UDP_PACKET, head, sizeof(head), data,
			     n);
}

void hdl_udp_control(struct hdl_udp *u, enum hdp_udp_op op,
		     const uint8_t *token, size_t n)
{
	uint8_t control[HDP_UDP_DATA_MAX_BYTES] = { (uint8_t)op };

	memcpy(control + 1, token, HDP_UDP_TOKEN_BYTES);
	(void)seal_and_send(u, HDP_UDP_CONTROL, control, n, NULL, 0);
}

/* ---- in ---- */

static void take(struct libhd *h, uint8_t *p, size_t n)
{
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

/* A datagram longer than any of ours is cut, and opens no more. An error is
 * ICMP's: it says nothing that can be believed. */
bool hdl_udp_read(struct libhd *h)
{
	uint8_t in[HDP_UDP_MAX_BYTES + 1];

	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(h->udp->fd, in, sizeof(in), 0);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (n > 0)
			take(h, in, (size_t)n);
	}
	return true;
}
