/* SPDX-License-Identifier: MIT */
/* core/tls.c - a TLS connection on OpenSSL's SSL object, between memory and
 * memory: records come from the worker's receive buffer and go into chunks of
 * the stream's flight. Context: the stream's worker. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "core/chunk.h"
#include "core/tls.h"

struct hd_tls {
	SSL *ssl;
	struct hd_tls_store *store;
	bool got_http;
	/* during a call */
	const uint8_t *in;
	size_t in_left;
	struct hd_chunk_pool *pool;
	struct hd_queue *wire;
};

/* ---- OpenSSL's view of our memory ---- */

static int bio_read(BIO *bio, char *to, int n)
{
	struct hd_tls *t = BIO_get_data(bio);
	size_t take = HD_MIN((size_t)n, t->in_left);

	BIO_clear_retry_flags(bio);
	if (take == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, t->in, take);
	t->in += take;
	t->in_left -= take;
	return (int)take;
}

/* A chunk that holds a whole sealed record. */
static struct hd_chunk *wire_room(struct hd_tls *t, size_t n)
{
	struct hd_chunk *c = t->wire->last;

	if (c != NULL && hd_chunk_room(c) >= HD_MIN(n, 1024u))
		return c;
	c = hd_chunk_new(t->pool, HD_MIN(n, (size_t)HD_CHUNK_BYTES));
	if (c == NULL)
		return NULL;
	c->cap += HD_CHUNK_TAILROOM_BYTES;
	hd_queue_push(t->wire, c);
	return c;
}

static int bio_write(BIO *bio, const char *from, int n)
{
	struct hd_tls *t = BIO_get_data(bio);
	size_t left = (size_t)n;

	while (left > 0) {
		struct hd_chunk *c = wire_room(t, left);

		if (c == NULL)
			return -1;
		size_t take = HD_MIN(left, hd_chunk_room(c));

		memcpy(c->data + c->tail, from, take);
		c->tail += (uint32_t)take;
		t->wire->bytes += (uint32_t)take;
		from += take;
		left -= take;
	}
	return n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_PUSH ||
	       cmd == BIO_CTRL_POP;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				  "hd_stream");
	hd_assert(bio_method != NULL);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

static BIO *bio_for(struct hd_tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_bio_method);
	bio = BIO_new(bio_method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- life ---- */

void hd_tls_free(struct hd_tls **tls)
{
	struct hd_tls *t = hd_steal(tls);

	if (t == NULL)
		return;
	SSL_free(t->ssl);
	hd_tls_store_put(&t->store);
	free(t);
}

struct hd_tls *hd_tls_new(struct hd_tls_store *store)
{
	HD_AUTO(hd_tls_free) struct hd_tls *t = calloc(1, sizeof(*t));
	BIO *bio;

	if (t == NULL)
		return NULL;
	t->store = hd_tls_store_get(store);
	t->ssl = SSL_new(hd_tls_store_ctx(store));
	if (t->ssl == NULL)
		return NULL;
	bio = bio_for(t);
	if (bio == NULL)
		return NULL;
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_accept_state(t->ssl);
	return hd_steal(&t);
}

void hd_tls_input(struct hd_tls *t, uint8_t *in, size_t n)
{
	t->in = in;
	t->in_left = n;
}

static void begin(struct hd_tls *t, struct hd_chunk_pool *pool,
		  struct hd_queue *wire)
{
	t->pool = pool;
	t->wire = wire;
	ERR_clear_error();
}

/* ---- work ---- */

int hd_tls_handshake(struct hd_tls *t, struct hd_chunk_pool *pool,
		     struct hd_queue *wire)
{
	begin(t, pool, wire);
	int r = SSL_do_handshake(t->ssl);

	if (r == 1)
		return 1;
	if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ)
		return 0;
	t->got_http = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
	return -EPROTO;
}

bool hd_tls_got_http(const struct hd_tls *t)
{
	return t->got_http;
}

static int open_failed(struct hd_tls *t, int r)
{
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -EPIPE;
	default:
		return -EPROTO;
	}
}

int hd_tls_open(struct hd_tls *t, struct hd_chunk_pool *pool,
		struct hd_queue *wire, uint8_t *out, size_t size)
{
	size_t n = 0;
	int r = 1;

	begin(t, pool, wire);
	while (size - n >= HD_TLS_RECORD_BYTES) {
		r = SSL_read(t->ssl, out + n, (int)(size - n));
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	return n > 0 ? (int)n : open_failed(t, r);
}

int hd_tls_seal(struct hd_tls *t, struct hd_chunk_pool *pool,
		const struct hd_queue *plain, struct hd_queue *wire)
{
	begin(t, pool, wire);
	for (const struct hd_chunk *c = plain->first; c; c = c->next)
		if (SSL_write(t->ssl, c->data + c->head,
			      (int)hd_chunk_len(c)) <= 0)
			return -EPROTO;
	return 0;
}

void hd_tls_close_notify(struct hd_tls *t, struct hd_chunk_pool *pool,
			 struct hd_queue *wire)
{
	begin(t, pool, wire);
	SSL_shutdown(t->ssl);
}

const char *hd_tls_server_name(const struct hd_tls *t)
{
	return SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
}
