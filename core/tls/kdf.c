/* SPDX-License-Identifier: MIT */
/* core/tls/kdf.c - an OpenSSL provider with two algorithms: TLS13-KDF, the key
 * schedule of RFC 8446, 7.1, and X25519. libssl asks for them by the properties
 * of its context, for TLS13-KDF with all parameters in one call; whoever else
 * takes it may set them before. Context: any thread. */
#include "core/tls/kdf.h"
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include "core/tls/hkdf.h"
#include "core/tls/x25519.h"

#define NAME "hyper-derp"
#define PROPERTIES "provider=" NAME
#define TEXT(key, text)                                                        \
	OSSL_PARAM_utf8_string(key, (char *)(text), sizeof(text))
#define GROUP_X25519 0x1d
#define X25519_NAMES "X25519:1.3.101.110" /* as OpenSSL's own has them */

/* ---- watching ---- */

static _Thread_local const struct hd_kdf_watch *watching;

void hd_kdf_watch(const struct hd_kdf_watch *watch)
{
	watching = watch;
}

static const char *const labels[] = {
	[HD_KDF_CLIENT_TRAFFIC] = "c ap traffic",
	[HD_KDF_SERVER_TRAFFIC] = "s ap traffic",
	[HD_KDF_EXPORTER] = "exp master",
};

static void tell(struct hd_bytes label, const uint8_t *secret, size_t n)
{
	if (watching == NULL || n > HD_HASH_MAX_BYTES)
		return;
	for (int i = 0; i < HD_KDF_SECRETS; i++)
		if (strlen(labels[i]) == label.n &&
		    memcmp(labels[i], label.p, label.n) == 0)
			watching->on_secret(watching->arg,
					    (enum hd_kdf_secret)i, secret, n);
}

/* ---- what is asked ---- */

struct ask {
	int mode;
	const struct hd_hash *hash;
	struct hd_bytes key, salt, prefix, label, data;
};

static bool read_bytes(struct ask *a, const OSSL_PARAM *p)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
		{ OSSL_KDF_PARAM_KEY, offsetof(struct ask, key) },
		{ OSSL_KDF_PARAM_PREFIX, offsetof(struct ask, prefix) },
		{ OSSL_KDF_PARAM_LABEL, offsetof(struct ask, label) },
		{ OSSL_KDF_PARAM_DATA, offsetof(struct ask, data) },
		{ OSSL_KDF_PARAM_SALT, offsetof(struct ask, salt) },
	};

	for (unsigned i = 0; i < HD_ARRAY_N(fields); i++) {
		if (strcmp(p->key, fields[i].name) != 0)
			continue;
		*(struct hd_bytes *)((char *)a + fields[i].at) =
			(struct hd_bytes){ p->data, p->data_size };
		return p->data_type == OSSL_PARAM_OCTET_STRING;
	}
	return true; /* what nobody knows is ignored */
}

static bool read_digest(struct ask *a, const OSSL_PARAM *p)
{
	if (p->data_type == OSSL_PARAM_UTF8_STRING && p->data != NULL)
		a->hash = hd_hash_find(p->data);
	return a->hash != NULL;
}

static bool read_ask(struct ask *a, const OSSL_PARAM *p)
{
	bool ok = true;

	for (; p != NULL && p->key != NULL && ok; p++) {
		if (strcmp(p->key, OSSL_KDF_PARAM_MODE) == 0)
			ok = OSSL_PARAM_get_int(p, &a->mode) == 1;
		else if (strcmp(p->key, OSSL_KDF_PARAM_DIGEST) == 0)
			ok = read_digest(a, p);
		else
			ok = read_bytes(a, p);
	}
	return ok;
}

/* ---- what is answered ---- */

static bool expand(const struct ask *a, uint8_t *out, size_t n)
{
	if (hd_hkdf_expand_label(a->hash, a->key, a->prefix, a->label, a->data,
				 out, n) < 0)
		return false;
	tell(a->label, out, n);
	return true;
}

/* An input that is missing is zeros: RFC 8446, 7.1. */
static bool extract(const struct ask *a, uint8_t *out, size_t n)
{
	static const uint8_t zeros[HD_HASH_MAX_BYTES];
	size_t bytes = hd_hash_bytes(a->hash);
	struct hd_bytes nothing = { hd_hash_nothing(a->hash), bytes };
	struct hd_bytes key = a->key.p != NULL
				      ? a->key
				      : (struct hd_bytes){ zeros, bytes };
	uint8_t derived[HD_HASH_MAX_BYTES];
	struct hd_bytes salt = { derived, 0 };
	int r = 0;

	if (n != bytes)
		return false;
	if (a->salt.p != NULL) {
		r = hd_hkdf_expand_label(a->hash, a->salt, a->prefix, a->label,
					 nothing, derived, bytes);
		salt.n = bytes;
	}
	if (r == 0)
		r = hd_hkdf_extract(a->hash, salt, key, out);
	explicit_bzero(derived, sizeof(derived));
	return r == 0;
}

/* ---- the algorithm ---- */

struct kdf {
	OSSL_PARAM *set; /* before derive(), but by libssl */
};

static void *kdf_new(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct kdf));
}

static void kdf_reset(void *ctx)
{
	struct kdf *kdf = ctx;

	OSSL_PARAM_free(kdf->set);
	kdf->set = NULL;
}

