/* SPDX-License-Identifier: MIT */
/* modules/hd/udp_keys.h - datagrams sealed and opened: key schedule, counters,
 * replay window. The relay's and libhd's. No input is trusted; nothing here
 * allocates. Source: doc/reference/protocol-hd.md, "UDP". */
#pragma once
#include <hyper-derp/hd.h>
#include <sodium.h>

#define HDP_UDP_EPOCH_BITS 24 /* datagrams of one key: 2 to the power of it */
#define HDP_UDP_WINDOW 960 /* how late one may come, in datagrams */
#define HDP_UDP_WINDOW_WORDS (HDP_UDP_WINDOW / 64 + 1)

struct hdp_udp_key { /* of one epoch */
	uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
	uint8_t iv[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
};

struct hdp_udp_tx {
	uint8_t next[HDP_UDP_SECRET_BYTES]; /* of the epoch after this one */
	struct hdp_udp_key key;
	uint64_t counter; /* of the last datagram; the first has 1 */
};

struct hdp_udp_rx {
	uint8_t next[HDP_UDP_SECRET_BYTES];
	struct hdp_udp_key key, before; /* of this epoch, of the one before */
	uint64_t top; /* the highest counter that was right */
	uint64_t opened; /* how many were */
	uint64_t seen[HDP_UDP_WINDOW_WORDS];
	bool has_before;
};

/* hdp_udp_tx_init, hdp_udp_rx_init - of an exported secret. Its copy stays the
 * caller's, who wipes it. */
void hdp_udp_tx_init(struct hdp_udp_tx *tx,
		     const uint8_t secret[HDP_UDP_SECRET_BYTES]);
void hdp_udp_rx_init(struct hdp_udp_rx *rx,
		     const uint8_t secret[HDP_UDP_SECRET_BYTES]);

/* hdp_udp_seal - a datagram of head and tail, which it seals together.
 * @ret  HDP_UDP_FRAME_BYTES and both; at most HDP_UDP_MAX_BYTES
 * Returns its bytes; 0: the counters are used up, or it is too long. */
size_t hdp_udp_seal(struct hdp_udp_tx *tx, enum hdp_udp_type type,
		    uint32_t conn, const void *head, size_t head_bytes,
		    const void *tail, size_t tail_bytes,
		    uint8_t ret[HDP_UDP_MAX_BYTES]);

/* hdp_udp_open - in place: what was sealed stands at p + HDP_UDP_HEAD_BYTES.
 * @head  hdp_udp_head_get() of it
 * Returns its bytes; -EALREADY it was seen, or is older than the window; -EPERM
 * nobody who has the key made it; -ERANGE its epoch is too far away. */
int hdp_udp_open(struct hdp_udp_rx *rx, const struct hdp_udp_head *head,
		 uint8_t *p, size_t n);
