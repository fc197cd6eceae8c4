/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/queue_open.c - an AF_XDP socket for a receive queue. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "bpf/hd_udp.skel.h"
#include "modules/hd_xdp/queue.h"

enum { SEND_BYTES = 4 << 20 }; /* what the kernel may hold of what leaves */

static const char *reason(int r)
{
	switch (r) {
	case -EPERM:
	case -EACCES:
		return "not permitted: CAP_NET_RAW is needed";
	case -EBUSY:
		return "another process has an AF_XDP socket there";
	case -EAFNOSUPPORT:
		return "the kernel, or the service's RestrictAddressFamilies, "
		       "has no AF_XDP";
	case -ENOBUFS:
	case -ENOMEM:
		return "no memory that may be locked (LimitMEMLOCK): 8 MiB "
		       "for each queue";
	}
	return strerror(-r);
}

static int make_area(struct hxp_queue *q)
{
	const struct xsk_umem_config conf = { .fill_size = HXP_FILL,
					      .comp_size = HXP_RING,
					      .frame_size = HXP_FRAME_BYTES };
	void *p = mmap(NULL, HXP_AREA_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	q->area = p;
	return xsk_umem__create(&q->umem, p, HXP_AREA_BYTES, &q->fill, &q->done,
				&conf);
}

static void look_how(struct hxp_queue *q)
{
	int fd = xsk_socket__fd(q->xsk), bytes = SEND_BYTES;
	struct xdp_options o = { 0 };
	socklen_t n = sizeof(o);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
		       sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes,
				 sizeof(bytes));
	if (getsockopt(fd, SOL_XDP, XDP_OPTIONS, &o, &n) == 0)
		q->zero_copy = o.flags & XDP_OPTIONS_ZEROCOPY;
}

static int make_socket(struct hxp_queue *q)
{
	bool copy = !hxp_conf()->zero_copy || hxp_conf()->mode == HXP_SKB;
	const struct xsk_socket_config conf = {
		.rx_size = HXP_RING,
		.tx_size = HXP_RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP |
					 (copy ? XDP_COPY : 0)),
	};
	int r = xsk_socket__create(&q->xsk, q->port->name, q->index, q->umem,
				   &q->rx, &q->tx, &conf);

	if (r < 0)
		return r;
	look_how(q);
	return xsk_socket__update_xskmap(
		q->xsk, bpf_map__fd(q->port->bpf->maps.hd_sockets));
}

int hxp_queue_open(struct hxp_port *port, unsigned i, struct hxp_queue **ret,
		   struct hd_error *err)
{
	struct hxp_queue *q = calloc(1, sizeof(*q));
	int r = q == NULL ? -ENOMEM : 0;

	if (r == 0) {
		q->port = port;
		q->index = i;
		r = make_area(q);
	}
	if (r == 0) {
		hxp_queue_give_frames(q);
		r = make_socket(q);
	}
	if (r == 0)
		*ret = hd_steal(&q);
	hxp_queue_close(&q);
	return r < 0 ? hd_error_set(err, r, "%s, queue %u: %s", port->name, i,
				    reason(r))
		     : 0;
}

void hxp_queue_close(struct hxp_queue **queue)
{
	struct hxp_queue *q = hd_steal(queue);

	if (q == NULL)
		return;
	if (q->xsk != NULL)
		xsk_socket__delete(q->xsk);
	if (q->umem != NULL)
		(void)xsk_umem__delete(q->umem);
	if (q->area != NULL)
		munmap(q->area, HXP_AREA_BYTES);
	free(q);
}

void hxp_queue_hide(const struct hxp_queue *q)
{
	(void)bpf_map_delete_elem(bpf_map__fd(q->port->bpf->maps.hd_sockets),
				  &q->index);
}

bool hxp_queue_is_zero_copy(const struct hxp_queue *q)
{
	return q->zero_copy;
}
