/* SPDX-License-Identifier: MIT */
/* core/tls/kdf_proof.c - whether this OpenSSL derives its secrets by kdf.c, as
 * all versions do that we know. */
#include <openssl/err.h>
#include "core/tls/kdf.h"

#define STEPS_MAX 10

struct proof {
	SSL *client, *server;
	struct hd_kdf_watch watch;
	unsigned seen[HD_KDF_SECRETS];
};

static void on_secret(void *arg, enum hd_kdf_secret what, const uint8_t *secret,
		      size_t n)
{
	struct proof *p = arg;

	(void)secret;
	(void)n;
	p->seen[what]++;
}

static bool connect_ends(struct proof *p)
{
	BIO *a, *b;

	if (p->client == NULL || p->server == NULL ||
	    BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		return false;
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	SSL_set_connect_state(p->client);
	SSL_set_accept_state(p->server);
	return true;
}

/* Only the server's steps are watched. */
static bool shake(struct proof *p)
{
	bool done = false;

	for (int i = 0; i < STEPS_MAX && !done; i++) {
		int c = SSL_do_handshake(p->client);

		hd_kdf_watch(&p->watch);
		done = SSL_do_handshake(p->server) == 1 && c == 1;
		hd_kdf_watch(NULL);
	}
	return done && SSL_version(p->server) == TLS1_3_VERSION;
}

static bool prove(SSL_CTX *server)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct proof p = { .watch = { on_secret, &p } };
	bool ok;

	p.client = ctx != NULL ? SSL_new(ctx) : NULL;
	p.server = SSL_new(server);
	ok = connect_ends(&p) && shake(&p);
	for (int i = 0; i < HD_KDF_SECRETS; i++)
		ok = ok && p.seen[i] == 1;
	SSL_free(p.client);
	SSL_free(p.server);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static bool done, proven;

const char *hd_kdf_about(void)
{
	return proven && hd_kdf_properties() != NULL ? "own" : "openssl";
}

bool hd_kdf_proven(SSL_CTX *server)
{
	if (hd_kdf_properties() == NULL)
		return false;
	if (!done)
		proven = prove(server);
	done = true;
	return proven;
}
