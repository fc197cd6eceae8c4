/* SPDX-License-Identifier: MIT */
/* t/records/ends.c - see ends.h. */
#include "t/records/ends.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/tls/kdf.h"

#define READ_BYTES 65536

static struct hd_tls_store *stores[2]; /* key schedule: ours, OpenSSL's */
static SSL_CTX *client_ctx;
uint64_t ends_round;
char ends_note[200];

void ends_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s (round %llu) %s\n", file, line,
		what, (unsigned long long)ends_round, ends_note);
	abort();
}

void pipe_put(struct pipe_bytes *pipe, const void *p, size_t n)
{
	if (pipe->n + n > pipe->cap) {
		pipe->cap = 2 * (pipe->n + n);
		pipe->p = realloc(pipe->p, pipe->cap);
		MUST(pipe->p != NULL);
	}
	if (n > 0)
		memcpy(pipe->p + pipe->n, p, n);
	pipe->n += n;
}

void pipe_take(struct pipe_bytes *pipe, size_t n)
{
	MUST(n <= pipe->n);
	if (n > 0)
		memmove(pipe->p, pipe->p + n, pipe->n - n);
	pipe->n -= n;
}

/* ---- set up ---- */

static void on_keylog(const SSL *ssl, const char *line)
{
	struct ends *e = SSL_get_app_data(ssl);
	static const char *const labels[] = { "CLIENT_TRAFFIC_SECRET_0 ",
					      "SERVER_TRAFFIC_SECRET_0 " };

	for (int i = 0; i < 2; i++)
		if (strncmp(line, labels[i], strlen(labels[i])) == 0)
			snprintf(e->secret[i], sizeof(e->secret[i]), "%s",
				 strrchr(line, ' ') + 1);
}

void ends_set_up(void)
{
	static const char *const names[] = { "localhost" };
	char dir[] = "/tmp/hd-ends-XXXXXX";
	char cert[256], key[256];
	struct hd_cert_files file = { .cert = cert, .key = key };
	struct hd_error err = { 0 };

	MUST(mkdtemp(dir) != NULL);
	MUST(hd_tls_self_signed(dir, names, 1, cert, key, &err) == 0);
	for (int i = 0; i < 2; i++) {
		MUST(hd_kdf_start(i == 0) == (i == 0));
		MUST(hd_tls_store_new(&file, 1, &stores[i], &err) == 0);
	}
	hd_kdf_start(true);
	MUST(strcmp(hd_kdf_about(), "own") == 0); /* else nothing is compared */
	unlink(cert);
	unlink(key);
	rmdir(dir);
	client_ctx = SSL_CTX_new(TLS_client_method());
	MUST(client_ctx != NULL);
	SSL_CTX_set_keylog_callback(client_ctx, on_keylog);
}

void ends_tear_down(void)
{
	hd_tls_store_put(&stores[0]);
	hd_tls_store_put(&stores[1]);
	SSL_CTX_free(client_ctx);
}

SSL_CTX *ends_client_ctx(void)
{
	return client_ctx;
}

struct ends *ends_new(const char *suites, bool own)
{
	struct ends *e = calloc(1, sizeof(*e));

