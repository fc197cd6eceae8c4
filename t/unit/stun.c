/* SPDX-License-Identifier: MIT */
/* t/unit/stun.c - the STUN wire format against the vectors of RFC 5769. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <hyper-derp/stun.h>

/* RFC 5769, 2.1 */
static const uint8_t sample_request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10,
	0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
	0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
	0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
	0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
	0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
	0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

/* RFC 5769, 2.2: 192.0.2.1 port 32853 */
static const uint8_t sample_response_v4[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
	0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
	0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
	0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

/* RFC 5769, 2.3: 2001:db8:1234:5678:11:2233:4455:6677 port 32853 */
static const uint8_t sample_response_v6[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
	0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
	0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
	0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
	0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};

static const uint8_t txid[STUN_TXID_BYTES] = {
	0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
};
/* where XOR-MAPPED-ADDRESS stands in the sample responses */
#define SAMPLE_ADDRESS_OFFSET 36

static union hd_addr addr4(const char *ip, uint16_t port)
{
	union hd_addr a = { .in = { .sin_family = AF_INET,
				    .sin_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET, ip, &a.in.sin_addr), 1);
	return a;
}

static union hd_addr addr6(const char *ip, uint16_t port)
{
	union hd_addr a = { .in6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET6, ip, &a.in6.sin6_addr), 1);
	return a;
}

static void request_parses(void **state)
{
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_parse(sample_request, sizeof(sample_request), &m),
			 0);
	assert_int_equal(m.type, STUN_BINDING_REQUEST);
	assert_memory_equal(m.txid, txid, sizeof(txid));
	assert_int_equal(m.software_len_bytes, 16);
	assert_memory_equal(m.software, "STUN test client", 16);
	assert_true(m.fingerprint);
	assert_int_equal(m.unknown, 0x0024); /* PRIORITY is ICE's */
	assert_int_equal(m.mapped.sa.sa_family, AF_UNSPEC);
}

static void response_v4_parses(void **state)
{
	union hd_addr want = addr4("192.0.2.1", 32853);
	struct stun_message m;

	(void)state;
	assert_int_equal(
		stun_parse(sample_response_v4, sizeof(sample_response_v4), &m),
		0);
	assert_int_equal(m.type, STUN_BINDING_SUCCESS);
	assert_true(m.fingerprint);
	assert_int_equal(m.unknown, 0);
	assert_memory_equal(&m.mapped.in, &want.in, sizeof(want.in));
}

static void response_v6_parses(void **state)
{
	union hd_addr want =
		addr6("2001:db8:1234:5678:11:2233:4455:6677", 32853);
	struct stun_message m;

	(void)state;
	assert_int_equal(
		stun_parse(sample_response_v6, sizeof(sample_response_v6), &m),
		0);
	assert_true(m.fingerprint);
	assert_memory_equal(&m.mapped.in6, &want.in6, sizeof(want.in6));
}

static void check_response(const union hd_addr *addr, const uint8_t *sample,
			   size_t attr_bytes)
{
	uint8_t got[STUN_RESPONSE_MAX_BYTES];
	size_t n = stun_response_put(got, txid, addr);

	assert_int_equal(n, STUN_HEADER_BYTES + attr_bytes);
	assert_int_equal(stun_get_u16(got), STUN_BINDING_SUCCESS);
	assert_int_equal(stun_get_u16(got + 2), attr_bytes);
	assert_memory_equal(got + 4, sample + 4, STUN_HEADER_BYTES - 4);
	assert_memory_equal(got + STUN_HEADER_BYTES,
			    sample + SAMPLE_ADDRESS_OFFSET, attr_bytes);
}

static void responses_have_the_rfcs_address_bytes(void **state)
{
	union hd_addr v4 = addr4("192.0.2.1", 32853);
	union hd_addr v6 = addr6("2001:db8:1234:5678:11:2233:4455:6677", 32853);

	(void)state;
	check_response(&v4, sample_response_v4, 12);
	check_response(&v6, sample_response_v6, 24);
}

static void mapped_address_is_written_as_ipv4(void **state)
{
	union hd_addr mapped = addr6("::ffff:192.0.2.1", 32853);

	(void)state;
	check_response(&mapped, sample_response_v4, 12);
}

static void response_in_place_of_the_request(void **state)
{
	union hd_addr v4 = addr4("192.0.2.1", 32853);
	uint8_t p[64];
	struct stun_message m;
	size_t n = stun_request_put(p, txid, "tailnode");

	(void)state;
	assert_int_equal(stun_parse(p, n, &m), 0);
	n = stun_response_put(p, m.txid, &v4);
	assert_int_equal(stun_parse(p, n, &m), 0);
	assert_memory_equal(m.txid, txid, sizeof(txid));
	assert_int_equal(m.mapped.in.sin_port, htons(32853));
}

