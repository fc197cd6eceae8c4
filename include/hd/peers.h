/* SPDX-License-Identifier: MIT */
/* hd/peers.h - libhd: whom an endpoint allows to send to it, and packets.
 * hd/hd.h includes it.
 *
 * Context: as there. */
#pragma once
#include <hd/hd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- peers ---- */

/* libhd_allow - let somebody send to us. It is so until libhd_forbid(), over
 * lost connections too. A peer that is allowed already is returned again.
 * @ret  borrowed: the endpoint's
 * Returns 0; -EINVAL no key that can be used; -ENOMEM. */
LIBHD_API int libhd_allow(struct libhd *h, const struct libhd_key *identity,
			  struct libhd_peer **ret);
/* libhd_allow_address - the same of whom only the address is known: a client of
 * DERP, at a relay with hd.bridge. It never says that it is here. Returns 0;
 * -ENOMEM. */
LIBHD_API int libhd_allow_address(struct libhd *h,
				  const struct libhd_address *address,
				  struct libhd_peer **ret);
/* libhd_forbid - the other way; peer is gone with its streams, and *peer is
 * NULL then. NULL is fine. */
LIBHD_API void libhd_forbid(struct libhd_peer **peer);
/* libhd_knock - ask somebody that we allow to allow us; asked again after a
 * lost connection until it has. The answer is LIBHD_PEER_HERE, or nothing.
 * @note  what it may decide by; at most LIBHD_NOTE_MAX_BYTES
 * Returns 0; -EMSGSIZE; -ENOMEM. */
LIBHD_API int libhd_knock(struct libhd_peer *peer, const void *note,
			  size_t len_bytes);
/* libhd_send - one packet. It may be lost: a peer that does not allow us, or is
 * slow, or gone, says nothing.
 * @len_bytes  0..LIBHD_PACKET_MAX_BYTES, and no more than the relay carries
 * Returns 0; -ENOTCONN the state is not LIBHD_OPEN; -EAGAIN too much waits
 * (see writable); -EMSGSIZE; -ENOMEM; -EPROTO the endpoint has streams. */
LIBHD_API int libhd_send(struct libhd_peer *peer, const void *data,
			 size_t len_bytes);

/* libhd_peer_key - who it is; NULL: its address is all that is known, also of a
 * member of a group until it has proven its key in a stream.
 * libhd_peer_address - its address. Both live as long as the peer does.
 * libhd_peer_here - whether LIBHD_PEER_HERE was its last state.
 * libhd_peer_set_user, libhd_peer_user - a pointer of the caller's. */
LIBHD_API const struct libhd_key *libhd_peer_key(const struct libhd_peer *peer);
LIBHD_API const struct libhd_address *
libhd_peer_address(const struct libhd_peer *peer);
LIBHD_API bool libhd_peer_here(const struct libhd_peer *peer);
LIBHD_API void libhd_peer_set_user(struct libhd_peer *peer, void *user);
LIBHD_API void *libhd_peer_user(const struct libhd_peer *peer);

/* ---- groups ---- */

/* Who is in a group is what credentials say, of one operator: the one that has
 * signed our own, or that of the relay, if we have none.
 * LIBHD_GROUPS_MAX - that an endpoint can allow. LIBHD_GROUP_PACKET_MAX_BYTES -
 * of a packet to one. */
#define LIBHD_GROUPS_MAX 4
#define LIBHD_GROUP_PACKET_MAX_BYTES 16384

/* libhd_allow_group - let all in it send to us. It is so until
 * libhd_forbid_group(), over lost connections too. One of them who allows us,
 * knocks, or sends to a group of ours becomes a peer: see libhd_events.member.
 * It stays one until libhd_forbid(), also when the group is forbidden; while
 * that is allowed, it is one again when it next speaks. Who is in a group is
 * what the relay says, without a proof.
 * Returns 0; -EINVAL a name has 1 to 63 bytes; -ENOSPC LIBHD_GROUPS_MAX are
 * allowed; -ENOMEM.
 * libhd_forbid_group - the other way. Nothing if it is not allowed. */
LIBHD_API int libhd_allow_group(struct libhd *h, const char *group);
LIBHD_API void libhd_forbid_group(struct libhd *h, const char *group);
/* libhd_send_group - one packet to all in it who are at the same relay and
 * allow us, or a group that we are in; 256 of them at most. Some or all may not
 * get it, as with libhd_send().
 * Returns as libhd_send(); -EINVAL no name; -EACCES we have no credential. */
LIBHD_API int libhd_send_group(struct libhd *h, const char *group,
			       const void *data, size_t len_bytes);

/* ---- intents ---- */

/* libhd_peer_set_intent - what we want of the path to it: it is asked when it
 * is here, or is here again, and what it asks is answered so. Until then the
 * answer is LIBHD_REQUIRE_RELAY, for libhd itself knows no other path: packets
 * go through relays whatever was agreed, and a direct path is the caller's.
 * Returns 0; -EINVAL; -ENOMEM.
 * libhd_peer_intent - what it has asked for. Returns an enum libhd_intent;
 * -ENODATA nothing yet.
 * libhd_peer_path - what was agreed last, on this connection of both. Returns
 * an enum libhd_path; -ENODATA nothing yet. */
LIBHD_API int libhd_peer_set_intent(struct libhd_peer *peer,
				    enum libhd_intent intent);
LIBHD_API int libhd_peer_intent(const struct libhd_peer *peer);
LIBHD_API int libhd_peer_path(const struct libhd_peer *peer);

#ifdef __cplusplus
}
#endif
