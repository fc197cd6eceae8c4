/* SPDX-License-Identifier: MIT */
/* t/unit/ws_message.c - WebSocket as messages: RFC 6455's examples (5.7, with
 * their mask), put together, limits, UTF-8, output, closing. */
#include "core/loop/worker.h"
#include "core/stream/stream_worker.h"
#include "core/stream/ws.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MASK "\x37\xfa\x21\x3d"
#define HELLO MASK "\x7f\x9f\x4d\x51\x58" /* masked */
#define HEL MASK "\x7f\x9f\x4d"
#define LO MASK "\x5b\x95"
#define LIMIT (256 * 1024)

static struct fake_stream f;
static struct hd_ws *ws;
static struct hd_worker worker;
static struct hd_streams streams;
static uint8_t buf[2 * LIMIT];

static struct {
	char text[4096]; /* kind, text, '|' for each */
	unsigned n;
	size_t last_bytes;
	bool hold; /* the stream takes no more after this one */
} got;

static void on_message(struct hd_module *mod, struct hd_stream *s, void *state,
		       const struct hd_ws_message *m)
{
	size_t at = strlen(got.text);

	(void)mod;
	(void)state;
	got.n++;
	got.last_bytes = m->len_bytes;
	if (m->len_bytes < 100)
		snprintf(got.text + at, sizeof(got.text) - at, "%c%.*s|",
			 m->kind == HD_WS_TEXT ? 't' : 'b', (int)m->len_bytes,
			 m->data);
	memset(m->data, 0xee, m->len_bytes); /* it may be written to */
	if (got.hold)
		s->rx_held = true;
}

static const struct hd_proto proto = { .name = "test", .message = on_message };

static int set_up(void **state)
{
	static const struct hd_ws_options options = {
		.messages = true,
		.limit_bytes = LIMIT,
		.timeout_ms = 7000,
		.ping_ms = 3000,
		.subprotocol = "two",
	};

	(void)state;
	memset(&got, 0, sizeof(got));
	memset(&streams, 0, sizeof(streams));
	worker.streams = &streams;
	fake_stream_init(&f);
	f.s.worker = &worker;
	f.s.proto = &proto;
	ws = f.s.ws = hd_ws_new(&options);
	return ws == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	hd_ws_drop_part(&f.s);
	assert_int_equal(streams.part_bytes, 0);
	assert_int_equal(worker.stats.ws_part_bytes.n, 0);
	hd_ws_free(&ws);
	hd_chunk_pool_free(&streams.pool);
	return 0;
}

static size_t take(const void *bytes, size_t n)
{
	memcpy(buf, bytes, n);
	return hd_ws_take(&f.s, ws, buf, n);
}

#define TAKE(literal) take(literal, sizeof(literal) - 1)

static void assert_goodbye(const void *want, size_t n)
{
	uint8_t frame[HD_WS_CLOSE_MAX_BYTES];

	assert_true(f.closed);
	assert_int_equal(hd_ws_goodbye(&f.s, ws, frame), n);
	assert_memory_equal(frame, want, n);
}

#define ASSERT_GOODBYE(literal) assert_goodbye(literal, sizeof(literal) - 1)

static void assert_sent(const void *bytes, size_t n)
{
	assert_int_equal(f.out_len, n);
	assert_memory_equal(f.out, bytes, n);
}

#define ASSERT_SENT(literal) assert_sent(literal, sizeof(literal) - 1)

/* A masked head; the mask is zeroes. Returns its length. */
static size_t head_of(uint8_t *p, uint8_t first, size_t n)
{
	size_t head = hd_ws_head(p, HD_WS_OP_BINARY, n);

	p[0] = first;
	p[1] |= 0x80;
	memset(p + head, 0, 4);
	return head + 4;
}

static void take_head(uint8_t first, size_t n)
{
	hd_ws_take(&f.s, ws, buf, head_of(buf, first, n));
}

static void take_x(size_t n)
{
	memset(buf, 'x', n);
	assert_int_equal(hd_ws_take(&f.s, ws, buf, n), n);
}

/* ---- input ---- */

static void borders_and_kinds_are_kept(void **state)
{
	(void)state;
	TAKE("\x81\x85" HELLO "\x82\x85" HELLO "\x82\x80" MASK "\x81\x80" MASK
	     "\x82\x83" HEL);
	assert_string_equal(got.text, "tHello|bHello|b|t|bHel|");
	assert_int_equal(f.out_len, 0);
	assert_int_equal(streams.part_bytes, 0);
}

