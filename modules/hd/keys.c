/* SPDX-License-Identifier: MIT */
/* modules/hd/keys.c - the relay's own Ed25519 key, by which clients know it,
 * and the operator's, which signs credentials. Made at the first start and
 * kept, else every restart would be another relay. A file holds the seed:
 * hdseed:<64 hex>. */
#include <errno.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/state_file.h>
#include <string.h>
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"

#define KEY_PREFIX "hdseed:"
#define KEY_PREFIX_BYTES (sizeof(KEY_PREFIX) - 1)
#define KEY_HEX_BYTES (2 * crypto_sign_SEEDBYTES)
#define KEY_TEXT_BYTES (KEY_PREFIX_BYTES + KEY_HEX_BYTES + 1)
#define KEY_FILE_MAX_BYTES 4096
#define NO_KEY                                                                 \
	"the file holds no key; it should hold " KEY_PREFIX "<64 hex>"

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

/* One of the two keys. */
struct kept {
	const char *file, *option;
	const char *remedy; /* if the file holds none */
};

static int seed_make(const struct kept *k, uint8_t *seed, char *text,
		     struct hd_error *err)
{
	randombytes_buf(seed, crypto_sign_SEEDBYTES);
	memcpy(text, KEY_PREFIX, KEY_PREFIX_BYTES);
	sodium_bin2hex(text + KEY_PREFIX_BYTES, KEY_HEX_BYTES + 1, seed,
		       crypto_sign_SEEDBYTES);
	text[KEY_TEXT_BYTES - 1] = '\n';
	return hd_state_file_write(k->file, text, KEY_TEXT_BYTES, err);
}

static int seed_from_state(const struct kept *k, uint8_t *seed,
			   struct hd_error *err)
{
	HD_AUTO(text_free) char *text = hd_secret_alloc(KEY_FILE_MAX_BYTES);
	int n;

	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	n = hd_state_file_read(k->file, text, KEY_FILE_MAX_BYTES, err);
	if (n == -ENOENT)
		return seed_make(k, seed, text, err);
	if (n < 0)
		return n;
	if (seed_parse(seed, text, (size_t)n) < 0)
		return hd_error_set(
			err, -EINVAL,
			"state_dir/%s holds no key; it should hold " KEY_PREFIX
			"<64 hex>: put the right file "
			"back, or remove it for a new key, %s",
			k->file, k->remedy);
	return 0;
}

/* What check() has looked at already. */
static int seed_from_option(const struct kept *k, uint8_t *seed,
			    const struct hd_secret *option,
			    struct hd_error *err)
{
	if (seed_parse(seed, (const char *)option->v, option->len_bytes) == 0)
		return 0;
	return hd_error_set(err, -EINVAL, "%s: " NO_KEY, k->option);
}

static int option_check(const char *name, const struct hd_secret *option,
			const struct hd_place *at, struct hd_error *err)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	int r = option->len_bytes > 0
			? seed_parse(seed, (const char *)option->v,
				     option->len_bytes)
			: 0;

	sodium_memzero(seed, sizeof(seed));
	return r == 0 ? 0 : hd_error_at(at, err, r, "%s: " NO_KEY, name);
}

int hdp_keys_check(const struct hdp_conf *c, struct hd_error *err)
{
	int r = option_check("hd.private_key", &c->private_key,
			     &c->at_private_key, err);

	return r == 0 ? option_check("hd.operator_key", &c->operator_key,
				     &c->at_operator_key, err)
		      : r;
}

static int key_load(const struct kept *k, const struct hd_secret *option,
		    struct hdp_key *key, struct hd_error *err)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	int r = option->len_bytes > 0 ? seed_from_option(k, seed, option, err)
				      : seed_from_state(k, seed, err);

	if (r == 0) {
		crypto_sign_seed_keypair(key->identity, key->secret, seed);
		hdp_bech32_text(HDP_IDENTITY_PART, key->identity,
				sizeof(key->identity), key->text,
				sizeof(key->text));
	}
	sodium_memzero(seed, sizeof(seed));
	return r;
}

int hdp_keys_load(struct hdp_relay *relay, const struct hdp_conf *conf,
		  struct hd_error *err)
{
	static const struct kept own = {
		"hd.key", "hd.private_key",
		"which makes this another relay to its clients"
	};
	static const struct kept operators = {
		"hd.operator.key", "hd.operator_key",
		"which ends the credentials that were made with the old one"
	};
	static const char bridging[] = "HD/2 signals over the bridge";
	static const char inviting[] = "HD/2 secrets of invitations";
	int r = key_load(&own, &conf->private_key, &relay->key, err);

	if (r == 0)
		r = key_load(&operators, &conf->operator_key,
			     &relay->operator_key, err);
	/* the first half of the secret is the seed */
	if (r == 0)
		crypto_auth_hmacsha256(relay->inviting,
				       (const uint8_t *)inviting,
				       sizeof(inviting) - 1, relay->key.secret);
	if (r == 0)
		crypto_generichash(relay->bridging, sizeof(relay->bridging),
				   (const uint8_t *)bridging,
				   sizeof(bridging) - 1,
				   relay->operator_key.secret,
				   crypto_sign_SEEDBYTES);
	return r;
}
