/* SPDX-License-Identifier: MIT */
/* core/tls/tls.c - a TLS connection, whoever does its records.
 *
 *   HANDSHAKE (SSL object) --TLS 1.3, our suite--> RECORDS (plain data)
 *                 `--------- anything else ------> OPENSSL (SSL object)
 *
 * Context: the stream's worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/chunk.h"
#include "core/base/slab.h"
#include "core/tls/kdf.h"
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_snap.h"

/* Keys of all connections: locked to this process, not dumped. */
static struct hd_slab secret_slab = HD_SLAB(sizeof(struct hd_records), true);

/* ---- life ---- */

void hd_tls_free(struct hd_tls **tls)
{
	struct hd_tls *t = hd_steal(tls);
	struct hd_chunk_pool none = { 0 };

	if (t == NULL)
		return;
	hd_tls_uncache(t);
	hd_tls_forget(t);
	hd_slab_free(&secret_slab, (void **)&t->records);
	hd_ssl_free(&t->openssl);
	hd_tls_store_put(&t->store);
	hd_chunk_put(&none, &t->partial);
	hd_chunk_pool_free(&none);
	free(t->server_name);
	free(t);
}

static int init(struct hd_tls *t, SSL_CTX *ctx, bool is_client, bool own)
{
	if (hd_ssl_init(&t->openssl, ctx, is_client) < 0)
		return -ENOMEM;
	SSL_set_app_data(t->openssl.ssl, t);
	if (own)
		t->records = hd_slab_alloc(&secret_slab);
	if (t->records != NULL)
		t->records->is_client = is_client;
	return 0;
}

struct hd_tls *hd_tls_new(struct hd_tls_store *store, bool own)
{
	HD_AUTO(hd_tls_free) struct hd_tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->store = hd_tls_store_get(store);
	if (init(t, hd_tls_store_ctx(store), false, own) < 0)
		return NULL;
	return hd_steal(&t);
}

struct hd_tls *hd_tls_new_client(SSL_CTX *ctx, struct hd_tls_peer *peer,
				 bool own)
{
	HD_AUTO(hd_tls_free) struct hd_tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->peer = peer;
	if (init(t, ctx, true, own) < 0 ||
	    hd_tls_peer_ask(peer, t->openssl.ssl) < 0)
		return NULL;
	return hd_steal(&t);
}

struct hd_tls *hd_tls_new_adopted(void)
{
	HD_AUTO(hd_tls_free) struct hd_tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->records = hd_slab_alloc(&secret_slab);
	return t->records != NULL ? hd_steal(&t) : NULL;
}

bool hd_tls_speaks_first(const struct hd_tls *t)
{
	return t->peer != NULL && SSL_in_before(t->openssl.ssl);
}

bool hd_tls_is_own(const struct hd_tls *t)
{
	return t->ready && t->records != NULL;
}

bool hd_tls_got_http(const struct hd_tls *t)
{
	return t->got_http;
}

const char *hd_tls_server_name(const struct hd_tls *t)
{
	return t->server_name;
}

/* ---- from handshake to records ---- */

/* RFC 6066, 4: the client was promised records of at most 512 to 4096. */
static bool wants_small_records(SSL *ssl)
{
	return SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)) !=
	       TLSEXT_max_fragment_length_DISABLED;
}

static bool can_be_ours(struct hd_tls *t)
{
	struct hd_records *r = t->records;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->openssl.ssl);

	if (r == NULL || !hd_tls_has_secrets(t) || cipher == NULL ||
	    SSL_version(t->openssl.ssl) != TLS1_3_VERSION ||
	    wants_small_records(t->openssl.ssl))
		return false;
	r->suite = hd_tls_suite_find(SSL_CIPHER_get_protocol_id(cipher));
	return r->suite != NULL &&
	       hd_tls_keys_derive(&r->rx, r->suite) == 0 &&
	       hd_tls_keys_derive(&r->tx, r->suite) == 0;
}

