/* SPDX-License-Identifier: MIT */
/* libhd/peers.c - whom we allow. The relay forgets it with the connection, and
 * is told again on the next one. A loop over all peers that calls out keeps its
 * place in h->turn, so that any of them may be forbidden meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "libhd/inner.h"

static void tell(struct libhd_peer *peer, enum libhd_peer_state state)
{
	struct libhd *h = peer->h;

	peer->here = state == LIBHD_PEER_HERE;
	if (h->events.peer != NULL)
		h->events.peer(h, peer, state, h->user);
}

static struct libhd_peer *of_address(struct libhd *h, const uint8_t *address)
{
	struct libhd_peer *peer;

	HASH_FIND(by_address, h->by_address, address, HD_KEY_BYTES, peer);
	return peer;
}

static struct libhd_peer *of_handle(struct libhd *h, uint32_t handle)
{
	struct libhd_peer *peer;

	HASH_FIND(by_handle, h->by_handle, &handle, sizeof(handle), peer);
	return peer;
}

static void handle_set(struct libhd_peer *peer, uint32_t handle)
{
	struct libhd *h = peer->h;

	if (peer->handle == handle)
		return;
	if (peer->handle != HDP_NO_HANDLE)
		HASH_DELETE(by_handle, h->by_handle, peer);
	peer->handle = handle;
	if (handle != HDP_NO_HANDLE)
		HASH_ADD(by_handle, h->by_handle, handle, sizeof(handle), peer);
	if (peer->no_memory) { /* then it is as if the answer were lost */
		peer->handle = HDP_NO_HANDLE;
		peer->no_memory = false;
	}
}

/* ---- what is asked of the relay ---- */

int hdl_peer_ask(struct libhd_peer *peer)
{
	if (peer->h->phase != HDL_OPEN)
		return 0; /* hdl_peers_open() will */
	return hdl_put(peer->h, HDP_ALLOW, peer->address, HD_KEY_BYTES, NULL,
		       0);
}

static int knock_put(struct libhd_peer *peer)
{
	if (peer->h->phase != HDL_OPEN)
		return 0;
	return hdl_put(peer->h, HDP_KNOCK, peer->address, HD_KEY_BYTES,
		       peer->note, peer->note_bytes);
}

static int peer_new(struct libhd *h, const struct libhd_key *identity,
		    const uint8_t *address, struct libhd_peer **ret)
{
	struct libhd_peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (peer == NULL)
		return -ENOMEM;
	peer->h = h;
	peer->identity = *identity;
	memcpy(peer->address, address, HD_KEY_BYTES);
	peer->handle = HDP_NO_HANDLE;
	HASH_ADD(by_address, h->by_address, address, HD_KEY_BYTES, peer);
	if (peer->no_memory) {
		free(peer);
		return -ENOMEM;
	}
	r = hdl_peer_ask(peer);
	if (r < 0)
		libhd_forbid(&peer);
	*ret = peer;
	return r;
}

int libhd_allow(struct libhd *h, const struct libhd_key *identity,
		struct libhd_peer **ret)
{
	uint8_t address[HD_KEY_BYTES];
	struct libhd_peer *peer;
	int r = 0;

	if (crypto_sign_ed25519_pk_to_curve25519(address, identity->v) != 0)
		return -EINVAL;
	peer = of_address(h, address);
	if (peer == NULL)
		r = peer_new(h, identity, address, &peer);
	if (r == 0 && ret != NULL)
		*ret = peer;
	return r;
}

/* The relay may drop what a connection that ends has sent last. Who waits for
 * the answer to this knows that all is on its way: libhd_unsent_bytes(). */
static void ask(struct libhd *h)
{
	static const uint8_t opaque[HDP_PING_BYTES] = { 0 };

	if (h->streams && h->phase == HDL_OPEN &&
	    hdl_put(h, HDP_PING, opaque, sizeof(opaque), NULL, 0) == 0)
		h->pings++;
}

void libhd_forbid(struct libhd_peer **ppeer)
{
	struct libhd_peer *peer = *ppeer;
	uint8_t handle[4];
	struct libhd *h;

	if (peer == NULL)
		return;
	h = peer->h;
	if (h->turn == peer)
		h->turn = peer->by_address.next;
	hdp_put_u32(handle, peer->handle);
	hdl_streams_peer_free(peer);
	/* no memory for it: the relay closes nothing, packets are dropped
	 * here */
	if (peer->handle != HDP_NO_HANDLE)
		(void)hdl_put(h, HDP_FORBID, handle, sizeof(handle), NULL, 0);
	ask(h);
	handle_set(peer, HDP_NO_HANDLE);
	HASH_DELETE(by_address, h->by_address, peer);
	free(peer);
	*ppeer = NULL;
}

int libhd_knock(struct libhd_peer *peer, const void *note, size_t len_bytes)
{
	if (len_bytes > sizeof(peer->note))
		return -EMSGSIZE;
	if (len_bytes > 0)
		memcpy(peer->note, note, len_bytes);
	peer->note_bytes = len_bytes;
	peer->knocks = true;
	return knock_put(peer);
}

