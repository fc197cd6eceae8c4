/* SPDX-License-Identifier: MIT */
/* t/records/aead.c - every provider against OpenSSL's EVP: the same bytes, the
 * same judgement. Both ends of every buffer lie at a page that may not be
 * touched: the code is in assembler, no sanitizer sees into it.
 * HD_AEAD_RECORDS, HD_AEAD_SEED: more records, other ones. */
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/tls/aead.h"
#include "t/records/crypto.h"
#include "t/records/dice.h"
#include "t/records/ends.h"

#define RECORDS 20000
#define PLAIN_MAX 16640 /* more than a record's limit */
#define AREA_BYTES 20480

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/* ---- memory with walls ---- */

struct area {
	uint8_t *p, *end;
};

static struct area area(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, AREA_BYTES + 2 * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	MUST(mprotect(p + page, AREA_BYTES, PROT_READ | PROT_WRITE) == 0);
	return (struct area){ p + page, p + page + AREA_BYTES };
}

/* n bytes against one wall or the other, or near it. */
static uint8_t *place(const struct area *a, size_t n, struct dice *d)
{
	uint32_t off = dice(d, 3) == 0 ? dice(d, 65) : 0;

	return dice(d, 2) ? a->p + off : a->end - n - off;
}

/* ---- one key at two providers ---- */

struct pair {
	const struct hd_tls_suite *suite;
	const struct hd_aead *tried, *evp;
	void *tried_key, *evp_key;
	uint8_t key[HD_TLS_KEY_MAX_BYTES], nonce[HD_TLS_IV_BYTES];
	struct area a, b, out;
	uint8_t *sealed, *plain;
	size_t head, n;
};

static void fill(struct dice *d, uint8_t *p, size_t n)
{
	uint32_t bits = dice_bits(d);

	for (size_t i = 0; i < n; i++, bits = bits * 1664525 + 1013904223)
		p[i] = (uint8_t)(bits >> 24);
}

static void new_key(struct pair *p, struct dice *d, bool encrypt)
{
	MUST(p->tried->expand(p->tried_key, p->key, encrypt) == 0);
	MUST(p->evp->expand(p->evp_key, p->key, encrypt) == 0);
	fill(d, p->nonce, sizeof(p->nonce));
}

static void seal_both(struct pair *p, struct dice *d)
{
	size_t len = p->head + p->n + HD_TLS_TAG_BYTES;
	uint8_t *other = place(&p->b, len, d);

	p->sealed = place(&p->a, len, d);
	fill(d, p->sealed, len);
	memcpy(other, p->sealed, len);
	memcpy(p->plain, p->sealed + p->head, p->n);
	if (dice(d, 16) == 0)
		fill(d, p->key, sizeof(p->key));
	new_key(p, d, true);
	MUST(p->tried->seal(p->tried_key, p->nonce, p->sealed, p->head, p->n) ==
	     0);
	MUST(p->evp->seal(p->evp_key, p->nonce, other, p->head, p->n) == 0);
	MUST(memcmp(p->sealed, other, len) == 0);
}

/* Where the ciphertext is, as HD opens datagrams, or elsewhere, as TLS does. */
static int open_one(const struct pair *p, const struct hd_aead *aead, void *key,
		    struct dice *d)
{
	size_t len = p->head + p->n + HD_TLS_TAG_BYTES;
	uint8_t *copy = place(&p->b, len, d), *out = copy + p->head;
	int r;

	memcpy(copy, p->sealed, len);
	if (dice(d, 2))
		out = place(&p->out, p->n, d);
	r = aead->open(key, p->nonce, copy, p->head, p->n, out);
	MUST(r < 0 || memcmp(out, p->plain, p->n) == 0);
	return r;
}

static int judged(const struct pair *p, struct dice *d)
{
	int r = open_one(p, p->tried, p->tried_key, d);

	MUST(open_one(p, p->evp, p->evp_key, d) == r);
	return r;
}

