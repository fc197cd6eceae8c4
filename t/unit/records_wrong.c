/* SPDX-License-Identifier: MIT */
/* t/unit/records_wrong.c - what TLS 1.3's record layer must refuse, and with
 * which alert: RFC 8446, sections 4.6.3, 5 and 6. */
#include "t/unit/unit.h"

#include <string.h>
#include "t/records/crypto.h"
#include "t/records/forge.h"
#include "t/unit/record_ends.h"

static void a_changed_bit_is_bad_record_mac(void **state)
{
	(void)state;
	for (size_t at = HD_RECORD_HEAD_BYTES; at < 72; at += 7) {
		struct hd_records r = server();

		wire.n = hex(client_data, wire.bytes, sizeof(wire.bytes));
		wire.bytes[at] ^= 1;
		assert_refused(&r, HD_ALERT_BAD_RECORD_MAC);
	}
}

/* Nobody may see what a record holds that does not open. */
static void a_forged_record_leaves_nothing_behind(void **state)
{
	static const uint8_t zeros[DATA_BYTES + 1];
	struct hd_records r = server();

	(void)state;
	memset(plain, 0xee, DATA_BYTES + 2);
	wire.n = hex(client_data, wire.bytes, sizeof(wire.bytes));
	wire.bytes[wire.n - 1] ^= 1;
	assert_refused(&r, HD_ALERT_BAD_RECORD_MAC);
	assert_memory_equal(plain, zeros, sizeof(zeros));
	assert_int_equal(plain[sizeof(zeros)], 0xee);
}

static void a_replayed_record_is_bad_record_mac(void **state)
{
	struct hd_records r = server();

	(void)state;
	wire.n = hex(client_data, wire.bytes, sizeof(wire.bytes));
	assert_data(take(&r));
	wire.n = hex(client_data, wire.bytes, sizeof(wire.bytes));
	assert_refused(&r, HD_ALERT_BAD_RECORD_MAC);
}

static void wrong_heads_are_refused(void **state)
{
	static const struct {
		uint8_t head[HD_RECORD_HEAD_BYTES];
		enum hd_alert alert;
	} cases[] = {
		{ { 20, 3, 3, 0, 1 }, HD_ALERT_UNEXPECTED_MESSAGE },
		{ { 21, 3, 3, 0, 2 }, HD_ALERT_UNEXPECTED_MESSAGE },
		{ { 22, 3, 3, 0, 5 }, HD_ALERT_UNEXPECTED_MESSAGE },
		{ { 'G', 'E', 'T', ' ', '/' }, HD_ALERT_UNEXPECTED_MESSAGE },
		{ { 23, 3, 3, 0x41, 0x01 }, HD_ALERT_RECORD_OVERFLOW },
		{ { 23, 3, 3, 0xff, 0xff }, HD_ALERT_RECORD_OVERFLOW },
		{ { 23, 3, 3, 0, 16 }, HD_ALERT_BAD_RECORD_MAC },
		{ { 23, 3, 3, 0, 0 }, HD_ALERT_BAD_RECORD_MAC },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct hd_records r = server();

		memcpy(wire.bytes, cases[i].head, HD_RECORD_HEAD_BYTES);
		wire.n = HD_RECORD_HEAD_BYTES;
		assert_refused(&r, cases[i].alert);
	}
}

