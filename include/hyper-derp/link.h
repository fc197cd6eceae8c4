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
 * @name  for operators, see hd_link_ways(); copied, and cut at 63 bytes
 * Returns 0; -EBUSY it is a link, has logged in or answers a request; -ENOTSUP
 * its protocol has no forward(); -EPIPE it closes; -ENOMEM. */
HD_API int hd_link_open(struct hd_stream *s, const char *name);

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

/* hd_link_forget - a way is not used any more; the key may still be where it
 * led. As hd_link_del(), but nobody is told that the key has gone.
 * @key  NULL: so it is with all of them, when the link closes
 * Returns 0; -EPIPE it closes, or is no link; -ENOMEM: the link is closed.
 * hd_link_used - has a packet of a peer here taken a way to the key since the
 * last call? In the key's home (hd_relay_home()). */
HD_API int hd_link_forget(struct hd_stream *link, uint16_t realm,
			  const struct hd_key *key);
HD_API bool hd_link_used(struct hd_worker *w, uint16_t realm,
			 const struct hd_key *key);

/* hd_link_keys - how many ways it has, about: some are under way. */
HD_API uint32_t hd_link_keys(const struct hd_stream *link);

/* hd_link_about - what has gone over it. In the link's worker. */
struct hd_link_about {
	uint64_t bytes_in, bytes_out, queued_bytes;
	uint64_t drops; /* packets that it did not take fast enough */
};
HD_API void hd_link_about(const struct hd_stream *link,
			  struct hd_link_about *ret_about);

/* hd_link_unheard_ms - for how long nothing at all, no acknowledgement either,
 * has come over it, when bytes have gone out four times: three times an answer
 * was due by TCP's own reckoning (0.2 s and the measured round trip, doubled
 * each time), and the fourth has had its time. So 1.5 s at the soonest, more
 * where the way is long. A relay there that is busy, or stopped, does not
 * count: its kernel answers. One system call. In the link's worker.
 * Returns 0: it is heard, or this is not known. */
HD_API uint32_t hd_link_unheard_ms(const struct hd_stream *link);

/* ---- links on demand ----
 *
 * One module finds out where a key is (a directory), another one makes links
 * (mesh); neither knows the other. */

/* hd_link_wish - a key is at another relay: whoever makes links opens one to
 * it, if there is none, adds the way, and closes the link again when it has
 * been idle. Nothing comes back: a link that does not come up, and a key that
 * is not there, are packets to an unknown key again. */
struct hd_link_wish {
	const char *name; /* "host[:port]": its certificate must be for host */
	const char *dial; /* another host or address to dial; NULL: host */
	const char *ca_file; /* CAs that may have signed it; NULL: those that
				whoever makes links has for all */
	struct hd_key key;
	uint16_t realm;
	bool gone; /* the way is to be taken away instead: it is not there */
	bool unused; /* so it is: nobody has sent there for long */
};

/* hd_link_wish - any thread; everything is copied. Returns 0; -ENOMEM;
 * -ESHUTDOWN the relay ends. Nothing happens when no module makes links.
 * hd_link_worker - the index of the worker in which a link of this name is to
 * live, and is wished for. The same for the whole life of the relay. */
HD_API int hd_link_wish(const struct hd_link_wish *wish);
HD_API unsigned hd_link_worker(const char *name);

/* hd_link_ways - the ways to keys whose home is worker w, called there: those
 * in the next n places of its table from *at on, which begins at 0. To go
 * through all of them, call again in later turns, so that packets do not wait;
 * meanwhile some may come twice. What a function is given lives until it
 * returns. Returns whether there are more. */
struct hd_link_way {
	const struct hd_key *key;
	const char *link; /* its name */
	uint16_t realm;
	bool preferred; /* packets take this one while the key is not here */
};
typedef void hd_link_way_fn(void *arg, const struct hd_link_way *way);
HD_API bool hd_link_ways(struct hd_worker *w, uint64_t *at, unsigned n,
			 hd_link_way_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
