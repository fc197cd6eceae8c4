/* SPDX-License-Identifier: MIT */
/* modules/policy/journal.c - see journal.h. */
#include "modules/policy/journal.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "HDACCT1\n"

enum {
	HEAD_BYTES = sizeof(HEAD) - 1,
	HASH_BYTES = crypto_shorthash_BYTES,
	FRAME_BYTES = 4 + HASH_BYTES, /* before its body */
	BODY_FULL_BYTES = 64 * 1024, /* the next record begins another */
	VARINT_BYTES = 10,
	RECORD_BYTES = 1 + (1 + ACCOUNT_N) * VARINT_BYTES + HD_KEY_BYTES +
		       2 * (1 + ACCOUNT_NAME_BYTES),
	BODY_MAX_BYTES = BODY_FULL_BYTES + RECORD_BYTES,
	TAG_ACCOUNT = 1,
	TAG_COUNTS = 2,
};

static void hash(const uint8_t *body, size_t n, uint8_t ret[HASH_BYTES])
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];

	crypto_shorthash(ret, body, n, key);
}

/* ---- written ---- */

/* Returns whether n bytes more fit. */
static bool room(struct journal *j, size_t n)
{
	size_t size = HD_MAX(2 * j->size, j->n + n);
	uint8_t *v;

	if (j->no_memory || j->n + n <= j->size)
		return !j->no_memory;
	v = realloc(j->v, size);
	j->no_memory = v == NULL;
	if (v == NULL)
		return false;
	j->v = v;
	j->size = size;
	return true;
}

static void put(struct journal *j, const void *p, size_t n)
{
	memcpy(j->v + j->n, p, n);
	j->n += n;
}

static void put_byte(struct journal *j, uint8_t b)
{
	j->v[j->n++] = b;
}

static void put_number(struct journal *j, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		put_byte(j, (uint8_t)(x | 0x80));
	put_byte(j, (uint8_t)x);
}

static void put_text(struct journal *j, const char *text)
{
	size_t n = strnlen(text, ACCOUNT_NAME_BYTES - 1);

	put_byte(j, (uint8_t)n);
	put(j, text, n);
}

static void close_frame(struct journal *j)
{
	uint8_t *frame = j->v + j->body - FRAME_BYTES;
	uint32_t n = (uint32_t)(j->n - j->body);

	for (unsigned i = 0; i < 4; i++)
		frame[i] = (uint8_t)(n >> (8 * i));
	hash(j->v + j->body, n, frame + 4);
	j->body = 0;
}

/* Returns whether a record can be put. */
static bool open_record(struct journal *j, uint8_t tag, uint32_t id)
{
	if (!room(j, FRAME_BYTES + RECORD_BYTES))
		return false;
	if (j->body != 0 && j->n - j->body >= BODY_FULL_BYTES)
		close_frame(j);
	if (j->body == 0) {
		j->n += FRAME_BYTES;
		j->body = j->n;
	}
	put_byte(j, tag);
	put_number(j, id);
	return true;
}

void journal_head(struct journal *j)
{
	if (room(j, HEAD_BYTES))
		put(j, HEAD, HEAD_BYTES);
}

void journal_account(struct journal *j, uint32_t id, const struct hd_key *key,
		     const char *tenant, const char *name)
{
	if (!open_record(j, TAG_ACCOUNT, id))
		return;
	put(j, key->b, HD_KEY_BYTES);
	put_text(j, tenant);
	put_text(j, name);
}

void journal_counts(struct journal *j, uint32_t id,
		    const struct account_counts *counts)
{
	if (!open_record(j, TAG_COUNTS, id))
		return;
	for (unsigned i = 0; i < ACCOUNT_N; i++)
		put_number(j, counts->n[i]);
}

int journal_end(struct journal *j)
{
	if (j->no_memory)
		return -ENOMEM;
	if (j->body != 0)
		close_frame(j);
	return 0;
}

void journal_free(struct journal *j)
{
	free(j->v);
	*j = (struct journal){ 0 };
}

/* ---- read ---- */

struct cursor {
	const uint8_t *p, *end;
	bool bad; /* it went beyond the end, or met what cannot be */
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	c->bad |= (size_t)(c->end - p) < n;
	if (c->bad)
		return NULL;
	c->p += n;
	return p;
}