static void open_both(struct pair *p, struct dice *d)
{
	size_t len = p->head + p->n + HD_TLS_TAG_BYTES;
	uint8_t *bad;

	MUST(p->tried->expand(p->tried_key, p->key, false) == 0);
	MUST(p->evp->expand(p->evp_key, p->key, false) == 0);
	MUST(judged(p, d) == 0);
	switch (dice(d, 8)) { /* what is changed */
	case 0:
		bad = &p->nonce[dice(d, sizeof(p->nonce))];
		break;
	case 1:
		bad = &p->sealed[dice(d, (uint32_t)p->head)];
		break;
	case 2:
	case 3:
		bad = &p->sealed[len - 1 - dice(d, HD_TLS_TAG_BYTES)];
		break;
	default:
		bad = &p->sealed[dice_bits(d) % len];
	}
	*bad ^= (uint8_t)(1u << dice(d, 8));
	MUST(judged(p, d) == -EBADMSG);
}

static void pair_of(struct pair *p, const struct hd_tls_suite *suite)
{
	p->suite = suite;
	p->tried = hd_aead_of(suite);
	p->evp = hd_aead_evp(suite);
	p->tried_key = p->tried->make(suite);
	p->evp_key = p->evp->make(suite);
	MUST(p->tried_key != NULL && p->evp_key != NULL);
}

static void end_pair(struct pair *p)
{
	p->tried->drop(&p->tried_key);
	p->evp->drop(&p->evp_key);
}

static void the_same_as_openssl(void **state)
{
	static uint8_t plain[PLAIN_MAX];
	struct pair p = { .plain = plain, .a = area(), .b = area(),
			  .out = area() };
	struct dice d = { .seed = number("HD_AEAD_SEED", 1) *
				  0x9e3779b97f4a7c15ull };
	uint64_t n = number("HD_AEAD_RECORDS", RECORDS);

	(void)state;
	for (unsigned i = 0; i < HD_TLS_SUITES; i++) {
		pair_of(&p, hd_tls_suite_at(i));
		for (uint64_t k = 0; k < n / HD_TLS_SUITES; k++) {
			ends_round = k;
			/* every small size, then those where mistakes live */
			p.n = k < 1100 ? 1 + k
				       : 1 + dice_size(&d, PLAIN_MAX - 1);
			p.head = k % 2 ? HD_AEAD_HEAD_BYTES : 1 + dice(&d, 40);
			seal_both(&p, &d);
			open_both(&p, &d);
		}
		end_pair(&p);
	}
}

/* ---- known answers ---- */

static void answers_are_right(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		assert_true(hd_aead_answers(hd_aead_of(hd_tls_suite_at(i)),
					    hd_tls_suite_at(i)));
}

static int opens_all(void *key, const uint8_t *nonce, const uint8_t *record,
		     size_t head, size_t n, uint8_t *out)
{
	const struct hd_aead *a = hd_aead_of(hd_tls_suite_at(0));

	a->open(key, nonce, record, head, n, out);
	return 0;
}

static int seals_without_tag(void *key, const uint8_t *nonce, uint8_t *record,
			     size_t head, size_t n)
{
	const struct hd_aead *a = hd_aead_of(hd_tls_suite_at(0));

	a->seal(key, nonce, record, head, n);
	record[head + n + HD_TLS_TAG_BYTES - 1] ^= 1;
	return 0;
}

static int keeps_the_key(void *key, const uint8_t *bytes, bool encrypt)
{
	static const uint8_t zeros[HD_TLS_KEY_MAX_BYTES];

	(void)bytes;
	return hd_aead_of(hd_tls_suite_at(0))->expand(key, zeros, encrypt);
}

static void a_broken_provider_is_found(void **state)
{
	const struct hd_tls_suite *suite = hd_tls_suite_at(0);
	struct hd_aead broken = *hd_aead_of(suite);

	(void)state;
	broken.open = opens_all;
	assert_false(hd_aead_answers(&broken, suite));
	broken = *hd_aead_of(suite);
	broken.seal = seals_without_tag;
	assert_false(hd_aead_answers(&broken, suite));
	broken = *hd_aead_of(suite);
	broken.expand = keeps_the_key;
	assert_false(hd_aead_answers(&broken, suite));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_as_openssl),
		cmocka_unit_test(answers_are_right),
		cmocka_unit_test(a_broken_provider_is_found),
	};

	return crypto_run(tests, HD_ARRAY_N(tests), true);
}
