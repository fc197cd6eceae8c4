/* SPDX-License-Identifier: MIT */
/* core/base/snap.c - snapshots: items of tag, length and bytes. */
#include "core/base/snap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct head {
	uint16_t tag, zero;
	uint32_t len;
};
_Static_assert(sizeof(struct head) == HD_SNAP_HEAD_BYTES, "no padding");

/* ---- write ---- */

static bool grow(struct hd_snap *s, size_t n)
{
	size_t size = HD_MAX(s->size, (size_t)65536);

	while (size - s->n < n)
		size *= 2;
	uint8_t *v = realloc(s->v, size);

	if (v == NULL)
		return false;
	s->v = v;
	s->size = size;
	return true;
}

static uint8_t *add(struct hd_snap *s, size_t n)
{
	if (!s->failed && s->size - s->n < n && (s->fixed || !grow(s, n)))
		s->failed = true;
	if (s->failed)
		return NULL;
	s->n += n;
	return s->v + s->n - n;
}

uint8_t *hd_snap_room(struct hd_snap *s, unsigned tag, size_t n)
{
	const struct head head = { .tag = (uint16_t)tag, .len = (uint32_t)n };
	uint8_t *to;

	hd_assert(n <= UINT32_MAX);
	to = add(s, sizeof(head) + n);
	if (to == NULL)
		return NULL;
	memcpy(to, &head, sizeof(head));
	return to + sizeof(head);
}

void hd_snap_bytes(struct hd_snap *s, unsigned tag, const void *p, size_t n)
{
	uint8_t *to = hd_snap_room(s, tag, n);

	if (to != NULL && n > 0)
		memcpy(to, p, n);
}

void hd_snap_number(struct hd_snap *s, unsigned tag, uint64_t value)
{
	hd_snap_bytes(s, tag, &value, sizeof(value));
}

void hd_snap_place(struct hd_snap *s, unsigned tag, const char *name,
		   uint64_t value)
{
	size_t n = strlen(name);
	uint8_t *to = hd_snap_room(s, tag, sizeof(value) + n);

	if (to == NULL)
		return;
	memcpy(to, &value, sizeof(value));
	memcpy(to + sizeof(value), name, n);
}

void hd_snap_text(struct hd_snap *s, unsigned tag, const char *text)
{
	if (text != NULL)
		hd_snap_bytes(s, tag, text, strlen(text));
}

size_t hd_snap_begin(struct hd_snap *s, unsigned tag)
{
	(void)hd_snap_room(s, tag, 0);
	return s->n;
}

void hd_snap_end(struct hd_snap *s, size_t begin)
{
	uint32_t len = (uint32_t)(s->n - begin);

	if (s->failed)
		return;
	hd_assert(s->n - begin <= UINT32_MAX);
	memcpy(s->v + begin - sizeof(len), &len, sizeof(len));
}

void hd_snap_append(struct hd_snap *s, const struct hd_snap *from)
{
	uint8_t *to = add(s, from->n);

	if (to != NULL && from->n > 0)
		memcpy(to, from->v, from->n);
}

void hd_snap_free(struct hd_snap *s)
{
	if (!s->fixed)
		free(s->v);
	*s = (struct hd_snap){ 0 };
}

/* ---- read ---- */

int hd_snap_next(struct hd_snap_in *in, struct hd_snap_item *ret)
{
	struct head head;

	if (in->n == 0)
		return 0;
	if (in->n < sizeof(head))
		return -EBADMSG;
	memcpy(&head, in->p, sizeof(head));
	if (head.zero != 0 || head.len > in->n - sizeof(head))
		return -EBADMSG;
	*ret = (struct hd_snap_item){ head.tag,
				      { in->p + sizeof(head), head.len } };
	in->p += sizeof(head) + head.len;
	in->n -= sizeof(head) + head.len;
	return 1;
}

int hd_snap_unknown(const struct hd_snap_item *item, const char *where,
		    struct hd_error *err)
{
	if (item->tag & HD_SNAP_SKIP)
		return 0;
	return hd_error_set(err, -ENOTSUP,
			    "the other version says something of %s that this "
			    "one does not know: field 0x%04x",
			    where, item->tag);
}

