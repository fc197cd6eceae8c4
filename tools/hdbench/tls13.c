/* SPDX-License-Identifier: MIT */
/* tools/hdbench/tls13.c - sealing and opening records, key schedule. */
#include "tools/hdbench/tls13.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <string.h>

#define LABEL_MAX_BYTES 32
#define KEY_MAX_BYTES 32

struct tls13_suite { /* RFC 8446, B.4 */
	uint16_t id;
	const char *cipher_name;
	const EVP_MD *(*hash)(void);
	size_t hash_bytes, key_bytes;
	bool is_gcm;
	EVP_CIPHER *cipher; /* fetched once: doing it anew is slow */
};

static struct tls13_suite suites[] = {
	{ 0x1301, "AES-128-GCM", EVP_sha256, 32, 16, true, NULL },
	{ 0x1302, "AES-256-GCM", EVP_sha384, 48, 32, true, NULL },
	{ 0x1303, "ChaCha20-Poly1305", EVP_sha256, 32, 32, false,
	  NULL },
};

static const struct tls13_suite *suite_find(uint16_t id)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		struct tls13_suite *s = &suites[i];

		if (s->id != id)
			continue;
		if (s->cipher == NULL)
			s->cipher =
				EVP_CIPHER_fetch(NULL, s->cipher_name, NULL);
		return s->cipher == NULL ? NULL : s;
	}
	return NULL;
}

/* "CLIENT_TRAFFIC_SECRET_0 <client random> <secret>", both in hex. */
static void on_keylog(const SSL *ssl, const char *line)
{
	struct tls13_secrets *s = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');
	uint8_t *to = NULL;

	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
		to = s->client;
	else if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
		to = s->server;
	if (to != NULL && hex != NULL)
		sodium_hex2bin(to, TLS13_SECRET_MAX_BYTES, hex + 1,
			       strlen(hex + 1), NULL, &s->bytes, NULL);
}

SSL_CTX *tls13_client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++)
		(void)suite_find(suites[i].id); /* before there are threads */
	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
				      "TLS_AES_256_GCM_SHA384:"
				      "TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 0); /* what follows the handshake is ours */
	SSL_CTX_set_keylog_callback(ctx, on_keylog);
	return ctx;
}

/* HKDF-Expand-Label without context; len <= the hash's, so one block. */
static int expand(const struct tls13_suite *s, const uint8_t *secret,
		  const char *label, uint8_t *out, size_t len)
{
	uint8_t info[4 + LABEL_MAX_BYTES + 1], block[EVP_MAX_MD_SIZE];
	size_t n = strlen(label);

	info[0] = 0;
	info[1] = (uint8_t)len;
	info[2] = (uint8_t)n;
	memcpy(info + 3, label, n);
	info[3 + n] = 0; /* no context */
	info[4 + n] = 1; /* the first block */
	if (HMAC(s->hash(), secret, (int)s->hash_bytes, info, n + 5, block,
		 NULL) == NULL)
		return -ENOMEM;
	memcpy(out, block, len);
	return 0;
}

static int set_key(struct tls13_half *h)
{
	uint8_t key[KEY_MAX_BYTES];

	if (expand(h->suite, h->secret, "tls13 key", key, h->suite->key_bytes) <
		    0 ||
	    expand(h->suite, h->secret, "tls13 iv", h->iv, TLS13_NONCE_BYTES) <
		    0)
		return -ENOMEM;
	h->seq = 0;
	gcm_key_free(&h->gcm);
	if (h->suite->is_gcm)
		h->gcm = gcm_key_new(key, h->suite->key_bytes);
	if (h->gcm != NULL)
		return 0;
	if (h->ctx == NULL)
		h->ctx = EVP_CIPHER_CTX_new();
	if (h->ctx == NULL)
		return -ENOMEM;
	return EVP_CipherInit_ex2(h->ctx, h->suite->cipher, key, h->iv,
				  h->is_seal, NULL) == 1
		       ? 0
		       : -ENOMEM;
}

int tls13_half_start(struct tls13_half *h, uint16_t suite_id,
		     const uint8_t *secret, bool is_seal)
{
	memset(h, 0, sizeof(*h));
	h->suite = suite_find(suite_id);
	if (h->suite == NULL)
		return -EOPNOTSUPP;
	h->is_seal = is_seal;
	memcpy(h->secret, secret, h->suite->hash_bytes);
	return set_key(h);
}

void tls13_half_end(struct tls13_half *h)
{
	EVP_CIPHER_CTX_free(h->ctx);
	gcm_key_free(&h->gcm);
	memset(h, 0, sizeof(*h));
}

