/* SPDX-License-Identifier: MIT */
/* core/stream/stream_aead.c - what modules encrypt themselves: expanded keys
 * are of the worker's cache, as those of records. */
#include <errno.h>
#include <hyper-derp/aead.h>
#include <string.h>
#include "core/loop/worker.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_worker.h"
#include "core/tls/cipher_cache.h"
#include "core/tls/tls.h"

/* Returns 0; -ENOTSUP; -ENOMEM. */
static int cipher_of(struct hd_worker *w, struct hd_aead_key *key, bool encrypt,
		     const struct hd_cipher **ret)
{
	const struct hd_tls_suite *suite =
		hd_tls_suite_find((uint16_t)key->suite);

	if (suite == NULL)
		return -ENOTSUP;
	*ret = hd_cipher_get(w->streams->ciphers, suite, encrypt, key->v,
			     &key->expanded);
	return *ret != NULL ? 0 : -ENOMEM;
}

int hd_aead_seal(struct hd_worker *w, struct hd_aead_key *key,
		 const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
		 size_t head_bytes, size_t n)
{
	const struct hd_cipher *c;
	int r = cipher_of(w, key, true, &c);

	return r < 0 ? r : c->aead->seal(c->key, nonce, p, head_bytes, n);
}

int hd_aead_open(struct hd_worker *w, struct hd_aead_key *key,
		 const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
		 size_t head_bytes, size_t n)
{
	const struct hd_cipher *c;
	int r = cipher_of(w, key, false, &c);

	if (r == 0)
		r = c->aead->open(c->key, nonce, p, head_bytes, n,
				  p + head_bytes);
	if (r < 0)
		explicit_bzero(p + head_bytes, n);
	return r;
}

void hd_aead_forget(struct hd_aead_key *key)
{
	hd_cipher_put(&key->expanded);
}

int hd_stream_aead(struct hd_stream *s)
{
	return s->tls == NULL ? -ENOTCONN : hd_tls_suite_of(s->tls);
}
