/* SPDX-License-Identifier: MIT */
/* core/base/pack.c - what modules pack for another process: see pack.h. */
#include "core/base/pack.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/bug.h"
#include "core/base/snap_format.h"

static bool taking_over;

void hd_taking_over(bool on)
{
	__atomic_store_n(&taking_over, on, __ATOMIC_RELEASE);
}

bool hd_is_taking_over(void)
{
	return __atomic_load_n(&taking_over, __ATOMIC_ACQUIRE);
}

/* ---- written ---- */

/* The item's bytes: its name, and room for n more. Returns where they go; NULL:
 * no memory, which the snapshot remembers. */
static uint8_t *room(struct hd_pack *p, unsigned tag, const char *name,
		     size_t n)
{
	size_t name_bytes = strlen(name);
	uint8_t *at;

	hd_assert(name_bytes > 0 && name_bytes <= HD_PACK_NAME_MAX);
	at = hd_snap_room(p->to, tag, 1 + name_bytes + n);
	if (at == NULL)
		return NULL;
	*at = (uint8_t)name_bytes;
	memcpy(at + 1, name, name_bytes);
	return at + 1 + name_bytes;
}

void hd_pack_bytes(struct hd_pack *to, const char *name, const void *p,
		   size_t len_bytes)
{
	uint8_t *at;

	hd_assert(len_bytes <= (size_t)1 << 30);
	at = room(to, HD_SNAP_PACK_BYTES, name, len_bytes);
	if (at != NULL && len_bytes > 0)
		memcpy(at, p, len_bytes);
}

void hd_pack_number(struct hd_pack *to, const char *name, uint64_t value)
{
	hd_pack_bytes(to, name, &value, sizeof(value));
}

void hd_pack_text(struct hd_pack *to, const char *name, const char *text)
{
	if (text != NULL)
		hd_pack_bytes(to, name, text, strlen(text));
}

/* Returns its number. */
static uint64_t add_fd(struct hd_pack_fds *f, int fd)
{
	uint64_t number = 0;
	int *v;

	pthread_mutex_lock(&f->lock);
	v = realloc(f->v, (f->n + 1) * sizeof(*v));
	if (v != NULL) {
		f->v = v;
		number = f->n;
		f->v[f->n++] = fd;
	}
	f->failed |= v == NULL;
	pthread_mutex_unlock(&f->lock);
	return number;
}

void hd_pack_fd(struct hd_pack *to, const char *name, int fd)
{
	uint64_t number = add_fd(to->fds, fd);
	uint8_t *at = room(to, HD_SNAP_PACK_FD, name, sizeof(number));

	if (at != NULL)
		memcpy(at, &number, sizeof(number));
}

void hd_pack_open(struct hd_pack *to, const char *name)
{
	hd_assert(to->depth < HD_PACK_DEPTH);
	/* where its item ends is known when it is closed */
	size_t head = to->to->n + HD_SNAP_HEAD_BYTES;

	(void)room(to, HD_SNAP_PACK_GROUP, name, 0);
	to->open[to->depth++] = head;
}

void hd_pack_close(struct hd_pack *to)
{
	hd_assert(to->depth > 0);
	hd_snap_end(to->to, to->open[--to->depth]);
}

void hd_pack_end(struct hd_pack *p)
{
	if (p->depth > 0)
		hd_bug_once("a module has packed a group without its end");
	while (p->depth > 0)
		hd_pack_close(p);
}

/* ---- read ---- */

struct hd_unpack hd_unpack_of(struct hd_snap_in in, uint64_t version,
			      struct hd_unpack_fds *fds)
{
	return (struct hd_unpack){ .version = (uint32_t)version,
				   .p = in.p,
				   .len_bytes = in.n,
				   .fds = fds };
}

bool hd_pack_is_item(const struct hd_snap_item *item)
{
	return item->tag == HD_SNAP_PACK_BYTES ||
	       item->tag == HD_SNAP_PACK_FD || item->tag == HD_SNAP_PACK_GROUP;
}

