/* SPDX-License-Identifier: MIT */
/* t/unit/tls_store.c - certificates made here, handshakes over memory: which
 * certificate answers a name, the chain, ALPN, what is refused and how. */
#include "t/unit/unit.h"
#include "core/module.h"
#include "core/tls.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60)

static struct hd_module derp = { .name = "derp" };
static struct hd_module other = { .name = "other" };
static char dir[] = "/tmp/hd-tls-store-XXXXXX";
static char log_text[4096]; /* what hd_log_write() was given */

void __wrap_hd_log_write(enum hd_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);
void __wrap_hd_log_write(enum hd_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(log_text, sizeof(log_text), fmt, ap);
	va_end(ap);
}

/* ---- certificates ---- */

struct made {
	char cert[256], key[256];
	struct hd_cert_conf conf;
};

static EVP_PKEY *new_key(int type)
{
	return type == EVP_PKEY_RSA ? EVP_RSA_gen(2048)
	       : type == EVP_PKEY_ED25519
		       ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
		       : EVP_EC_gen("P-256");
}

static X509 *new_cert(EVP_PKEY *key, const char *cn, const char *names,
		      long from_s, long to_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	if (names != NULL) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(
			NULL, NULL, NID_subject_alt_name, names);

		X509_add_ext(cert, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(cert, key,
			      EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519
				      ? NULL
				      : EVP_sha256()) > 0);
	return cert;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct made make_dated(const char *cn, const char *names, int type,
			      long from_s, long to_s)
{
	static unsigned n;
	struct made m = { .conf = { .file = "relay.yaml", .line = 7 } };
	EVP_PKEY *key = new_key(type);
	X509 *cert = new_cert(key, cn, names, from_s, to_s);
	FILE *f;

	n++;
	snprintf(m.cert, sizeof(m.cert), "%s/%u.crt", dir, n);
	snprintf(m.key, sizeof(m.key), "%s/%u.key", dir, n);
	f = fopen(m.cert, "w");
	PEM_write_X509(f, cert);
	fclose(f);
	f = fopen(m.key, "w");
	fchmod(fileno(f), 0600);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
	return m;
}

static struct made make(const char *cn, const char *names)
{
	return make_dated(cn, names, EVP_PKEY_EC, -DAY_S, DAY_S);
}

/* ---- a store and a handshake ---- */

static int store_new(struct made *v, size_t n, struct hd_tls_store **ret,
		     struct hd_error *err)
{
	struct hd_cert_conf certs[8];
	struct hd_conf conf = { .certificates = certs, .n_certificates = n };

	for (size_t i = 0; i < n; i++) {
		certs[i] = v[i].conf;
		certs[i].cert = v[i].cert;
		certs[i].key = v[i].key;
	}
	log_text[0] = '\0';
	return hd_tls_store_new(&conf, ret, err);
}

struct shake {
	/* asked */
	const char *name;
	const char *alpn; /* as on the wire */
	int version; /* 0: any */
	const char *ciphers, *suites, *sigalgs;
	/* got */
	bool ok;
	unsigned alert; /* that the client received */
	char cn[8][128]; /* of the chain, leaf first */
	unsigned n_cn;
	char alpn_got[32];
	char cipher[64], group[32];
	int key_type;
};

static void on_client_info(const SSL *ssl, int where, int value)
{
	struct shake *s = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		s->alert = (unsigned)value & 0xff;
}

static void set_client(SSL *ssl, struct shake *s)
{
	SSL_set_app_data(ssl, s);
	SSL_set_info_callback(ssl, on_client_info);
	if (s->name != NULL)
		SSL_set_tlsext_host_name(ssl, s->name);
	if (s->alpn != NULL)
		SSL_set_alpn_protos(ssl, (const unsigned char *)s->alpn,
				    (unsigned)strlen(s->alpn));
	if (s->version != 0) {
		SSL_set_min_proto_version(ssl, s->version);
		SSL_set_max_proto_version(ssl, s->version);
	}
	if (s->ciphers != NULL)
		assert_int_equal(SSL_set_cipher_list(ssl, s->ciphers), 1);
	if (s->suites != NULL)
		assert_int_equal(SSL_set_ciphersuites(ssl, s->suites), 1);
	if (s->sigalgs != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(ssl, s->sigalgs), 1);
}

static void note_result(SSL *ssl, struct shake *s)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	const unsigned char *alpn;
	unsigned alpn_len;
	EVP_PKEY *key;

	s->n_cn = (unsigned)HD_MIN(sk_X509_num(chain), 8);
	for (unsigned i = 0; i < s->n_cn; i++)
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(sk_X509_value(chain, (int)i)),
			NID_commonName, s->cn[i], sizeof(s->cn[i]));
	key = X509_get0_pubkey(sk_X509_value(chain, 0));
	s->key_type = EVP_PKEY_get_base_id(key);
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	snprintf(s->alpn_got, sizeof(s->alpn_got), "%.*s", (int)alpn_len,
		 (const char *)alpn);
	snprintf(s->cipher, sizeof(s->cipher), "%s", SSL_get_cipher(ssl));
	snprintf(s->group, sizeof(s->group), "%s",
		 OBJ_nid2sn((int)SSL_get_negotiated_group(ssl)));
}

