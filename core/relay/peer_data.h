/* SPDX-License-Identifier: MIT */
/* core/relay/peer_data.h - memory of modules beside each peer: a chain that
 * hangs on it, of one block a module. Context: the peer's home worker. */
#pragma once
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
