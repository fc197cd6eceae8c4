/* SPDX-License-Identifier: MIT */
/* core/relay/peer_data.h - memory of modules beside each peer: a chain that
 * hangs on it, of one block a module. Context: the peer's home worker. */
#pragma once
#include "core/base/pack.h"
#include "core/relay/peer.h"

/* hd_peer_data_give - a peer has come home: it gets what modules ask for.
 * Returns 0; -ENOMEM.
 * hd_peer_data_free - it ends.
 * hd_peer_data_sync - a module has come, has other code or goes: all peers of
 * the worker have what it asks for now. One for which there is no memory is
 * closed.
 * hd_peer_data_drop - none of them has anything of it. */
int hd_peer_data_give(struct hd_peer *p);
void hd_peer_data_free(struct hd_peer *p);
void hd_peer_data_sync(struct hd_worker *w, const struct hd_module *mod);
void hd_peer_data_drop(struct hd_worker *w, const struct hd_module *mod);

/* ---- to another process: hyper-derp/upgrade.h; workers stand ---- */

/* hd_peer_data_stays - whether some of it cannot go.
 * @reads  by index: the new process understands what the module packs
 * hd_peer_data_ahead - whether all of it may go ahead: HD_MODULE_AHEAD.
 * hd_peer_data_pack - an item of each, in that of the peer.
 * hd_peer_data_unpack - one of them, once the peer has all that the modules of
 * this process ask for. Returns 1 somebody has read it; 0.
 * hd_peer_packer - the module of its protocol, if that packs what the state of
 * the connection points to; NULL: it does not.
 * @own  only what that one reads; false: only what others do
 * @version  of what the old one's modules have packed, by index of ours
 * Return 0; negative, err may say why. */
const struct hd_module *hd_peer_packer(const struct hd_peer *p);
bool hd_peer_data_stays(const struct hd_peer *p, const bool *reads);
bool hd_peer_data_ahead(const struct hd_peer *p);
int hd_peer_data_pack(const struct hd_peer *p, struct hd_snap *to,
		      struct hd_pack_fds *fds, struct hd_error *err);
int hd_peer_data_unpack(struct hd_peer *p, struct hd_snap_in in, bool own,
			const uint64_t *version, struct hd_unpack_fds *fds,
			struct hd_error *err);
