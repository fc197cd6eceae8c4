/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/nkey.c - the public key that belongs to a seed, which
 * libnats asks for beside the seed's file. Base32 (RFC 4648) without padding:
 *
 *   seed    2 bytes prefix, 32 seed, 2 CRC-16/XMODEM, the low byte first
 *   public  1 byte prefix, 32 key, 2 CRC
 *
 * Source: github.com/nats-io/nkeys, strkey.go. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { SEED_TEXT = 58, SEED_RAW = 36, PUBLIC_RAW = 35, PREFIX_USER = 20 << 3 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool decode(const char *text, uint8_t ret[SEED_RAW])
{
	uint32_t bits = 0, n_bits = 0, n = 0;

	for (int i = 0; i < SEED_TEXT; i++) {
		const char *at = text[i] != '\0' ? strchr(letters, text[i])
						 : NULL;

		if (at == NULL)
			return false;
		bits = bits << 5 | (uint32_t)(at - letters);
		for (n_bits += 5; n_bits >= 8 && n < SEED_RAW; n_bits -= 8)
			ret[n++] = (uint8_t)(bits >> (n_bits - 8));
	}
	return n == SEED_RAW;
}

static void encode(const uint8_t raw[PUBLIC_RAW], char ret[DIR_NKEY_BYTES])
{
	uint32_t bits = 0, n_bits = 0;

	for (int i = 0; i < PUBLIC_RAW; i++) {
		bits = bits << 8 | raw[i];
		for (n_bits += 8; n_bits >= 5; n_bits -= 5)
			*ret++ = letters[bits >> (n_bits - 5) & 31];
	}
	*ret = '\0';
}

static uint16_t crc(const uint8_t *p, size_t n)
{
	uint16_t c = 0;

	while (n-- > 0) {
		c = (uint16_t)(c ^ *p++ << 8);
		for (int i = 0; i < 8; i++)
			c = (uint16_t)(c & 0x8000 ? c << 1 ^ 0x1021 : c << 1);
	}
	return c;
}

/* Returns the seed in the text of a file; NULL: there is none. */
static const char *find(const char *text)
{
	const char *at = strstr(text, "SU");

	return at != NULL && strlen(at) >= SEED_TEXT ? at : NULL;
}

static bool public_of(const char *text, char ret[DIR_NKEY_BYTES])
{
	uint8_t raw[SEED_RAW], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t public[PUBLIC_RAW] = { PREFIX_USER };
	bool good = decode(text, raw) &&
		    crc(raw, SEED_RAW - 2) ==
			    (raw[SEED_RAW - 2] | raw[SEED_RAW - 1] << 8);

	if (good)
		crypto_sign_seed_keypair(public + 1, secret, raw + 2);
	uint16_t c = crc(public, PUBLIC_RAW - 2);
	public[PUBLIC_RAW - 2] = (uint8_t)c;
	public[PUBLIC_RAW - 1] = (uint8_t)(c >> 8);
	encode(public, ret);
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(secret, sizeof(secret));
	return good;
}

int dir_nkey_public(const char *path, char ret[DIR_NKEY_BYTES],
		    struct hd_error *err)
{
	FILE *f = fopen(path, "re");
	char text[1024];
	const char *seed;
	bool good;

	if (f == NULL)
		return hd_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	seed = find(text);
	good = seed != NULL && public_of(seed, ret);
	sodium_memzero(text, sizeof(text));
	return good ? 0
		    : hd_error_set(err, -EINVAL,
				   "%s: there is no seed of a user's nkey, "
				   "which begins with SU",
				   path);
}
