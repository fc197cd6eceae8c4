/* SPDX-License-Identifier: MIT */
/* core/tls/tls_ssl.c - OpenSSL's SSL object between memory and memory: records
 * come from the worker's receive buffer and go into chunks of the stream's
 * flight. Context: the stream's worker. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <pthread.h>
#include <string.h>
#include "core/base/chunk.h"
#include "core/tls/tls_ssl.h"

#define RECORD_BYTES 16384 /* SSL_read() returns no more at once */

/* ---- OpenSSL's view of our memory ---- */

static int bio_read(BIO *bio, char *to, int n)
{
	struct hd_ssl *s = BIO_get_data(bio);
	size_t take = HD_MIN((size_t)n, s->in_left);

	BIO_clear_retry_flags(bio);
	if (take == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, s->in, take);
	s->in += take;
	s->in_left -= take;
	return (int)take;
}

/* Room for n bytes of a record, or for a part of it worth having. */
static struct hd_chunk *wire_room(const struct hd_tls_env *env, size_t n)
{
	struct hd_chunk *c = env->wire->last;

	if (c != NULL && hd_chunk_room(c) >= HD_MIN(n, 1024u))
		return c;
	c = hd_chunk_new(env->pool, HD_MIN(n, (size_t)HD_CHUNK_BYTES));
	if (c == NULL)
		return NULL;
	c->cap += HD_CHUNK_TAILROOM_BYTES; /* a whole sealed record fits */
	hd_queue_push(env->wire, c);
	return c;
}

static int bio_write(BIO *bio, const char *from, int n)
{
	struct hd_ssl *s = BIO_get_data(bio);
	size_t left = (size_t)n;

	while (left > 0) {
		struct hd_chunk *c = wire_room(s->env, left);

		if (c == NULL)
			return -1;
		size_t take = HD_MIN(left, hd_chunk_room(c));

		memcpy(c->data + c->tail, from, take);
		c->tail += (uint32_t)take;
		s->env->wire->bytes += (uint32_t)take;
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

int hd_ssl_init(struct hd_ssl *s, SSL_CTX *ctx, bool is_client)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_bio_method);
	s->ssl = SSL_new(ctx);
	if (s->ssl == NULL)
		return -ENOMEM;
	bio = BIO_new(bio_method);
	if (bio == NULL)
		return -ENOMEM;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	if (is_client)
		SSL_set_connect_state(s->ssl);
	else
		SSL_set_accept_state(s->ssl);
	return 0;
}

void hd_ssl_free(struct hd_ssl *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
}

static void begin(struct hd_ssl *s, const struct hd_tls_env *env)
{
	s->env = env;
	ERR_clear_error();
}

/* ---- work ---- */

int hd_ssl_handshake(struct hd_ssl *s, const struct hd_tls_env *env,
		     bool *ret_http)
{
	begin(s, env);
	int r = SSL_do_handshake(s->ssl);

	if (r == 1)
		return 1;
	if (SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_READ)
		return 0;
	*ret_http = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
	return -EPROTO;
}

static int open_failed(struct hd_ssl *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -EPIPE;
	default: /* a fatal alert that was received counts as its shutdown */
		return SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN
			       ? -ECONNRESET
			       : -EPROTO;
	}
}

int hd_ssl_open(struct hd_ssl *s, const struct hd_tls_env *env, uint8_t *out,
		size_t size)
{
	size_t n = 0;
	int r = 1;

	begin(s, env);
	while (s->failed == 0 && size - n >= RECORD_BYTES) {
		r = SSL_read(s->ssl, out + n, (int)(size - n));
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (r <= 0) /* asked again, OpenSSL would say something else */
		s->failed = open_failed(s, r);
	return n > 0 ? (int)n : s->failed;
}

int hd_ssl_seal(struct hd_ssl *s, const struct hd_tls_env *env,
		const struct hd_queue *plain)
{
	begin(s, env);
	for (const struct hd_chunk *c = plain->first; c; c = c->next)
		if (SSL_write(s->ssl, c->data + c->head,
			      (int)hd_chunk_len(c)) <= 0)
			return -EPROTO;
	return 0;
}

void hd_ssl_close_notify(struct hd_ssl *s, const struct hd_tls_env *env)
{
	begin(s, env);
	SSL_shutdown(s->ssl);
}