static void wrong_messages_are_refused(void **state)
{
	static const struct {
		enum hd_record_type type;
		uint8_t bytes[12];
		size_t n;
		enum hd_alert alert;
	} cases[] = {
		{ HD_RECORD_HANDSHAKE, { 24, 0, 0, 1, 2 }, 5,
		  HD_ALERT_ILLEGAL_PARAMETER },
		{ HD_RECORD_HANDSHAKE, { 24, 0, 0, 2, 0, 0 }, 6,
		  HD_ALERT_DECODE_ERROR },
		{ HD_RECORD_HANDSHAKE, { 24, 0, 0, 0 }, 4,
		  HD_ALERT_DECODE_ERROR },
		{ HD_RECORD_HANDSHAKE, { 24, 0, 0, 1, 0, 0 }, 6,
		  HD_ALERT_UNEXPECTED_MESSAGE },
		{ HD_RECORD_HANDSHAKE, { 24, 0, 0, 1, 0, 24, 0, 0, 1, 0 }, 10,
		  HD_ALERT_UNEXPECTED_MESSAGE }, /* 5.1: not across a key */
		{ HD_RECORD_HANDSHAKE, { 1, 0, 0, 1, 0 }, 5,
		  HD_ALERT_UNEXPECTED_MESSAGE },
		{ HD_RECORD_HANDSHAKE, { 0 }, 0, HD_ALERT_UNEXPECTED_MESSAGE },
		{ HD_RECORD_ALERT, { 0 }, 0, HD_ALERT_UNEXPECTED_MESSAGE },
		{ HD_RECORD_ALERT, { 1 }, 1, HD_ALERT_DECODE_ERROR },
		{ HD_RECORD_ALERT, { 1, 0, 0 }, 3, HD_ALERT_DECODE_ERROR },
		{ HD_RECORD_CCS, { 1 }, 1, HD_ALERT_UNEXPECTED_MESSAGE },
		{ 99, { 1 }, 1, HD_ALERT_UNEXPECTED_MESSAGE },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct hd_records s = server(), c = client();

		send_as(&c, cases[i].type, cases[i].bytes, cases[i].n);
		assert_refused(&s, cases[i].alert);
		hd_records_uncache(&c);
	}
}

static void nothing_comes_between_the_parts_of_a_message(void **state)
{
	struct hd_records s = server(), c = client();

	(void)state;
	send_as(&c, HD_RECORD_HANDSHAKE, "\x18", 1);
	send_as(&c, HD_RECORD_DATA, "x", 1);
	hd_records_uncache(&c);
	assert_refused(&s, HD_ALERT_UNEXPECTED_MESSAGE);
}

/* A record of n bytes inside, of which the last that is not padding is at
 * `end`; our own hd_records_seal() would not make it. */
static struct hd_records sent_inner(size_t end, size_t n)
{
	static uint8_t inner[FORGE_INNER_MAX_BYTES];
	struct forge f = { 0 };

	memset(inner, 0, sizeof(inner));
	inner[end] = HD_RECORD_DATA;
	forge_init(&f, 0x1301, client_secret);
	wire.n = forge_seal(&f, inner, n, wire.bytes);
	forge_free(&f);
	return server();
}

/* 5.4: the limit is that of the content, its type and the padding together. */
static void too_long_inside_is_record_overflow(void **state)
{
	enum { max = HD_RECORD_PLAIN_MAX_BYTES + 1 };
	static const size_t ends[] = { 1, max - 2, max - 1, max };

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(ends); i++) {
		struct hd_records r = sent_inner(ends[i], max + 1);

		assert_refused(&r, HD_ALERT_RECORD_OVERFLOW);
		r = sent_inner(ends[i], max + 255 - HD_TLS_TAG_BYTES);
		assert_refused(&r, HD_ALERT_RECORD_OVERFLOW);
	}
}

static void the_longest_padding_is_taken_off(void **state)
{
	struct hd_records r = sent_inner(1, HD_RECORD_PLAIN_MAX_BYTES + 1);

	(void)state;
	assert_int_equal(take(&r), 1);
	hd_records_uncache(&r);
}

#define T(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_changed_bit_is_bad_record_mac),
		T(a_forged_record_leaves_nothing_behind),
		T(a_replayed_record_is_bad_record_mac),
		T(wrong_heads_are_refused),
		T(wrong_messages_are_refused),
		T(nothing_comes_between_the_parts_of_a_message),
		T(too_long_inside_is_record_overflow),
		T(the_longest_padding_is_taken_off),
	};
	int failed = crypto_run(tests, HD_ARRAY_N(tests), true);

	hd_cipher_cache_free(&cache);
	return failed;
}
