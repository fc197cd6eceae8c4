/* SPDX-License-Identifier: MIT */
/* tools/hdbench/hd_peer.h - a peer that speaks HD, by libhd: over TCP, or UDP
 * beside it. Peers 2n and 2n + 1 allow each other, where there is traffic. */
#pragma once
#include "tools/hdbench/peer.h"

/* As those of peer.h, for a peer with p->hd; hd_peer_open() makes it one.
 *
 * hd_peer_run - what is to be done; packets go to on_frame, as frames of DERP.
 * NULL: nobody wants any. Returns 0; -errno and the state CLOSED.
 * hd_peer_is_due - its time has come, though nothing has.
 * hd_peer_send - a packet; hd_peer_run() lets it go. Returns 0; -EAGAIN later.
 */
int hd_peer_open(struct net *net, struct peer *p);
void hd_peer_close(struct peer *p);
enum peer_state hd_peer_advance(struct net *net, struct peer *p);
int hd_peer_run(struct net *net, struct peer *p, peer_on_frame *on_frame,
		void *arg);
bool hd_peer_is_due(const struct peer *p);
int hd_peer_send(struct peer *p, const uint8_t *data, size_t len_bytes);
