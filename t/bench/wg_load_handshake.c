/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load_handshake.c - a handshake, as far as a relay sees it: types,
 * sizes, indices and a right mac1. What only the ends can read is noise. */
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "t/bench/wg_load.h"

enum {
	WG_MAC_BYTES = 16,
	INITIATION_BYTES = 148,
	RESPONSE_BYTES = 92,
	TRIES = 40,
	WAIT_MS = 250,
};

static void hash_key(const uint8_t pub[KEY_BYTES], uint8_t ret[KEY_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || !EVP_DigestInit_ex(ctx, EVP_blake2s256(), NULL) ||
	    !EVP_DigestUpdate(ctx, "mac1----", 8) ||
	    !EVP_DigestUpdate(ctx, pub, KEY_BYTES) ||
	    !EVP_DigestFinal_ex(ctx, ret, NULL))
		fail("BLAKE2s");
	EVP_MD_CTX_free(ctx);
}

/* The message is for who has `pub`; mac1 ends 16 bytes before its end. */
static void put_mac1(uint8_t *msg, size_t len, const uint8_t pub[KEY_BYTES])
{
	size_t size = WG_MAC_BYTES;
	OSSL_PARAM params[] = { OSSL_PARAM_size_t("size", &size),
				OSSL_PARAM_END };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t at = len - 2 * WG_MAC_BYTES;
	uint8_t key[KEY_BYTES];

	hash_key(pub, key);
	if (!EVP_MAC_init(ctx, key, sizeof(key), params) ||
	    !EVP_MAC_update(ctx, msg, at) ||
	    !EVP_MAC_final(ctx, msg + at, &size, WG_MAC_BYTES))
		fail("BLAKE2s MAC");
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void say(struct peer *p, const uint8_t *msg, size_t len)
{
	if (send(p->fd, msg, len, 0) != (ssize_t)len)
		perror("wg_load: send");
}

/* Returns whether a message of that type came in time. */
static int hears(struct peer *p, uint8_t type, int timeout_ms)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	uint8_t msg[2048];

	while (poll(&pfd, 1, timeout_ms) > 0)
		if (recv(p->fd, msg, sizeof(msg), 0) > 0 && msg[0] == type)
			return 1;
	return 0;
}

static void say_data(struct peer *p, uint32_t index)
{
	uint8_t msg[32] = { 4 };

	put32(msg + 4, index);
	say(p, msg, sizeof(msg));
}

static int handshake_once(void)
{
	uint8_t init[INITIATION_BYTES], resp[RESPONSE_BYTES];

	RAND_bytes(init, sizeof(init));
	put32(init, 1);
	put32(init + 4, INDEX_A);
	memset(init + INITIATION_BYTES - WG_MAC_BYTES, 0, WG_MAC_BYTES);
	put_mac1(init, sizeof(init), o.b.key);
	say(&o.a, init, sizeof(init));
	if (!hears(&o.b, 1, WAIT_MS))
		return 0;
	RAND_bytes(resp, sizeof(resp));
	put32(resp, 2);
	put32(resp + 4, INDEX_B);
	put32(resp + 8, INDEX_A);
	memset(resp + RESPONSE_BYTES - WG_MAC_BYTES, 0, WG_MAC_BYTES);
	put_mac1(resp, sizeof(resp), o.a.key);
	say(&o.b, resp, sizeof(resp));
	if (!hears(&o.a, 2, WAIT_MS))
		return 0;
	say_data(&o.a, INDEX_B);
	if (!hears(&o.b, 4, WAIT_MS))
		return 0;
	say_data(&o.b, INDEX_A);
	return hears(&o.a, 4, WAIT_MS);
}

void handshake(void)
{
	for (int i = 0; i < TRIES; i++)
		if (handshake_once())
			return;
	fail("no handshake came through");
}
