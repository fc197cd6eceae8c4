/* SPDX-License-Identifier: MIT */
/* tools/hdctl/wg_key.c - see wg_key.h; by libsodium. */
#include "tools/hdctl/wg_key.h"

#include <sodium.h>
#include <string.h>

enum { KEY_BYTES = 32 };

static void put_text(char to[WG_KEY_TEXT_BYTES],
		     const unsigned char key[KEY_BYTES])
{
	sodium_bin2base64(to, WG_KEY_TEXT_BYTES, key, KEY_BYTES,
			  sodium_base64_VARIANT_ORIGINAL);
}

bool wg_key_public(const char *text, char ret[WG_KEY_TEXT_BYTES])
{
	unsigned char key[KEY_BYTES], public[KEY_BYTES];
	size_t got = 0;
	bool good = strlen(text) >= WG_KEY_CHARS &&
		    sodium_base642bin(key, sizeof(key), text, WG_KEY_CHARS,
				      NULL, &got, NULL,
				      sodium_base64_VARIANT_ORIGINAL) == 0 &&
		    got == sizeof(key) &&
		    crypto_scalarmult_base(public, key) == 0;

	sodium_memzero(key, sizeof(key));
	if (good)
		put_text(ret, public);
	return good;
}

bool wg_key_make(struct wg_key_pair *ret)
{
	unsigned char key[KEY_BYTES];

	if (sodium_init() < 0)
		return false;
	randombytes_buf(key, sizeof(key));
	key[0] &= 248; /* as Curve25519 wants it, and wg genkey prints it */
	key[KEY_BYTES - 1] &= 127;
	key[KEY_BYTES - 1] |= 64;
	put_text(ret->secret, key);
	sodium_memzero(key, sizeof(key));
	return wg_key_public(ret->secret, ret->public);
}

void wg_key_forget(struct wg_key_pair *pair)
{
	sodium_memzero(pair, sizeof(*pair));
}