static uint8_t take_byte(struct cursor *c)
{
	const uint8_t *p = take(c, 1);

	return p != NULL ? *p : 0;
}

static uint64_t take_number(struct cursor *c)
{
	uint64_t x = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = take_byte(c);

		c->bad |= shift == 63 && b > 1; /* more than 64 bits */
		x |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return x;
	}
	c->bad = true;
	return 0;
}

static void take_text(struct cursor *c, char ret[ACCOUNT_NAME_BYTES])
{
	size_t n = take_byte(c);
	const uint8_t *p = take(c, n);

	c->bad |= n >= ACCOUNT_NAME_BYTES;
	ret[0] = '\0';
	if (c->bad)
		return;
	memcpy(ret, p, n);
	ret[n] = '\0';
	c->bad |= strlen(ret) != n;
}

static void take_account(struct cursor *c, uint32_t *n_accounts,
			 const struct journal_reader *to)
{
	char tenant[ACCOUNT_NAME_BYTES], name[ACCOUNT_NAME_BYTES];
	uint64_t id = take_number(c);
	const uint8_t *bytes = take(c, HD_KEY_BYTES);
	struct hd_key key;

	take_text(c, tenant);
	take_text(c, name);
	c->bad |= id > *n_accounts || id == UINT32_MAX;
	if (c->bad)
		return;
	*n_accounts += id == *n_accounts;
	memcpy(key.b, bytes, HD_KEY_BYTES);
	if (to != NULL)
		to->account(to->arg, (uint32_t)id, &key, tenant, name);
}

static void take_counts(struct cursor *c, uint32_t n_accounts,
			const struct journal_reader *to)
{
	uint64_t id = take_number(c);
	struct account_counts counts;

	for (unsigned i = 0; i < ACCOUNT_N; i++)
		counts.n[i] = take_number(c);
	c->bad |= id >= n_accounts;
	if (!c->bad && to != NULL)
		to->counts(to->arg, (uint32_t)id, &counts);
}

/* @to  NULL: it is only looked whether it can be. Returns whether it can. */
static bool take_body(const uint8_t *body, size_t n, uint32_t *n_accounts,
		      const struct journal_reader *to)
{
	struct cursor c = { body, body + n, false };

	while (!c.bad && c.p < c.end) {
		uint8_t tag = take_byte(&c);

		if (tag == TAG_ACCOUNT)
			take_account(&c, n_accounts, to);
		else if (tag == TAG_COUNTS)
			take_counts(&c, *n_accounts, to);
		else
			c.bad = true;
	}
	return !c.bad;
}

/* Returns the length of the frame's body; 0: there is no whole one. */
static size_t body_of(const uint8_t *frame, size_t n)
{
	uint8_t want[HASH_BYTES];
	size_t len = 0;

	if (n < FRAME_BYTES)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		len |= (size_t)frame[i] << (8 * i);
	if (len == 0 || len > BODY_MAX_BYTES || len > n - FRAME_BYTES)
		return 0;
	hash(frame + FRAME_BYTES, len, want);
	return memcmp(frame + 4, want, HASH_BYTES) == 0 ? len : 0;
}

int64_t journal_read(const uint8_t *data, size_t n,
		     const struct journal_reader *to, size_t *ret_good)
{
	uint32_t accounts = 0, after = 0;
	size_t at = HEAD_BYTES, len;

	*ret_good = 0;
	if (memcmp(data, HEAD, HD_MIN(n, (size_t)HEAD_BYTES)) != 0)
		return -EPROTO;
	if (n < HEAD_BYTES) /* cut off in its first write */
		return 0;
	while ((len = body_of(data + at, n - at)) > 0) {
		const uint8_t *body = data + at + FRAME_BYTES;

		if (!take_body(body, len, &after, NULL))
			break;
		take_body(body, len, &accounts, to);
		at += FRAME_BYTES + len;
	}
	*ret_good = at;
	return accounts;
}

bool journal_is_torn(const uint8_t *rest, size_t n)
{
	for (size_t at = 1; at < n; at++)
		if (body_of(rest + at, n - at) > 0)
			return false;
	return true;
}
