/* SPDX-License-Identifier: MIT */
/* core/tls/tls_snap.c - a TLS connection goes to another process. Only one that
 * is plain data can: ours, not OpenSSL's. Where the kernel makes the records,
 * keys and numbers in use stand beside the socket, which moves: ours are for
 * the next KeyUpdate. After it was given away this process has no key of it any
 * more: the number of a record is never used twice. Context: the stream's
 * worker, parked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/chunk.h"
#include "core/base/snap_format.h"
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_snap.h"

#define N(field, tag) HD_SNAP_NUMBER(struct hd_records, field, tag)
#define B(field, tag) HD_SNAP_ARRAY(struct hd_records, field, tag)

static const struct hd_snap_field fields[] = {
	N(rx.seq, HD_SNAP_RECORDS_RX_SEQ),
	B(rx.iv, HD_SNAP_RECORDS_RX_IV),
	B(rx.key, HD_SNAP_RECORDS_RX_KEY),
	B(rx.secret, HD_SNAP_RECORDS_RX_SECRET),
	N(tx.seq, HD_SNAP_RECORDS_TX_SEQ),
	B(tx.iv, HD_SNAP_RECORDS_TX_IV),
	B(tx.key, HD_SNAP_RECORDS_TX_KEY),
	B(tx.secret, HD_SNAP_RECORDS_TX_SECRET),
	B(message, HD_SNAP_RECORDS_MESSAGE),
	N(message_bytes, HD_SNAP_RECORDS_MESSAGE_BYTES),
	N(empty_records, HD_SNAP_RECORDS_EMPTY),
	N(owes_update, HD_SNAP_RECORDS_OWES_UPDATE),
	N(ended, HD_SNAP_RECORDS_ENDED),
};

const char *hd_tls_stays(const struct hd_tls *t)
{
	if (!t->ready)
		return "TLS handshake";
	if (t->records == NULL)
		return "TLS by OpenSSL";
	/* what a call has been given is used up between two turns */
	return t->openssl.in_left > 0 ? "TLS input" : NULL;
}

void hd_tls_pack(const struct hd_tls *t, struct hd_snap *to)
{
	size_t at = hd_snap_begin(to, HD_SNAP_TLS);

	hd_snap_text(to, HD_SNAP_TLS_SERVER_NAME, t->server_name);
	if (t->kernel != 0)
		hd_snap_number(to, HD_SNAP_TLS_KERNEL, t->kernel);
	if (t->partial != NULL)
		hd_snap_bytes(to, HD_SNAP_TLS_PARTIAL,
			      t->partial->data + t->partial->head,
			      hd_chunk_len(t->partial));
	hd_snap_end(to, at);
}

void hd_tls_pack_secret(const struct hd_tls *t, uint64_t stream,
			struct hd_snap *to)
{
	size_t at = hd_snap_begin(to, HD_SNAP_RECORDS);

	hd_snap_number(to, HD_SNAP_RECORDS_STREAM, stream);
	hd_snap_number(to, HD_SNAP_RECORDS_SUITE, t->records->suite->id);
	hd_snap_struct(to, fields, HD_ARRAY_N(fields), t->records);
	hd_snap_end(to, at);
}

/* ---- in the new process ---- */

static int take_partial(struct hd_tls *t, const struct hd_snap_item *item,
			struct hd_chunk_pool *pool)
{
	size_t n = item->in.n;

	if (t->partial != NULL || n == 0 || n >= HD_TLS_PARTIAL_BYTES)
		return -EBADMSG;
	t->partial = hd_chunk_new(pool, n);
	if (t->partial == NULL)
		return -ENOMEM;
	memcpy(t->partial->data + t->partial->tail, item->in.p, n);
	t->partial->tail += (uint32_t)n;
	return 0;
}

static int take_kernel(struct hd_tls *t, const struct hd_snap_item *item)
{
	uint64_t v = 0;
	int r = hd_snap_to_number(item, &v);

	if (r < 0)
		return r;
	if (t->kernel != 0 || v == 0 || v > (HD_KTLS_TX | HD_KTLS_RX))
		return -EBADMSG;
	t->kernel = (uint8_t)v;
	return 0;
}

