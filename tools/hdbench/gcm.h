/* SPDX-License-Identifier: MIT */
/* tools/hdbench/gcm.h - AES-GCM by libipsec-mb, in whole records at a time: 80
 * ns for one of 1,400 bytes where OpenSSL needs 400, so that the load is not
 * what limits. Not the relay's code: a tool stands on public headers, and who
 * checks what the relay has encrypted should not have its mistakes. */
#pragma once
#include <hyper-derp/base.h>

#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES 16

struct gcm_key; /* expanded */

/* gcm_start - before the first key. Returns 0; -ENOTSUP it was built without,
 * or this processor lacks what makes it faster.
 * gcm_stop - keys that there are stay good. */
int gcm_start(struct hd_error *err);
void gcm_stop(void);
/* gcm_about - "ipsec-mb 1.3.0"; NULL: not started. */
const char *gcm_about(void);

/* gcm_key_new - of 16 or 32 bytes. Returns NULL: not started, no memory. */
struct gcm_key *gcm_key_new(const uint8_t *key, size_t len_bytes);
void gcm_key_free(struct gcm_key **key);

/* gcm_seal - from in to out, and the tag behind it.
 * gcm_open - in place. Returns 0; -EBADMSG. */
void gcm_seal(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	      const uint8_t *head, size_t head_bytes, uint8_t *out,
	      const uint8_t *in, size_t len_bytes);
int gcm_open(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	     const uint8_t *head, size_t head_bytes, uint8_t *p,
	     size_t len_bytes);