/* RFC 6455, 5.7: a fragmented text message, with a Ping amid (5.4). */
static void any_split_gives_the_same_messages(void **state)
{
	static const char bytes[] = "\x01\x83" HEL "\x89\x85" HELLO
				    "\x80\x82" LO "\x02\x80" MASK
				    "\x00\x80" MASK "\x80\x85" HELLO
				    "\x82\x85" HELLO;

	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		tear_down(state);
		set_up(state);
		assert_int_equal(take(bytes, cut), cut);
		assert_int_equal(take(bytes + cut, sizeof(bytes) - 1 - cut),
				 sizeof(bytes) - 1 - cut);
		assert_string_equal(got.text, "tHello|bHello|bHello|");
		ASSERT_SENT("\x8a\x05Hello");
		assert_int_equal(streams.part_bytes, 0);
		assert_int_equal(f.s.deadline_ms[HD_DEADLINE_MESSAGE], 0);
	}
}

/* What comes behind a login stays for later. */
static void it_stops_behind_a_message(void **state)
{
	static const char bytes[] = "\x81\x85" HELLO "\x82\x85" HELLO;

	(void)state;
	got.hold = true;
	assert_int_equal(TAKE("\x81\x85" HELLO "\x82\x85" HELLO), 11);
	assert_int_equal(got.n, 1);
	f.s.rx_held = false;
	assert_int_equal(take(bytes + 11, 11), 11);
	assert_string_equal(got.text, "tHello|bHello|");
}

static void a_large_one_grows(void **state)
{
	(void)state;
	take_head(0x82, LIMIT);
	assert_int_equal(streams.part_bytes, 0); /* promises cost nothing */
	for (size_t have = 0; have < LIMIT - 1000; have += 1000) {
		take_x(1000);
		assert_in_range(streams.part_bytes, have + 1000,
				HD_MAX(2 * (have + 1000), HD_FRAME_MAX_BYTES) +
					HD_CHUNK_HEADROOM_BYTES);
	}
	assert_int_equal(got.n, 0);
	assert_int_equal(worker.stats.ws_part_bytes.n,
			 streams.part_bytes);
	take_x(LIMIT % 1000);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.last_bytes, LIMIT);
	assert_int_equal(streams.part_bytes, 0);
}

/* RFC 6455, 10.4. */
static void too_big(void **state)
{
	take_head(0x82, LIMIT + 1);
	assert_int_equal(f.why, HD_CLOSE_PROTOCOL);
	ASSERT_GOODBYE("\x88\x02\x03\xf1"); /* 1009 */
	tear_down(state);
	set_up(state);
	take_head(0x02, LIMIT);
	take_x(LIMIT);
	take_head(0x00, 0);
	assert_false(f.closed);
	take_head(0x80, 1);
	ASSERT_GOODBYE("\x88\x02\x03\xf1");
}

/* Many who begin large messages share what a worker has for them. */
static void no_room_for_more_parts(void **state)
{
	(void)state;
	streams.part_bytes = 64 * 1024 * 1024;
	take_head(0x82, LIMIT);
	take_x(64 * 1024); /* a small one always may */
	assert_false(f.closed);
	take_x(2048);
	assert_int_equal(f.why, HD_CLOSE_ERROR);
	ASSERT_GOODBYE("\x88\x02\x03\xf5"); /* 1013 */
	streams.part_bytes -= 64 * 1024 * 1024;
}

static void text_is_utf8(void **state)
{
	(void)state;
	TAKE("\x81\x83" "\0\0\0\0" "\xe2\x82\xac"); /* the euro sign */
	TAKE("\x01\x82" "\0\0\0\0" "\xe2\x82"); /* cut by a fragment */
	TAKE("\x80\x81" "\0\0\0\0" "\xac");
	assert_string_equal(got.text, "t\xe2\x82\xac|t\xe2\x82\xac|");
	TAKE("\x82\x81" "\0\0\0\0" "\xff"); /* binary may be anything */
	assert_int_equal(got.n, 3);
	TAKE("\x81\x81" "\0\0\0\0" "\xff");
	assert_int_equal(got.n, 3);
	assert_int_equal(f.why, HD_CLOSE_PROTOCOL);
	ASSERT_GOODBYE("\x88\x02\x03\xef"); /* 1007 */
}

static void time_for_the_rest(void **state)
{
	uint64_t *at = &f.s.deadline_ms[HD_DEADLINE_MESSAGE];

	(void)state;
	TAKE("\x02\x83" HEL);
	assert_int_equal(*at, 7000);
	*at = 1; /* time passes */
	TAKE("\x00\x82" LO "\x89\x80" MASK);
	assert_int_equal(*at, 1); /* and is not begun anew */
	f.s.rx_paused = true;
	hd_ws_late(&f.s);
	assert_false(f.closed); /* it was us */
	f.s.rx_paused = false;
	hd_ws_late(&f.s);
	assert_int_equal(f.why, HD_CLOSE_TIMEOUT);
}

static void pings(void **state)
{
	(void)state;
	hd_ws_begin(&f.s);
	assert_int_equal(f.s.deadline_ms[HD_DEADLINE_PING], 3000);
	hd_ws_ping_due(&f.s);
	ASSERT_SENT("\x89\x00");
	TAKE("\x8a\x80" MASK); /* the Pong */
	hd_ws_ping_due(&f.s);
	ASSERT_SENT("\x89\x00\x89\x00");
	assert_false(f.closed);
	hd_ws_ping_due(&f.s);
	ASSERT_SENT("\x89\x00\x89\x00");
	assert_int_equal(f.why, HD_CLOSE_TIMEOUT);
}