static void kdf_free(void *ctx)
{
	if (ctx == NULL)
		return;
	kdf_reset(ctx);
	OPENSSL_free(ctx);
}

static int kdf_set(void *ctx, const OSSL_PARAM *params)
{
	struct kdf *kdf = ctx;
	struct ask a = { .mode = -1 };
	OSSL_PARAM *both, *copy;

	if (params == NULL)
		return 1;
	if (!read_ask(&a, params))
		return 0;
	both = kdf->set != NULL ? OSSL_PARAM_merge(kdf->set, params) : NULL;
	copy = OSSL_PARAM_dup(both != NULL ? both : params);
	OPENSSL_free(both); /* it only points to the others' */
	if (copy == NULL)
		return 0;
	kdf_reset(kdf);
	kdf->set = copy;
	return 1;
}

static int kdf_derive(void *ctx, unsigned char *out, size_t n,
		      const OSSL_PARAM *params)
{
	const struct kdf *kdf = ctx;
	struct ask a = { .mode = -1 };

	if (!read_ask(&a, kdf->set) || !read_ask(&a, params) || a.hash == NULL)
		return 0;
	if (a.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
		return a.key.p != NULL && expand(&a, out, n);
	return a.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && extract(&a, out, n);
}

static const OSSL_PARAM *kdf_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, NULL),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provider;
	return all;
}

#define FN(id, fn) { id, (void (*)(void))(fn) }
static const OSSL_DISPATCH kdf_functions[] = {
	FN(OSSL_FUNC_KDF_NEWCTX, kdf_new),
	FN(OSSL_FUNC_KDF_FREECTX, kdf_free),
	FN(OSSL_FUNC_KDF_RESET, kdf_reset),
	FN(OSSL_FUNC_KDF_DERIVE, kdf_derive),
	FN(OSSL_FUNC_KDF_SET_CTX_PARAMS, kdf_set),
	FN(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, kdf_settable),
	{ 0, NULL },
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM kdfs[] = {
		{ "TLS13-KDF", PROPERTIES, kdf_functions, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM keys[] = {
		{ X25519_NAMES, PROPERTIES, hd_x25519_keys, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM exchanges[] = {
		{ X25519_NAMES, PROPERTIES, hd_x25519_exchange, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KDF:
		return kdfs;
	case OSSL_OP_KEYMGMT:
		return keys;
	case OSSL_OP_KEYEXCH:
		return exchanges;
	default:
		return NULL;
	}
}

/* libssl has a group from the provider only that has its keys. The numbers are
 * those of OpenSSL's own. Source: provider-base(7), RFC 8446, 4.2.7. */
static int capabilities(void *provider, const char *which, OSSL_CALLBACK *to,
			void *arg)
{
	static unsigned id = GROUP_X25519, bits = 128;
	static int tls = TLS1_VERSION, dtls = DTLS1_VERSION, no_limit;
	static const OSSL_PARAM group[] = {
		TEXT(OSSL_CAPABILITY_TLS_GROUP_NAME, "x25519"),
		TEXT(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, "X25519"),
		TEXT(OSSL_CAPABILITY_TLS_GROUP_ALG, "X25519"),
		OSSL_PARAM_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &id),
		OSSL_PARAM_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
		OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &tls),
		OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &no_limit),
		OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &dtls),
		OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &no_limit),
		OSSL_PARAM_END,
	};

	(void)provider;
	return strcmp(which, "TLS-GROUP") != 0 || to(group, arg);
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		const OSSL_DISPATCH **out, void **ret_provider)
{
	static const OSSL_DISPATCH functions[] = {
		FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		FN(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities),
		{ 0, NULL },
	};

	(void)in;
	*out = functions;
	*ret_provider = (void *)(uintptr_t)handle;
	return 1;
}

static OSSL_PROVIDER *loaded; /* until the process ends */
static bool serves;

static bool is_ours(const EVP_KDF *kdf)
{
	const OSSL_PROVIDER *by = kdf != NULL ? EVP_KDF_get0_provider(kdf)
					      : NULL;

	return by != NULL && strcmp(OSSL_PROVIDER_get0_name(by), NAME) == 0;
}

/* OpenSSL's own providers stay, as its configuration has them, and come first:
 * who does not ask for ours has theirs. */
static void load(void)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);

	EVP_KDF_free(kdf);
	/* it makes our keys, also where no module needs it, and picks what is
	 * fastest here; it may not be begun by two threads */
	if (sodium_init() >= 0 &&
	    OSSL_PROVIDER_add_builtin(NULL, NAME, init) == 1)
		loaded = OSSL_PROVIDER_try_load(NULL, NAME, 1);
	kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", "?" PROPERTIES);
	if (loaded != NULL && !is_ours(kdf)) {
		OSSL_PROVIDER_unload(loaded);
		loaded = NULL;
	}
	EVP_KDF_free(kdf);
}

bool hd_kdf_start(bool on)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (on)
		pthread_once(&once, load);
	ERR_clear_error();
	serves = on && loaded != NULL && hd_hash_find("SHA2-256") != NULL;
	return serves;
}

const char *hd_kdf_properties(void)
{
	return serves ? "?" PROPERTIES : NULL;
}