int tls13_rekey(struct tls13_half *h)
{
	uint8_t next[TLS13_SECRET_MAX_BYTES];
	int r = expand(h->suite, h->secret, "tls13 traffic upd", next,
		       h->suite->hash_bytes);

	if (r < 0)
		return r;
	memcpy(h->secret, next, h->suite->hash_bytes);
	return set_key(h);
}

/* iv xor the record's number, big-endian (5.3). */
static void next_nonce(struct tls13_half *h, uint8_t nonce[TLS13_NONCE_BYTES])
{
	uint64_t low;

	memcpy(nonce, h->iv, TLS13_NONCE_BYTES);
	memcpy(&low, nonce + 4, sizeof(low));
	low ^= __builtin_bswap64(h->seq++);
	memcpy(nonce + 4, &low, sizeof(low));
}

static bool evp_seal(struct tls13_half *h, const uint8_t *nonce,
		     const uint8_t *head, uint8_t *out, const uint8_t *in,
		     size_t len_bytes)
{
	int n;

	return EVP_EncryptInit_ex(h->ctx, NULL, NULL, NULL, nonce) == 1 &&
	       EVP_EncryptUpdate(h->ctx, NULL, &n, head, TLS13_HEADER_BYTES) ==
		       1 &&
	       EVP_EncryptUpdate(h->ctx, out, &n, in, (int)len_bytes) == 1 &&
	       EVP_EncryptFinal_ex(h->ctx, out + len_bytes, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(h->ctx, EVP_CTRL_AEAD_GET_TAG,
				   TLS13_TAG_BYTES, out + len_bytes) == 1;
}

static bool evp_open(struct tls13_half *h, const uint8_t *nonce,
		     const uint8_t *head, uint8_t *p, size_t len_bytes)
{
	int n;

	return EVP_DecryptInit_ex(h->ctx, NULL, NULL, NULL, nonce) == 1 &&
	       EVP_DecryptUpdate(h->ctx, NULL, &n, head, TLS13_HEADER_BYTES) ==
		       1 &&
	       EVP_DecryptUpdate(h->ctx, p, &n, p, (int)len_bytes) == 1 &&
	       EVP_CIPHER_CTX_ctrl(h->ctx, EVP_CTRL_AEAD_SET_TAG,
				   TLS13_TAG_BYTES, p + len_bytes) == 1 &&
	       EVP_DecryptFinal_ex(h->ctx, p + len_bytes, &n) == 1;
}

size_t tls13_seal(struct tls13_half *h, uint8_t *out, const uint8_t *in,
		  size_t len_bytes)
{
	size_t body = len_bytes + TLS13_TAG_BYTES;
	uint8_t nonce[TLS13_NONCE_BYTES];
	uint8_t *p = out + TLS13_HEADER_BYTES;

	out[0] = TLS13_DATA;
	out[1] = 3;
	out[2] = 3;
	out[3] = (uint8_t)(body >> 8);
	out[4] = (uint8_t)body;
	next_nonce(h, nonce);
	if (h->gcm != NULL)
		gcm_seal(h->gcm, nonce, out, TLS13_HEADER_BYTES, p, in,
			 len_bytes);
	else if (!evp_seal(h, nonce, out, p, in, len_bytes))
		return 0;
	return TLS13_HEADER_BYTES + body;
}

static bool open_body(struct tls13_half *h, const uint8_t *nonce,
		      const uint8_t *head, uint8_t *p, size_t len_bytes)
{
	if (h->gcm != NULL)
		return gcm_open(h->gcm, nonce, head, TLS13_HEADER_BYTES, p,
				len_bytes) == 0;
	return evp_open(h, nonce, head, p, len_bytes);
}

ssize_t tls13_open(struct tls13_half *h, uint8_t *record, size_t len_bytes,
		   enum tls13_type *ret_type)
{
	uint8_t *p = record + TLS13_HEADER_BYTES;
	uint8_t nonce[TLS13_NONCE_BYTES];
	ssize_t body =
		(ssize_t)len_bytes - TLS13_HEADER_BYTES - TLS13_TAG_BYTES;

	if (body < 1 || record[0] != TLS13_DATA)
		return -EBADMSG;
	next_nonce(h, nonce);
	if (!open_body(h, nonce, record, p, (size_t)body))
		return -EBADMSG;
	while (body > 0 && p[body - 1] == 0)
		body--; /* padding */
	if (body == 0)
		return -EBADMSG;
	*ret_type = p[body - 1];
	return body - 1;
}