static int take_plain(struct hd_tls *t, const struct hd_snap_item *item,
		      struct hd_chunk_pool *pool, struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_TLS_SERVER_NAME:
		return hd_snap_to_text(item, &t->server_name);
	case HD_SNAP_TLS_PARTIAL:
		return take_partial(t, item, pool);
	case HD_SNAP_TLS_KERNEL:
		return take_kernel(t, item);
	default:
		return hd_snap_unknown(item, "a TLS connection", err);
	}
}

int hd_tls_unpack(struct hd_snap_in in, struct hd_chunk_pool *pool,
		  struct hd_tls **ret, struct hd_error *err)
{
	HD_AUTO(hd_tls_free) struct hd_tls *t = hd_tls_new_adopted();
	struct hd_snap_item item;
	int r = t != NULL ? 0 : -ENOMEM;

	while (r == 0 && (r = hd_snap_next(&in, &item)) == 1)
		r = take_plain(t, &item, pool, err);
	if (r == 0 && t->kernel & HD_KTLS_RX && t->partial != NULL)
		r = -EBADMSG;
	if (r == 0)
		*ret = hd_steal(&t);
	return r;
}

/* Else what is for the kernel to seal would go out as it is. A kernel without
 * this cipher has put TLS on the socket, and then took no key. */
bool hd_tls_fits(const struct hd_tls *t, int fd)
{
	return ((t->kernel & HD_KTLS_TX) != 0) == hd_ktls_seals(fd) &&
	       (t->kernel == 0 || hd_ktls_is_on(fd));
}

struct secret {
	uint64_t suite, stream;
};

static const struct hd_snap_field own_fields[] = {
	HD_SNAP_NUMBER(struct secret, suite, HD_SNAP_RECORDS_SUITE),
	HD_SNAP_NUMBER(struct secret, stream, HD_SNAP_RECORDS_STREAM),
};

static bool makes_sense(const struct hd_records *r)
{
	return r->suite != NULL && r->message_bytes < HD_KEY_UPDATE_BYTES &&
	       r->empty_records <= HD_RECORDS_EMPTY_MAX &&
	       (r->ended == 0 || r->ended == -EPIPE || r->ended == -ECONNRESET);
}

/* A bool is read as it stands there: any other byte would be undefined. */
static int check_bool(const struct hd_snap_item *item)
{
	uint64_t v = 0;

	return item->tag != HD_SNAP_RECORDS_OWES_UPDATE ||
			       (hd_snap_to_number(item, &v) == 0 && v <= 1)
		       ? 0
		       : -EBADMSG;
}

int hd_tls_unpack_secret(struct hd_tls *t, struct hd_snap_in in,
			 struct hd_error *err)
{
	struct secret own = { 0 };
	uint64_t seen = 0, seen_own = 0;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = check_bool(&item);
		if (r == 0)
			r = hd_snap_fill(&item, fields, HD_ARRAY_N(fields),
					 t->records, &seen);
		if (r == 0)
			r = hd_snap_fill(&item, own_fields,
					 HD_ARRAY_N(own_fields), &own,
					 &seen_own);
		if (r == 0)
			r = hd_snap_unknown(&item, "TLS records", err);
		if (r < 0)
			return r;
	}
	t->records->suite = own.suite <= UINT16_MAX
				    ? hd_tls_suite_find((uint16_t)own.suite)
				    : NULL;
	t->ready = true;
	return r == 0 && makes_sense(t->records) &&
			       hd_snap_whole(fields, HD_ARRAY_N(fields), seen)
		       ? 0
		       : -EBADMSG;
}

int hd_tls_secret_of(struct hd_snap_in in, uint64_t *ret_stream)
{
	struct hd_snap_item item;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_RECORDS_STREAM)
			return hd_snap_to_number(&item, ret_stream);
	return -EBADMSG;
}