static void shake(struct hd_tls_store *store, struct shake *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx);
	SSL *server = SSL_new(hd_tls_store_ctx(store));
	BIO *a, *b;

	BIO_new_bio_pair(&a, 65536, &b, 65536);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	set_client(client, s);
	s->ok = false;
	s->alert = 0;
	for (unsigned i = 0; i < 10 && !s->ok; i++) {
		int c = SSL_do_handshake(client);
		int d = SSL_do_handshake(server);

		s->ok = c == 1 && d == 1;
	}
	if (s->ok)
		note_result(client, s);
	if (s->ok) { /* no ticket follows */
		char byte;

		SSL_read(client, &byte, 1);
		assert_int_equal(
			SSL_SESSION_has_ticket(SSL_get0_session(client)), 0);
	}
	ERR_clear_error();
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
}

static const char *cn_for(struct hd_tls_store *store, const char *name)
{
	static struct shake s;

	s = (struct shake){ .name = name };
	shake(store, &s);
	assert_true(s.ok);
	return s.cn[0];
}

/* ---- tests ---- */

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
	char cmd[64];

	(void)state;
	hd_tls_chain_free(NULL);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static int clean_chain(void **state)
{
	(void)state;
	hd_tls_chain_free(NULL);
	return 0;
}

static void the_name_chooses_the_certificate(void **state)
{
	struct made v[] = {
		make("first", "DNS:first.example"),
		make("wild", "DNS:*.b.example"),
		make("exact", "DNS:x.b.example,DNS:b.example"),
		make("only-cn.example", NULL),
	};
	struct hd_tls_store *store;
	struct hd_error err;

	(void)state;
	assert_int_equal(store_new(v, 4, &store, &err), 0);
	assert_string_equal(log_text, "");
	assert_string_equal(cn_for(store, NULL), "first");
	assert_string_equal(cn_for(store, "first.example"), "first");
	assert_string_equal(cn_for(store, "unknown.example"), "first");
	assert_string_equal(cn_for(store, "y.b.example"), "wild");
	assert_string_equal(cn_for(store, "X.B.Example"), "exact");
	assert_string_equal(cn_for(store, "b.example"), "exact");
	assert_string_equal(cn_for(store, "z.y.b.example"), "first");
	assert_string_equal(cn_for(store, "only-cn.example"),
			    "only-cn.example");
	assert_string_equal(cn_for(store, "no host name"), "first");
	hd_tls_store_put(&store);
	assert_null(store);
	hd_tls_store_put(&store);
}

static void references(void **state)
{
	struct made v[] = { make("a", "DNS:a.example") };
	struct hd_tls_store *store, *second;

	(void)state;
	assert_int_equal(store_new(v, 1, &store, NULL), 0);
	second = hd_tls_store_get(store);
	hd_tls_store_put(&store);
	assert_string_equal(cn_for(second, NULL), "a");
	hd_tls_store_put(&second);
}

static void alpn(void **state)
{
	static const struct {
		const char *offer, *got;
		unsigned alert;
	} cases[] = {
		{ NULL, "", 0 },
		{ "\x08http/1.1", "http/1.1", 0 },
		{ "\x02h2\x08http/1.1", "http/1.1", 0 },
		{ "\x02h2", NULL, 120 },
		{ "\x06hd/1.0\x08http/1.0", NULL, 120 },
		{ "\x09http/1.1x", NULL, 120 },
	};
	struct made v[] = { make("a", "DNS:a.example"),
			    make("b", "DNS:b.example") };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct hd_tls_store *store;

	(void)state;
	assert_int_equal(store_new(v, 2, &store, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases) * 2; i++) {
		struct shake s = { .alpn = cases[i / 2].offer,
				   .name = "b.example",
				   .version = versions[i % 2] };

		shake(store, &s);
		assert_int_equal(s.ok, cases[i / 2].got != NULL);
		assert_int_equal(s.alert, cases[i / 2].alert);
		if (s.ok)
			assert_string_equal(s.alpn_got, cases[i / 2].got);
	}
	hd_tls_store_put(&store);
}

