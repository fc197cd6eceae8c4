/* SPDX-License-Identifier: MIT */
/* modules/wg/mac1.h - whom a handshake message is for.
 *
 * mac1 is a keyed BLAKE2s over the whole message, with a key made from the
 * public key of the peer that receives it. So finding the peer is a search. No
 * library computes one message under many keys at once; this does, eight at a
 * time, from states that have the key block behind them (32 bytes a key). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WG_MAC_BYTES 16
#define WG_MAC1_LANES 8

struct wg_mac1_key { /* BLAKE2s after its key block */
	uint32_t h[8];
};

/* wg_label_hash - BLAKE2s-256(label ‖ public key). Returns 0; -ENOMEM. */
int wg_label_hash(const char label[8], const uint8_t pub[32], uint8_t ret[32]);
int wg_mac1_key_init(struct wg_mac1_key *k, const uint8_t pub[32]);
/* wg_mac_key_set - any key of 1..32 bytes. */
void wg_mac_key_set(struct wg_mac1_key *k, const uint8_t *key, size_t n);
/* wg_mac1_try - the first of n <= WG_MAC1_LANES keys under which the message
 * has this mac; -1: none.
 * @len_bytes  1..192 */
int wg_mac1_try(const struct wg_mac1_key *const *keys, unsigned n,
		const uint8_t *message, size_t len_bytes,
		const uint8_t mac[WG_MAC_BYTES]);
