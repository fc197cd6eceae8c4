/* SPDX-License-Identifier: MIT */
/* core/relay/limits.h - how much keys may send. A key's limit is kept with its
 * entry: a debt outlives the connection as long as that does.
 * Context: the key's home worker. */
#pragma once
#include "core/relay/peer.h"

/* hd_limits_begin - a peer is up: from now on what it sends is counted, if
 * there is a limit. Returns 0; -ENOMEM.
 * hd_limits_end - it is about to leave its entry.
 * hd_limits_reload - the configuration is another one, for all peers of the
 * worker. */
int hd_limits_begin(struct hd_peer *p);
void hd_limits_end(struct hd_peer *p);
void hd_limits_reload(struct hd_worker *w);