/* We have sent no record under these keys yet: no tickets. A server's may be
 * here already; OpenSSL has read no further than its Finished. */
static void handshake_done(struct hd_tls *t, const struct hd_tls_env *env)
{
	const char *name = SSL_get_servername(t->openssl.ssl,
					      TLSEXT_NAMETYPE_host_name);

	if (name != NULL)
		t->server_name = strdup(name);
	if (env->alpn != NULL)
		hd_alpn_read(env->alpn, t->openssl.ssl);
	t->ready = true;
	if (can_be_ours(t)) {
		hd_ssl_free(&t->openssl);
		hd_tls_store_put(&t->store);
	} else {
		hd_tls_forget(t); /* OpenSSL has its own */
		hd_slab_free(&secret_slab, (void **)&t->records);
	}
}

int hd_tls_handshake(struct hd_tls *t, const struct hd_tls_env *env)
{
	const struct hd_kdf_watch watch = { hd_tls_note_secret, t };
	int r;

	hd_kdf_watch(t->records != NULL ? &watch : NULL);
	r = hd_ssl_handshake(&t->openssl, env, &t->got_http);
	hd_kdf_watch(NULL);

	if (r == 1)
		handshake_done(t, env);
	if (r < 0 && t->peer != NULL)
		hd_tls_peer_failed(t->peer);
	if (r != 0)
		t->peer = NULL;
	return r;
}

/* ---- input ---- */

size_t hd_tls_partial_bytes(const struct hd_tls *t)
{
	return t->partial != NULL ? hd_chunk_len(t->partial) : 0;
}

size_t hd_tls_take_partial(struct hd_tls *t, struct hd_chunk_pool *pool,
			   uint8_t *buf)
{
	size_t n = hd_tls_partial_bytes(t);

	if (n == 0)
		return 0;
	memcpy(buf, t->partial->data + t->partial->head, n);
	hd_chunk_put(pool, &t->partial);
	return n;
}

void hd_tls_input(struct hd_tls *t, const uint8_t *in, size_t n)
{
	t->openssl.in = in;
	t->openssl.in_left = n;
}

static int keep_partial(struct hd_tls *t, const struct hd_tls_env *env)
{
	struct hd_ssl *s = &t->openssl;

	if (s->in_left == 0)
		return 0;
	t->partial = hd_chunk_new(env->pool, s->in_left);
	if (t->partial == NULL)
		return -ENOMEM;
	memcpy(t->partial->data + t->partial->tail, s->in, s->in_left);
	t->partial->tail += (uint32_t)s->in_left;
	s->in_left = 0;
	return 0;
}

/* A small record of our own: alert, KeyUpdate. */
static struct hd_chunk *small_chunk(const struct hd_tls_env *env)
{
	struct hd_chunk *c = hd_chunk_new(env->pool, 64);

	if (c != NULL)
		c->head = c->tail = 0;
	return c;
}

static void push_sealed(const struct hd_tls_env *env, struct hd_chunk *c,
			int len)
{
	if (len < 0) {
		hd_chunk_put(env->pool, &c);
		return;
	}
	c->tail = c->head + (uint32_t)len;
	hd_queue_push(env->wire, c);
}

static void send_alert(struct hd_tls *t, const struct hd_tls_env *env,
		       enum hd_alert alert)
{
	struct hd_chunk *c = small_chunk(env);

	if (c != NULL)
		push_sealed(env, c,
			    hd_records_alert(t->records, env->ciphers, alert,
					     c->data));
}

static int open_own(struct hd_tls *t, const struct hd_tls_env *env,
		    uint8_t *out, size_t size)
{
	struct hd_ssl *s = &t->openssl;
	size_t used;
	int r = hd_records_open(t->records, env->ciphers, s->in, s->in_left,
				&used, out, size);

	s->in += used;
	s->in_left -= used;
	if (r == 0)
		return keep_partial(t, env);
	if (r == -EPROTO && !(t->kernel & HD_KTLS_TX))
		send_alert(t, env, t->records->alert);
	return r;
}

