/* SPDX-License-Identifier: MIT */
/* hyper-derp/aead.h - what a module encrypts itself, such as datagrams: by the
 * code that encrypts records of TLS, the fastest there is on this machine.
 * Context: the worker. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HD_AEAD_KEY_MAX_BYTES, HD_AEAD_NONCE_BYTES, HD_AEAD_TAG_BYTES - lengths, with
 * every suite. */
#define HD_AEAD_KEY_MAX_BYTES 32
#define HD_AEAD_NONCE_BYTES 12
#define HD_AEAD_TAG_BYTES 16

/* hd_aead_suite - by the numbers of TLS 1.3's cipher suites: RFC 8446, B.4. */
enum hd_aead_suite {
	HD_AEAD_AES_128_GCM = 0x1301, /* the first 16 bytes of a key */
	HD_AEAD_AES_256_GCM = 0x1302,
	HD_AEAD_CHACHA20_POLY1305 = 0x1303,
};

struct hd_cipher; /* a key, expanded: the core's */

/* A key for one direction: it seals or it opens. The module's memory, which
 * stays where it is as long as the key is in use. What is made of it, about a
 * kilobyte, is the worker's: made when it is needed, and given up when it is
 * not used for some seconds, or others need the room. */
struct hd_aead_key {
	uint8_t v[HD_AEAD_KEY_MAX_BYTES];
	enum hd_aead_suite suite;
	struct hd_cipher *expanded; /* NULL at first */
};

/* hd_aead_seal, hd_aead_open - in place: at p stand head_bytes, which are
 * authenticated, then n bytes, at least one, then the tag. Both lengths are
 * those of the head and of what is sealed, without the tag, for which
 * hd_aead_seal() needs room. A nonce is used once with a key.
 * Return 0; -ENOMEM; -ENOTSUP nobody has this suite; -EBADMSG it was not sealed
 * so, the n bytes are wiped; -EPROTO.
 * hd_aead_forget - before the key is changed, moved or given up. The bytes stay
 * the caller's to wipe. */
HD_API int hd_aead_seal(struct hd_worker *w, struct hd_aead_key *key,
			const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
			size_t head_bytes, size_t n);
HD_API int hd_aead_open(struct hd_worker *w, struct hd_aead_key *key,
			const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
			size_t head_bytes, size_t n);
HD_API void hd_aead_forget(struct hd_aead_key *key);

/* hd_stream_aead - the suite that both ends of the client's TLS connection have
 * agreed on, so both can do it fast: what is beside the connection need agree
 * on nothing. As long as hd_stream_export() works.
 * Returns an enum hd_aead_suite; -ENOTCONN there is no TLS; -EPROTONOSUPPORT
 * it is TLS 1.2, or none of those suites; -EAGAIN the handshake is not done. */
HD_API int hd_stream_aead(struct hd_stream *s);

#ifdef __cplusplus
}
#endif
