/* SPDX-License-Identifier: MIT */
/* t/unit/ws.c - WebSocket as a byte stream. Bytes from RFC 6455, section 5.7,
 * where it has an example; its mask everywhere. */
#include "core/base/module_id.h"
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
static uint8_t buf[256 * 1024];

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
	assert_null(ws);
	return 0;
}

static size_t unwrap_in(uint8_t *p, size_t n)
{
	size_t out = hd_ws_unwrap(&f.s, ws, p, n);

	assert_false(f.closed); /* the payload comes first */
	hd_ws_settle(&f.s, ws);
	return out;
}

static size_t unwrap(const void *bytes, size_t n)
{
	memcpy(buf, bytes, n);
	return unwrap_in(buf, n);
}

#define UNWRAP(literal) unwrap(literal, sizeof(literal) - 1)

static void assert_sent(const void *bytes, size_t n)
{
	assert_int_equal(f.out_len, n);
	assert_int_equal(f.raw_len, n);
	assert_memory_equal(f.out, bytes, n);
}

#define ASSERT_SENT(literal) assert_sent(literal, sizeof(literal) - 1)

/* The Close frame that goes out behind everything else. */
static void assert_goodbye(const void *want, size_t n)
{
	uint8_t frame[HD_WS_CLOSE_MAX_BYTES];

	assert_true(f.closed);
	assert_int_equal(hd_ws_goodbye(&f.s, ws, frame), n);
	assert_memory_equal(frame, want, n);
	assert_int_equal(hd_ws_goodbye(&f.s, ws, frame), 0);
}

#define ASSERT_GOODBYE(literal) assert_goodbye(literal, sizeof(literal) - 1)

static void assert_closed(unsigned code)
{
	const uint8_t want[] = { 0x88, 0x02, (uint8_t)(code >> 8),
				 (uint8_t)code };

	assert_int_equal(f.why, HD_CLOSE_PROTOCOL);
	assert_goodbye(want, sizeof(want));
}

/* A masked frame of n bytes 'x' with a mask of zeroes. Returns its length. */
static size_t big_frame(uint8_t *p, uint8_t first, size_t n)
{
	size_t head = n < 126 ? 2 : n < 65536 ? 4 : 10;

	p[0] = first;
	p[1] = (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127));
	for (size_t i = 2; i < head; i++)
		p[i] = (uint8_t)((uint64_t)n >> 8 * (head - 1 - i));
	memset(p + head, 0, 4);
	memset(p + head + 4, 'x', n);
	return head + 4 + n;
}

static void a_frame_is_unmasked_in_place(void **state)
{
	(void)state;
	assert_int_equal(UNWRAP("\x82\x85" HELLO), 5);
	assert_memory_equal(buf, "Hello", 5);
	assert_int_equal(f.out_len, 0);
}

static void any_split_gives_the_same_bytes(void **state)
{
	static const char bytes[] = "\x02\x83" MASK "\x7f\x9f\x4d" /* Hel */
				    "\x89\x85" HELLO /* ping */
				    "\x80\x82" MASK "\x5b\x95" /* lo */
				    "\x82\x80" MASK /* empty */
				    "\x82\x85" HELLO;
	static const char want[] = "HelloHello";

	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		char got[32];
		size_t a, b;

		tear_down(state);
		set_up(state);
		a = unwrap(bytes, cut);
		memcpy(got, buf, a);
		b = unwrap(bytes + cut, sizeof(bytes) - 1 - cut);
		memcpy(got + a, buf, b);
		assert_int_equal(a + b, 10);
		assert_memory_equal(got, want, 10);
		ASSERT_SENT("\x8a\x05Hello");
		assert_false(f.closed);
	}
}

static void byte_by_byte(void **state)
{
	static const char bytes[] = "\x82\xfe\x01\x00" MASK;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		assert_int_equal(unwrap(bytes + i, 1), 0);
	for (size_t i = 0; i < 256; i++)
		n += unwrap(&MASK[i % 4], 1);
	assert_int_equal(n, 256);
	assert_int_equal(*buf, 0);
}

static void pong_is_ignored(void **state)
{
	(void)state;
	assert_int_equal(UNWRAP("\x8a\x85" HELLO), 0);
	assert_int_equal(f.out_len, 0);
	assert_false(f.closed);
}

