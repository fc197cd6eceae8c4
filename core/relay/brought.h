/* SPDX-License-Identifier: MIT */
/* core/relay/brought.h - realms that another relay names with its packets.
 * Context: the link's worker. */
#pragma once
#include "core/relay/peer.h"

/* hd_brought_realm - the number here. It is held until other names have come,
 * or the peer ends. Returns 0; -EINVAL, -ENOENT as hd_realm_hold().
 * hd_brought_free - the peer ends. */
int hd_brought_realm(struct hd_peer *link, const char *text, size_t n,
		     uint16_t *ret_realm);
void hd_brought_free(struct hd_peer *link);
