/* SPDX-License-Identifier: MIT */
/* t/unit/derpc.c - the client's login against a relay played by hand. Frame
 * bytes are written out here as doc/reference/protocol-derp.md has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/lib/derpc.h"
#include <errno.h>
#include <sodium.h>

#define INFO_JSON "{\"version\":2}"
#define CLIENT_JSON "{\"version\":2,\"CanAckPings\":true}"
#define SERVER_KEY_BYTES (5 + 8 + 32)
#define SERVER_INFO_BYTES (5 + 24 + 16 + sizeof(INFO_JSON) - 1)
#define CLIENT_INFO_BYTES (5 + 32 + 24 + 16 + sizeof(CLIENT_JSON) - 1)

static const char head_101[] = "HTTP/1.1 101 Switching Protocols\r\n"
			       "upgrade: DERP\r\n"
			       "Derp-Version: 2\r\n"
			       "Derp-Public-Key: 00010203040506070809"
			       "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			       "\r\n\r\n";

static struct derpc_keys relay, client;

static void put_server_key(uint8_t *p)
{
	const uint8_t want[] = { 0x01, 0,    0,	   0,	 40,   0x44, 0x45,
				 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91 };

	memcpy(p, want, sizeof(want));
	memcpy(p + sizeof(want), relay.pub.b, 32);
}

static void put_server_info(uint8_t *p)
{
	const uint8_t head[] = { 0x03, 0, 0, 0, 24 + 16 + 13 };

	memcpy(p, head, sizeof(head));
	memset(p + 5, 7, 24);
	assert_int_equal(crypto_box_easy(p + 29, (const uint8_t *)INFO_JSON,
					 sizeof(INFO_JSON) - 1, p + 5,
					 client.pub.b, relay.secret),
			 0);
}

static void check_client_info(const uint8_t *p, size_t len)
{
	const uint8_t head[] = { 0x02, 0, 0, 0, 104 };
	char json[sizeof(CLIENT_JSON)] = "";

	assert_int_equal(len, CLIENT_INFO_BYTES);
	assert_memory_equal(p, head, sizeof(head));
	assert_memory_equal(p + 5, client.pub.b, 32);
	assert_int_equal(crypto_box_open_easy((uint8_t *)json, p + 61, len - 61,
					      p + 37, client.pub.b,
					      relay.secret),
			 0);
	assert_string_equal(json, CLIENT_JSON);
}

static void start(struct derpc *c, enum derpc_upgrade upgrade,
		  const struct hd_key *server)
{
	const struct derpc_conf conf = { .host = "relay.example",
					 .self = &client,
					 .server = server,
					 .upgrade = upgrade };

	assert_int_equal(derpc_start(c, &conf, NULL), 0);
}

static void ordinary_login(void **state)
{
	struct derpc c;
	uint8_t in[SERVER_KEY_BYTES + SERVER_INFO_BYTES + 3];
	const uint8_t *out;
	size_t n;

	(void)state;
	start(&c, DERPC_UPGRADE_101, NULL);
	n = derpc_out(&c, &out);
	assert_non_null(memmem(out, n, "GET /derp HTTP/1.1\r\n", 20));
	assert_non_null(memmem(out, n, "\r\nHost: relay.example\r\n", 23));
	assert_null(memmem(out, n, "Derp-Fast-Start", 15));
	assert_memory_equal(out + n - 4, "\r\n\r\n", 4);

	n = strlen(head_101);
	assert_int_equal(derpc_input(&c, (const uint8_t *)head_101, n, NULL),
			 n);
	assert_int_equal(c.state, DERPC_SERVER_KEY);
	assert_int_equal(c.http_version, 2);
	assert_true(c.has_http_key);
	assert_int_equal(c.http_key.b[31], 0x1f);
	assert_int_equal(derpc_out(&c, &out), 0);

	put_server_key(in);
	assert_int_equal(derpc_input(&c, in, SERVER_KEY_BYTES, NULL),
			 SERVER_KEY_BYTES);
	n = derpc_out(&c, &out);
	check_client_info(out, n);

	/* three bytes of the next frame stay with the caller */
	put_server_info(in);
	assert_int_equal(derpc_input(&c, in, SERVER_INFO_BYTES + 3, NULL),
			 SERVER_INFO_BYTES);
	assert_int_equal(c.state, DERPC_DONE);
	assert_string_equal(c.server_json, INFO_JSON);
	assert_memory_equal(c.server.b, relay.pub.b, 32);
}

static void fast_start_byte_by_byte(void **state)
{
	struct derpc c;
	uint8_t in[5 + SERVER_KEY_BYTES + SERVER_INFO_BYTES] = { 0x06 };
	const uint8_t *out;
	size_t n, i;

	(void)state;
	start(&c, DERPC_UPGRADE_FAST, &relay.pub);
	n = derpc_out(&c, &out);
	assert_non_null(memmem(out, n, "\r\nDerp-Fast-Start: 1\r\n", 22));
	check_client_info(out + n - CLIENT_INFO_BYTES, CLIENT_INFO_BYTES);
	put_server_key(in + 5); /* behind a KeepAlive */
	put_server_info(in + 5 + SERVER_KEY_BYTES);
	for (i = 0; i < sizeof(in); i++) {
		assert_int_not_equal(c.state, DERPC_DONE);
		assert_int_equal(derpc_input(&c, in + i, 1, NULL), 1);
		assert_int_equal(derpc_out(&c, &out), 0);
	}
	assert_int_equal(c.state, DERPC_DONE);
}

static int refusal(const char *text, size_t len)
{
	struct derpc c;
	struct hd_error err;

	start(&c, DERPC_UPGRADE_101, NULL);
	return (int)derpc_input(&c, (const uint8_t *)text, len, &err);
}

static void refusals(void **state)
{
	static const char long_head[DERPC_IN_BYTES + 1] = "HTTP/1.1 101 ";
	struct derpc c;
	uint8_t info[SERVER_INFO_BYTES];

	(void)state;
	assert_int_equal(refusal("HTTP/1.0 400 Bad Request\r\n\r\n", 28),
			 -ECONNREFUSED);
	assert_int_equal(refusal("SSH-2.0-OpenSSH\r\n\r\n", 19), -EBADMSG);
	assert_int_equal(refusal(long_head, sizeof(long_head)), -EMSGSIZE);

	start(&c, DERPC_UPGRADE_NONE, &relay.pub);
	c.state = DERPC_SERVER_INFO;
	put_server_info(info);
	info[40] ^= 1;
	assert_int_equal(derpc_input(&c, info, sizeof(info), NULL), -EBADMSG);

	start(&c, DERPC_UPGRADE_NONE, NULL);
	assert_int_equal(derpc_input(&c, (const uint8_t *)"HTTP/", 5, NULL),
			 -EMSGSIZE);
}

static void send_packet(void **state)
{
	const uint8_t want[] = { 0x04, 0, 0, 0, 34 };
	uint8_t got[5 + 32 + 2];

	(void)state;
	assert_ptr_equal(derpc_packet_put(got, &relay.pub, "hi", 2),
			 got + sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
	assert_memory_equal(got + 5, relay.pub.b, 32);
	assert_memory_equal(got + 37, "hi", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_login),
		cmocka_unit_test(fast_start_byte_by_byte),
		cmocka_unit_test(refusals),
		cmocka_unit_test(send_packet),
	};

	if (sodium_init() < 0)
		return 1;
	derpc_keys_make(&relay);
	derpc_keys_make(&client);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
