/* SPDX-License-Identifier: MIT */
/* tools/hdbench/gcm_none.c - where libipsec-mb was not there to build with. */
#include "tools/hdbench/gcm.h"
#include <errno.h>

int gcm_start(struct hd_error *err)
{
	return hd_error_set(err, -ENOTSUP, "built without libipsec-mb");
}

void gcm_stop(void)
{
}

const char *gcm_about(void)
{
	return NULL;
}

struct gcm_key *gcm_key_new(const uint8_t *key, size_t len_bytes)
{
	(void)key, (void)len_bytes;
	return NULL;
}

void gcm_key_free(struct gcm_key **key)
{
	*key = NULL;
}

void gcm_seal(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	      const uint8_t *head, size_t head_bytes, uint8_t *out,
	      const uint8_t *in, size_t len_bytes)
{
	(void)key, (void)nonce, (void)head, (void)head_bytes;
	(void)out, (void)in, (void)len_bytes;
}

int gcm_open(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	     const uint8_t *head, size_t head_bytes, uint8_t *p,
	     size_t len_bytes)
{
	(void)key, (void)nonce, (void)head, (void)head_bytes;
	(void)p, (void)len_bytes;
	return -EBADMSG;
}
