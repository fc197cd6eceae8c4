/* SPDX-License-Identifier: MIT */
/* core/relay/peer_snap.h - peers, and who is owed PeerGone, go to another
 * process. Context: the home worker, parked. */
#pragma once
#include "core/base/snap.h"
#include "core/relay/peer.h"

/* hd_peer_stays - why the peer of a stream cannot go, in words; NULL: it can.
 * hd_peer_pack - an item of the peer, in that of its stream.
 * hd_owed_pack - what all entries of the worker owe, those that have left, too.
 */
const char *hd_peer_stays(const struct hd_stream *s);
void hd_peer_pack(const struct hd_stream *s, struct hd_snap *to);
void hd_owed_pack(struct hd_worker *w, struct hd_snap *to);

/* hd_peer_unpack - a peer for a stream that is in no worker yet: its user, once
 * that is set. hd_peer_home_of - the index of its home worker.
 * hd_peer_adopt - its stream is in its home worker: it enters the table, the
 * module hears of it. Of one key the newest comes last.
 * hd_owed_take - an item of hd_owed_pack(); those whose home is another worker
 * are passed over.
 * Return 0; -EBADMSG; -ENOTSUP; -ENOMEM. */
int hd_peer_unpack(struct hd_stream *s, struct hd_snap_in in,
		   struct hd_error *err);
unsigned hd_peer_home_of(const struct hd_stream *s);
int hd_peer_adopt(struct hd_stream *s);
int hd_owed_take(struct hd_worker *w, struct hd_snap_in in,
		 struct hd_error *err);
/* hd_peer_drop - one of hd_peer_unpack() that is not wanted. */
void hd_peer_drop(struct hd_stream *s);
