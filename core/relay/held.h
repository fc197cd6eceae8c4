/* SPDX-License-Identifier: MIT */
/* core/relay/held.h - packets to keys that are nowhere yet: a module may find
 * the key (hook.h, on_unknown), so they wait a moment.
 *
 *   nobody has it --a module looks for it--> held --it logs in---------> goes
 *                                             | `---a link has a way--> goes
 *                                             `--nobody, time, room--> dropped
 *
 * And modules are told who is here (on_here). Context: the key's home. */
#pragma once
#include "core/loop/worker.h"

struct hd_packet;
struct hd_peer;

/* hd_held_ask - returns whether a module looks for the key: the packet waits.
 * @hash  of packet->dst
 * hd_held_found - a link has a way to a key: what waits for it goes, and who
 * wants to know is told. */
bool hd_held_ask(struct hd_worker *w, const struct hd_packet *packet,
		 uint64_t hash);
void hd_held_found(struct hd_worker *w, uint64_t hash, uint16_t realm,
		   const struct hd_key *key);

/* hd_held_came - a connection of a key is up: modules are told, and what waits
 * goes soon. hd_held_left - its last one has closed. */
void hd_held_came(struct hd_peer *peer);
void hd_held_left(struct hd_peer *peer);

/* hd_held_later - connections come from another process, and may go back: until
 * hd_held_now() no module hears of it. hd_held_now - of all that are here. */
void hd_held_later(struct hd_worker *w);
void hd_held_now(struct hd_worker *w);

/* hd_held_free - the worker has ended. */
void hd_held_free(struct hd_worker *w);
