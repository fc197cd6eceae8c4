/* SPDX-License-Identifier: MIT */
/* core/base/snap.h - a snapshot: what one process hands to the next when the
 * binary is replaced. Items of a tag, a length and bytes; items inside items.
 *
 *   item    tag (16 bits), 16 bits of zero, length (32 bits), bytes
 *   number  an item of 8 bytes
 *   place   an item of a number and, behind it, the name of its place in an
 *           array; a place that is 0 is not written
 *
 * All in the order of bytes of this machine, which both processes run on. A
 * reader refuses a tag that it does not know, by its number, unless
 * HD_SNAP_SKIP is set in it: then it goes on as if it was not there. So a new
 * field that an old binary may ignore has that bit, and one that it must not
 * ignore has not. doc/internals/upgrade.md has the whole of it; the tags:
 * snap_format.h. Any thread. */
#pragma once
#include <hyper-derp/base.h>

#define HD_SNAP_SKIP 0x8000u
#define HD_SNAP_HEAD_BYTES 8

/* ---- write ---- */

struct hd_snap { /* zeroed, or with v and size given: then it does not grow */
	uint8_t *v;
	size_t n, size;
	bool fixed; /* v is the caller's: secrets */
	bool failed; /* out of memory, or full: what follows does nothing */
};

void hd_snap_number(struct hd_snap *s, unsigned tag, uint64_t value);
void hd_snap_bytes(struct hd_snap *s, unsigned tag, const void *p, size_t n);
void hd_snap_place(struct hd_snap *s, unsigned tag, const char *name,
		   uint64_t value);
/* hd_snap_text - NULL: no item. */
void hd_snap_text(struct hd_snap *s, unsigned tag, const char *text);
/* hd_snap_begin - an item that has items; hd_snap_end() takes what it returned.
 */
size_t hd_snap_begin(struct hd_snap *s, unsigned tag);
void hd_snap_end(struct hd_snap *s, size_t begin);
/* hd_snap_room - n bytes of an item that the caller fills. NULL: failed. */
uint8_t *hd_snap_room(struct hd_snap *s, unsigned tag, size_t n);
/* hd_snap_append - all items of another one. */
void hd_snap_append(struct hd_snap *s, const struct hd_snap *from);
void hd_snap_free(struct hd_snap *s);

/* ---- read: bytes that another process has written; nothing is trusted ---- */

struct hd_snap_in {
	const uint8_t *p;
	size_t n;
};

struct hd_snap_item {
	unsigned tag;
	struct hd_snap_in in; /* its bytes */
};

/* hd_snap_next - the next item, which may be unknown. Returns 1; 0 there is
 * none; -EBADMSG it is cut off. */
int hd_snap_next(struct hd_snap_in *in, struct hd_snap_item *ret);
/* hd_snap_unknown - what to do with an item that has no place. Returns 0 pass
 * over it; -ENOTSUP, with its number in err. @where  "a stream" */
int hd_snap_unknown(const struct hd_snap_item *item, const char *where,
		    struct hd_error *err);
/* hd_snap_to_number, hd_snap_to_bytes - exactly n bytes; hd_snap_to_text - a
 * copy, without a NUL inside. Return 0; -EBADMSG; -ENOMEM. */
int hd_snap_to_number(const struct hd_snap_item *item, uint64_t *ret);
int hd_snap_to_bytes(const struct hd_snap_item *item, void *ret, size_t n);
int hd_snap_to_text(const struct hd_snap_item *item, char **ret);

/* hd_snap_to_place - which of n names it has. Returns its index; -ENOENT none
 * of them; -EBADMSG. */
int hd_snap_to_place(const struct hd_snap_item *item, const char *const *names,
		     size_t n, uint64_t *ret);

/* ---- structs: the same table writes and reads ---- */

struct hd_snap_field {
	uint16_t tag;
	uint16_t size; /* of a number, or of one place: 1, 2, 4, 8 */
	uint32_t offset;
	bool bytes; /* not a number but an array */
	bool later; /* came with a later version: may be missing */
	/* An array whose places an enum counts: each goes by its name, so that
	 * one more of them is no other format. NULL: it is none. */
	const char *const *places;
	uint16_t n_places;
};

#define HD_SNAP_NUMBER(type, field, tag_)                                      \
	{                                                                      \
		.tag = (tag_), .size = sizeof(((type *)0)->field),             \
		.offset = offsetof(type, field),                               \
	}
#define HD_SNAP_ARRAY(type, field, tag_)                                       \
	{                                                                      \
		.tag = (tag_), .size = sizeof(((type *)0)->field),             \
		.offset = offsetof(type, field), .bytes = true,                \
	}
/* HD_SNAP_PLACES - names  an array of as many names, none of them NULL */
#define HD_SNAP_PLACES(type, field, tag_, names)                               \
	{                                                                      \
		.tag = (tag_), .size = sizeof(((type *)0)->field[0]),          \
		.offset = offsetof(type, field), .places = (names),            \
		.n_places = HD_ARRAY_N(names),                                 \
	}
#define HD_SNAP_FIELDS_MAX 64

void hd_snap_struct(struct hd_snap *s, const struct hd_snap_field *v, size_t n,
		    const void *from);
/* hd_snap_fill - one item into the field that it belongs to.
 * @seen  a bit for each field that was filled; zeroed before the first
 * Returns 1; 0 none of these fields, or a place that has no name here: see
 * hd_snap_unknown(); -EBADMSG: a wrong length, a number that does not fit,
 * twice the same. hd_snap_whole - whether no field is missing; places may be,
 * which are 0. */
int hd_snap_fill(const struct hd_snap_item *item, const struct hd_snap_field *v,
		 size_t n, void *to, uint64_t *seen);
bool hd_snap_whole(const struct hd_snap_field *v, size_t n, uint64_t seen);
