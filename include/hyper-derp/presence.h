/* SPDX-License-Identifier: MIT */
/* hyper-derp/presence.h - a peer is told which keys are here: another relay of
 * a mesh, or whoever else its protocol trusts so far. */
#pragma once
#include <hyper-derp/relay.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_presence - what has become of a key. Borrowed for the call. */
struct hd_presence {
	const struct hd_key *key;
	uint16_t realm;
	bool present; /* false: its last connection has closed */
	/* of the connection that is active; while it is present */
	uint32_t flags; /* hd_login.flags of its protocol */
	const union hd_addr *addr;
};

/* hd_presence_watch - presence() of its protocol (struct hd_peer_ops) is called
 * for each key of a realm that is here, the watcher's own too, then for each
 * that comes or goes. The last state of every key is told. Those of one key
 * come in order, and in between some may be left out: but who has been told
 * present, and has left, is told absent before present again. A key that gets
 * another connection may be told present again, and one that was never told
 * may be told absent.
 * presence() appends to HD_LANE_CONTROL, HD_PRESENCE_MAX_BYTES a call at most;
 * it is not called while much waits there, and loses nothing then. It may not
 * watch anew.
 * Once more: begins again with those that are here; who has left since it was
 * told present is still told absent. Ends with the watcher.
 * @watcher  admitted, in its worker
 * Returns 0; -ENOMEM; -ENOTSUP its protocol has no presence(); -EPIPE it is
 * closing. Out of memory later the watcher is closed: it would be wrong. */
#define HD_PRESENCE_MAX_BYTES 512
HD_API int hd_presence_watch(struct hd_peer *watcher, uint16_t realm);

/* hd_presence_watch_also - who watches is told of more realms, too: in all
 * their tenants first the keys that are here, then what changes. Ends with the
 * watch; one that begins again (above) has them still.
 * @realms  1 << hd_realm() of each
 * Returns as above; -ENOENT it watches nothing. */
HD_API int hd_presence_watch_also(struct hd_peer *watcher, uint32_t realms);

#ifdef __cplusplus
}
#endif
