/* SPDX-License-Identifier: MIT */
/* t/unit/hdbench.c - histogram, frame scanner and TLS record layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/hdbench/frames.h"
#include "tools/hdbench/hist.h"
#include "tools/hdbench/silence.h"
#include "tools/hdbench/tls13.h"
#include <errno.h>
#include <stdlib.h>

static void percentiles_are_close(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t i;

	(void)state;
	assert_int_equal(hist_percentile(h, 50), 0);
	for (i = 1; i <= 100000; i++)
		hist_add(h, i * 1000);
	assert_in_range(hist_percentile(h, 50), 50000000, 50800000);
	assert_in_range(hist_percentile(h, 99.9), 99900000, 100000000);
	assert_int_equal(hist_percentile(h, 100), 100000000);
	hist_clear(h);
	hist_add(h, UINT64_MAX); /* longer than the last step */
	hist_add(h, 0);
	assert_int_equal(hist_percentile(h, 1), 0);
	assert_int_equal(h->n, 2);
	free(h);
}

/* Every step holds what hist_index() puts there. */
static void steps_join(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t ns;

	(void)state;
	for (ns = 1; ns < UINT64_C(1) << 39; ns += 1 + ns / 7) {
		hist_clear(h);
		hist_add(h, ns);
		hist_add(h, ns * 2);
		assert_in_range(hist_percentile(h, 50), ns, ns + ns / 63);
	}
	free(h);
}

/* From the packet before, or from when this one was written. */
static void silence_is_of_what_was_sent(void **state)
{
	struct silence s = { 0 };

	(void)state;
	silence_ends(&s, 1000, 1010);
	assert_int_equal(s.longest_ns, 10);
	silence_ends(&s, 1990, 2000); /* nothing was sent before */
	assert_int_equal(s.longest_ns, 10);
	silence_ends(&s, 1991, 2015); /* it waited since 2000 */
	assert_int_equal(s.longest_ns, 15);
	silence_ends(&s, 1992, 2005); /* out of order */
	silence_ends(&s, 1992, 2031);
	assert_int_equal(s.longest_ns, 16);
}

struct seen {
	unsigned int n;
	uint8_t type[8];
	uint8_t first[8]; /* byte of the stamp */
};

static void on_frame(void *arg, const uint8_t *head, struct derp_header h)
{
	struct seen *s = arg;

	s->type[s->n] = h.type;
	s->first[s->n++] = h.len_bytes > 32 ? head[37] : 0;
}

/* A packet of 100 bytes, an empty KeepAlive, PeerGone, a packet of 24. */
static size_t put_frames(uint8_t *p)
{
	const uint8_t packet[] = { 0x05, 0, 0, 0, 132 };
	const uint8_t alive[] = { 0x06, 0, 0, 0, 0 };
	const uint8_t gone[] = { 0x08, 0, 0, 0, 33 };
	const uint8_t small[] = { 0x05, 0, 0, 0, 56 };

	memset(p, 0, 300);
	memcpy(p, packet, 5);
	p[37] = 1;
	memcpy(p + 137, alive, 5);
	memcpy(p + 142, gone, 5);
	p[142 + 37] = 2;
	memcpy(p + 180, small, 5);
	p[180 + 37] = 3;
	return 180 + 61;
}

static void frames_in_any_pieces(void **state)
{
	uint8_t bytes[300];
	size_t n = put_frames(bytes), piece, at;

	(void)state;
	for (piece = 1; piece <= n; piece++) {
		struct frames f = { 0 };
		struct seen s = { 0 };

		for (at = 0; at < n; at += piece)
			frames_feed(&f, bytes + at, HD_MIN(piece, n - at),
				    on_frame, &s);
		assert_int_equal(s.n, 4);
		assert_memory_equal(s.type, "\x05\x06\x08\x05", 4);
		assert_memory_equal(s.first, "\x01\x00\x02\x03", 4);
	}
}

/* RFC 8448, 3: the client's application data. */
static const uint8_t client_secret[32] = {
	0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d, 0xc0, 0x5a, 0xf8,
	0x88, 0x9b, 0xce, 0x65, 0x52, 0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf,
	0x00, 0x87, 0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5,
};
static const uint8_t client_record[72] = {
	0x17, 0x03, 0x03, 0x00, 0x43, 0xa2, 0x3f, 0x70, 0x54, 0xb6, 0x2c, 0x94,
	0xd0, 0xaf, 0xfa, 0xfe, 0x82, 0x28, 0xba, 0x55, 0xcb, 0xef, 0xac, 0xea,
	0x42, 0xf9, 0x14, 0xaa, 0x66, 0xbc, 0xab, 0x3f, 0x2b, 0x98, 0x19, 0xa8,
	0xa5, 0xb4, 0x6b, 0x39, 0x5b, 0xd5, 0x4a, 0x9a, 0x20, 0x44, 0x1e, 0x2b,
	0x62, 0x97, 0x4e, 0x1f, 0x5a, 0x62, 0x92, 0xa2, 0x97, 0x70, 0x14, 0xbd,
	0x1e, 0x3d, 0xea, 0xe6, 0x3a, 0xee, 0xbb, 0x21, 0x69, 0x49, 0x15, 0xe4,
};
#define SUITE_AES128 0x1301

