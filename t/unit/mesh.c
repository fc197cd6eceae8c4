/* SPDX-License-Identifier: MIT */
/* t/unit/mesh.c - the mesh module: what it says to another relay, and that it
 * takes nothing wrong. Bytes are those of doc/reference/protocol-derp.md. */
#include <errno.h>
#include <sodium.h>
#include "t/unit/mesh_help.h"

/* ---- the login ---- */

static void it_logs_in(void **state)
{
	static const char want[] = "GET /derp HTTP/1.1\r\n"
				   "Host: other.example:8443\r\n"
				   "Upgrade: DERP\r\n"
				   "Connection: Upgrade\r\n";
	struct hd_stream *s = mesh_connect();
	const uint8_t *p;
	uint8_t frame[128], json[256] = "";
	size_t n;

	(void)state;
	assert_string_equal(mesh_fake.options.host, "other.example");
	assert_string_equal(mesh_fake.options.server_name, "other.example");
	assert_int_equal(mesh_fake.options.port, 8443);
	assert_true(mesh_fake.options.tls);
	assert_memory_equal(s->out.v, want, sizeof(want) - 1);
	mesh_answer(s);
	p = s->out.v;
	n = s->out.n - 5;
	assert_int_equal(p[0], 2);
	assert_int_equal(p[3] << 8 | p[4], n);
	assert_memory_equal(p + 5, mesh_fake.public_key.b, 32);
	assert_int_equal(crypto_box_open_easy(json, p + 61, n - 56, p + 37,
					      mesh_fake.public_key.b,
					      mesh_fake.server_private),
			 0);
	assert_non_null(strstr((char *)json, "\"meshKey\":\"" MESH_KEY_TEXT));
	assert_non_null(strstr((char *)json, "\"hyperDerpRealms\":true"));
	assert_false(mesh_fake.link_open);
	fake_out_clear(s);
	fake_feed(s, frame, mesh_info("{}", frame));
	assert_memory_equal(s->out.v, "\x10\0\0\0\0", 5); /* WatchConns */
	assert_true(mesh_fake.link_open);
	assert_int_equal(mesh_the_link()->state, MESH_GREETING);
	assert_int_equal(mesh_fake.numbers.down.n, 1);
	mesh_present(s, 1);
	assert_int_equal(mesh_the_link()->state, MESH_UP);
	assert_int_equal(mesh_fake.numbers.down.n, 0);
	assert_int_equal(mesh_fake.numbers.up.n, 1);
	assert_int_equal(s->timer_ms[MESH_TIMER_GREETING], 0);
	mesh_end(&s, HD_CLOSE_PEER);
	assert_true(mesh_is_waiting("closed by peer"));
}

static void wrong_answers(void **state)
{
	static const struct {
		const char *bytes, *error;
	} cases[] = {
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n",
		  "lets nobody in now" },
		{ "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP status 404" },
		{ "HTTP/1.1 101", "" },
		{ "HTTP/1.1\r\n\r\n", "not speak HTTP" },
		{ "SSH-2.0-x\r\n\r\n", "not speak HTTP" },
		{ "\r\n\r\n", "not speak HTTP" },
		{ "HTTP/1.1 \x01\x02\xff x\r\n\r\n", "HTTP status ???" },
		{ "HTTP/1.1 101 x\r\n\r\n\x03\x01\x02\x03\x04", "type 03" },
		{ "HTTP/1.1 101 x\r\n\r\n\x01\xff\xff\xff\xff", "ServerKey" },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(cases); i++) {
		struct hd_stream *s = mesh_connect();

		fake_feed(s, cases[i].bytes, strlen(cases[i].bytes));
		assert_int_equal(s->closing, cases[i].error[0] != '\0');
		if (!s->closing)
			s->proto->timer(&fake.module, s, s->state,
					MESH_TIMER_GREETING);
		assert_true(mesh_is_waiting(cases[i].error));
		mesh_end(&s, HD_CLOSE_PEER);
	}
}

static void an_endless_head_is_refused(void **state)
{
	static uint8_t many[9000];
	struct hd_stream *s = mesh_connect();

	(void)state;
	memset(many, 'x', sizeof(many));
	fake_feed(s, many, sizeof(many));
	assert_true(mesh_is_waiting("longer than 8192 bytes"));
	mesh_end(&s, HD_CLOSE_PEER);
}

