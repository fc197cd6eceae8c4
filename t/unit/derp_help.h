/* SPDX-License-Identifier: MIT */
/* t/unit/derp_help.h - a DERP client of few lines for the tests of the module:
 * it shares no code with it but libsodium. */
#pragma once
#include "t/unit/fake_core.h"
#include "t/unit/unit.h"
#include <hyper-derp/derp.h>
#include <sodium.h>

#define ALICE_PRIVATE                                                          \
	"1011111111111111111111111111111111111111111111111111111111111151"
#define ALICE_PUBLIC                                                           \
	"7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
#define SERVER_PRIVATE                                                         \
	"7077777777777777777777777777777777777777777777777777777777777777"
#define SERVER_PUBLIC                                                          \
	"1cf579aba45a10ba1d1ef06d91fca2aa9ed0a1150515653155405d0b18cb9a67"
#define KEEPALIVE_MS 60000
#define PROXIED_MS 40000

/* hex - bytes of hexadecimal text; spaces are skipped, and `..` repeats the
 * byte before it until there are 32 of it. Returns how many. */
size_t hex(const char *text, uint8_t *ret_bytes);
/* assert_hex - what text says and nothing more. */
void assert_hex(const void *got, size_t n, const char *text);

/* derp_up, derp_down - cmocka's setup and teardown: the module with the key
 * SERVER_PRIVATE in its state file. */
int derp_up(void **state);
int derp_down(void **state);

/* derp_mesh_key - the text of the file; NULL: none, as before the first call.
 */
void derp_mesh_key(const char *text);

/* derp_fast - a connection that has just been upgraded by fast start, its
 * ServerKey cleared away. */
struct hd_stream *derp_fast(void);
/* derp_client_info - Alice's ClientInfo frame around any text.
 * @ret_frame  room for the text and 128 bytes
 * Returns its length. */
size_t derp_client_info(const char *json, size_t len_bytes, uint8_t *ret_frame);
/* derp_alice - a connection that is logged in, its output cleared away.
 * derp_alice_through - the same by a proxy that ends TLS, or leaves a header:
 * one of HTTP, or "PROXY". */
struct hd_stream *derp_alice(void);
struct hd_stream *derp_alice_through(bool plain, const char *header);

/* What tests of one connection have: Alice's. */
extern struct hd_stream *alice;
/* derp_fast_up, derp_alice_up - setup: she has not logged in yet, she has.
 * derp_alice_down - her end leaves nothing. */
int derp_fast_up(void **state);
int derp_alice_up(void **state);
int derp_alice_down(void **state);
/* send_json - her ClientInfo around any text, up to 256 KiB. */
void send_json(const char *json, size_t n);

/* feed - bytes of hexadecimal text arrive. */
void feed(struct hd_stream *s, const char *text);
