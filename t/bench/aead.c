/* SPDX-License-Identifier: MIT */
/* t/bench/aead.c - what sealing, opening and expanding a key take, in ns, by
 * every provider of core/tls/aead.h and all code that ipsec-mb has for this
 * processor. The least of many rounds: so it says something on a busy machine,
 * too. A row "of a read" opens record behind record of 64 KiB to another
 * buffer, as the relay does with what it has received; the others work on one
 * that stays in the first-level cache. Rows "N of keys" take a key after the
 * other, as packets of many peers do: each has an expanded one of its own, or
 * it is expanded for the record, into one of as many places as a worker has
 * (core/tls/cipher_cache.h): which is how large that should be. */
#include "t/unit/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/tls/cipher_cache.h"
#include "t/records/crypto.h"

enum {
	ROUNDS = 400,
	ROUND_BYTES = 65536, /* a round works on about so many */
	READ_BYTES = 65536,
	KEYS_MAX = 20000,
	KEYS_ROUNDS = 40,
	KEYS_STEP = 7919, /* a prime: no cache guesses who is next */
};

struct bench {
	const struct hd_aead *aead;
	const struct hd_tls_suite *suite;
	void *key;
	size_t n;
	unsigned keys, turn; /* of many */
	uint8_t bytes[HD_TLS_KEY_MAX_BYTES], nonce[HD_TLS_IV_BYTES];
};

static _Alignas(64) uint8_t records[READ_BYTES + 32768];
static _Alignas(64) uint8_t plain[READ_BYTES + 32768];

static void *many[KEYS_MAX]; /* expanded keys */
static struct {
	_Alignas(256) uint8_t key[HD_TLS_KEY_MAX_BYTES];
} peers[KEYS_MAX];

static size_t record_bytes(const struct bench *b)
{
	return HD_AEAD_HEAD_BYTES + b->n + HD_TLS_TAG_BYTES;
}

/* ---- one operation ---- */

static void seal(struct bench *b, size_t at)
{
	int r = b->aead->seal(b->key, b->nonce, records + at,
			      HD_AEAD_HEAD_BYTES, b->n);

	hd_assert(r == 0);
}

static void open_there(struct bench *b, size_t from, size_t to)
{
	int r = b->aead->open(b->key, b->nonce, records + from,
			      HD_AEAD_HEAD_BYTES, b->n, plain + to);

	hd_assert(r == 0);
}

/* ---- rounds: so many operations, which are counted ---- */

static unsigned count(const struct bench *b)
{
	return (unsigned)HD_MAX(ROUND_BYTES / record_bytes(b), (size_t)8);
}

static unsigned expand_round(struct bench *b)
{
	for (unsigned i = 0; i < 64; i++)
		hd_assert(b->aead->expand(b->key, b->bytes, true) == 0);
	return 64;
}

static unsigned seal_round(struct bench *b)
{
	unsigned times = count(b);

	for (unsigned i = 0; i < times; i++)
		seal(b, 0);
	return times;
}

static unsigned open_round(struct bench *b)
{
	unsigned times = count(b);

	for (unsigned i = 0; i < times; i++)
		open_there(b, 0, 0);
	return times;
}

static unsigned read_round(struct bench *b)
{
	size_t from = 0, to = 0;
	unsigned times = 0;

	for (; from + record_bytes(b) <= READ_BYTES; times++) {
		open_there(b, from, to);
		from += record_bytes(b);
		to += b->n;
	}
	return times;
}

static unsigned kept_round(struct bench *b)
{
	for (unsigned i = 0; i < b->keys; i++) {
		b->key = many[i * KEYS_STEP % b->keys];
		open_there(b, 0, 0);
	}
	return b->keys;
}

static unsigned again_round(struct bench *b)
{
	for (unsigned i = 0; i < b->keys; i++) {
		const uint8_t *bytes = peers[i * KEYS_STEP % b->keys].key;

		b->key = many[b->turn++ % HD_CIPHERS_MAX];
		hd_assert(b->aead->expand(b->key, bytes, false) == 0);
		open_there(b, 0, 0);
	}
	return b->keys;
}

/* ---- the least of them ---- */

static double least_ns(struct bench *b, unsigned (*round)(struct bench *))
{
	unsigned rounds = b->keys == 0 ? ROUNDS : KEYS_ROUNDS;
	double least = 1e12;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t began = hd_clock_ns();
		unsigned times = round(b);
		double ns = (double)(hd_clock_ns() - began) / times;

		least = HD_MIN(least, ns);
	}
	return least;
}

