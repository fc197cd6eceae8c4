/* SPDX-License-Identifier: MIT */
/* t/unit/ws_snap.c - a WebSocket goes to another process, and what that one has
 * written down wrong is refused. */
#include "core/base/chunk.h"
#include "core/base/snap_format.h"
#include "core/stream/ws.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MASK "\x37\xfa\x21\x3d"
#define HELLO MASK "\x7f\x9f\x4d\x51\x58" /* masked */

static struct fake_stream f;
static struct hd_ws *ws;
static struct hd_chunk_pool pool;

static int set_up(void **state)
{
	(void)state;
	fake_stream_init(&f);
	ws = hd_ws_new(&(struct hd_ws_options){ 0 });
	return ws == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	hd_chunk_put(&pool, &ws->message);
	hd_chunk_pool_free(&pool);
	hd_ws_free(&ws);
	return 0;
}

/* Written down and read; returns what hd_ws_unpack() does. */
static int moved(void)
{
	struct hd_snap s = { 0 };
	struct hd_ws *read = NULL;
	struct hd_error err = { "" };

	hd_ws_pack(ws, &s);
	/* behind the head of the one item */
	int r = hd_ws_unpack(
		(struct hd_snap_in){ s.v + HD_SNAP_HEAD_BYTES,
				     s.n - HD_SNAP_HEAD_BYTES },
		&pool, &read, &err);

	if (r == 0) {
		hd_chunk_put(&pool, &ws->message);
		hd_ws_free(&ws);
		ws = read;
	}
	hd_snap_free(&s);
	return r;
}

/* At any byte of a ping amid a message in two frames. */
static void goes_on_in_another_process(void **state)
{
	static const char frames[] = "\x02\x83" MASK "\x7f\x9f\x4d"
				     "\x89\x85" HELLO
				     "\x80\xfe\0\x7e" MASK;
	uint8_t all[sizeof(frames) - 1 + 126] = { 0 };
	size_t out = 0;

	(void)state;
	memcpy(all, frames, sizeof(frames) - 1);
	for (size_t i = 0; i < sizeof(all); i++) {
		assert_int_equal(moved(), 0);
		out += hd_ws_unwrap(&f.s, ws, &all[i], 1);
	}
	assert_int_equal(out, 3 + 126);
	assert_int_equal(moved(), 0);
	assert_int_equal(f.out_len, 7);
	assert_memory_equal(f.out, "\x8a\x05Hello", 7);
	assert_false(hd_ws_under_way(&ws->in));
}

static void assert_refused(struct hd_ws_frames in)
{
	const struct hd_ws_frames was = ws->in;

	in.limit_bytes = was.limit_bytes;
	ws->in = in;
	assert_int_equal(moved(), -EBADMSG);
	ws->in = was;
}

/* Each would write or read past an array, or past the limit. */
static void broken_elsewhere(void **state)
{
	(void)state;
	assert_refused((struct hd_ws_frames){ .head = { 0x82, 0x85 },
					      .head_bytes = 14 });
	assert_refused((struct hd_ws_frames){ .head = { 0x82, 0x85 },
					      .head_bytes = 6 });
	assert_refused((struct hd_ws_frames){ .head = { 0xf2, 0x85 },
					      .head_bytes = 2 });
	assert_refused((struct hd_ws_frames){ .control_bytes = 1 });
	assert_refused((struct hd_ws_frames){ .opcode = 3 });
	assert_refused((struct hd_ws_frames){
		.message_bytes = HD_WS_BYTES_MAX_BYTES + 1 });
	assert_refused((struct hd_ws_frames){ .head = { 0x89, 0x85 },
					      .head_bytes = 6,
					      .in_payload = true,
					      .left = 126 });
	assert_refused((struct hd_ws_frames){ .head = { 0x89, 0x85 },
					      .head_bytes = 6,
					      .in_payload = true,
					      .control_bytes = 125,
					      .left = 1 });
	assert_refused((struct hd_ws_frames){ .head = { 0x82, 0x85 },
					      .head_bytes = 6,
					      .in_payload = true,
					      .opcode = 2,
					      .message_bytes = 5,
					      .left = 6 });
	memset(&ws->heard, 2, 1);
	assert_int_equal(moved(), -EBADMSG);
	ws->heard = false;
	memset(&ws->in.in_payload, 2, 1);
	assert_int_equal(moved(), -EBADMSG);
	ws->in.in_payload = false;
	assert_int_equal(moved(), 0);
}

static void a_reason_elsewhere(void **state)
{
	char text[125];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[124] = '\0';
	ws->reason = strdup(text);
	assert_int_equal(moved(), -EBADMSG); /* a Close frame has no room */
	ws->reason[123] = '\0';
	assert_int_equal(moved(), 0);
	assert_int_equal(strlen(ws->reason), 123);
}

/* What has come of a message is as much as its frames have said. */
static void a_part_elsewhere(void **state)
{
	const struct hd_ws_frames in = { .limit_bytes = 100,
					 .opcode = 1,
					 .head = { 0x01, 0x85 },
					 .head_bytes = 6,
					 .in_payload = true,
					 .message_bytes = 5,
					 .left = 3 };

	(void)state;
	ws->messages = true;
	ws->in = in;
	assert_int_equal(moved(), -EBADMSG);
	ws->message = hd_chunk_new(&pool, 5);
	memcpy(ws->message->data + ws->message->tail, "he", 2);
	ws->message->tail += 2;
	assert_int_equal(moved(), 0);
	assert_true(ws->messages);
	assert_int_equal(hd_chunk_len(ws->message), 2);
	assert_int_equal(ws->counted_bytes, ws->message->cap);
	assert_memory_equal(ws->message->data + ws->message->head, "he", 2);
	ws->in.left = 4;
	assert_int_equal(moved(), -EBADMSG);
	/* amid a ping, all that came before counts */
	ws->in.head[0] = 0x89;
	ws->in.left = 2;
	assert_int_equal(moved(), -EBADMSG);
	ws->in.message_bytes = 2;
	assert_int_equal(moved(), 0);
	ws->messages = false;
	assert_int_equal(moved(), -EBADMSG);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_in_another_process),
		TEST(broken_elsewhere),
		TEST(a_reason_elsewhere),
		TEST(a_part_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