/* Whether it is of that name: then the name is taken off. */
static bool is_named(struct hd_snap_item *item, const char *name)
{
	size_t n = strlen(name);

	if (item->in.n < 1 + n || item->in.p[0] != n ||
	    memcmp(item->in.p + 1, name, n) != 0)
		return false;
	item->in.p += 1 + n;
	item->in.n -= 1 + n;
	return true;
}

/* The next one of that name in `in`, which moves on behind it. */
static int next_named(struct hd_snap_in *in, const char *name,
		      struct hd_snap_item *ret)
{
	int r;

	while ((r = hd_snap_next(in, ret)) == 1)
		if (hd_pack_is_item(ret) && is_named(ret, name))
			return 0;
	return r < 0 ? r : -ENOENT;
}

static int find(const struct hd_unpack *from, unsigned tag, const char *name,
		struct hd_snap_in *ret)
{
	struct hd_snap_in in = { from->p, from->len_bytes };
	struct hd_snap_item item;
	int r = next_named(&in, name, &item);

	if (r == 0 && item.tag != tag)
		r = -EBADMSG;
	if (r == 0)
		*ret = item.in;
	return r;
}

int hd_unpack_view(const struct hd_unpack *from, const char *name,
		   const void **ret, size_t *ret_len_bytes)
{
	struct hd_snap_in in = { NULL, 0 };
	int r = find(from, HD_SNAP_PACK_BYTES, name, &in);

	if (r < 0)
		return r;
	*ret = in.p;
	*ret_len_bytes = in.n;
	return 0;
}

int hd_unpack_bytes(const struct hd_unpack *from, const char *name, void *ret,
		    size_t len_bytes)
{
	const void *p;
	size_t n;
	int r = hd_unpack_view(from, name, &p, &n);

	if (r < 0 || n != len_bytes)
		return r < 0 ? r : -EBADMSG;
	if (n > 0)
		memcpy(ret, p, n);
	return 0;
}

int hd_unpack_number(const struct hd_unpack *from, const char *name,
		     uint64_t *ret)
{
	return hd_unpack_bytes(from, name, ret, sizeof(*ret));
}

int hd_unpack_text(const struct hd_unpack *from, const char *name, char *ret,
		   size_t size_bytes)
{
	const void *p;
	size_t n;
	int r = hd_unpack_view(from, name, &p, &n);

	if (r < 0)
		return r;
	if (n > 0 && memchr(p, '\0', n) != NULL)
		return -EBADMSG;
	if (n >= size_bytes)
		return -ENOSPC;
	if (n > 0)
		memcpy(ret, p, n);
	ret[n] = '\0';
	return 0;
}

int hd_unpack_fd(const struct hd_unpack *from, const char *name)
{
	struct hd_unpack_fds *fds = from->fds;
	struct hd_snap_in in = { NULL, 0 };
	uint64_t number;
	int r = find(from, HD_SNAP_PACK_FD, name, &in);

	if (r < 0)
		return r;
	if (in.n != sizeof(number))
		return -EBADMSG;
	memcpy(&number, in.p, sizeof(number));
	if (fds == NULL || number >= fds->n)
		return -EBADMSG;
	r = __atomic_exchange_n(&fds->v[number], -1, __ATOMIC_RELAXED);
	return r < 0 ? -ENOENT : r;
}

static struct hd_unpack group_of(const struct hd_unpack *of,
				 struct hd_snap_in in)
{
	return hd_unpack_of(in, of->version, of->fds);
}

int hd_unpack_group(const struct hd_unpack *from, const char *name,
		    struct hd_unpack *ret)
{
	struct hd_snap_in in = { NULL, 0 };
	int r = find(from, HD_SNAP_PACK_GROUP, name, &in);

	if (r == 0)
		*ret = group_of(from, in);
	return r;
}

bool hd_unpack_next(struct hd_unpack *in, const char *name,
		    struct hd_unpack *ret)
{
	struct hd_snap_in left = { in->p, in->len_bytes };
	struct hd_snap_item item;
	int r;

	do
		r = next_named(&left, name, &item);
	while (r == 0 && item.tag != HD_SNAP_PACK_GROUP);
	in->p = left.p;
	in->len_bytes = left.n;
	if (r == 0)
		*ret = group_of(in, item.in);
	return r == 0;
}