/* Tailscale's request: 40 bytes, SOFTWARE "tailnode", FINGERPRINT last. */
static void request_is_what_tailscale_sends(void **state)
{
	const uint8_t want[] = {
		0x00, 0x01, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42, 0xb7,
		0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
		0xdf, 0xae, 0x80, 0x22, 0x00, 0x08, 't',  'a',	'i',
		'l',  'n',  'o',  'd',	'e',  0x80, 0x28, 0x00, 0x04,
	};
	uint8_t got[64];
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_request_put(got, txid, "tailnode"), 40);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(stun_parse(got, 40, &m), 0);
	assert_true(m.fingerprint);
}

static void fingerprint_of_the_rfc_is_reproduced(void **state)
{
	uint8_t p[sizeof(sample_response_v6)];
	size_t n = sizeof(p) - STUN_FINGERPRINT_BYTES;

	(void)state;
	memcpy(p, sample_response_v6, n);
	assert_int_equal(stun_add_fingerprint(p, n), sizeof(p));
	assert_memory_equal(p, sample_response_v6, sizeof(p));
}

static void bare_request_parses(void **state)
{
	uint8_t p[STUN_HEADER_BYTES];
	struct stun_message m;

	(void)state;
	stun_begin(p, STUN_BINDING_REQUEST, txid);
	assert_int_equal(stun_parse(p, sizeof(p), &m), 0);
	assert_false(m.fingerprint);
	assert_null(m.software);
}

static void every_truncation_is_refused(void **state)
{
	struct stun_message m;

	(void)state;
	for (size_t n = 0; n < sizeof(sample_request); n++)
		assert_int_equal(stun_parse(sample_request, n, &m), -EBADMSG);
}

/* The fingerprint covers all bytes: no single wrong one gets through. */
static void every_changed_byte_is_refused(void **state)
{
	struct stun_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(sample_response_v4) - 8; i++) {
		uint8_t p[sizeof(sample_response_v4)];

		memcpy(p, sample_response_v4, sizeof(p));
		p[i] ^= 0xff;
		assert_int_equal(stun_parse(p, sizeof(p), &m), -EBADMSG);
	}
}

static void fingerprint_must_be_last(void **state)
{
	uint8_t p[64];
	struct stun_message m;
	size_t n = stun_begin(p, STUN_BINDING_REQUEST, txid);

	(void)state;
	n = stun_add_fingerprint(p, n);
	n = stun_add(p, n, STUN_SOFTWARE, "late", 4);
	assert_int_equal(stun_parse(p, n, &m), -EBADMSG);
}

static void attribute_past_the_end_is_refused(void **state)
{
	uint8_t p[STUN_HEADER_BYTES + 8];
	struct stun_message m;
	size_t n = stun_begin(p, STUN_BINDING_REQUEST, txid);

	(void)state;
	n = stun_add(p, n, STUN_SOFTWARE, "four", 4);
	stun_put_u16(p + STUN_HEADER_BYTES + 2, 5);
	assert_int_equal(stun_parse(p, n, &m), -EBADMSG);
	stun_put_u16(p + STUN_HEADER_BYTES + 2, 0xffff);
	assert_int_equal(stun_parse(p, n, &m), -EBADMSG);
}

static void address_of_the_wrong_size_is_refused(void **state)
{
	const uint8_t four[20] = { 0, STUN_IPV4 }, six[20] = { 0, STUN_IPV6 };
	const struct {
		const uint8_t *v;
		size_t n;
	} bad[] = { { four, 0 }, { four, 4 }, { four, 20 }, { six, 8 } };
	uint8_t p[64];
	struct stun_message m;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++) {
		size_t n = stun_begin(p, STUN_BINDING_SUCCESS, txid);

		n = stun_add(p, n, STUN_XOR_MAPPED_ADDRESS, bad[i].v, bad[i].n);
		assert_int_equal(stun_parse(p, n, &m), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_parses),
		cmocka_unit_test(response_v4_parses),
		cmocka_unit_test(response_v6_parses),
		cmocka_unit_test(responses_have_the_rfcs_address_bytes),
		cmocka_unit_test(mapped_address_is_written_as_ipv4),
		cmocka_unit_test(response_in_place_of_the_request),
		cmocka_unit_test(request_is_what_tailscale_sends),
		cmocka_unit_test(fingerprint_of_the_rfc_is_reproduced),
		cmocka_unit_test(bare_request_parses),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_refused),
		cmocka_unit_test(fingerprint_must_be_last),
		cmocka_unit_test(attribute_past_the_end_is_refused),
		cmocka_unit_test(address_of_the_wrong_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