static void seals_as_rfc_8448(void **state)
{
	struct tls13_half h;
	uint8_t in[51], out[72];
	uint8_t i;

	(void)state;
	for (i = 0; i < 50; i++)
		in[i] = i;
	in[50] = TLS13_DATA;
	assert_int_equal(
		tls13_half_start(&h, SUITE_AES128, client_secret, true), 0);
	assert_int_equal(tls13_seal(&h, out, in, sizeof(in)), sizeof(out));
	assert_memory_equal(out, client_record, sizeof(out));
	tls13_half_end(&h);
}

static void opens_and_refuses(void **state)
{
	struct tls13_half h;
	enum tls13_type type;
	uint8_t record[72];

	(void)state;
	memcpy(record, client_record, sizeof(record));
	assert_int_equal(
		tls13_half_start(&h, SUITE_AES128, client_secret, false), 0);
	assert_int_equal(tls13_record_bytes(record), sizeof(record));
	assert_int_equal(tls13_open(&h, record, sizeof(record), &type), 50);
	assert_int_equal(type, TLS13_DATA);
	assert_int_equal(record[TLS13_HEADER_BYTES + 49], 49);
	/* the same bytes once more have the wrong number */
	memcpy(record, client_record, sizeof(record));
	assert_int_equal(tls13_open(&h, record, sizeof(record), &type),
			 -EBADMSG);
	assert_int_equal(tls13_open(&h, record, 21, &type), -EBADMSG);
	tls13_half_end(&h);
	assert_int_equal(tls13_half_start(&h, 0x1305, client_secret, false),
			 -EOPNOTSUPP);
}

/* Both sides go to the next secret and still understand each other, in every
 * suite. */
static void rekeyed_halves_agree(void **state)
{
	const uint16_t suites[] = { 0x1301, 0x1302, 0x1303 };
	const uint8_t secret[TLS13_SECRET_MAX_BYTES] = { 1, 2, 3 };
	uint8_t in[] = { 'h', 'i', TLS13_DATA }, record[64];
	enum tls13_type type;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(suites); i++) {
		struct tls13_half out, back;
		size_t n;

		assert_int_equal(
			tls13_half_start(&out, suites[i], secret, true), 0);
		assert_int_equal(
			tls13_half_start(&back, suites[i], secret, false), 0);
		assert_int_equal(tls13_rekey(&out), 0);
		assert_int_equal(tls13_rekey(&back), 0);
		n = tls13_seal(&out, record, in, sizeof(in));
		assert_int_equal(tls13_open(&back, record, n, &type), 2);
		assert_memory_equal(record + TLS13_HEADER_BYTES, "hi", 2);
		tls13_half_end(&out);
		tls13_half_end(&back);
	}
}

/* Whoever encrypts, OpenSSL or libipsec-mb: the same bytes, at every length,
 * and each opens the other's. */
static void providers_agree(uint16_t suite)
{
	const uint8_t secret[TLS13_SECRET_MAX_BYTES] = { 4, 5, 6 };
	struct tls13_half own[3], mb[3];
	uint8_t in[1500], a[1600], b[1600];
	enum tls13_type type;

	for (int i = 0; i < 3; i++)
		tls13_half_start(&own[i], suite, secret, i == 0);
	assert_int_equal(gcm_start(NULL), 0);
	for (int i = 0; i < 3; i++)
		tls13_half_start(&mb[i], suite, secret, i == 0);
	assert_null(own[0].gcm);
	assert_int_equal(mb[0].gcm != NULL, suite != 0x1303);
	memset(in, TLS13_DATA, sizeof(in));
	for (size_t n = 1; n <= sizeof(in); n++) {
		size_t bytes = tls13_seal(&own[0], a, in, n);

		assert_int_equal(tls13_seal(&mb[0], b, in, n), bytes);
		assert_memory_equal(a, b, bytes);
		assert_int_equal(tls13_open(&own[1], b, bytes, &type), n - 1);
		assert_int_equal(tls13_open(&mb[1], a, bytes, &type), n - 1);
		assert_memory_equal(a + TLS13_HEADER_BYTES, in, n);
		b[bytes - 1] ^= 1;
		assert_int_equal(tls13_open(&mb[2], b, bytes, &type), -EBADMSG);
	}
	for (int i = 0; i < 3; i++) {
		tls13_half_end(&own[i]);
		tls13_half_end(&mb[i]);
	}
	gcm_stop();
}

static void ipsec_mb_agrees_with_openssl(void **state)
{
	(void)state;
	if (gcm_start(NULL) < 0)
		skip(); /* built without, or not this processor */
	gcm_stop();
	for (uint16_t suite = 0x1301; suite <= 0x1303; suite++)
		providers_agree(suite);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_close),
		cmocka_unit_test(steps_join),
		cmocka_unit_test(silence_is_of_what_was_sent),
		cmocka_unit_test(frames_in_any_pieces),
		cmocka_unit_test(seals_as_rfc_8448),
		cmocka_unit_test(opens_and_refuses),
		cmocka_unit_test(rekeyed_halves_agree),
		cmocka_unit_test(ipsec_mb_agrees_with_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
