/* SPDX-License-Identifier: MIT */
/* core/relay/peer_snap.h - peers, and who is owed PeerGone, go to another
 * process. Context: the home worker, parked. */
#pragma once
#include "core/base/pack.h"
#include "core/base/snap.h"
#include "core/relay/peer.h"

/* hd_peer_stays - why the peer of a stream cannot go, in words; NULL: it can.
 * @reads  by index of modules: the new process understands what they pack
 * hd_peer_pack - an item of the peer, in that of its stream. Returns 0;
 * negative, err may say why.
 * hd_peer_is_alone - no other connection has its key. hd_peer_is_plain - it is
 * up, and no module packs anything beside it. hd_peer_goes_ahead - it is up,
 * and all that modules pack beside it may go while workers turn. Also then.
 * hd_owed_pack - what all entries of the worker owe, those that have left, too.
 */
const char *hd_peer_stays(const struct hd_stream *s, const bool *reads);
int hd_peer_pack(const struct hd_stream *s, struct hd_snap *to,
		 struct hd_pack_fds *fds, struct hd_error *err);
bool hd_peer_is_alone(const struct hd_stream *s);
bool hd_peer_is_plain(const struct hd_stream *s);
bool hd_peer_goes_ahead(const struct hd_stream *s);
void hd_owed_pack(struct hd_worker *w, struct hd_snap *to);

/* hd_peer_unpack - a peer for a stream that is in no worker yet: its user, once
 * that is set.
 * hd_peer_home_in - the index of the home worker of an item of a peer, which is
 * not read otherwise. Returns -ENOENT: nobody's.
 * hd_peer_adopt - its stream is in its home worker: modules read what they kept
 * beside it, it enters the table, its module hears of it. Of one key the newest
 * comes last.
 * @in       the item that hd_peer_unpack() read
 * @version  of what the old one's modules have packed, by index of ours
 * hd_owed_take - an item of hd_owed_pack(); those whose home is another worker
 * are passed over.
 * @away     of keys that are at other relays
 * Return 0; -EBADMSG; -ENOTSUP; -ENOMEM; what a module says. */
int hd_peer_unpack(struct hd_stream *s, struct hd_snap_in in,
		   struct hd_error *err);
int hd_peer_home_in(struct hd_snap_in in);
int hd_peer_adopt(struct hd_stream *s, struct hd_snap_in in,
		  const uint64_t *version, struct hd_unpack_fds *fds,
		  struct hd_error *err);
int hd_owed_take(struct hd_worker *w, struct hd_snap_in in, bool away,
		 struct hd_error *err);
/* hd_peer_drop - one of hd_peer_unpack() that is not wanted. hd_peer_back - one
 * that was adopted is the old process's again. */
void hd_peer_drop(struct hd_stream *s);
void hd_peer_back(struct hd_stream *s);