static void expand(struct bench *b, bool encrypt)
{
	hd_assert(b->aead->expand(b->key, b->bytes, encrypt) == 0);
}

static void seal_all(struct bench *b)
{
	expand(b, true);
	for (size_t at = 0; at + record_bytes(b) <= READ_BYTES;
	     at += record_bytes(b))
		seal(b, at);
	expand(b, false);
}

/* All have the same key, so that the record opens. */
static double of_many(struct bench *b, bool kept)
{
	void *own = b->key;
	unsigned n = HD_MAX(b->keys, (unsigned)HD_CIPHERS_MAX);
	double ns;

	for (unsigned i = 0; i < n; i++) {
		memcpy(peers[i].key, b->bytes, sizeof(b->bytes));
		many[i] = b->aead->make(b->suite);
		hd_assert(many[i] != NULL);
		hd_assert(b->aead->expand(many[i], b->bytes, false) == 0);
	}
	ns = least_ns(b, kept ? kept_round : again_round);
	for (unsigned i = 0; i < n; i++)
		b->aead->drop(&many[i]);
	b->key = own;
	return ns;
}

static double measure(struct bench *b, const char *what)
{
	expand(b, true);
	if (strcmp(what, "expand") == 0)
		return least_ns(b, expand_round);
	if (strcmp(what, "seal") == 0)
		return least_ns(b, seal_round);
	seal_all(b);
	if (b->keys > 0)
		return of_many(b, strcmp(what, "of keys, kept") == 0);
	return least_ns(b, strcmp(what, "open") == 0 ? open_round : read_round);
}

/* ---- the table ---- */

static const struct row {
	const char *what;
	size_t n;
	unsigned keys;
} rows[] = {
	{ .what = "expand", .n = 1 },
	{ .what = "open", .n = 64 },
	{ .what = "open", .n = 1204 },
	{ .what = "open", .n = 1438 },
	{ .what = "of a read", .n = 1438 },
	{ .what = "open", .n = 16385 },
	{ .what = "seal", .n = 64 },
	{ .what = "seal", .n = 1204 },
	{ .what = "seal", .n = 1438 },
	{ .what = "seal", .n = 16385 },
	{ "of keys, kept", 1438, 2000 },
	{ "of keys, expanded", 1438, 2000 },
	{ "of keys, kept", 1438, 5000 },
	{ "of keys, expanded", 1438, 5000 },
	{ "of keys, kept", 1438, 10000 },
	{ "of keys, expanded", 1438, 10000 },
	{ "of keys, kept", 1438, KEYS_MAX },
	{ "of keys, expanded", 1438, KEYS_MAX },
};

static bool same_as_before(unsigned provider, const struct hd_tls_suite *suite)
{
	return provider > 0 &&
	       hd_aead_of(suite) == hd_aead_evp(suite); /* OpenSSL's again */
}

static double cell(unsigned provider, const struct hd_tls_suite *suite,
		   const struct row *row)
{
	struct bench b = { .suite = suite, .n = row->n, .keys = row->keys };
	double ns;

	if (!crypto_use(provider) || same_as_before(provider, suite))
		return -1;
	b.aead = hd_aead_of(suite);
	b.key = b.aead->make(suite);
	hd_assert(b.key != NULL);
	ns = measure(&b, row->what);
	b.aead->drop(&b.key);
	return ns;
}

static void heads(void)
{
	printf("| ns | bytes |");
	for (unsigned p = 0; crypto_name(p) != NULL; p++)
		printf(" %s |", crypto_name(p));
	printf("\n| --- | --- |");
	for (unsigned p = 0; crypto_name(p) != NULL; p++)
		printf(" --- |");
	printf("\n");
}

static void line(const struct hd_tls_suite *suite, const struct row *row)
{
	printf("| %s, ", suite->cipher);
	if (row->keys > 0)
		printf("%u ", row->keys);
	printf("%s | %zu |", row->what, row->n);
	for (unsigned p = 0; crypto_name(p) != NULL; p++) {
		double ns = cell(p, suite, row);

		if (ns < 0)
			printf(" |");
		else
			printf(" %.0f |", ns);
	}
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	heads();
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		for (unsigned r = 0; r < HD_ARRAY_N(rows); r++)
			line(hd_tls_suite_at(i), &rows[r]);
	return 0;
}