/* ---- packets ---- */

static int packet_put(struct libhd_peer *peer, const void *data, size_t n)
{
	uint8_t head[HDP_PACKET_HEAD_BYTES];

	/* allowed a moment ago: the answer is on the way */
	if (peer->handle == HDP_NO_HANDLE)
		return hdl_put(peer->h, HDP_PACKET_TO, peer->address,
			       HD_KEY_BYTES, data, n);
	hdp_put_u32(head, peer->handle);
	head[4] = (uint8_t)(n >> 8);
	head[5] = (uint8_t)n;
	return hdl_put(peer->h, HDP_PACKETS, head, sizeof(head), data, n);
}

int hdl_packet_put_tcp(struct libhd_peer *peer, const void *data, size_t n)
{
	struct libhd *h = peer->h;

	if (h->phase != HDL_OPEN)
		return -ENOTCONN;
	if (n > h->packet_max)
		return -EMSGSIZE;
	if (h->out.n >= HDL_OUT_MAX_BYTES)
		hdl_tls_write(h);
	if (h->out.n >= HDL_OUT_MAX_BYTES) {
		h->want_room = true;
		return -EAGAIN;
	}
	return packet_put(peer, data, n);
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
	struct libhd_peer *peer = of_handle(h, packet->handle);

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

/* ---- what the relay says of them ---- */

int hdl_take_contact(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;
	uint32_t handle;

	if (n < HDP_CONTACT_BYTES)
		return -EPROTO;
	handle = hdp_get_u32(p);
	peer = of_address(h, p + 4);
	if (peer == NULL) { /* forbidden before the answer came */
		return handle == HDP_NO_HANDLE
			       ? 0
			       : hdl_answer(h, HDP_FORBID, p, 4);
	}
	if ((p[4 + HD_KEY_BYTES] & HDP_CONTACT_REFUSED) != 0) {
		tell(peer, LIBHD_PEER_REFUSED);
		return 0;
	}
	if (handle == HDP_NO_HANDLE)
		return -EPROTO;
	if (of_handle(h, handle) != NULL && of_handle(h, handle) != peer)
		return -EPROTO;
	handle_set(peer, handle);
	return 0;
}

int hdl_take_allowed(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != 4)
		return -EPROTO;
	peer = of_handle(h, hdp_get_u32(p));
	if (peer == NULL)
		return 0;
	peer->knocks = false; /* it has been heard */
	hdl_streams_here(peer);
	tell(peer, LIBHD_PEER_HERE);
	return 0;
}

int hdl_take_gone(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != HDP_GONE_BYTES)
		return -EPROTO;
	peer = of_handle(h, hdp_get_u32(p));
	if (peer == NULL)
		return 0;
	hdl_streams_gone(peer, p[4] == HDP_GONE_NOT_HERE);
	tell(peer, p[4] == HDP_GONE_NOT_HERE ? LIBHD_PEER_NOT_HERE
					     : LIBHD_PEER_GONE);
	return 0;
}

int hdl_take_knock(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_key from;

	if (n < HD_KEY_BYTES || n > HD_KEY_BYTES + HDP_NOTE_MAX_BYTES)
		return -EPROTO;
	memcpy(from.v, p, sizeof(from.v));
	if (h->events.knock == NULL ||
	    !h->events.knock(h, &from, p + HD_KEY_BYTES, n - HD_KEY_BYTES,
			     h->user))
		return 0;
	return libhd_allow(h, &from, NULL);
}

/* ---- all of them ---- */

void hdl_peers_open(struct libhd *h)
{
	struct libhd_peer *peer, *next;

	HASH_ITER(by_address, h->by_address, peer, next) {
		/* without memory the buffer breaks with the next frame */
		if (hdl_peer_ask(peer) == 0 && peer->knocks)
			(void)knock_put(peer);
	}
}

void hdl_peers_lost(struct libhd *h)
{
	struct libhd_peer *peer, *next;

	HASH_ITER(by_address, h->by_address, peer, next) {
		handle_set(peer, HDP_NO_HANDLE);
		hdl_streams_away(peer);
		peer->gone_ms = 0;
		peer->gone_asked = false;
		peer->here = false;
	}
}

void hdl_peers_free(struct libhd *h)
{
	struct libhd_peer *peer, *next;

	HASH_ITER(by_address, h->by_address, peer, next)
		libhd_forbid(&peer);
}

/* ---- one of them ---- */

const struct libhd_key *libhd_peer_key(const struct libhd_peer *peer)
{
	return &peer->identity;
}

bool libhd_peer_here(const struct libhd_peer *peer)
{
	return peer->here;
}

void libhd_peer_set_user(struct libhd_peer *peer, void *user)
{
	peer->user = user;
}

void *libhd_peer_user(const struct libhd_peer *peer)
{
	return peer->user;
}