static void itself_is_noticed(void **state)
{
	struct hd_stream *s = mesh_connect();

	(void)state;
	mesh_fake.server_public = mesh_fake.public_key;
	mesh_fake.timer_ms = 0;
	mesh_answer(s);
	assert_true(s->closing);
	assert_int_equal(mesh_the_link()->state, MESH_SELF);
	assert_int_equal(s->out.n, 0);
	mesh_end(&s, HD_CLOSE_PEER);
	assert_int_equal(mesh_the_link()->state, MESH_SELF);
	assert_int_equal(mesh_fake.numbers.down.n, 0);
	assert_int_equal(mesh_fake.timer_ms, 0);
}

static void who_cannot_prove_its_key_is_refused(void **state)
{
	struct hd_stream *s = mesh_connect();
	uint8_t frame[128];
	size_t n;

	(void)state;
	mesh_answer(s);
	memset(mesh_fake.server_private, 0x55, 32);
	n = mesh_info("{}", frame);
	fake_feed(s, frame, n);
	assert_false(mesh_fake.link_open);
	assert_true(mesh_is_waiting("cannot prove"));
	mesh_end(&s, HD_CLOSE_PEER);
}

static void another_mesh_key_is_said(void **state)
{
	struct hd_stream *s = mesh_login();

	(void)state;
	assert_true(mesh_fake.link_open);
	mesh_end(&s, HD_CLOSE_PEER);
	assert_true(mesh_is_waiting("its mesh key is not"));
	for (unsigned i = 0; i < 12; i++) {
		s = mesh_login();
		mesh_end(&s, HD_CLOSE_PEER);
	}
	assert_in_range(mesh_fake.timer_ms, 15000, 30000);
}

/* ---- an open link ---- */