/* ---- closing ---- */

static void the_peers_code_and_reason(void **state)
{
	(void)state;
	assert_int_equal(hd_ws_peer_code(&f.s), 1006);
	assert_string_equal(hd_ws_peer_reason(&f.s), "");
	TAKE("\x82\x85" HELLO "\x88\x86" "\0\0\0\0" "\x0f\xa0" "done"
	     "\x82\x85" HELLO);
	assert_int_equal(got.n, 1); /* what comes behind does not count */
	assert_int_equal(f.why, HD_CLOSE_PEER);
	assert_int_equal(hd_ws_peer_code(&f.s), 4000);
	assert_string_equal(hd_ws_peer_reason(&f.s), "done");
	ASSERT_GOODBYE("\x88\x02\x0f\xa0");
}

static void no_code_and_no_utf8(void **state)
{
	TAKE("\x88\x80" MASK);
	assert_int_equal(hd_ws_peer_code(&f.s), 1005);
	ASSERT_GOODBYE("\x88\x00");
	tear_down(state);
	set_up(state);
	TAKE("\x88\x83" "\0\0\0\0" "\x03\xe8\xff");
	assert_int_equal(hd_ws_peer_code(&f.s), 1006);
	ASSERT_GOODBYE("\x88\x02\x03\xef");
}

static void our_code_and_reason(void **state)
{
	(void)state;
	assert_int_equal(hd_ws_close(&f.s, HD_CLOSE_DENIED, 1006, "no"),
			 -EINVAL);
	assert_int_equal(hd_ws_close(&f.s, HD_CLOSE_DENIED, 2999, "no"),
			 -EINVAL);
	assert_false(f.closed);
	assert_int_equal(hd_ws_close(&f.s, HD_CLOSE_DENIED, 4001, "bye"), 0);
	assert_int_equal(f.why, HD_CLOSE_DENIED);
	assert_int_equal(hd_ws_close(&f.s, HD_CLOSE_DONE, 1000, "again"), 0);
	ASSERT_GOODBYE("\x88\x05\x0f\xa1" "bye");
}

static void a_long_reason_is_cut_between_characters(void **state)
{
	char reason[200], want[128] = "\x88\x7c\x03\xe8";

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(reason); i += 3)
		memcpy(reason + i, "\xe2\x82\xac", 4);
	reason[0] = reason[1] = reason[2] = 'x'; /* 123 = 3 + 40 * 3 */
	reason[3] = reason[4] = reason[5] = 'x';
	memmove(reason, reason + 1, sizeof(reason) - 1);
	memcpy(want + 4, reason, 122); /* 5 + 39 * 3: one more is too much */
	hd_ws_close(&f.s, HD_CLOSE_DONE, 1000, reason);
	assert_goodbye(want, 4 + 122);
}

/* ---- output ---- */

static void messages_out(void **state)
{
	(void)state;
	assert_true(hd_ws_send(&f.s, HD_LANE_BULK, HD_WS_TEXT, "Hello", 5));
	assert_true(hd_ws_send(&f.s, HD_LANE_BULK, HD_WS_BINARY, NULL, 0));
	ASSERT_SENT("\x81\x05Hello\x82\x00");
	f.out_len = 0;
	uint8_t *to = hd_ws_reserve(&f.s, HD_LANE_URGENT, HD_WS_BINARY, 256);

	memset(to, 'y', 256);
	hd_stream_commit(&f.s, 256);
	assert_int_equal(f.out_len, 260);
	assert_memory_equal(f.out, "\x82\x7e\x01\x00yyyy", 8);
	f.fail_append = true;
	assert_false(hd_ws_send(&f.s, HD_LANE_BULK, HD_WS_TEXT, "Hello", 5));
}

static void which_subprotocol(void **state)
{
	(void)state;
	assert_string_equal(hd_ws_subprotocol(&f.s), "two");
	f.s.ws = NULL;
	assert_string_equal(hd_ws_subprotocol(&f.s), "");
	assert_int_equal(hd_ws_close(&f.s, HD_CLOSE_DONE, 1000, ""), -EINVAL);
	f.s.ws = ws;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(borders_and_kinds_are_kept),
		TEST(any_split_gives_the_same_messages),
		TEST(it_stops_behind_a_message),
		TEST(a_large_one_grows),
		TEST(too_big),
		TEST(no_room_for_more_parts),
		TEST(text_is_utf8),
		TEST(time_for_the_rest),
		TEST(pings),
		TEST(the_peers_code_and_reason),
		TEST(no_code_and_no_utf8),
		TEST(our_code_and_reason),
		TEST(a_long_reason_is_cut_between_characters),
		TEST(messages_out),
		TEST(which_subprotocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
