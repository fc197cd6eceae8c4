/* SPDX-License-Identifier: MIT */
/* hyper-derp/link.h - keys that are at another relay, and the links that lead
 * there: streams that this relay has dialled. Knows keys and realms, not
 * protocols.
 *
 * A packet to a key goes to who has it here, always; else over a link that has
 * a way to it: the one that had it first, until that link takes it away or
 * goes. What another relay brings (hd_relay_forward()) never goes over a link.
 * Source: derper's forwarders (tailscale derp/derpserver/derpserver.go). */
#pragma once
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_link_open - a stream leads to another relay from now on: its protocol's
 * forward() is called for packets to the keys that hd_link_add() names. It may
 * read nothing for 30 s, as a relay that has logged in. When it closes, all its
 * ways count no more at once, in every worker, and peers here that packets of
 * such a key have reached are told that it has gone, unless it has another
 * way or is here.
 * In the stream's worker; it may not log in, and has not.
 * Returns 0; -EBUSY it is a link, has logged in or answers a request; -ENOTSUP
 * its protocol has no forward(); -EPIPE it closes; -ENOMEM. */
HD_API int hd_link_open(struct hd_stream *s);

/* hd_link_add, hd_link_del - the key is, or is no more, where the link leads.
 * Both take effect soon after the turn, in order. Adding what is there, and
 * taking away what is not, changes nothing. In the link's worker.
 * @realm  of packets: hd_realm()'s for those of no tenant
 * Returns 0; -EPIPE it closes, or is no link; -ENOSPC it has HD_LINK_KEYS_MAX;
 * -ENOMEM: the link is closed, since it would be wrong. It is closed
 * later, too, when there is no memory for a way in the key's home. */
#define HD_LINK_KEYS_MAX (1 << 20)
HD_API int hd_link_add(struct hd_stream *link, uint16_t realm,
		       const struct hd_key *key);
HD_API int hd_link_del(struct hd_stream *link, uint16_t realm,
		       const struct hd_key *key);

/* hd_link_keys - how many ways it has, about: some are under way. */
HD_API uint32_t hd_link_keys(const struct hd_stream *link);

#ifdef __cplusplus
}
#endif
