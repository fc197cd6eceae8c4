/* SPDX-License-Identifier: MIT */
/* core/tls/aead_answers.c - known answers, asked before a provider is used: 15
 * of them, less than a millisecond. Sizes that take different ways through the
 * code: one byte, a few blocks, a packet, a full record; and a datagram of HD,
 * whose head is longer. A tag covers the whole ciphertext. Source of the tags:
 * the Python package cryptography. */
#include <stdlib.h>
#include <string.h>
#include "core/tls/aead.h"

#define SHAPES 5
static const struct shape {
	size_t head_bytes, n;
} shapes[SHAPES] = { { HD_AEAD_HEAD_BYTES, 1 },
		     { HD_AEAD_HEAD_BYTES, 65 },
		     { HD_AEAD_HEAD_BYTES, 1438 },
		     { HD_AEAD_HEAD_BYTES, 16385 },
		     { 11, 1204 } };
#define MAX_BYTES (HD_AEAD_HEAD_BYTES + 16385 + HD_TLS_TAG_BYTES)

static const uint8_t tags[HD_TLS_SUITES][SHAPES][HD_TLS_TAG_BYTES] = {
	{ { 0x6f, 0x42, 0x05, 0x06, 0x77, 0x64, 0x36, 0x9d, 0xa1, 0xae, 0xf7,
	    0xa1, 0x62, 0xa0, 0x49, 0x5a },
	  { 0x13, 0xaa, 0x01, 0x5a, 0x41, 0x8f, 0xdd, 0xbe, 0x71, 0xd1, 0x8f,
	    0x90, 0xfe, 0x56, 0xee, 0x2d },
	  { 0xb7, 0xfc, 0x1b, 0xf1, 0x72, 0x81, 0xee, 0x3f, 0xe5, 0x51, 0xdf,
	    0x18, 0x2f, 0x7b, 0x1b, 0x46 },
	  { 0xd3, 0xca, 0xa2, 0x9d, 0x8e, 0x7f, 0x05, 0x62, 0x12, 0xd3, 0x51,
	    0x7c, 0xde, 0x8f, 0xe0, 0x7a },
	  { 0x04, 0x32, 0x16, 0x6d, 0x48, 0xa8, 0xa5, 0x84, 0x83, 0xe3, 0x77,
	    0xd2, 0x58, 0x02, 0xa3, 0xb4 } },
	{ { 0xfd, 0x54, 0x7e, 0x22, 0x21, 0x00, 0x96, 0xa8, 0xe8, 0x06, 0xca,
	    0xff, 0x5d, 0x66, 0xc5, 0x53 },
	  { 0xbe, 0xa8, 0x48, 0xaf, 0x50, 0x27, 0xa8, 0xc7, 0x4b, 0x7e, 0xcb,
	    0x7d, 0x30, 0xa6, 0x24, 0x36 },
	  { 0x7a, 0xc0, 0x3e, 0x0c, 0x99, 0x63, 0xa7, 0x2a, 0x27, 0x2a, 0xb4,
	    0xcf, 0x4f, 0x90, 0xea, 0xae },
	  { 0x45, 0xb8, 0xbd, 0xc4, 0xaf, 0xc3, 0x65, 0x49, 0xbd, 0xba, 0x4d,
	    0x5f, 0x38, 0x9c, 0x25, 0x52 },
	  { 0x72, 0x04, 0x6b, 0x0d, 0xa0, 0xea, 0xf9, 0xaa, 0x68, 0xc8, 0xd2,
	    0x2f, 0xd1, 0xa5, 0x5f, 0xa7 } },
	{ { 0x64, 0xf7, 0xa2, 0x24, 0x91, 0xbf, 0x18, 0x80, 0x7e, 0x02, 0xee,
	    0x7e, 0xf5, 0x63, 0x67, 0xb6 },
	  { 0xcb, 0x56, 0x39, 0x2a, 0xae, 0xd4, 0xd0, 0x36, 0x2b, 0x7b, 0xa1,
	    0x89, 0xa5, 0xc4, 0x2e, 0xc5 },
	  { 0xc5, 0x01, 0x37, 0xae, 0x02, 0x7d, 0x82, 0x0e, 0xbe, 0x2c, 0x6e,
	    0xe9, 0x73, 0xf2, 0x59, 0x5d },
	  { 0x61, 0x21, 0x62, 0xfd, 0x6b, 0xc4, 0xdf, 0x9c, 0xe4, 0x71, 0x52,
	    0x6d, 0x8c, 0x4c, 0x57, 0x7c },
	  { 0xd4, 0xb9, 0x2a, 0xfb, 0x6f, 0x4a, 0x21, 0x9c, 0xff, 0x04, 0x71,
	    0x24, 0x1a, 0xe4, 0xac, 0xa1 } },
};