static void close_is_answered(void **state)
{
	(void)state;
	/* 1000 masked; a frame came before it */
	assert_int_equal(UNWRAP("\x82\x85" HELLO "\x88\x82" MASK "\x34\x12"),
			 5);
	assert_memory_equal(buf, "Hello", 5);
	ASSERT_GOODBYE("\x88\x02\x03\xe8");
	assert_int_equal(f.why, HD_CLOSE_PEER);
	memcpy(buf, "\x82\x85" HELLO, 11);
	assert_int_equal(hd_ws_unwrap(&f.s, ws, buf, 11), 0);
}

static void close_without_a_code(void **state)
{
	(void)state;
	assert_int_equal(UNWRAP("\x88\x80" MASK), 0);
	ASSERT_GOODBYE("\x88\x00");
	assert_int_equal(f.why, HD_CLOSE_PEER);
}

static void violations(void **state)
{
#define CASE(literal, status)                                                  \
	{                                                                      \
		literal, sizeof(literal) - 1, status                           \
	}
	static const struct {
		const char *bytes;
		size_t n;
		unsigned status;
	} cases[] = {
		CASE("\x82\x05Hello", 1002), /* not masked */
		CASE("\x89\x05Hello", 1002), /* not masked */
		CASE("\xc2\x85" HELLO, 1002), /* RSV1: compression */
		CASE("\x92\x85" HELLO, 1002), /* RSV3 */
		CASE("\x81\x85" HELLO, 1003), /* text */
		CASE("\x83\x85" HELLO, 1002), /* reserved opcodes */
		CASE("\x8b\x85" HELLO, 1002),
		CASE("\x8f\x85" HELLO, 1002),
		CASE("\x80\x85" HELLO, 1002), /* continues nothing */
		CASE("\x02\x85" HELLO "\x82\x85" HELLO, 1002),
		CASE("\x09\x85" HELLO, 1002), /* fragmented ping */
		CASE("\x89\xfe\x01\x00" MASK, 1002), /* long ping */
		CASE("\x82\xfe\x00\x05" HELLO, 1002), /* longer than needed */
		CASE("\x82\xff\x00\x00\x00\x00\x00\x00\x01\x00" MASK "x", 1002),
		CASE("\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00" MASK "x", 1002),
		CASE("\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00" MASK "x", 1009),
		CASE("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK "x", 1009),
		CASE("\x88\x81" MASK "x", 1002), /* half a code */
		CASE("\x88\x82" MASK "\x34\x17", 1002), /* 1005 */
		CASE("\x88\x82" MASK "\x37\xfa", 1002), /* 0 */
	};

	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		tear_down(state);
		set_up(state);
		unwrap(cases[i].bytes, cases[i].n);
		if (!f.closed)
			fail_msg("case %zu was taken", i);
		assert_closed(cases[i].status);
	}
}

static void a_message_may_have_32_kib(void **state)
{
	size_t n = big_frame(buf, 0x82, HD_WS_BYTES_MAX_BYTES);

	(void)state;
	assert_int_equal(unwrap_in(buf, n), HD_WS_BYTES_MAX_BYTES);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(buf[HD_WS_BYTES_MAX_BYTES - 1], 'x');
	/* a new message, a new count; in two fragments */
	n = big_frame(buf, 0x02, HD_WS_BYTES_MAX_BYTES - 10);
	n += big_frame(buf + n, 0x80, 10);
	assert_int_equal(unwrap_in(buf, n), HD_WS_BYTES_MAX_BYTES);
	n = big_frame(buf, 0x82, HD_WS_BYTES_MAX_BYTES + 1);
	unwrap_in(buf, n);
	assert_closed(1009);
}

static void fragments_add_up(void **state)
{
	size_t n = big_frame(buf, 0x02, HD_WS_BYTES_MAX_BYTES - 10);

	(void)state;
	n += big_frame(buf + n, 0x00, 10);
	n += big_frame(buf + n, 0x80, 1);
	unwrap_in(buf, n);
	assert_closed(1009);
}

/* What the core's own reasons say. */
static void reasons_of_the_core(void **state)
{
	static const struct {
		enum hd_close why;
		const char *want;
	} cases[] = {
		{ HD_CLOSE_DONE, "\x88\x02\x03\xe8" }, /* 1000 */
		{ HD_CLOSE_DRAIN, "\x88\x02\x03\xe9" }, /* 1001 */
		{ HD_CLOSE_PROTOCOL, "\x88\x02\x03\xea" },
		{ HD_CLOSE_DENIED, "\x88\x02\x03\xf0" }, /* 1008 */
		{ HD_CLOSE_TIMEOUT, "\x88\x02\x03\xf0" },
		{ HD_CLOSE_KICKED, "\x88\x02\x03\xf0" },
		{ HD_CLOSE_ERROR, "\x88\x02\x03\xf3" }, /* 1011 */
	};
	uint8_t frame[HD_WS_CLOSE_MAX_BYTES];

	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		tear_down(state);
		set_up(state);
		hd_stream_close(&f.s, cases[i].why);
		assert_goodbye(cases[i].want, 4);
	}
	tear_down(state);
	set_up(state);
	hd_stream_close(&f.s, HD_CLOSE_PEER); /* hung up, without a word */
	assert_int_equal(hd_ws_goodbye(&f.s, ws, frame), 0);
}

