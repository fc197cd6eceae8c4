/* SPDX-License-Identifier: MIT */
/* core/tls/tls_snap.h - a TLS connection goes to another process: what is
 * secret of it goes another way than the rest. Context: its worker, parked. */
#pragma once
#include "core/base/snap.h"
#include "core/tls/tls.h"

/* What hd_tls_pack_secret() takes of a fixed snapshot, at most. */
#define HD_TLS_SECRET_BYTES 512

/* hd_tls_stays - why it cannot go; NULL: it can. */
const char *hd_tls_stays(const struct hd_tls *tls);
/* hd_tls_pack - what is not secret. hd_tls_pack_secret - the rest. Both leave
 * the connection as it is.
 * @stream  the number by which the new process joins the two */
void hd_tls_pack(const struct hd_tls *tls, struct hd_snap *to);
void hd_tls_pack_secret(const struct hd_tls *tls, uint64_t stream,
			struct hd_snap *to);

/* hd_tls_unpack - the connection, without keys; only hd_tls_unpack_secret()
 * makes it one that can be used. hd_tls_secret_of - whose they are.
 * Return 0; -EBADMSG; -ENOTSUP (err says what this version does not know);
 * -ENOMEM. */
int hd_tls_unpack(struct hd_snap_in in, struct hd_chunk_pool *pool,
		  struct hd_tls **ret, struct hd_error *err);
int hd_tls_unpack_secret(struct hd_tls *tls, struct hd_snap_in in,
			 struct hd_error *err);
int hd_tls_secret_of(struct hd_snap_in in, uint64_t *ret_stream);
/* hd_tls_fits - whether this socket is one whose records are made where the
 * connection says: by us, or by the kernel. */
bool hd_tls_fits(const struct hd_tls *tls, int fd);
/* hd_tls_new_adopted - in tls.c: nothing but room for keys. */
struct hd_tls *hd_tls_new_adopted(void);
