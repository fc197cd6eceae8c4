/* SPDX-License-Identifier: MIT */
/* modules/derp/server_key.c - the relay's key pair. Made at the first start
 * and kept, else every restart would be another relay to its clients.
 *
 * The file is derper's: {"PrivateKey":"privkey:<64 hex>"}; the bare text of
 * the key is read too. It is searched and not parsed as JSON, because a parser
 * would leave copies of the key in memory that nobody wipes. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/state_file.h>
#include <stdio.h>

#define KEY_FILE "derp.key"
#define KEY_PREFIX "privkey:"
#define KEY_HEX_BYTES (2 * crypto_box_SECRETKEYBYTES)
#define KEY_FILE_MAX_BYTES 4096

static void key_free(char **text)
{
	hd_secret_free(*text);
	*text = NULL;
}

/* Curve25519 ignores these bits; keys that other tools read should have them
 * set as they will be used. Source: RFC 7748, 5. */
static void key_clamp(uint8_t key[crypto_box_SECRETKEYBYTES])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

static const char *key_digits(const char *text, size_t n)
{
	const char *at = memmem(text, n, KEY_PREFIX, strlen(KEY_PREFIX));

	return at != NULL ? at + strlen(KEY_PREFIX) : text;
}

/* The digits must end where the key does: a key that is cut or too long is not
 * to be guessed at. */
static int key_parse(struct derp_server *server, const char *text, size_t n)
{
	const char *hex = key_digits(text, n), *end;
	size_t left = n - (size_t)(hex - text), got = 0;

	if (left < KEY_HEX_BYTES ||
	    sodium_hex2bin(server->id.private_key,
			   sizeof(server->id.private_key), hex, KEY_HEX_BYTES,
			   NULL, &got, &end) != 0 ||
	    got != sizeof(server->id.private_key))
		return -EINVAL;
	if (left > KEY_HEX_BYTES && strchr("\"\r\n ", *end) == NULL)
		return -EINVAL;
	return sodium_is_zero(server->id.private_key, got) ? -EINVAL : 0;
}

static int key_make(struct derp_server *server, struct hd_error *err)
{
	HD_AUTO(key_free) char *text = hd_secret_alloc(KEY_FILE_MAX_BYTES);
	char *hex;
	int n;

	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	randombytes_buf(server->id.private_key, sizeof(server->id.private_key));
	key_clamp(server->id.private_key);
	n = snprintf(text, KEY_FILE_MAX_BYTES, "{\"PrivateKey\":\"%s%*s\"}\n",
		     KEY_PREFIX, (int)KEY_HEX_BYTES, "");
	hex = strstr(text, KEY_PREFIX) + strlen(KEY_PREFIX);
	sodium_bin2hex(hex, KEY_HEX_BYTES + 1, server->id.private_key,
		       sizeof(server->id.private_key));
	hex[KEY_HEX_BYTES] = '"'; /* bin2hex terminates */
	return hd_state_file_write(KEY_FILE, text, (size_t)n, err);
}

static int key_from_state(struct derp_server *server, struct hd_error *err)
{
	HD_AUTO(key_free) char *text = hd_secret_alloc(KEY_FILE_MAX_BYTES);
	int n;

	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	n = hd_state_file_read(KEY_FILE, text, KEY_FILE_MAX_BYTES, err);
	if (n == -ENOENT)
		return key_make(server, err);
	if (n < 0)
		return n;
	if (key_parse(server, text, (size_t)n) < 0)
		return hd_error_set(
			err, -EINVAL,
			"state_dir/" KEY_FILE " holds no relay key; it should "
			"hold {\"PrivateKey\":\"privkey:<64 hex>\"}: put the "
			"right file back, or remove it for a new key, which "
			"makes this another relay to its clients");
	return 0;
}

static int key_from_option(struct derp_server *server,
			   const struct hd_secret *option, struct hd_error *err)
{
	if (key_parse(server, (const char *)option->v, option->len_bytes) < 0)
		return hd_error_set(
			err, -EINVAL,
			"derp.private_key: the file holds no key; it should "
			"hold privkey:<64 hex>, alone or in derper's JSON");
	return 0;
}

int derp_server_key_load(struct derp_server *server,
			 const struct hd_secret *option, struct hd_error *err)
{
	int r = option->len_bytes > 0 ? key_from_option(server, option, err)
				      : key_from_state(server, err);

	if (r < 0)
		return r;
	crypto_scalarmult_base(server->id.public_key.b, server->id.private_key);
	sodium_bin2hex(server->public_hex, sizeof(server->public_hex),
		       server->id.public_key.b, HD_KEY_BYTES);
	return 0;
}
