/* SPDX-License-Identifier: MIT */
/* tools/hdcat/record.c - see record.h: bytes of records, both ways. */
#include "tools/hdcat/record.h"

#include <errno.h>
#include <string.h>

#define OFFER_HEAD_BYTES 23
#define WANT_BYTES (4 + 1 + 8 + HASH_BYTES)

/* ---- numbers ---- */

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static void put(uint8_t *p, unsigned bytes, uint64_t v)
{
	for (unsigned i = bytes; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

/* ---- reading ---- */

/* How long a body of this type may be; 0, 0: there is no such type, but BYE
 * and SKIP. */
static const struct {
	uint32_t min, max;
} lengths[] = {
	[RECORD_OFFER] = { OFFER_HEAD_BYTES + 1,
			   OFFER_HEAD_BYTES + NAME_BYTES },
	[RECORD_GO] = { 8, 8 },
	[RECORD_DATA] = { 1, RECORD_BODY_BYTES },
	[RECORD_END] = { HASH_BYTES, HASH_BYTES },
	[RECORD_DROP] = { 0, RECORD_TEXT_BYTES },
	[RECORD_WANT] = { WANT_BYTES, WANT_BYTES },
	[RECORD_REFUSED] = { 4, 4 + RECORD_TEXT_BYTES },
	[RECORD_DONE] = { 4 + HASH_BYTES, 4 + HASH_BYTES },
	[RECORD_STOP] = { 0, RECORD_TEXT_BYTES },
};

static bool type_known(unsigned type)
{
	return type == RECORD_SKIP || type == RECORD_BYE ||
	       (type <= RECORD_STOP && lengths[type].max > 0);
}

ssize_t record_parse(const uint8_t *p, size_t n, struct record *ret)
{
	uint64_t length;

	if (n >= 1 && !type_known(p[0]))
		return -EPROTO;
	if (n < RECORD_HEAD_BYTES)
		return 0;
	length = get(p + 1, 3);
	if (length < lengths[p[0]].min || length > lengths[p[0]].max)
		return -EPROTO;
	if (n - RECORD_HEAD_BYTES < length)
		return 0;
	*ret = (struct record){ .type = p[0],
				.body = p + RECORD_HEAD_BYTES,
				.n = (size_t)length };
	return (ssize_t)(RECORD_HEAD_BYTES + length);
}

static bool component_valid(const char *p, size_t n)
{
	if (n == 0 || n > 255)
		return false;
	return !(n == 1 && p[0] == '.') && !(n == 2 && memcmp(p, "..", 2) == 0);
}

bool name_valid(const char *name, size_t n)
{
	size_t from = 0;
	unsigned depth = 0;

	if (n == 0 || n > NAME_BYTES || memchr(name, '\0', n) != NULL)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && name[i] != '/')
			continue;
		if (!component_valid(name + from, i - from) ||
		    ++depth > NAME_DEPTH_MAX)
			return false;
		from = i + 1;
	}
	return true;
}

int offer_parse(const struct record *r, char name[NAME_BYTES + 1],
		struct offer *ret)
{
	const uint8_t *p = r->body;
	size_t n = r->n - OFFER_HEAD_BYTES;

	ret->is_dir = p[0] == 1;
	ret->mode = (uint16_t)get(p + 1, 2);
	ret->mtime_ns = (uint32_t)get(p + 3, 4);
	ret->mtime_s = (int64_t)get(p + 7, 8);
	ret->size = get(p + 15, 8);
	if (p[0] > 1 || ret->mode > 0777 || ret->mtime_ns > 999999999 ||
	    ret->size > INT64_MAX || (ret->is_dir && ret->size != 0) ||
	    !name_valid((const char *)p + OFFER_HEAD_BYTES, n))
		return -EPROTO;
	memcpy(name, p + OFFER_HEAD_BYTES, n);
	name[n] = '\0';
	ret->name = name;
	return 0;
}

int want_parse(const struct record *r, struct want *ret)
{
	const uint8_t *p = r->body;

	ret->number = record_number(r);
	ret->flags = p[4];
	ret->offset = get(p + 5, 8);
	memcpy(ret->hash, p + 13, HASH_BYTES);
	return ret->flags > (WANT_WHOLE | WANT_MAY_REPLACE) ? -EPROTO : 0;
}

