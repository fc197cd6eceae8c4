/* SPDX-License-Identifier: MIT */
/* tools/hdbench/behind.h - packets right behind a login: --behind. */
#pragma once
#include "tools/hdbench/peer.h"

/* behind_bytes - what behind_put() writes. */
size_t behind_bytes(const struct opts *o);
void behind_put(const struct opts *o, struct peer *p, uint8_t *out);
/* behind_on_frame - for peer_read(), the peer is arg: counts what is back in
 * p->hs. */
void behind_on_frame(void *peer, const uint8_t *head, struct derp_header h);
/* behind_cut - in front of which byte of n a login is cut in two writes;
 * 1..n-1. */
size_t behind_cut(const struct peer *p, size_t n);
