/* SPDX-License-Identifier: MIT */
/* t/lib/client/derp_logins.c - what DERP clients say to log in, for tests that
 * write bytes themselves.
 *
 *   derp-logins RELAY-KEY N [JSON]
 *
 * Prints N lines: the client's key, the request head, the ClientInfo frame,
 * all in hex. Each line logs in as often as it is sent. With JSON that is what
 * the box of ClientInfo holds. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hyper-derp/derp.h>

#define JSON_MAX_BYTES 8192

static const char head[] = "GET /derp HTTP/1.1\r\nHost: relay\r\n"
			   "Upgrade: DERP\r\nConnection: Upgrade\r\n"
			   "Derp-Fast-Start: 1\r\n\r\n";

static void print_hex(const void *bytes, size_t n, char end)
{
	for (const uint8_t *p = bytes; n > 0; n--)
		printf("%02x", *p++);
	putchar(end);
}

static void print_login(const uint8_t relay[HD_KEY_BYTES], const char *json)
{
	uint8_t key[HD_KEY_BYTES], secret[HD_KEY_BYTES];
	uint8_t frame[DERP_HEADER_BYTES + DERP_CLIENT_INFO_MIN_BYTES +
		      DERP_MAC_BYTES + JSON_MAX_BYTES];
	size_t n = strlen(json);
	uint32_t len = (uint32_t)(DERP_CLIENT_INFO_MIN_BYTES + DERP_MAC_BYTES +
				  n);
	uint8_t *p = derp_header_put(frame, DERP_CLIENT_INFO, len);
	uint8_t *nonce = p + HD_KEY_BYTES;

	crypto_box_keypair(key, secret);
	memcpy(p, key, HD_KEY_BYTES);
	randombytes_buf(nonce, DERP_NONCE_BYTES);
	if (crypto_box_easy(nonce + DERP_NONCE_BYTES, (const uint8_t *)json, n,
			    nonce, relay, secret) != 0)
		exit(1);
	print_hex(key, sizeof(key), ' ');
	print_hex(head, sizeof(head) - 1, ' ');
	print_hex(frame, DERP_HEADER_BYTES + len, '\n');
}

int main(int argc, char **argv)
{
	uint8_t relay[HD_KEY_BYTES];
	const char *json = argc > 3 ? argv[3] : "{\"version\":2}";
	size_t got = 0;

	if (argc < 3 || sodium_init() < 0 || strlen(json) > JSON_MAX_BYTES ||
	    sodium_hex2bin(relay, sizeof(relay), argv[1], strlen(argv[1]), NULL,
			   &got, NULL) != 0 ||
	    got != sizeof(relay)) {
		fprintf(stderr, "usage: derp-logins RELAY-KEY N [JSON]\n");
		return 2;
	}
	for (long i = atol(argv[2]); i > 0; i--)
		print_login(relay, json);
	return 0;
}
