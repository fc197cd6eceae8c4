/* SPDX-License-Identifier: MIT */
/* tools/hdcat/record.h - records that files are sent by, as
 * doc/reference/protocol-hdcat.md has them. */
#pragma once
#include <hd/hd.h>

#define RECORD_HEAD_BYTES 4
#define RECORD_BODY_BYTES 65536
#define RECORD_TEXT_BYTES 1024
#define HASH_BYTES 32
#define NAME_BYTES 4096
#define NAME_DEPTH_MAX 64
#define OFFERS_MAX 256 /* that are not over */

enum record_type {
	RECORD_OFFER = 1,
	RECORD_GO,
	RECORD_SKIP,
	RECORD_DATA,
	RECORD_END,
	RECORD_DROP,
	RECORD_BYE,
	RECORD_WANT = 16,
	RECORD_REFUSED,
	RECORD_DONE,
	RECORD_STOP,
};

enum { WANT_WHOLE = 1, WANT_MAY_REPLACE = 2 };

struct record { /* body is borrowed */
	enum record_type type;
	const uint8_t *body;
	size_t n;
};

struct offer {
	bool is_dir;
	uint16_t mode;
	uint32_t mtime_ns;
	int64_t mtime_s;
	uint64_t size;
	const char *name; /* borrowed */
};

struct want {
	uint32_t number;
	uint8_t flags;
	uint64_t offset;
	uint8_t hash[HASH_BYTES];
};

/* record_parse - of the n bytes that have come. Returns how many it had; 0
 * there is more to come; -EPROTO.
 * offer_parse, want_parse - a body. Both return 0; -EPROTO.
 * @name  where the offer's name is written to
 * name_valid - whether a name may be sent: it leads nowhere but down. */
ssize_t record_parse(const uint8_t *p, size_t n, struct record *ret);
int offer_parse(const struct record *r, char name[NAME_BYTES + 1],
		struct offer *ret);
int want_parse(const struct record *r, struct want *ret);
bool name_valid(const char *name, size_t n);

/* records_in - what has come of a stream; zeroed at first. */
struct records_in {
	uint8_t v[RECORD_HEAD_BYTES + RECORD_BODY_BYTES];
	size_t at, n; /* n bytes wait at v + at */
};

/* records_read - the next one; its body lives until the next call. Returns 1;
 * 0 not now; -ENODATA the stream has ended; or as libhd_stream_read();
 * -EPROTO. */
int records_read(struct records_in *in, struct libhd_stream *s,
		 struct record *ret);

/* records_out - what is to be written to one; zeroed at first. */
#define RECORDS_OUT_BYTES (4 * (RECORD_HEAD_BYTES + RECORD_BODY_BYTES))
struct records_out {
	uint8_t v[RECORDS_OUT_BYTES];
	size_t at, n;
};

/* records_room - whether one more, however long, fits.
 * records_flush - as far as the stream takes it. Returns 0; or as
 * libhd_stream_write(), but for -EAGAIN.
 * The others add one, for which there must be room. record_data_at - where the
 * body of DATA may be written to; record_data - it has n bytes. */
bool records_room(const struct records_out *out);
int records_flush(struct records_out *out, struct libhd_stream *s);
void record_put(struct records_out *out, enum record_type type,
		const void *body, size_t n);
void record_offer(struct records_out *out, const struct offer *o);
void record_go(struct records_out *out, uint64_t offset);
uint8_t *record_data_at(struct records_out *out);
void record_data(struct records_out *out, size_t n);
void record_want(struct records_out *out, const struct want *w);
void record_done(struct records_out *out, uint32_t number,
		 const uint8_t hash[HASH_BYTES]);
void record_refused(struct records_out *out, uint32_t number,
		    const char *why);
void record_text(struct records_out *out, enum record_type type,
		 const char *text);

/* record_number - what WANT, REFUSED and DONE begin with. */
uint32_t record_number(const struct record *r);