static void append(struct hd_module *mod, const char *cn)
{
	EVP_PKEY *key = new_key(EVP_PKEY_ED25519);
	X509 *cert = new_cert(key, cn, NULL, -30 * DAY_S, 30 * DAY_S);
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	assert_true(n > 0);
	assert_int_equal(hd_tls_chain_append(mod, der, (size_t)n, NULL), 0);
	OPENSSL_free(der);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void append_file(const char *to, const char *from)
{
	char text[8192];
	FILE *f = fopen(from, "r");
	size_t n = fread(text, 1, sizeof(text), f);

	fclose(f);
	f = fopen(to, "a");
	fwrite(text, 1, n, f);
	fclose(f);
}

/* As DERP's meta certificate: last, in both versions, on every certificate. */
static void appended_certificates_come_last(void **state)
{
	struct made v[] = { make("a", "DNS:a.example"),
			    make("b", "DNS:b.example") };
	struct made issuer = make("issuer", NULL);
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct hd_tls_store *store;

	(void)state;
	append_file(v[0].cert, issuer.cert);
	append(&derp, "derpkey-old");
	append(&other, "other");
	append(&derp, "derpkey");
	assert_int_equal(store_new(v, 2, &store, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		struct shake s = { .version = versions[i] };

		shake(store, &s);
		assert_true(s.ok);
		assert_int_equal(s.n_cn, 4);
		assert_string_equal(s.cn[0], "a");
		assert_string_equal(s.cn[1], "issuer");
		assert_string_equal(s.cn[2], "derpkey");
		assert_string_equal(s.cn[3], "other");
		s = (struct shake){ .version = versions[i],
				    .name = "b.example" };
		shake(store, &s);
		assert_int_equal(s.n_cn, 3);
		assert_string_equal(s.cn[1], "derpkey");
	}
	hd_tls_store_put(&store);

	hd_tls_chain_free(&derp);
	assert_int_equal(store_new(v, 2, &store, NULL), 0);
	{
		struct shake s = { .name = "b.example" };

		shake(store, &s);
		assert_int_equal(s.n_cn, 2);
		assert_string_equal(s.cn[1], "other");
	}
	hd_tls_store_put(&store);
}

static void only_certificates_are_appended(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(
		hd_tls_chain_append(&derp, (const uint8_t *)"junk", 4, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "derp"));
}

static void rsa_and_ecdsa_for_one_name(void **state)
{
	struct made v[] = {
		make_dated("rsa", "DNS:a.example", EVP_PKEY_RSA, -DAY_S, DAY_S),
		make("ecdsa", "DNS:a.example"),
	};
	struct shake any = { .version = TLS1_3_VERSION };
	struct shake rsa = { .version = TLS1_3_VERSION,
			     .sigalgs = "rsa_pss_rsae_sha256" };
	struct shake rsa12 = { .version = TLS1_2_VERSION,
			       .ciphers = "ECDHE-RSA-AES256-GCM-SHA384" };
	struct hd_tls_store *store;

	(void)state;
	append(&derp, "derpkey");
	assert_int_equal(store_new(v, 2, &store, NULL), 0);
	shake(store, &any);
	assert_int_equal(any.key_type, EVP_PKEY_EC);
	assert_string_equal(any.cn[1], "derpkey");
	shake(store, &rsa);
	assert_int_equal(rsa.key_type, EVP_PKEY_RSA);
	assert_string_equal(rsa.cn[1], "derpkey");
	shake(store, &rsa12);
	assert_int_equal(rsa12.key_type, EVP_PKEY_RSA);
	hd_tls_store_put(&store);
}

static void ciphers_and_versions(void **state)
{
	static const struct {
		int version;
		const char *ciphers, *suites, *want;
	} cases[] = {
		{ TLS1_3_VERSION, NULL, NULL, "TLS_AES_128_GCM_SHA256" },
		{ TLS1_3_VERSION, NULL,
		  "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
		  "TLS_CHACHA20_POLY1305_SHA256",
		  "TLS_AES_128_GCM_SHA256" },
		{ TLS1_3_VERSION, NULL,
		  "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
		  "TLS_CHACHA20_POLY1305_SHA256" },
		{ TLS1_3_VERSION, NULL, "TLS_AES_256_GCM_SHA384",
		  "TLS_AES_256_GCM_SHA384" },
		{ TLS1_2_VERSION, NULL, NULL, "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ TLS1_2_VERSION,
		  "ECDHE-ECDSA-CHACHA20-POLY1305:"
		  "ECDHE-ECDSA-AES128-GCM-SHA256",
		  NULL, "ECDHE-ECDSA-CHACHA20-POLY1305" },
		/* no forward secrecy, no AEAD, too old */
		{ TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL, NULL },
		{ TLS1_1_VERSION, "DEFAULT@SECLEVEL=0", NULL, NULL },
	};
	struct made v[] = { make("a", "DNS:a.example") };
	struct hd_tls_store *store;

	(void)state;
	assert_int_equal(store_new(v, 1, &store, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct shake s = { .version = cases[i].version,
				   .ciphers = cases[i].ciphers,
				   .suites = cases[i].suites };

		shake(store, &s);
		assert_int_equal(s.ok, cases[i].want != NULL);
		if (!s.ok)
			continue;
		assert_string_equal(s.cipher, cases[i].want);
		assert_string_equal(s.group, "X25519");
	}
	hd_tls_store_put(&store);
}

/* ---- messages ---- */

static void assert_refused(struct made *m, const char *part)
{
	struct hd_tls_store *store = NULL;
	struct hd_error err = { "" };

	assert_true(store_new(m, 1, &store, &err) < 0);
	assert_null(store);
	if (strstr(err.text, part) == NULL)
		fail_msg("no '%s' in: %s", part, err.text);
	assert_non_null(strstr(err.text, "relay.yaml:7"));
}

static void missing_files(void **state)
{
	struct made m = make("a", NULL);
	char want[512];

	(void)state;
	unlink(m.key);
	snprintf(want, sizeof(want),
		 "failed to open certificate key %s: No such file or directory "
		 "(tls_key at relay.yaml:7)",
		 m.key);
	assert_refused(&m, want);
	unlink(m.cert);
	snprintf(want, sizeof(want),
		 "failed to open certificate %s: No such file or directory "
		 "(tls_cert at relay.yaml:7)",
		 m.cert);
	assert_refused(&m, want);
	snprintf(m.cert, sizeof(m.cert), "%s", dir);
	snprintf(want, sizeof(want),
		 "failed to open certificate %s: Is a directory", dir);
	assert_refused(&m, want);
}

static void wrong_content(void **state)
{
	struct made m = make("a", NULL), n = make("b", NULL);
	struct made swapped = m;

	(void)state;
	strcpy(swapped.key, n.key);
	assert_refused(&swapped, "do not belong together");
	strcpy(swapped.cert, m.key);
	assert_refused(&swapped, "no certificate in it");
	write_text(n.key, "no PEM\n");
	strcpy(swapped.cert, m.cert);
	assert_refused(&swapped, "no private key in it");
	write_text(n.cert, "");
	assert_refused(&n, "no certificate in it");
	append_file(n.cert, m.cert);
	write_text(n.key, "");
	append_file(n.key, m.key);
	append_file(n.cert, m.cert);
	assert_int_equal(truncate(n.cert, 700), 0);
	assert_refused(&n, "behind the first one is damaged");
}

static void a_passphrase_is_not_asked_for(void **state)
{
	struct made m = make("a", NULL);
	EVP_PKEY *key = new_key(EVP_PKEY_EC);
	FILE *f = fopen(m.key, "w");

	(void)state;
	PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(),
			     (const unsigned char *)"secret", 6, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
	assert_refused(&m, "passphrase");
}

static void assert_warned(struct made *m, const char *part)
{
	struct hd_tls_store *store = NULL;

	assert_int_equal(store_new(m, 1, &store, NULL), 0);
	if (strstr(log_text, part) == NULL)
		fail_msg("no '%s' in: %s", part, log_text);
	hd_tls_store_put(&store);
}

static void warnings(void **state)
{
	struct made old =
		make_dated("a", NULL, EVP_PKEY_EC, -2 * DAY_S, -DAY_S);
	struct made early =
		make_dated("a", NULL, EVP_PKEY_EC, DAY_S, 2 * DAY_S);
	struct made open_key = make("a", NULL);

	(void)state;
	assert_warned(&old, " expired on 20");
	assert_warned(&early, " is not valid until 20");
	chmod(open_key.key, 0644);
	assert_warned(&open_key, "everybody on this machine may read the key");
}

static void no_certificate_at_all(void **state)
{
	struct hd_tls_store *store = NULL;
	struct hd_error err;

	(void)state;
	assert_int_equal(store_new(NULL, 0, &store, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tls_cert"));
}

/* ---- self-signed ---- */

static void self_signed(void **state)
{
	static const char *const names[] = { "relay.example", "127.0.0.1",
					     "::1" };
	static const char *const more[] = { "relay.example", "10.0.0.1" };
	struct made m = { .conf = { .file = "relay.yaml", .line = 7 } };
	struct stat first, again, key;
	struct hd_tls_store *store;
	struct hd_error err;
	FILE *f;
	X509 *cert;

	(void)state;
	assert_int_equal(hd_tls_self_signed(dir, names, 3, m.cert, m.key, &err),
			 0);
	assert_non_null(strstr(m.cert, "/relay.example.crt"));
	stat(m.cert, &first);
	stat(m.key, &key);
	assert_int_equal(key.st_mode & 07777, 0600);
	assert_int_equal(store_new(&m, 1, &store, &err), 0);
	assert_string_equal(log_text, "");
	assert_string_equal(cn_for(store, "relay.example"), "relay.example");
	hd_tls_store_put(&store);

	f = fopen(m.cert, "r");
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_int_equal(X509_check_host(cert, "relay.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
	assert_int_equal(X509_check_ca(cert), 0);
	X509_free(cert);

	/* kept; made again for another name */
	assert_int_equal(hd_tls_self_signed(dir, names, 3, m.cert, m.key, &err),
			 0);
	stat(m.cert, &again);
	assert_true(again.st_ino == first.st_ino);
	assert_int_equal(hd_tls_self_signed(dir, more, 2, m.cert, m.key, &err),
			 0);
	assert_int_equal(store_new(&m, 1, &store, &err), 0);
	hd_tls_store_put(&store);
}

static void self_signed_is_renewed(void **state)
{
	static const char *const names[] = { "soon.example" };
	struct made old = make_dated("soon.example", "DNS:soon.example",
				     EVP_PKEY_EC, -DAY_S, 29 * DAY_S);
	char cert_path[256], key_path[256];
	struct stat before, after;

	(void)state;
	snprintf(cert_path, sizeof(cert_path), "%s/soon.example.crt", dir);
	snprintf(key_path, sizeof(key_path), "%s/soon.example.key", dir);
	assert_int_equal(rename(old.cert, cert_path), 0);
	assert_int_equal(rename(old.key, key_path), 0);
	stat(cert_path, &before);
	assert_int_equal(
		hd_tls_self_signed(dir, names, 1, cert_path, key_path, NULL),
		0);
	stat(cert_path, &after);
	assert_true(before.st_ino != after.st_ino ||
		    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
}

static void self_signed_refusals(void **state)
{
	static const char *const bad[] = { "../x", "", "a,DNS:b", ".hidden",
					   "a b" };
	static const char *const good[] = { "relay.example" };
	char cert[256], key[256];
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		assert_int_equal(
			hd_tls_self_signed(dir, &bad[i], 1, cert, key, &err),
			-EINVAL);
	assert_int_equal(
		hd_tls_self_signed("/nonexistent", good, 1, cert, key, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/relay.example.key"));
}

#define TEST(fn) cmocka_unit_test_teardown(fn, clean_chain)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_chooses_the_certificate),
		TEST(references),
		TEST(alpn),
		TEST(appended_certificates_come_last),
		TEST(only_certificates_are_appended),
		TEST(rsa_and_ecdsa_for_one_name),
		TEST(ciphers_and_versions),
		TEST(missing_files),
		TEST(wrong_content),
		TEST(a_passphrase_is_not_asked_for),
		TEST(warnings),
		TEST(no_certificate_at_all),
		TEST(self_signed),
		TEST(self_signed_is_renewed),
		TEST(self_signed_refusals),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