/* Code and text of its table; else of the core's that it is like. */
static void reasons_of_a_module(void **state)
{
	static const struct hd_close_reason reasons[] = {
		{ .word = "full", .like = HD_CLOSE_DENIED },
		{ .word = "flood",
		  .like = HD_CLOSE_PROTOCOL,
		  .ws_code = 4001,
		  .ws_reason = "slow" },
		HD_CLOSE_REASON_END,
	};
	static const struct {
		unsigned row;
		size_t n;
		const char *want;
	} cases[] = {
		{ 0, 4, "\x88\x02\x03\xf0" }, /* 1008 */
		{ 1, 8, "\x88\x06\x0f\xa1slow" },
		{ 2, 4, "\x88\x02\x03\xe8" }, /* there is no such row */
	};
	const struct hd_module_def def = { .reasons = reasons };
	struct hd_module mod = { .def = &def };

	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		tear_down(state);
		set_up(state);
		f.s.mod = &mod;
		hd_stream_close(&f.s, HD_CLOSE_OWN(cases[i].row));
		assert_goodbye(cases[i].want, cases[i].n);
	}
}

/* It stays what it was like. */
static void a_reload_leaves_no_such_reason(void **state)
{
	static const struct hd_close_reason reasons[] = {
		{ .word = "flood", .like = HD_CLOSE_PROTOCOL, .ws_code = 4001 },
		HD_CLOSE_REASON_END,
	};
	const struct hd_module_def old = { .reasons = reasons }, new = { 0 };
	struct hd_module mod = { .def = &old };

	(void)state;
	f.s.mod = &mod;
	hd_stream_close(&f.s, HD_CLOSE_OWN(0));
	mod.def = &new;
	assert_goodbye("\x88\x02\x03\xea", 4);
	f.s.mod = NULL;
}

/* RFC 6455, 5.7: 256 bytes, 64 KiB. */
static void heads_of_our_frames(void **state)
{
	static const struct {
		size_t payload, len;
		const char *want;
	} cases[] = {
		{ 0, 2, "\x82\x00" },
		{ 125, 2, "\x82\x7d" },
		{ 126, 4, "\x82\x7e\x00\x7e" },
		{ 256, 4, "\x82\x7e\x01\x00" },
		{ 65535, 4, "\x82\x7e\xff\xff" },
		{ 65536, 10, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" },
	};
	uint8_t head[HD_WS_HEAD_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		assert_int_equal(hd_ws_head(head, HD_WS_OP_BINARY,
					    cases[i].payload),
				 cases[i].len);
		assert_memory_equal(head, cases[i].want, cases[i].len);
	}
}

/* RFC 6455, 1.3. */
static void accept_value(void **state)
{
	static const char *const bad[] = {
		"",
		"dGhlIHNhbXBsZSBub25jZQ",
		"dGhlIHNhbXBsZSBub25jZQ=",
		"dGhlIHNhbXBsZSBub25jZQ===",
		"dGhlIHNhbXBsZSBub25jZQ =",
		"dGhlIHNhbXBsZSBub25jZTEx",
		"dGhlIHNhbXBsZSBub25j====",
		"dGhlIHNhbXBsZSBub25\xffZQ==",
	};
	char accept[29];

	(void)state;
	assert_int_equal(hd_ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		if (hd_ws_accept(bad[i], accept) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_is_unmasked_in_place),
		TEST(any_split_gives_the_same_bytes),
		TEST(byte_by_byte),
		TEST(pong_is_ignored),
		TEST(close_is_answered),
		TEST(close_without_a_code),
		TEST(violations),
		TEST(a_message_may_have_32_kib),
		TEST(fragments_add_up),
		TEST(reasons_of_the_core),
		TEST(reasons_of_a_module),
		TEST(a_reload_leaves_no_such_reason),
		cmocka_unit_test(heads_of_our_frames),
		cmocka_unit_test(accept_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
