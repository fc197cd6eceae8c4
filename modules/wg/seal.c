/* SPDX-License-Identifier: MIT */
/* modules/wg/seal.c - what is put at the end of a file, to tell later whether
 * all of it is there. */
#include "modules/wg/seal.h"
#include <openssl/evp.h>
#include <sodium.h>

void wg_seal_make(const void *data, size_t n, uint8_t ret[WG_SEAL_BYTES])
{
	/* OpenSSL's is the faster one, and may lack the memory for it */
	if (EVP_Digest(data, n, ret, NULL, EVP_sha256(), NULL) != 1)
		crypto_hash_sha256(ret, data, n);
}
