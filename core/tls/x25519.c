/* SPDX-License-Identifier: MIT */
/* core/tls/x25519.c - keys of X25519, and the secret that two of them share:
 * all mathematics is libsodium's. Who asks is libssl; whoever else takes it
 * finds what OpenSSL's own has, but texts of keys. Source: provider-keymgmt(7),
 * provider-keyexch(7). Context: any thread. */
#include "core/tls/x25519.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define BYTES crypto_scalarmult_BYTES
#define GROUP "x25519"
/* As OpenSSL's own says; RFC 7748, 4.1. */
#define BITS 253
#define SECURITY_BITS 128

#define PUBLIC OSSL_KEYMGMT_SELECT_PUBLIC_KEY
#define SECRET OSSL_KEYMGMT_SELECT_PRIVATE_KEY
#define PAIR OSSL_KEYMGMT_SELECT_KEYPAIR

/* ---- a key ---- */

struct key {
	uint8_t public[BYTES], secret[BYTES];
	int has; /* PUBLIC, SECRET, both; 0: parameters alone */
};

static void *key_new(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct key));
}

static void key_free(void *key)
{
	OPENSSL_clear_free(key, sizeof(struct key));
}

static int key_has(const void *key, int selection)
{
	const struct key *k = key;

	return k != NULL && (selection & PAIR & ~k->has) == 0;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *x = a, *y = b;
	int both = selection & x->has & y->has;

	if ((selection & PAIR) == 0)
		return 1;
	if (both & PUBLIC)
		return CRYPTO_memcmp(x->public, y->public, BYTES) == 0;
	return (both & SECRET) &&
	       CRYPTO_memcmp(x->secret, y->secret, BYTES) == 0;
}

/* Every 32 bytes are a public key; RFC 7748, 5. */
static int key_validate(const void *key, int selection, int how)
{
	const struct key *k = key;
	uint8_t public[BYTES];

	(void)how;
	if (!key_has(k, selection))
		return 0;
	return (selection & PAIR) != PAIR ||
	       (crypto_scalarmult_base(public, k->secret) == 0 &&
		CRYPTO_memcmp(public, k->public, BYTES) == 0);
}

static void *key_dup(const void *key, int selection)
{
	const struct key *from = key;
	struct key *to = key_new(NULL);

	if (to == NULL)
		return NULL;
	to->has = from->has & selection;
	if (to->has & PUBLIC)
		memcpy(to->public, from->public, BYTES);
	if (to->has & SECRET)
		memcpy(to->secret, from->secret, BYTES);
	return to;
}

/* ---- keys as parameters ---- */

static bool take(const OSSL_PARAM *p, uint8_t *to)
{
	if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL ||
	    p->data_size != BYTES)
		return false;
	memcpy(to, p->data, BYTES);
	return true;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params,
						      OSSL_PKEY_PARAM_PRIV_KEY);

	if (p != NULL && (selection & SECRET)) {
		if (!take(p, k->secret) ||
		    crypto_scalarmult_base(k->public, k->secret) != 0)
			return 0;
		k->has = PAIR;
	}
	p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	if (p != NULL && (selection & PUBLIC)) {
		if (!take(p, k->public))
			return 0;
		k->has |= PUBLIC;
	}
	return k->has != 0;
}

static int key_export(void *key, int selection, OSSL_CALLBACK *to, void *arg)
{
	struct key *k = key;
	OSSL_PARAM params[3], *p = params;

	if (selection & k->has & PUBLIC)
		*p++ = OSSL_PARAM_construct_octet_string(
			OSSL_PKEY_PARAM_PUB_KEY, k->public, BYTES);
	if (selection & k->has & SECRET)
		*p++ = OSSL_PARAM_construct_octet_string(
			OSSL_PKEY_PARAM_PRIV_KEY, k->secret, BYTES);
	*p = OSSL_PARAM_construct_end();
	return p > params && to(params, arg);
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return selection & PAIR ? all : NULL;
}

/* Returns whether p could be answered; what nobody knows is left alone. */
static int get_one(const struct key *k, OSSL_PARAM *p)
{
	if (strcmp(p->key, OSSL_PKEY_PARAM_BITS) == 0)
		return OSSL_PARAM_set_int(p, BITS);
	if (strcmp(p->key, OSSL_PKEY_PARAM_SECURITY_BITS) == 0)
		return OSSL_PARAM_set_int(p, SECURITY_BITS);
	if (strcmp(p->key, OSSL_PKEY_PARAM_MAX_SIZE) == 0)
		return OSSL_PARAM_set_int(p, BYTES);
	if (strcmp(p->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY) == 0 ||
	    strcmp(p->key, OSSL_PKEY_PARAM_PUB_KEY) == 0)
		return (k->has & PUBLIC) == 0 ||
		       OSSL_PARAM_set_octet_string(p, k->public, BYTES);
	if (strcmp(p->key, OSSL_PKEY_PARAM_PRIV_KEY) == 0)
		return (k->has & SECRET) == 0 ||
		       OSSL_PARAM_set_octet_string(p, k->secret, BYTES);
	return 1;
}

