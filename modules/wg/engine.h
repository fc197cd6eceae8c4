/* SPDX-License-Identifier: MIT */
/* modules/wg/engine.h - what the rest of the module may ask of the engine.
 *
 * The engine routes WireGuard packets. All of it lives in one worker (number
 * 0), which owns the UDP socket; nothing in it is locked. The main thread owns
 * the roster and tells the engine of every change; commands read in the
 * engine's worker. */
#pragma once
#include <hyper-derp/module.h>

#define WG_KEY_BYTES 32
#define WG_NAME_BYTES 64 /* with the final zero */
#define WG_NIC_BYTES 16
#define WG_CANDIDATES 4

struct wg_engine;

/* ---- main thread: what is registered ---- */

struct wg_peer_conf {
	char name[WG_NAME_BYTES]; /* unique */
	bool has_key, has_endpoint;
	uint8_t key[WG_KEY_BYTES];
	union hd_addr endpoint;
	char nic[WG_NIC_BYTES]; /* "" any */
};

struct wg_link_conf { /* the order of the two names means nothing */
	char a[WG_NAME_BYTES], b[WG_NAME_BYTES];
};

struct wg_plan { /* everything that is registered */
	struct wg_peer_conf *peers;
	struct wg_link_conf *links;
	uint32_t n_peers, n_links;
};

/* wg_plan_new - room for so many; NULL: out of memory. */
struct wg_plan *wg_plan_new(uint32_t n_peers, uint32_t n_links);
void wg_plan_free(struct wg_plan **plan);

/* wg_engine_apply - register exactly what the plan says. Peers and links that
 * stay keep their endpoints, sessions and numbers; a peer whose key changed is
 * a new one; what is not in the plan is cut off at once.
 * In load() the plan waits until the engine starts. Main thread.
 * @plan  taken
 * Returns 0; -ENOMEM. */
int wg_engine_apply(struct hd_module *mod, struct wg_plan **plan);
/* One change each; the roster has checked it. A link of an unknown peer is
 * ignored. put of a known name changes it. Main thread.
 * Return 0; -ENOMEM; -ESHUTDOWN the worker has ended. */
int wg_engine_peer_put(struct hd_module *mod, const struct wg_peer_conf *peer);
int wg_engine_peer_remove(struct hd_module *mod, const char *name);
int wg_engine_link_put(struct hd_module *mod, const char *a, const char *b);
int wg_engine_link_remove(struct hd_module *mod, const char *a, const char *b);

/* ---- the engine's worker: what goes on ---- */

enum wg_drop { /* why a datagram was not forwarded */
	WG_DROP_UNKNOWN_SRC, /* nobody here has this address or this index */
	WG_DROP_NO_LINK, /* a known peer, no link to whom it wants */
	WG_DROP_NOT_WG_SHAPED, /* the size does not fit the type */
	WG_DROP_PUBKEY_MISMATCH, /* mac1 is for no peer of the source's */
	WG_DROP_NO_PUBKEY_MATCH, /* mac1 is for nobody at all */
	WG_DROP_RELEARN_UNCONFIRMED, /* a new address that proved nothing */
	WG_DROP_BLOCKED, /* a handshake from an address on the blocklist */
	WG_DROP_RATE, /* more than the source or the destination may have */
	WG_DROP_COOKIE, /* answered with a cookie instead */
	WG_DROP_NO_ENDPOINT, /* nobody knows where the destination is */
	WG_DROP_SEARCH, /* no time left to look for its key */
	WG_DROP_REPLAY, /* seen before, from somewhere else */
	WG_DROP_SEND, /* the kernel's buffer was full */
	WG_DROP_N
};
/* "unknown_src" */
const char *wg_drop_text(enum wg_drop why);

struct wg_count {
	uint64_t packets, bytes; /* of UDP payload */
};

