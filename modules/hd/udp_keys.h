/* SPDX-License-Identifier: MIT */
/* modules/hd/udp_keys.h - datagrams sealed and opened: key schedule, counters,
 * replay window. The relay's, with the core's ciphers, and libhd's, with those
 * of libhd/aead.c. No input is trusted.
 * Source: doc/reference/protocol-hd.md, "UDP". */
#pragma once
#include <hyper-derp/aead.h>
#include <hyper-derp/hd.h>
#include <sodium.h>

#define HDP_UDP_EPOCH_BITS 24 /* datagrams of one key: 2 to the power of it */
#define HDP_UDP_WINDOW 960 /* how late one may come, in datagrams */
#define HDP_UDP_WINDOW_WORDS (HDP_UDP_WINDOW / 64 + 1)

struct hdp_udp_key { /* of one epoch */
	struct hd_aead_key aead;
	uint8_t iv[HD_AEAD_NONCE_BYTES];
};

struct hdp_udp_secret { /* of a direction, from the exporter */
	enum hd_aead_suite suite; /* TLS's */
	uint8_t v[HDP_UDP_SECRET_BYTES];
};

/* They stay where they are until hdp_udp_tx_end(), hdp_udp_rx_end(). */
struct hdp_udp_tx {
	struct hd_worker *worker; /* for hd_aead_seal(); libhd: NULL */
	uint8_t next[HDP_UDP_SECRET_BYTES]; /* of the epoch after this one */
	struct hdp_udp_key key;
	uint64_t counter; /* of the last datagram; the first has 1 */
};

struct hdp_udp_rx {
	struct hd_worker *worker;
	uint8_t next[HDP_UDP_SECRET_BYTES];
	struct hdp_udp_key key, before; /* of this epoch, of the one before */
	uint64_t top; /* the highest counter that was right */
	uint64_t opened; /* how many were */
	uint64_t seen[HDP_UDP_WINDOW_WORDS];
	bool has_before;
};

/* hdp_udp_tx_init, hdp_udp_rx_init - of an exported secret. Its copy stays the
 * caller's, who wipes it. hdp_udp_tx_end, hdp_udp_rx_end - wiped. */
void hdp_udp_tx_init(struct hdp_udp_tx *tx, struct hd_worker *w,
		     const struct hdp_udp_secret *secret);
void hdp_udp_rx_init(struct hdp_udp_rx *rx, struct hd_worker *w,
		     const struct hdp_udp_secret *secret);
void hdp_udp_tx_end(struct hdp_udp_tx *tx);
void hdp_udp_rx_end(struct hdp_udp_rx *rx);
/* hdp_udp_rest - nothing passes: what was made of keys goes, till it is needed
 * again. */
void hdp_udp_rest(struct hdp_udp_tx *tx, struct hdp_udp_rx *rx);
/* hdp_udp_suite_known - one that datagrams can have. */
bool hdp_udp_suite_known(uint64_t suite);

/* hdp_udp_seal - a datagram of head and tail, which it seals together; at least
 * one byte.
 * @ret  HDP_UDP_FRAME_BYTES and both; at most HDP_UDP_MAX_BYTES
 * Returns its bytes; 0: the counters are used up, it is too long, or out of
 * memory. */
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
