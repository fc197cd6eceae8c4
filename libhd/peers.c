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

struct libhd_peer *hdl_peer_of_handle(struct libhd *h, uint32_t handle)
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
	return hdl_put(peer->h, HDP_ALLOW, peer->address.v, HD_KEY_BYTES, NULL,
		       0);
}

int hdl_knock_put(struct libhd_peer *peer)
{
	return hdl_put(peer->h, HDP_KNOCK, peer->address.v, HD_KEY_BYTES,
		       peer->note, peer->note_bytes);
}

/* identity: NULL: not known. */
static struct libhd_peer *peer_make(struct libhd *h,
				    const struct libhd_key *identity,
				    const struct libhd_address *address)
{
	struct libhd_peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return NULL;
	peer->h = h;
	peer->address = *address;
	peer->handle = HDP_NO_HANDLE;
	peer->other_intent = peer->path = -1;
	peer->has_identity = identity != NULL;
	if (identity != NULL)
		peer->identity = *identity;
	HASH_ADD(by_address, h->by_address, address, HD_KEY_BYTES, peer);
	if (peer->no_memory) {
		free(peer);
		return NULL;
	}
	h->n_peers++;
	return peer;
}

static int peer_new(struct libhd *h, const struct libhd_key *identity,
		    const struct libhd_address *address,
		    struct libhd_peer **ret)
{
	int r;

	*ret = peer_make(h, identity, address);
	if (*ret == NULL)
		return -ENOMEM;
	r = hdl_peer_ask(*ret);
	if (r < 0)
		libhd_forbid(ret);
	return r;
}

static int allow(struct libhd *h, const struct libhd_key *identity,
		 const struct libhd_address *address, struct libhd_peer **ret)
{
	struct libhd_peer *peer = of_address(h, address->v);
	int r = 0;

	if (peer == NULL)
		r = peer_new(h, identity, address, &peer);
	else if (identity != NULL && !peer->has_identity) {
		peer->identity = *identity;
		peer->has_identity = true;
	}
	if (r == 0 && ret != NULL)
		*ret = peer;
	return r;
}

int libhd_allow(struct libhd *h, const struct libhd_key *identity,
		struct libhd_peer **ret)
{
	struct libhd_address address;
	int r = libhd_key_address(identity, &address);

	return r == 0 ? allow(h, identity, &address, ret) : r;
}

int libhd_allow_address(struct libhd *h, const struct libhd_address *address,
			struct libhd_peer **ret)
{
	return allow(h, NULL, address, ret);
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
	hdl_ask_not(peer, peer->due);
	HASH_DELETE(by_address, h->by_address, peer);
	h->n_peers--;
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
	return hdl_ask(peer, HDL_DUE_KNOCK);
}

/* ---- what the relay says of them ---- */

/* Of a group that we allow. Returns 0; -ENOMEM. */
static int member(struct libhd *h, const uint8_t *address,
		  struct libhd_peer **ret)
{
	struct libhd_address a;

	memcpy(a.v, address, sizeof(a.v));
	*ret = peer_make(h, NULL, &a);
	return *ret != NULL ? 0 : -ENOMEM;
}

/* Who is no peer was forbidden before the answer came; or it is of a group, of
 * which the relay must not name more than we can allow in all. */
static bool is_welcome(const struct libhd *h, uint8_t flags)
{
	return (flags & HDP_CONTACT_BY_GROUP) != 0 && hdl_groups_any(h) &&
	       h->n_peers < h->peers_max;
}

int hdl_take_contact(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer, *of_handle;
	bool is_new = false;
	uint32_t handle;

	if (n < HDP_CONTACT_BYTES)
		return -EPROTO;
	handle = hdp_get_u32(p);
	of_handle = hdl_peer_of_handle(h, handle);
	peer = of_address(h, p + 4);
	if (peer == NULL && handle == HDP_NO_HANDLE)
		return 0;
	if (peer == NULL && !is_welcome(h, p[4 + HD_KEY_BYTES]))
		return hdl_answer(h, HDP_FORBID, p, 4);
	if (peer != NULL && (p[4 + HD_KEY_BYTES] & HDP_CONTACT_REFUSED) != 0) {
		tell(peer, LIBHD_PEER_REFUSED);
		return 0;
	}
	if (handle == HDP_NO_HANDLE || (of_handle != NULL && of_handle != peer))
		return -EPROTO;
	is_new = peer == NULL;
	if (is_new && member(h, p + 4, &peer) < 0)
		return -ENOMEM;
	handle_set(peer, handle);
	if (is_new && h->events.member != NULL)
		h->events.member(h, peer, h->user);
	return 0;
}

int hdl_take_allowed(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != 4)
		return -EPROTO;
	peer = hdl_peer_of_handle(h, hdp_get_u32(p));
	if (peer == NULL)
		return 0;
	peer->knocks = false; /* it has been heard */
	hdl_ask_not(peer, HDL_DUE_KNOCK);
	hdl_streams_here(peer);
	hdl_intents_here(peer);
	tell(peer, LIBHD_PEER_HERE);
	return 0;
}

int hdl_take_gone(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != HDP_GONE_BYTES)
		return -EPROTO;
	peer = hdl_peer_of_handle(h, hdp_get_u32(p));
	if (peer == NULL)
		return 0;
	hdl_streams_gone(peer, p[4] == HDP_GONE_NOT_HERE);
	hdl_intents_away(peer);
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
			(void)hdl_ask(peer, HDL_DUE_KNOCK);
	}
}

void hdl_peers_lost(struct libhd *h)
{
	struct libhd_peer *peer, *next;

	hdl_asks_lost(h);
	HASH_ITER(by_address, h->by_address, peer, next) {
		handle_set(peer, HDP_NO_HANDLE);
		hdl_ask_not(peer, peer->due);
		hdl_streams_away(peer);
		hdl_intents_away(peer);
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