uint32_t record_number(const struct record *r)
{
	return (uint32_t)get(r->body, 4);
}

int records_read(struct records_in *in, struct libhd_stream *s,
		 struct record *ret)
{
	for (;;) {
		ssize_t n = record_parse(in->v + in->at, in->n, ret);

		if (n < 0)
			return (int)n;
		if (n > 0) {
			in->at += (size_t)n;
			in->n -= (size_t)n;
			return 1;
		}
		memmove(in->v, in->v + in->at, in->n);
		in->at = 0;
		n = libhd_stream_read(s, in->v + in->n,
				      sizeof(in->v) - in->n);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		in->n += (size_t)n;
	}
}

/* ---- writing ---- */

bool records_room(const struct records_out *out)
{
	return sizeof(out->v) - out->n >=
	       RECORD_HEAD_BYTES + RECORD_BODY_BYTES;
}

int records_flush(struct records_out *out, struct libhd_stream *s)
{
	ssize_t n = 0;

	while (out->n > 0) {
		n = libhd_stream_write(s, out->v + out->at, out->n);
		if (n <= 0)
			break;
		out->at += (size_t)n;
		out->n -= (size_t)n;
	}
	memmove(out->v, out->v + out->at, out->n);
	out->at = 0;
	return n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* Nothing is added between a flush and its memmove: at is 0. */
static uint8_t *begin(struct records_out *out, enum record_type type, size_t n)
{
	uint8_t *p = out->v + out->n;

	p[0] = (uint8_t)type;
	put(p + 1, 3, n);
	out->n += RECORD_HEAD_BYTES + n;
	return p + RECORD_HEAD_BYTES;
}

void record_put(struct records_out *out, enum record_type type,
		const void *body, size_t n)
{
	uint8_t *p = begin(out, type, n);

	if (n > 0)
		memcpy(p, body, n);
}

void record_offer(struct records_out *out, const struct offer *o)
{
	size_t n = strlen(o->name);
	uint8_t *p = begin(out, RECORD_OFFER, OFFER_HEAD_BYTES + n);

	p[0] = o->is_dir;
	put(p + 1, 2, o->mode);
	put(p + 3, 4, o->mtime_ns);
	put(p + 7, 8, (uint64_t)o->mtime_s);
	put(p + 15, 8, o->size);
	memcpy(p + OFFER_HEAD_BYTES, o->name, n);
}

void record_go(struct records_out *out, uint64_t offset)
{
	put(begin(out, RECORD_GO, 8), 8, offset);
}

uint8_t *record_data_at(struct records_out *out)
{
	return out->v + out->n + RECORD_HEAD_BYTES;
}

void record_data(struct records_out *out, size_t n)
{
	(void)begin(out, RECORD_DATA, n);
}

void record_want(struct records_out *out, const struct want *w)
{
	uint8_t *p = begin(out, RECORD_WANT, WANT_BYTES);

	put(p, 4, w->number);
	p[4] = w->flags;
	put(p + 5, 8, w->offset);
	memcpy(p + 13, w->hash, HASH_BYTES);
}

void record_done(struct records_out *out, uint32_t number,
		 const uint8_t hash[HASH_BYTES])
{
	uint8_t *p = begin(out, RECORD_DONE, 4 + HASH_BYTES);

	put(p, 4, number);
	memcpy(p + 4, hash, HASH_BYTES);
}

static size_t text_bytes(const char *text)
{
	size_t n = strlen(text);

	return n < RECORD_TEXT_BYTES ? n : RECORD_TEXT_BYTES;
}

void record_refused(struct records_out *out, uint32_t number, const char *why)
{
	size_t n = text_bytes(why);
	uint8_t *p = begin(out, RECORD_REFUSED, 4 + n);

	put(p, 4, number);
	memcpy(p + 4, why, n);
}

void record_text(struct records_out *out, enum record_type type,
		 const char *text)
{
	record_put(out, type, text, text_bytes(text));
}
