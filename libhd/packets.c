/* SPDX-License-Identifier: MIT */
/* libhd/packets.c - packets to a peer, and those that come. */
#include <errno.h>
#include "libhd/inner.h"

static int packet_put(struct libhd_peer *peer, const void *data, size_t n)
{
	uint8_t head[HDP_PACKET_HEAD_BYTES];

	/* allowed a moment ago: the answer is on the way */
	if (peer->handle == HDP_NO_HANDLE)
		return hdl_put(peer->h, HDP_PACKET_TO, peer->address.v,
			       HD_KEY_BYTES, data, n);
	hdp_put_u32(head, peer->handle);
	head[4] = (uint8_t)(n >> 8);
	head[5] = (uint8_t)n;
	return hdl_put(peer->h, HDP_PACKETS, head, sizeof(head), data, n);
}

int hdl_out_room(struct libhd *h)
{
	if (h->phase != HDL_OPEN)
		return -ENOTCONN;
	if (h->out.n >= HDL_OUT_MAX_BYTES)
		hdl_tls_write(h);
	if (h->out.n < HDL_OUT_MAX_BYTES)
		return 0;
	h->want_room = true;
	return -EAGAIN;
}

int hdl_packet_put_tcp(struct libhd_peer *peer, const void *data, size_t n)
{
	int r;

	if (peer->h->phase == HDL_OPEN && n > peer->h->packet_max)
		return -EMSGSIZE;
	r = hdl_out_room(peer->h);
	return r == 0 ? packet_put(peer, data, n) : r;
}

int hdl_packet_put(struct libhd_peer *peer, const void *data, size_t n)
{
	struct libhd *h = peer->h;
	enum hdl_udp_put put = HDL_UDP_NOT;

	hdl_udp_passed(h, 0, n);
	if (h->phase == HDL_OPEN && peer->handle != HDP_NO_HANDLE)
		put = hdl_udp_put(h, peer->handle, data, n);
	if (put == HDL_UDP_NOT)
		return hdl_packet_put_tcp(peer, data, n);
	if (put == HDL_UDP_SENT)
		return 0;
	h->want_room = true;
	return -EAGAIN;
}

int libhd_send(struct libhd_peer *peer, const void *data, size_t len_bytes)
{
	if (peer->h->streams)
		return -EPROTO;
	return hdl_packet_put(peer, data, len_bytes);
}

void hdl_take_packet(struct libhd *h, const struct hdp_packet *packet)
{
	struct libhd_peer *peer = hdl_peer_of_handle(h, packet->handle);

	hdl_udp_passed(h, packet->len_bytes, 0);
	if (peer == NULL)
		return; /* forbidden meanwhile */
	if (h->streams)
		hdl_streams_packet(peer, packet->data, packet->len_bytes);
	else if (h->events.packet != NULL)
		h->events.packet(h, peer, packet->data, packet->len_bytes,
				 h->user);
}

int hdl_take_packets(struct libhd *h, const uint8_t *p, size_t n)
{
	struct hdp_packet packet;

	if (n == 0)
		return -EPROTO;
	while (n > 0) {
		size_t used = hdp_packet_get(p, n, &packet);

		if (used == 0)
			return -EPROTO;
		hdl_take_packet(h, &packet);
		p += used;
		n -= used;
	}
	return 0;
}