	MUST(e != NULL);
	e->server = hd_tls_new(stores[ends_round % 2], own);
	e->client = SSL_new(client_ctx);
	MUST(e->server != NULL && e->client != NULL);
	SSL_set_app_data(e->client, e);
	if (suites != NULL)
		MUST(SSL_set_ciphersuites(e->client, suites) == 1);
	else
		SSL_set_max_proto_version(e->client, TLS1_2_VERSION);
	SSL_set_bio(e->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(e->client);
	return e;
}

void ends_free(struct ends **ret_e)
{
	struct ends *e = hd_steal(ret_e);

	hd_tls_free(&e->server);
	SSL_free(e->client);
	hd_queue_clear(&e->pool, &e->wire);
	hd_chunk_pool_free(&e->pool);
	hd_cipher_cache_free(&e->ciphers);
	free(e->up.p);
	free(e->down.p);
	free(e->got.p);
	free(e);
}

/* ---- moving ---- */

void ends_flush(struct ends *e)
{
	uint8_t buf[4096];
	struct hd_chunk *c;
	int n;

	while ((c = hd_queue_pop(&e->wire)) != NULL) {
		pipe_put(&e->down, c->data + c->head, hd_chunk_len(c));
		hd_chunk_put(&e->pool, &c);
	}
	MUST(e->wire.bytes == 0);
	while ((n = BIO_read(SSL_get_wbio(e->client), buf, sizeof(buf))) > 0)
		pipe_put(&e->up, buf, (size_t)n);
}

static struct hd_tls_env env_of(struct ends *e)
{
	return (struct hd_tls_env){ .pool = &e->pool,
				    .ciphers = &e->ciphers,
				    .wire = &e->wire };
}

static void open_all(struct ends *e)
{
	static uint8_t out[READ_BYTES];
	struct hd_tls_env env = env_of(e);
	int n;

	while ((n = hd_tls_open(e->server, &env, out, sizeof(out))) > 0) {
		MUST(n <= READ_BYTES);
		pipe_put(&e->got, out, (size_t)n);
	}
	e->status = n;
	MUST(hd_tls_partial_bytes(e->server) < HD_TLS_PARTIAL_BYTES);
}

static void receive(struct ends *e, const uint8_t *p, size_t n, uint8_t junk)
{
	static uint8_t in[HD_TLS_PARTIAL_BYTES + READ_BYTES];
	size_t cut = hd_tls_take_partial(e->server, &e->pool, in);
	struct hd_tls_env env = env_of(e);
	int r = 1;

	memset(in + cut, junk, sizeof(in) - cut);
	memcpy(in + cut, p, n);
	hd_tls_input(e->server, in, cut + n);
	if (!e->shaken) {
		r = hd_tls_handshake(e->server, &env);
		e->shaken = r == 1;
		e->status = r < 0 ? r : 0;
	}
	if (r == 1)
		open_all(e);
	memset(in, junk, sizeof(in)); /* it was only lent */
}

void ends_receive(struct ends *e, const uint8_t *p, size_t n, uint8_t junk)
{
	while (n > 0 && e->status == 0) {
		size_t take = HD_MIN(n, (size_t)READ_BYTES);

		receive(e, p, take, junk);
		p += take;
		n -= take;
	}
	ends_flush(e);
}

void ends_up(struct ends *e, size_t n, uint8_t junk)
{
	n = HD_MIN(n, e->up.n);
	ends_receive(e, e->up.p, n, junk);
	pipe_take(&e->up, n);
}

void ends_down(struct ends *e, size_t n)
{
	n = HD_MIN(n, e->down.n);
	if (n > 0)
		MUST(BIO_write(SSL_get_rbio(e->client), e->down.p, (int)n) ==
		     (int)n);
	pipe_take(&e->down, n);
}

void ends_shake(struct ends *e)
{
	for (int i = 0;
	     i < 10 && !(e->shaken && SSL_is_init_finished(e->client)); i++) {
		SSL_do_handshake(e->client);
		ends_flush(e);
		ends_up(e, e->up.n, 0);
		ends_down(e, e->down.n);
	}
	MUST(e->shaken && SSL_is_init_finished(e->client));
}

void ends_queue(struct ends *e, struct hd_queue *q, const uint8_t *p, size_t n)
{
	struct hd_chunk *c = hd_chunk_new(&e->pool, n);

	MUST(c != NULL);
	memcpy(c->data + c->tail, p, n);
	c->tail += (uint32_t)n;
	hd_queue_push(q, c);
}

void ends_send(struct ends *e, struct hd_queue *q)
{
	struct hd_tls_env env = env_of(e);

	MUST(hd_tls_seal(e->server, &env, q) == 0);
	MUST(q->first == NULL && q->bytes == 0);
	ends_flush(e);
}

void ends_close_notify(struct ends *e)
{
	struct hd_tls_env env = env_of(e);

	hd_tls_close_notify(e->server, &env);
	ends_flush(e);
}
