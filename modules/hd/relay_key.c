/* SPDX-License-Identifier: MIT */
/* modules/hd/relay_key.c - the relay's own Ed25519 key, by which clients know
 * it. Made at the first start and kept, else every restart would be another
 * relay to them. The file holds the seed: hdseed:<64 hex>. */
#include <errno.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/state_file.h>
#include <string.h>
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"

#define KEY_FILE "hd.key"
#define KEY_PREFIX "hdseed:"
#define KEY_PREFIX_BYTES (sizeof(KEY_PREFIX) - 1)
#define KEY_HEX_BYTES (2 * crypto_sign_SEEDBYTES)
#define KEY_TEXT_BYTES (KEY_PREFIX_BYTES + KEY_HEX_BYTES + 1)
#define KEY_FILE_MAX_BYTES 4096

static void text_free(char **text)
{
	hd_secret_free(*text);
	*text = NULL;
}

/* The digits must end where the key does: a key that is cut or too long is not
 * to be guessed at. */
static int seed_parse(uint8_t *seed, const char *text, size_t n)
{
	size_t got;

	while (n > 0 && strchr("\r\n ", text[n - 1]) != NULL)
		n--;
	if (n != KEY_PREFIX_BYTES + KEY_HEX_BYTES ||
	    memcmp(text, KEY_PREFIX, KEY_PREFIX_BYTES) != 0 ||
	    sodium_hex2bin(seed, crypto_sign_SEEDBYTES, text + KEY_PREFIX_BYTES,
			   KEY_HEX_BYTES, NULL, &got, NULL) != 0)
		return -EINVAL;
	return got == crypto_sign_SEEDBYTES ? 0 : -EINVAL;
}

static int seed_make(uint8_t *seed, char *text, struct hd_error *err)
{
	randombytes_buf(seed, crypto_sign_SEEDBYTES);
	memcpy(text, KEY_PREFIX, KEY_PREFIX_BYTES);
	sodium_bin2hex(text + KEY_PREFIX_BYTES, KEY_HEX_BYTES + 1, seed,
		       crypto_sign_SEEDBYTES);
	text[KEY_TEXT_BYTES - 1] = '\n';
	return hd_state_file_write(KEY_FILE, text, KEY_TEXT_BYTES, err);
}

static int seed_from_state(uint8_t *seed, struct hd_error *err)
{
	HD_AUTO(text_free) char *text = hd_secret_alloc(KEY_FILE_MAX_BYTES);
	int n;

	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	n = hd_state_file_read(KEY_FILE, text, KEY_FILE_MAX_BYTES, err);
	if (n == -ENOENT)
		return seed_make(seed, text, err);
	if (n < 0)
		return n;
	if (seed_parse(seed, text, (size_t)n) < 0)
		return hd_error_set(
			err, -EINVAL,
			"state_dir/" KEY_FILE
			" holds no key; it should hold " KEY_PREFIX
			"<64 hex>: put the right file back, or "
			"remove it for a new key, which makes this another "
			"relay to its clients");
	return 0;
}

static int seed_from_option(uint8_t *seed, const struct hd_secret *option,
			    struct hd_error *err)
{
	if (seed_parse(seed, (const char *)option->v, option->len_bytes) < 0)
		return hd_error_set(err, -EINVAL,
				    "hd.private_key: the file holds no key; it "
				    "should hold " KEY_PREFIX "<64 hex>");
	return 0;
}

int hdp_relay_key_load(struct hdp_relay *relay, const struct hd_secret *option,
		       struct hd_error *err)
{
	int r = option->len_bytes > 0
			? seed_from_option(relay->seed, option, err)
			: seed_from_state(relay->seed, err);

	if (r < 0)
		return r;
	crypto_sign_seed_keypair(relay->identity, relay->secret, relay->seed);
	hdp_bech32_text(HDP_IDENTITY_PART, relay->identity,
			sizeof(relay->identity), relay->text,
			sizeof(relay->text));
	return 0;
}