static void keys_come_and_go(void **state)
{
	struct hd_stream *s = mesh_login();
	uint8_t gone[33] = { 0 };

	(void)state;
	mesh_present(s, 2); /* another relay */
	assert_int_equal(mesh_fake.added, 0);
	mesh_present(s, 1);
	mesh_present(s, 8);
	assert_int_equal(mesh_fake.added, 2);
	mesh_feed(s, 9, mesh_key.b,
		  32); /* an old one: without address and flags */
	assert_int_equal(mesh_fake.added, 3);
	assert_memory_equal(mesh_fake.last.b, mesh_key.b, 32);
	memcpy(gone, mesh_key.b, 32);
	mesh_feed(s, 8, gone, 33);
	assert_int_equal(mesh_fake.taken, 1);
	mesh_fake.add_result = -ENOSPC;
	mesh_present(s, 1);
	assert_false(s->closing);
	mesh_fake.add_result = -ENOMEM;
	mesh_present(s, 1);
	assert_true(s->closing);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void packets_go_out(void **state)
{
	struct hd_stream *s = mesh_login();
	struct hd_key src = { { 1 } }, dst = { { 2 } };
	struct hd_packet packet = { .src = &src,
				    .dst = &dst,
				    .data = (const uint8_t *)"hello",
				    .len_bytes = 5 };
	static const uint8_t head[] = { 0x0a, 0, 0, 0, 69, 1 };

	(void)state;
	mesh_present(s, 1);
	fake_out_clear(s);
	s->proto->forward(&fake.module, s, &packet);
	assert_int_equal(s->lane[HD_LANE_BULK].n, 74);
	assert_memory_equal(s->out.v, head, sizeof(head));
	assert_int_equal(s->out.v[5 + 32], 2);
	assert_memory_equal(s->out.v + 5 + 64, "hello", 5);
	packet.urgent = true;
	s->proto->forward(&fake.module, s, &packet);
	assert_int_equal(s->lane[HD_LANE_URGENT].n, 74);
	s->lane_full[HD_LANE_BULK] = true;
	packet.urgent = false;
	s->proto->forward(&fake.module, s, &packet);
	assert_int_equal(mesh_the_link()->packets, 2);
	mesh_fake.drops = 3;
	mesh_end(&s, HD_CLOSE_PEER);
	assert_int_equal(mesh_fake.numbers.drops.n, 3);
	assert_int_equal(mesh_fake.numbers.packets.n, 2);
	assert_int_equal(mesh_fake.numbers.bytes.n, 10);
}

static void a_silent_link_is_closed(void **state)
{
	struct hd_stream *s = mesh_login();
	uint8_t pong[8];

	(void)state;
	fake_out_clear(s);
	mesh_present(s, 1);
	assert_int_equal(s->out.n, 13);
	assert_int_equal(s->out.v[0], 0x12);
	memcpy(pong, s->out.v + 5, 8);
	mesh_fake.now_ms += 30;
	pong[0] ^= 1;
	mesh_feed(s, 0x13, pong, 8); /* another one's */
	assert_int_equal(mesh_the_link()->latency_ns, 0);
	pong[0] ^= 1;
	mesh_feed(s, 0x13, pong, 8);
	assert_int_equal(mesh_the_link()->latency_ns, 30000000);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(s->timer_ms[MESH_TIMER_PING], 1000);
		mesh_fake.now_ms += 1000;
		s->proto->timer(&fake.module, s, s->state, MESH_TIMER_PING);
		assert_false(s->closing);
	}
	mesh_fake.now_ms += 1000;
	s->proto->timer(&fake.module, s, s->state, MESH_TIMER_PING);
	assert_true(s->closing);
	assert_true(mesh_is_waiting("said nothing for 5000 ms"));
	s->proto->timer(&fake.module, s, s->state, MESH_TIMER_PING);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void a_link_with_a_cut_cable_is_closed(void **state)
{
	struct hd_stream *s = mesh_login();

	(void)state;
	mesh_present(s, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(s->timer_ms[MESH_TIMER_CUT], 200);
		s->timer_ms[MESH_TIMER_CUT] = 0;
		s->proto->timer(&fake.module, s, s->state, MESH_TIMER_CUT);
		assert_false(s->closing);
	}
	mesh_fake.unheard_ms = 1600;
	s->proto->timer(&fake.module, s, s->state, MESH_TIMER_CUT);
	assert_true(s->closing);
	assert_true(mesh_is_waiting("is acknowledged, for 1600 ms"));
	mesh_end(&s, HD_CLOSE_PEER);
}

static void what_is_not_for_us_is_skipped(void **state)
{
	struct hd_stream *s = mesh_login();
	static uint8_t long_one[70000];

	(void)state;
	mesh_present(s, 1);
	mesh_feed(s, 0x77, long_one, sizeof(long_one));
	mesh_feed(s, 5, long_one, 100); /* RecvPacket */
	mesh_feed(s, 10, long_one, 100); /* ForwardPacket: never again */
	mesh_feed(s, 1, long_one, 40); /* ServerKey once more */
	mesh_feed(s, 6, NULL, 0);
	mesh_present(s, 1);
	assert_int_equal(mesh_fake.added, 2);
	assert_int_equal(fake.n_sent, 0);
	mesh_feed(s, 0x14, "bad\n\x01news", 9);
	assert_string_equal(mesh_the_link()->health, "bad??news");
	mesh_feed(s, 0x15, long_one, 8);
	assert_false(s->closing);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void wrong_lengths_close(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t len;
	} cases[] = {
		{ 8, 31 },   { 9, 31 },	     { 9, 5000 },
		{ 0x12, 7 }, { 0x12, 1001 }, { 0x13, 7 },
		{ 0x15, 7 }, { 0x14, 5000 }, { 8, 0x80000000 },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(cases); i++) {
		struct hd_stream *s = mesh_login();
		uint8_t head[5] = { cases[i].type,
				    (uint8_t)(cases[i].len >> 24),
				    (uint8_t)(cases[i].len >> 16),
				    (uint8_t)(cases[i].len >> 8),
				    (uint8_t)cases[i].len };

		mesh_present(s, 1);
		fake_feed(s, head, sizeof(head));
		assert_true(s->closing);
		assert_true(mesh_is_waiting("against the protocol"));
		mesh_end(&s, HD_CLOSE_PEER);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mesh_up, mesh_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_logs_in),
		TEST(wrong_answers),
		TEST(an_endless_head_is_refused),
		TEST(itself_is_noticed),
		TEST(who_cannot_prove_its_key_is_refused),
		TEST(another_mesh_key_is_said),
		TEST(keys_come_and_go),
		TEST(packets_go_out),
		TEST(a_silent_link_is_closed),
		TEST(a_link_with_a_cut_cable_is_closed),
		TEST(what_is_not_for_us_is_skipped),
		TEST(wrong_lengths_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