static void pattern(uint8_t *to, size_t n, unsigned step)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(i * step + (i >> 8));
}

struct known_answer {
	const struct hd_aead *aead;
	void *key;
	uint8_t key_bytes[HD_TLS_KEY_MAX_BYTES], nonce[HD_TLS_IV_BYTES];
	uint8_t record[MAX_BYTES], plain[MAX_BYTES], out[MAX_BYTES];
};

/* As a record's, and what stands behind that in a longer one. */
static void head_put(uint8_t *p, struct shape s)
{
	size_t len = s.n + HD_TLS_TAG_BYTES;

	memcpy(p, (uint8_t[]){ 23, 3, 3 }, 3);
	p[3] = (uint8_t)(len >> 8);
	p[4] = (uint8_t)len;
	pattern(p + HD_AEAD_HEAD_BYTES, s.head_bytes - HD_AEAD_HEAD_BYTES, 17);
}

static bool seals(struct known_answer *a, struct shape s, const uint8_t *tag)
{
	uint8_t *p = a->record + s.head_bytes;

	head_put(a->record, s);
	pattern(a->plain, s.n, 13);
	memcpy(p, a->plain, s.n);
	return a->aead->expand(a->key, a->key_bytes, true) == 0 &&
	       a->aead->seal(a->key, a->nonce, a->record, s.head_bytes, s.n) ==
		       0 &&
	       memcmp(p + s.n, tag, HD_TLS_TAG_BYTES) == 0;
}

static int open_to(struct known_answer *a, const uint8_t *record,
		   struct shape s, uint8_t *out)
{
	return a->aead->open(a->key, a->nonce, record, s.head_bytes, s.n, out);
}

/* Elsewhere, and in place. */
static bool opens(struct known_answer *a, struct shape s)
{
	uint8_t *out = a->out, *p = out + s.head_bytes;

	if (open_to(a, a->record, s, out) < 0 ||
	    memcmp(out, a->plain, s.n) != 0)
		return false;
	memcpy(out, a->record, s.head_bytes + s.n + HD_TLS_TAG_BYTES);
	return open_to(a, out, s, p) == 0 && memcmp(p, a->plain, s.n) == 0;
}

/* In the head, in the middle of the text, in the tag's last byte. */
static bool refuses(struct known_answer *a, struct shape s)
{
	const size_t at[] = { s.head_bytes - 1, s.head_bytes + s.n / 2,
			      s.head_bytes + s.n + HD_TLS_TAG_BYTES - 1 };
	bool refused = true;

	for (unsigned i = 0; i < HD_ARRAY_N(at); i++) {
		a->record[at[i]] ^= 0x80;
		refused &= open_to(a, a->record, s, a->out) < 0;
		a->record[at[i]] ^= 0x80;
	}
	return refused;
}

static bool check_all(struct known_answer *a, const struct hd_tls_suite *suite)
{
	const uint8_t(*want)[HD_TLS_TAG_BYTES] =
		tags[hd_tls_suite_index(suite)];

	pattern(a->key_bytes, suite->key_bytes, 7);
	pattern(a->nonce, sizeof(a->nonce), 11);
	for (unsigned i = 0; i < SHAPES; i++)
		if (!seals(a, shapes[i], want[i]) ||
		    a->aead->expand(a->key, a->key_bytes, false) < 0 ||
		    !opens(a, shapes[i]) || !refuses(a, shapes[i]))
			return false;
	return true;
}

bool hd_aead_answers(const struct hd_aead *aead,
		     const struct hd_tls_suite *suite)
{
	struct known_answer *a = calloc(1, sizeof(*a));
	bool right = false;

	if (a == NULL)
		return false;
	a->aead = aead;
	a->key = aead->make(suite);
	if (a->key != NULL)
		right = check_all(a, suite);
	aead->drop(&a->key);
	free(a);
	return right;
}