struct wg_peer_info {
	const char *name; /* borrowed until the call returns */
	bool has_key, has_endpoint, fixed, xdp;
	uint8_t key[WG_KEY_BYTES];
	union hd_addr endpoint; /* confirmed, or the fixed one */
	union hd_addr candidates[WG_CANDIDATES]; /* newest first */
	uint32_t n_candidates, n_links, n_sessions;
	uint64_t seen_ms; /* ago; UINT64_MAX: never. So handshake_ms */
	uint64_t handshake_ms;
	struct wg_count rx, tx; /* from the peer, to the peer */
	uint64_t drops[WG_DROP_N];
	uint64_t relearned; /* times that its endpoint moved */
};

struct wg_link_info {
	const char *a, *b;
	uint32_t n_sessions;
	uint64_t handshake_ms; /* ago; UINT64_MAX: never */
	struct wg_count a_to_b, b_to_a;
};

struct wg_block_info {
	union hd_addr ip; /* port 0; IPv6: the /64 */
	uint16_t port; /* that the last strike came from */
	uint64_t left_ms;
	uint32_t strikes; /* within the last 24 h */
	bool blocked; /* else it only has strikes */
};

struct wg_source_info { /* where dropped datagrams came from */
	union hd_addr ip;
	uint64_t seen_ms; /* ago */
	uint64_t drops[WG_DROP_N];
};

struct wg_totals {
	struct wg_count rx, fwd; /* user space and XDP */
	struct wg_count xdp;
	uint64_t copied_bytes; /* of fwd: also to where a peer may be */
	uint64_t drops[WG_DROP_N];
	uint32_t peers, links, sessions, pending;
	uint32_t confirmed; /* peers whose endpoint is known */
	uint64_t relearned, cookies_sent, handshakes;
	bool pressure; /* unknown addresses are asked for a cookie */
	uint16_t port;
};

/* wg_engine_of - NULL in all workers but the engine's. */
struct wg_engine *wg_engine_of(struct hd_module *mod, struct hd_worker *w);
/* The next after *cursor (0 at first), in no order. One that stays registered
 * is seen exactly once, however many turns lie between two calls; so a command
 * with 100,000 peers asks for some hundred in a turn (hd_call_cursor).
 * Return false at the end. */
bool wg_engine_peer_next(struct wg_engine *e, uint64_t *cursor,
			 struct wg_peer_info *ret);
bool wg_engine_link_next(struct wg_engine *e, uint64_t *cursor,
			 struct wg_link_info *ret);
bool wg_engine_block_next(struct wg_engine *e, uint64_t *cursor,
			  struct wg_block_info *ret);
bool wg_engine_source_next(struct wg_engine *e, uint64_t *cursor,
			   struct wg_source_info *ret);
/* wg_engine_peer_find - by name. Returns 0; -ENOENT. */
int wg_engine_peer_find(struct wg_engine *e, const char *name,
			struct wg_peer_info *ret);
/* wg_engine_link_of - the links of one peer, by cursor; a is the peer. */
bool wg_engine_link_of(struct wg_engine *e, const char *name, uint64_t *cursor,
		       struct wg_link_info *ret);
void wg_engine_totals(struct wg_engine *e, struct wg_totals *ret);
/* wg_engine_block_clear - one address, or all (NULL). Returns how many. */
unsigned wg_engine_block_clear(struct wg_engine *e, const union hd_addr *ip);

/* ---- the kernel's fast path (xdp.h), in the engine's worker ---- */

/* One direction of a confirmed session: transport data with this index that
 * comes from `from` to our address `in` leaves from our address `out` to `to`.
 * family 0 of in and out: not known yet. */
struct wg_path {
	uint32_t index; /* receiver_index, as it stands in the packet */
	union hd_addr from, in, out, to;
	char nic[WG_NIC_BYTES]; /* where `to` is reached; "" any */
};

struct wg_path_use { /* since the last read */
	struct wg_count sum;
	uint64_t idle_ms; /* since the last packet; UINT64_MAX: none ever */
	uint64_t counter; /* the highest counter it has forwarded, or 0 */
};