int hd_tls_open(struct hd_tls *t, const struct hd_tls_env *env, uint8_t *out,
		size_t size)
{
	return hd_tls_is_own(t) ? open_own(t, env, out, size) :
				  hd_ssl_open(&t->openssl, env, out, size);
}

/* ---- output ---- */

static int update_key(struct hd_tls *t, const struct hd_tls_env *env)
{
	struct hd_chunk *c = small_chunk(env);
	int len;

	if (c == NULL)
		return -ENOMEM;
	len = hd_records_update(t->records, env->ciphers, c->data);
	push_sealed(env, c, len);
	return len < 0 ? len : 0;
}

/* In place: a chunk has room before its frames and behind them. */
static int seal_chunk(struct hd_tls *t, const struct hd_tls_env *env,
		      struct hd_chunk *c)
{
	size_t n = hd_chunk_len(c);
	int len;

	if (hd_records_update_due(t->records) && update_key(t, env) < 0) {
		hd_chunk_put(env->pool, &c);
		return -EPROTO;
	}
	hd_assert(c->head >= HD_RECORD_HEAD_BYTES);
	c->head -= HD_RECORD_HEAD_BYTES;
	len = hd_records_seal(t->records, env->ciphers, HD_RECORD_DATA,
			      c->data + c->head, n);
	push_sealed(env, c, len);
	return len < 0 ? len : 0;
}

/* One that is longer than a record goes into several. */
static int seal_long(struct hd_tls *t, const struct hd_tls_env *env,
		     struct hd_chunk *c)
{
	int r = 0;

	while (r == 0 && hd_chunk_len(c) > 0) {
		uint32_t take = (uint32_t)HD_MIN(
			hd_chunk_len(c), (size_t)HD_RECORD_PLAIN_MAX_BYTES);
		struct hd_chunk *part = hd_chunk_new(env->pool, take);

		if (part == NULL) {
			r = -ENOMEM;
			break;
		}
		memcpy(part->data + part->tail, c->data + c->head, take);
		part->tail += take;
		c->head += take;
		r = seal_chunk(t, env, part);
	}
	hd_chunk_put(env->pool, &c);
	return r;
}

static int seal_own(struct hd_tls *t, const struct hd_tls_env *env,
		    struct hd_queue *plain)
{
	struct hd_chunk *c;
	int r = 0;

	if (t->kernel & HD_KTLS_TX) {
		hd_queue_append(env->wire, plain);
		return 0;
	}
	while (r == 0 && (c = hd_queue_pop(plain)) != NULL)
		r = hd_chunk_len(c) <= HD_RECORD_PLAIN_MAX_BYTES ?
			    seal_chunk(t, env, c) :
			    seal_long(t, env, c);
	return r;
}

int hd_tls_seal(struct hd_tls *t, const struct hd_tls_env *env,
		struct hd_queue *plain)
{
	int r = hd_tls_is_own(t) ? seal_own(t, env, plain) :
				   hd_ssl_seal(&t->openssl, env, plain);

	hd_queue_clear(env->pool, plain);
	return r;
}

void hd_tls_close_notify(struct hd_tls *t, const struct hd_tls_env *env)
{
	if (!hd_tls_is_own(t))
		hd_ssl_close_notify(&t->openssl, env);
	else if (t->kernel & HD_KTLS_TX)
		return; /* hd_tls_kernel_alert(), when all has been sent */
	else if (t->records->alert == 0 || t->kernel & HD_KTLS_RX)
		send_alert(t, env, t->records->alert);
	/* else: hd_tls_open() sent a fatal alert, after which nothing comes */
}

/* ---- rest ---- */

void hd_tls_uncache(struct hd_tls *t)
{
	if (hd_tls_is_own(t))
		hd_records_uncache(t->records);
}
