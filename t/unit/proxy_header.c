/* SPDX-License-Identifier: MIT */
/* t/unit/proxy_header.c - PROXY headers, good and bad. Those with a checksum
 * are haproxy 2.6's, as they came (send-proxy-v2, proxy-v2-options
 * crc32c,unique-id); section numbers are of its doc/proxy-protocol.txt. */
#include "core/stream/proxy_header.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *why;
static char client[HD_ADDR_TEXT_BYTES];

/* In memory of its own, so that the sanitizers see who reads further. */
static int parse_n(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n);
	union hd_addr addr;
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	why = NULL;
	r = hd_proxy_header_parse(copy, n, &addr, &why);
	hd_addr_text(&addr, client);
	free(copy);
	assert_int_equal(r == -EBADMSG, why != NULL);
	return r;
}

static int parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void is_of(const char *text, const char *want)
{
	assert_int_equal(parse(text), strstr(text, "\r\n") + 2 - text);
	assert_string_equal(client, want);
}

static void is_bad(const char *text)
{
	if (parse(text) != -EBADMSG)
		fail_msg("accepted: %s", text);
}

/* ---- version 1 ---- */

static void lines_name_the_client(void **state)
{
	(void)state;
	/* the specification's example */
	is_of("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
	      "GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n",
	      "192.168.0.1:56324");
	is_of("PROXY TCP6 2001:DB8::7 ::1 0 65535\r\n", "[2001:db8::7]:0");
	is_of("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1");
	is_of("PROXY UNKNOWN\r\n", "none");
	/* 107 bytes, the longest */
	is_of("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	      "none");
	is_of("PROXY UNKNOWN what \n ever\r\n", "none");
}

static void a_wrong_line_is_refused(void **state)
{
	static const char *const wrong[] = {
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.256 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
		"PROXY TCP6 ::1 ::1 1 2\n\r\n",
		"PROXY TCP4\r\n",
		"PROXY UNKNOWNS\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY \r\n",
		"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	};
	static const char zero[] = "PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n";

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++)
		is_bad(wrong[i]);
	assert_int_equal(parse_n(zero, sizeof(zero) - 1), -EBADMSG);
}

static void a_line_ends_in_time(void **state)
{
	char line[108];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(parse_n(line, 106), 0);
	assert_int_equal(parse_n(line, 107), -EBADMSG);
	line[106] = '\r';
	line[107] = '\n';
	assert_int_equal(parse_n(line, 108), -EBADMSG);
	line[105] = '\r';
	line[106] = '\n';
	assert_int_equal(parse_n(line, 108), 107);
}

static void what_is_no_header_is_refused_at_once(void **state)
{
	(void)state;
	is_bad("G");
	is_bad("\x16\x03\x01");
	is_bad("PROXX");
	is_bad("PROXY\t");
	is_bad("\r\nGET / HTTP/1.1\r\n");
	is_bad("\r\n\r\nP");
}

/* ---- version 2 ---- */

#define SIGNATURE                                                              \
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a

static const uint8_t haproxy4[] = {
	SIGNATURE, 0x21, 0x11, 0x00, 0x16, 0x7f, 0x00, 0x00, 0x01,
	0x7f,	   0x00, 0x00, 0x01, 0xbc, 0x72, 0x48, 0x0a, 0x03,
	0x00,	   0x04, 0x72, 0x39, 0x08, 0x3c, 0x05, 0x00, 0x00,
};

static const uint8_t haproxy6[] = {
	SIGNATURE, 0x21, 0x21, 0x00, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00,	   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
	0x00,	   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00,	   0x00, 0x00, 0x01, 0xe0, 0xf8, 0x48, 0x0a, 0x03, 0x00, 0x04,
	0xb0,	   0x37, 0x91, 0x2b, 0x05, 0x00, 0x00,
};

static void blocks_name_the_client(void **state)
{
	uint8_t more[sizeof(haproxy4) + 3];

	(void)state;
	assert_int_equal(parse_n(haproxy4, sizeof(haproxy4)), 38);
	assert_string_equal(client, "127.0.0.1:48242");
	assert_int_equal(parse_n(haproxy6, sizeof(haproxy6)), 62);
	assert_string_equal(client, "[::1]:57592");
	memcpy(more, haproxy4, sizeof(haproxy4));
	memcpy(more + sizeof(haproxy4), "GET", 3);
	assert_int_equal(parse_n(more, sizeof(more)), 38);
}

/* Also with a byte that may follow: nothing is taken early. */
static void pieces_are_waited_for(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";

	(void)state;
	for (size_t n = 1; n < sizeof(line) - 1; n++)
		assert_int_equal(parse_n(line, n), 0);
	for (size_t n = 1; n < sizeof(haproxy4); n++)
		assert_int_equal(parse_n(haproxy4, n), 0);
	for (size_t n = 1; n < sizeof(haproxy6); n++)
		assert_int_equal(parse_n(haproxy6, n), 0);
}

/* Section 2.2.3: the whole header is in the sum. Without the byte that says so
 * there is none. */
static void the_checksum_is_checked(void **state)
{
	enum { KIND = 28 };
	uint8_t copy[sizeof(haproxy4)];

	(void)state;
	for (size_t i = 16; i < sizeof(copy); i += 1 + (i + 1 == KIND)) {
		memcpy(copy, haproxy4, sizeof(copy));
		copy[i] ^= 1;
		assert_int_equal(parse_n(copy, sizeof(copy)), -EBADMSG);
	}
}

/* A header of this command and family, n bytes long behind the first 16. */
static int parse_v2(uint8_t command, uint8_t family, const void *block,
		    size_t n)
{
	uint8_t p[16 + 300] = { SIGNATURE, command, family, (uint8_t)(n >> 8),
				(uint8_t)n };

	assert_true(n <= sizeof(p) - 16);
	memcpy(p + 16, block, n);
	return parse_n(p, 16 + n);
}

static const uint8_t zeros[300];

/* Section 2.2: LOCAL, and PROXY of what we do not know, are the proxy's. */
static void others_come_with_the_proxys_address(void **state)
{
	static const struct {
		uint8_t command, family;
		size_t n;
	} v[] = {
		{ 0x20, 0x00, 0 }, /* LOCAL, as it should be */
		{ 0x20, 0x00, 7 }, /* with something that is skipped */
		{ 0x20, 0x11, 12 }, /* with addresses */
		{ 0x20, 0x11, 1 }, /* cut off, but ignored */
		{ 0x20, 0xff, 5 },  { 0x21, 0x00, 0 }, /* UNSPEC */
		{ 0x21, 0x00, 20 }, /* with addresses that are ignored */
		{ 0x21, 0x01, 0 }, /* UNSPEC, STREAM */
		{ 0x21, 0x10, 12 }, /* IPv4, UNSPEC */
		{ 0x21, 0x12, 12 }, /* UDP */
		{ 0x21, 0x22, 36 }, { 0x21, 0x31, 216 }, /* a unix socket */
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(v); i++) {
		assert_int_equal(
			parse_v2(v[i].command, v[i].family, zeros, v[i].n),
			16 + v[i].n);
		assert_string_equal(client, "none");
	}
}

static void wrong_blocks_are_refused(void **state)
{
	static const struct {
		uint8_t command, family;
		size_t n;
	} v[] = {
		{ 0x01, 0x11, 12 }, { 0x11, 0x11, 12 }, { 0x31, 0x11, 12 },
		{ 0x22, 0x11, 12 }, { 0x2f, 0x11, 12 }, /* commands */
		{ 0x21, 0x41, 12 }, { 0x21, 0xf1, 12 }, /* families */
		{ 0x21, 0x13, 12 }, { 0x21, 0x0f, 12 }, /* transports */
		{ 0x21, 0x11, 11 }, { 0x21, 0x11, 0 }, /* cut off */
		{ 0x21, 0x21, 35 }, { 0x21, 0x21, 12 }, { 0x21, 0x11, 13 },
		{ 0x21, 0x11, 14 }, /* a TLV is */
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(v); i++)
		assert_int_equal(
			parse_v2(v[i].command, v[i].family, zeros, v[i].n),
			-EBADMSG);
}

static void wrong_heads_are_refused_at_once(void **state)
{
	static const uint8_t head[] = { SIGNATURE, 0x22 },
			     family[] = { SIGNATURE, 0x21, 0x51 },
			     len[] = { SIGNATURE, 0x21, 0x11, 0x0f, 0xf1 },
			     most[] = { SIGNATURE, 0x21, 0x11, 0x0f, 0xf0 };

	(void)state;
	assert_int_equal(parse_n(head, sizeof(head)), -EBADMSG);
	assert_int_equal(parse_n(family, sizeof(family)), -EBADMSG);
	assert_int_equal(parse_n(len, sizeof(len)), -EBADMSG);
	assert_int_equal(parse_n(most, sizeof(most)), 0);
}

static void tlvs_are_skipped(void **state)
{
	/* ALPN h2, authority a.example, NOOP, one of our own range */
	uint8_t good[] = { 192, 0,   2,	  1,   192, 0,	  2,   2,   0,
			   1,	0,   2,	  1,   0,   2,	  'h', '2', 2,
			   0,	9,   'a', '.', 'e', 'x',  'a', 'm', 'p',
			   'l', 'e', 4,	  0,   0,   0xe1, 0,   1,   9 };

	(void)state;
	assert_int_equal(parse_v2(0x21, 0x11, good, sizeof(good)),
			 16 + sizeof(good));
	assert_string_equal(client, "192.0.2.1:1");
	good[14] = 0xff; /* a length: beyond the end */
	assert_int_equal(parse_v2(0x21, 0x11, good, sizeof(good)), -EBADMSG);
}

static void a_sum_is_one_of_four_bytes(void **state)
{
	static const uint8_t of_three[15 + 3] = { [12] = 3, [14] = 3 };
	uint8_t two[sizeof(haproxy4) + 7];

	(void)state;
	assert_int_equal(parse_v2(0x21, 0x11, of_three, sizeof(of_three)),
			 -EBADMSG);
	memcpy(two, haproxy4, sizeof(haproxy4));
	memset(two + sizeof(haproxy4), 0, 7);
	two[15] = sizeof(two) - 16;
	two[sizeof(haproxy4)] = 3;
	two[sizeof(haproxy4) + 2] = 4;
	assert_int_equal(parse_n(two, sizeof(two)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_name_the_client),
		cmocka_unit_test(a_wrong_line_is_refused),
		cmocka_unit_test(a_line_ends_in_time),
		cmocka_unit_test(what_is_no_header_is_refused_at_once),
		cmocka_unit_test(blocks_name_the_client),
		cmocka_unit_test(pieces_are_waited_for),
		cmocka_unit_test(the_checksum_is_checked),
		cmocka_unit_test(others_come_with_the_proxys_address),
		cmocka_unit_test(wrong_blocks_are_refused),
		cmocka_unit_test(wrong_heads_are_refused_at_once),
		cmocka_unit_test(tlvs_are_skipped),
		cmocka_unit_test(a_sum_is_one_of_four_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
