/* SPDX-License-Identifier: MIT */
/* t/unit/ws_snap.c - a WebSocket goes to another process, and what that one has
 * written down wrong is refused. */
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
		&read, &err);

	if (r == 0) {
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_in_another_process),
		TEST(broken_elsewhere),
		TEST(a_reason_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
