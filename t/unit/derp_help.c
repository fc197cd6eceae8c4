/* SPDX-License-Identifier: MIT */
/* t/unit/derp_help.c - see derp_help.h. */
#include "modules/derp/derp.h"
#include "core/base/clock.h"
#include "t/unit/derp_help.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct hd_module_def derp_LTX_hd_module;

static struct derp_conf conf = { .keepalive_ms = KEEPALIVE_MS,
				 .keepalive_proxied_ms = PROXIED_MS,
				 .home = "page" };

size_t hex(const char *text, uint8_t *ret_bytes)
{
	size_t n = 0;

	while (*text != '\0') {
		unsigned byte;

		if (isspace((unsigned char)*text)) {
			text++;
		} else if (strncmp(text, "..", 2) == 0) {
			memset(ret_bytes + n, ret_bytes[n - 1], 31);
			n += 31;
			text += 2;
		} else {
			assert_int_equal(sscanf(text, "%2x", &byte), 1);
			ret_bytes[n++] = (uint8_t)byte;
			text += 2;
		}
	}
	return n;
}

uint64_t hd_clock_ns(void)
{
	return 0;
}

void assert_hex(const void *got, size_t n, const char *text)
{
	uint8_t want[4096];
	size_t want_n = hex(text, want);

	if (n == want_n && n == 0)
		return;
	assert_memory_equal(got, want, HD_MIN(n, want_n));
	assert_int_equal(n, want_n);
}

void derp_mesh_key(const char *text)
{
	conf.mesh_key = (struct hd_secret){ 0 };
	if (text == NULL)
		return;
	conf.mesh_key.v = (const uint8_t *)text;
	conf.mesh_key.len_bytes = strlen(text);
}

int derp_up(void **state)
{
	static const char file[] =
		"{\n\t\"PrivateKey\": \"privkey:" SERVER_PRIVATE "\"\n}\n";
	struct hd_error err = { "" };

	(void)state;
	fake_bytes_add(&fake.state_file, file, strlen(file));
	if (fake_load(&derp_LTX_hd_module, &conf, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

int derp_down(void **state)
{
	(void)state;
	fake_unload();
	fake_bytes_free(&fake.state_file);
	return 0;
}

static struct hd_stream *fast_through(bool plain, const char *header)
{
	const struct hd_route *route = fake_route("/derp", "DERP");
	struct hd_stream *s = fake_stream_new(route->proto);
	struct hd_request req = { 0 };

	s->plain = plain;
	s->proxied = header != NULL && strcmp(header, "PROXY") == 0;
	fake_request_header(&req, "Derp-Fast-Start", "1");
	if (header != NULL)
		fake_request_header(&req, header, "192.0.2.1");
	hd_assert(route->upgrade(&fake.module, &req, s, s->state) == 0);
	fake_out_clear(s);
	return s;
}

struct hd_stream *derp_fast(void)
{
	return fast_through(false, NULL);
}

size_t derp_client_info(const char *json, size_t len_bytes, uint8_t *ret_frame)
{
	uint8_t private_key[32], server[32];
	uint8_t *p = ret_frame + 5, *nonce = p + 32;

	hex(ALICE_PRIVATE, private_key);
	hex(SERVER_PUBLIC, server);
	hex(ALICE_PUBLIC, p);
	memset(nonce, 0x24, 24);
	hd_assert(crypto_box_easy(nonce + 24, (const uint8_t *)json, len_bytes,
				  nonce, server, private_key) == 0);
	ret_frame[0] = 2;
	for (unsigned i = 0; i < 4; i++)
		ret_frame[1 + i] =
			(uint8_t)((32 + 24 + 16 + len_bytes) >> (24 - 8 * i));
	return 5 + 32 + 24 + 16 + len_bytes;
}

struct hd_stream *derp_alice_through(bool plain, const char *header)
{
	static const char json[] = "{\"version\":2,\"CanAckPings\":true}";
	struct hd_stream *s = fast_through(plain, header);
	uint8_t frame[256];

	fake_feed(s, frame, derp_client_info(json, strlen(json), frame));
	fake_admit(s);
	fake_out_clear(s);
	return s;
}

struct hd_stream *derp_alice(void)
{
	return derp_alice_through(false, NULL);
}

struct hd_stream *alice;

int derp_fast_up(void **state)
{
	int r = derp_up(state);

	if (r == 0)
		alice = derp_fast();
	return r;
}

int derp_alice_up(void **state)
{
	int r = derp_up(state);

	if (r == 0)
		alice = derp_alice();
	return r;
}

int derp_alice_down(void **state)
{
	fake_close(alice, HD_CLOSE_PEER);
	assert_int_equal(fake_metric("hyper_derp_derp_clients", NULL), 0);
	assert_int_equal(fake_metric("hyper_derp_derp_clients_home", NULL), 0);
	fake_stream_free(&alice);
	return derp_down(state);
}

void send_json(const char *json, size_t n)
{
	static uint8_t frame[300 * 1024];

	fake_feed(alice, frame, derp_client_info(json, n, frame));
}

void feed(struct hd_stream *s, const char *text)
{
	uint8_t bytes[4096];

	fake_feed(s, bytes, hex(text, bytes));
}