int hd_snap_to_number(const struct hd_snap_item *item, uint64_t *ret)
{
	return hd_snap_to_bytes(item, ret, sizeof(*ret));
}

int hd_snap_to_bytes(const struct hd_snap_item *item, void *ret, size_t n)
{
	if (item->in.n != n)
		return -EBADMSG;
	if (n > 0)
		memcpy(ret, item->in.p, n);
	return 0;
}

int hd_snap_to_text(const struct hd_snap_item *item, char **ret)
{
	size_t n = item->in.n;

	if (*ret != NULL || (n > 0 && memchr(item->in.p, '\0', n) != NULL))
		return -EBADMSG;
	*ret = malloc(n + 1);
	if (*ret == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(*ret, item->in.p, n);
	(*ret)[n] = '\0';
	return 0;
}

int hd_snap_to_place(const struct hd_snap_item *item, const char *const *names,
		     size_t n, uint64_t *ret)
{
	size_t len = item->in.n - sizeof(*ret);

	if (item->in.n <= sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, item->in.p, sizeof(*ret));
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len &&
		    memcmp(names[i], item->in.p + sizeof(*ret), len) == 0)
			return (int)i;
	return -ENOENT;
}

/* ---- structs ---- */

static uint64_t load_number(const void *from, size_t size)
{
	uint64_t value = 0;

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
		       "the lower bytes come first");
	memcpy(&value, from, size);
	return value;
}

static void write_places(struct hd_snap *s, const struct hd_snap_field *f,
			 const uint8_t *at)
{
	for (unsigned i = 0; i < f->n_places; i++) {
		uint64_t value = load_number(at + i * f->size, f->size);

		if (value != 0)
			hd_snap_place(s, f->tag, f->places[i], value);
	}
}

void hd_snap_struct(struct hd_snap *s, const struct hd_snap_field *v, size_t n,
		    const void *from)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = (const uint8_t *)from + v[i].offset;

		if (v[i].places != NULL)
			write_places(s, &v[i], at);
		else if (v[i].bytes)
			hd_snap_bytes(s, v[i].tag, at, v[i].size);
		else
			hd_snap_number(s, v[i].tag, load_number(at, v[i].size));
	}
}

/* Returns 1; 0 no such place; -EBADMSG. */
static int fill_place(const struct hd_snap_item *item,
		      const struct hd_snap_field *f, void *to)
{
	uint64_t value;
	int place = hd_snap_to_place(item, f->places, f->n_places, &value);

	if (place == -ENOENT)
		return 0;
	if (place < 0)
		return -EBADMSG;
	uint8_t *at = (uint8_t *)to + f->offset + (unsigned)place * f->size;

	if (load_number(at, f->size) != 0 ||
	    load_number(&value, f->size) != value)
		return -EBADMSG;
	memcpy(at, &value, f->size);
	return 1;
}

static int fill(const struct hd_snap_item *item, const struct hd_snap_field *f,
		void *to)
{
	uint8_t *at = (uint8_t *)to + f->offset;
	uint64_t value;

	if (f->bytes)
		return hd_snap_to_bytes(item, at, f->size);
	if (hd_snap_to_number(item, &value) < 0 ||
	    load_number(&value, f->size) != value)
		return -EBADMSG;
	memcpy(at, &value, f->size);
	return 0;
}

int hd_snap_fill(const struct hd_snap_item *item, const struct hd_snap_field *v,
		 size_t n, void *to, uint64_t *seen)
{
	hd_assert(n <= HD_SNAP_FIELDS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (v[i].tag != item->tag)
			continue;
		if (v[i].places != NULL)
			return fill_place(item, &v[i], to);
		if (*seen & (uint64_t)1 << i)
			return -EBADMSG;
		*seen |= (uint64_t)1 << i;
		return fill(item, &v[i], to) < 0 ? -EBADMSG : 1;
	}
	return 0;
}

bool hd_snap_whole(const struct hd_snap_field *v, size_t n, uint64_t seen)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].later && v[i].places == NULL &&
		    !(seen & (uint64_t)1 << i))
			return false;
	return true;
}