static int key_get(void *key, OSSL_PARAM params[])
{
	int ok = 1;

	for (OSSL_PARAM *p = params; ok && p->key != NULL; p++)
		ok = get_one(key, p);
	return ok;
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
					NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return all;
}

/* What the other end has sent. */
static int key_set(void *key, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(
		params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);

	if (p == NULL)
		return 1;
	if (!take(p, k->public))
		return 0;
	sodium_memzero(k->secret, sizeof(k->secret));
	k->has = PUBLIC;
	return 1;
}

static const OSSL_PARAM *key_settable(void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
					NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return all;
}

/* ---- a new key ---- */

struct generation {
	int selection;
};

/* The group is the only one there is. */
static int gen_set(void *gen, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p;

	(void)gen;
	p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	return p == NULL || (p->data_type == OSSL_PARAM_UTF8_STRING &&
			     p->data != NULL &&
			     strcasecmp(p->data, GROUP) == 0);
}

static const OSSL_PARAM *gen_settable(void *gen, void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)gen;
	(void)provider;
	return all;
}

static void gen_cleanup(void *gen)
{
	OPENSSL_free(gen);
}

static void *gen_init(void *provider, int selection, const OSSL_PARAM params[])
{
	struct generation *g = OPENSSL_zalloc(sizeof(*g));

	(void)provider;
	if (g == NULL)
		return NULL;
	g->selection = selection;
	if (params != NULL && !gen_set(g, params)) {
		gen_cleanup(g);
		return NULL;
	}
	return g;
}

static void *gen(void *gen, OSSL_CALLBACK *progress, void *arg)
{
	const struct generation *g = gen;
	struct key *k = key_new(NULL);

	(void)progress;
	(void)arg;
	if (k != NULL && (g->selection & PAIR)) {
		crypto_box_keypair(k->public, k->secret);
		k->has = PAIR;
	}
	return k;
}

#define FN(id, fn) { id, (void (*)(void))(fn) }
const OSSL_DISPATCH hd_x25519_keys[] = {
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new),
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free),
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has),
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),
	FN(OSSL_FUNC_KEYMGMT_VALIDATE, key_validate),
	FN(OSSL_FUNC_KEYMGMT_DUP, key_dup),
	FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),
	FN(OSSL_FUNC_KEYMGMT_SET_PARAMS, key_set),
	FN(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, key_settable),
	FN(OSSL_FUNC_KEYMGMT_GEN_INIT, gen_init),
	FN(OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, gen_set),
	FN(OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, gen_settable),
	FN(OSSL_FUNC_KEYMGMT_GEN, gen),
	FN(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, gen_cleanup),
	{ 0, NULL },
};

/* ---- the secret of two ---- */

struct exchange { /* of copies: nobody says how long a key lives */
	uint8_t secret[BYTES], peer[BYTES];
	bool has_secret, has_peer;
};

static void *exchange_new(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct exchange));
}

static void exchange_free(void *exchange)
{
	OPENSSL_clear_free(exchange, sizeof(struct exchange));
}

static void *exchange_dup(void *exchange)
{
	return OPENSSL_memdup(exchange, sizeof(struct exchange));
}

static int exchange_init(void *exchange, void *key, const OSSL_PARAM params[])
{
	struct exchange *x = exchange;
	const struct key *k = key;

	(void)params;
	if (!key_has(k, SECRET))
		return 0;
	memcpy(x->secret, k->secret, BYTES);
	x->has_secret = true;
	x->has_peer = false;
	return 1;
}

static int exchange_peer(void *exchange, void *key)
{
	struct exchange *x = exchange;
	const struct key *k = key;

	if (!key_has(k, PUBLIC))
		return 0;
	memcpy(x->peer, k->public, BYTES);
	x->has_peer = true;
	return 1;
}

/* A point of small order, whose "secret" everybody has, is refused by
 * crypto_scalarmult(). Source: RFC 8446, 7.4.2. */
static int exchange_derive(void *exchange, unsigned char *out, size_t *ret_n,
			   size_t size)
{
	const struct exchange *x = exchange;

	if (!x->has_secret || !x->has_peer)
		return 0;
	*ret_n = BYTES;
	if (out == NULL)
		return 1;
	return size >= BYTES && crypto_scalarmult(out, x->secret, x->peer) == 0;
}

const OSSL_DISPATCH hd_x25519_exchange[] = {
	FN(OSSL_FUNC_KEYEXCH_NEWCTX, exchange_new),
	FN(OSSL_FUNC_KEYEXCH_FREECTX, exchange_free),
	FN(OSSL_FUNC_KEYEXCH_DUPCTX, exchange_dup),
	FN(OSSL_FUNC_KEYEXCH_INIT, exchange_init),
	FN(OSSL_FUNC_KEYEXCH_SET_PEER, exchange_peer),
	FN(OSSL_FUNC_KEYEXCH_DERIVE, exchange_derive),
	{ 0, NULL },
};
