/* SPDX-License-Identifier: MIT */
/* core/base/pack_secret.c - what modules pack that is secret. It is sealed, by
 * a key that is made for one upgrade and goes where the keys of TLS go: what
 * reaches the swap space is of no use without it. */
#include "core/base/pack.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(HD_PACK_KEY_BYTES == crypto_secretbox_KEYBYTES, "as long");

enum { NUMBER_BYTES = 8, /* of the nonce, whose other bytes are 0 */
       MORE_BYTES = NUMBER_BYTES + crypto_secretbox_MACBYTES };

/* The same bytes of a name get the same number, others another one: what has
 * gone ahead is compared with what there is later. */
static void number_of(const uint8_t key[HD_PACK_KEY_BYTES], const char *name,
		      const void *p, size_t n, uint8_t ret[NUMBER_BYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	crypto_generichash_state h;

	crypto_generichash_init(&h, key, HD_PACK_KEY_BYTES, sizeof(hash));
	crypto_generichash_update(&h, (const uint8_t *)name, strlen(name) + 1);
	crypto_generichash_update(&h, p, n);
	crypto_generichash_final(&h, hash, sizeof(hash));
	memcpy(ret, hash, NUMBER_BYTES);
}

void hd_pack_key_new(uint8_t key[HD_PACK_KEY_BYTES])
{
	randombytes_buf(key, HD_PACK_KEY_BYTES);
}

void hd_pack_secret(struct hd_pack *to, const char *name, const void *p,
		    size_t len_bytes)
{
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = { 0 };
	uint8_t *v = malloc(MORE_BYTES + len_bytes);

	__atomic_add_fetch(&to->fds->secrets, 1, __ATOMIC_RELAXED);
	hd_assert(len_bytes <= HD_PACK_SECRET_MAX_BYTES);
	if (v == NULL || to->fds->key == NULL) {
		to->to->failed = true;
	} else {
		number_of(to->fds->key, name, p, len_bytes, nonce);
		memcpy(v, nonce, NUMBER_BYTES);
		crypto_secretbox_easy(v + NUMBER_BYTES, p, len_bytes, nonce,
				      to->fds->key);
		hd_pack_bytes(to, name, v, MORE_BYTES + len_bytes);
	}
	free(v);
}

int hd_unpack_secret(const struct hd_unpack *from, const char *name, void *ret,
		     size_t len_bytes)
{
	const struct hd_unpack_fds *fds = from->fds;
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = { 0 };
	const void *p;
	size_t n;
	int r = hd_unpack_view(from, name, &p, &n);

	if (r < 0)
		return r;
	if (n != MORE_BYTES + len_bytes || fds == NULL || fds->key == NULL)
		return -EBADMSG;
	memcpy(nonce, p, NUMBER_BYTES);
	return crypto_secretbox_open_easy(ret,
					  (const uint8_t *)p + NUMBER_BYTES,
					  n - NUMBER_BYTES, nonce,
					  fds->key) == 0
		       ? 0
		       : -EBADMSG;
}
