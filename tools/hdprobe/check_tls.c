/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_tls.c - the handshake and the certificates, judged as
 * Tailscale's clients judge them (tailscale net/tlsdial). */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "tools/lib/cert_days.h"

#define META_CN_PREFIX "derpkey"
#define META_SERIAL DERP_VERSION

static bool meta_key(X509 *cert, struct hd_key *ret_key)
{
	const size_t prefix = sizeof(META_CN_PREFIX) - 1;
	char cn[128] = "";
	size_t n = 0;

	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
				  cn, sizeof(cn));
	return strncmp(cn, META_CN_PREFIX, prefix) == 0 &&
	       sodium_hex2bin(ret_key->b, HD_KEY_BYTES, cn + prefix,
			      strlen(cn + prefix), NULL, &n, NULL) == 0 &&
	       n == HD_KEY_BYTES;
}

/* Splits the chain as presented: the meta certificate is no part of it, and
 * the first one is always the relay's. */
static void keep_chain(struct probe *p, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	p->verify = SSL_get_verify_result(ssl);
	p->chain = sk_X509_new_null();
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *cert = sk_X509_value(chain, i);

		X509_up_ref(cert);
		if (i > 0 && p->meta == NULL && meta_key(cert, &p->meta_key))
			p->meta = cert;
		else if (!sk_X509_push(p->chain, cert))
			X509_free(cert);
	}
}

static const struct {
	int code;
	const char *remedy;
} tls_failures[] = {
	{ ETIMEDOUT, "something listens but does not speak: is this the "
		     "relay's port?" },
	{ ECONNRESET, "it hung up during the handshake: is this the relay's "
		      "port, has it no TLS (--plain), or does it refuse this "
		      "name (--sni)?" },
	{ EPROTO, "this is not TLS, or it refuses this name: for a relay "
		  "without TLS use --plain, for another name --sni" },
};

static void tls_failed(struct result *r, int code, const char *detail)
{
	const char *remedy = NULL;

	for (size_t i = 0; i < HD_ARRAY_N(tls_failures); i++)
		if (tls_failures[i].code == -code)
			remedy = tls_failures[i].remedy;
	result_bad(r, V_FAIL, remedy, "%s", detail);
}

static void check_handshake(struct probe *p, struct result *r)
{
	int64_t start = now_us();
	struct conn *c = NULL;
	struct hd_error err;
	int rc = probe_dial(p, &c, &err);

	if (rc < 0) {
		tls_failed(r, rc, err.text);
		return;
	}
	keep_chain(p, c->ssl);
	result_ok(r, "%s %s in %.1f ms", SSL_get_version(c->ssl),
		  SSL_get_cipher_name(c->ssl),
		  (double)(now_us() - start) / 1e3);
	conn_close(&c);
}

static void date_text(const ASN1_TIME *t, char *buf, size_t size)
{
	struct tm tm = { 0 };

	ASN1_TIME_to_tm(t, &tm);
	strftime(buf, size, "%Y-%m-%d %H:%M UTC", &tm);
}

static void check_dates(struct probe *p, struct result *r)
{
	const X509 *cert = sk_X509_value(p->chain, 0);
	int days = cert_days_left(cert);
	char from[32], until[32];

	date_text(X509_get0_notBefore(cert), from, sizeof(from));
	date_text(X509_get0_notAfter(cert), until, sizeof(until));
	r->data =
		json_pack("{s:i, s:s}", "days_left", days, "not_after", until);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		result_bad(r, V_FAIL,
			   "check the clocks of both machines, or renew it",
			   "not valid before %s", from);
	else if (days < 0)
		result_bad(r, V_FAIL, "renew it and reload the relay",
			   "expired on %s", until);
	else if (days < cert_days_low(cert))
		result_bad(r, V_WARN,
			   "renew it and reload the relay; does the renewal "
			   "job run?",
			   "expires in %d days, on %s", days, until);
	else
		result_ok(r, "valid until %s, %d days", until, days);
}

/* The names that a certificate is for, as text. */
static void names_text(X509 *cert, char *buf, size_t size)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (i > 0)
			BIO_puts(bio, ", ");
		GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
	}
	n = BIO_read(bio, buf, (int)size - 1);
	buf[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	GENERAL_NAMES_free(names);
}

/* As Go does: alternative names only, never the subject. */
static void check_name(struct probe *p, struct result *r)
{
	X509 *cert = sk_X509_value(p->chain, 0);
	const char *name = p->opt.name;
	char names[300];
	int match =
		conn_is_ip(name)
			? X509_check_ip_asc(cert, name, 0)
			: X509_check_host(cert, name, 0,
					  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
					  NULL);

	if (p->opt.pin != NULL) {
		result_skip(r, "the certificate is pinned");
		return;
	}
	names_text(cert, names, sizeof(names));
	if (match == 1)
		result_ok(r, "%s is one of %s", name, names);
	else
		result_bad(r, p->opt.insecure ? V_WARN : V_FAIL,
			   "clients refuse it: get a certificate for this "
			   "name, or name the relay as its certificate does "
			   "(--sni)",
			   "%s is not one of its names: %s", name,
			   names[0] != '\0' ? names : "none");
}

bool probe_needs_pin(const struct probe *p)
{
	return p->chain != NULL && p->verify != X509_V_OK &&
	       X509_self_signed(sk_X509_value(p->chain, 0), 1) == 1;
}

bool probe_pin(const struct probe *p, char buf[PROBE_PIN_BYTES])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	const size_t prefix = sizeof("sha256-raw:") - 1;
	unsigned n = 0;

	if (p->chain == NULL || X509_digest(sk_X509_value(p->chain, 0),
					    EVP_sha256(), hash, &n) != 1)
		return false;
	memcpy(buf, "sha256-raw:", prefix);
	sodium_bin2hex(buf + prefix, PROBE_PIN_BYTES - prefix, hash, n);
	return true;
}

/* As clients do that have a pin: nothing else of the chain counts. */
static void check_pin(struct probe *p, struct result *r)
{
	char pin[PROBE_PIN_BYTES] = "";

	if (probe_pin(p, pin) && strcasecmp(pin, p->opt.pin) == 0)
		result_ok(r, "it is the pinned one");
	else
		result_bad(r, V_FAIL,
			   "clients refuse it: was it renewed? then the DERP "
			   "map needs the new CertName",
			   "it is not the pinned one, but %s", pin);
}

static void check_chain(struct probe *p, struct result *r)
{
	char pin[PROBE_PIN_BYTES] = "";

	if (p->opt.pin != NULL) {
		check_pin(p, r);
		return;
	}
	if (p->verify == X509_V_OK) {
		result_ok(r, "verified, %d certificates",
			  sk_X509_num(p->chain));
		return;
	}
	probe_pin(p, pin);
	if (!probe_needs_pin(p))
		result_bad(r, p->opt.insecure ? V_WARN : V_FAIL,
			   "serve the whole chain (fullchain.pem), from an "
			   "authority that clients know",
			   "not trusted: %s",
			   X509_verify_cert_error_string(p->verify));
	else if (sk_X509_num(p->chain) != 1)
		result_bad(r, V_FAIL,
			   "serve this certificate alone: clients refuse a "
			   "pinned one that brings others",
			   "self-signed, with %d more",
			   sk_X509_num(p->chain) - 1);
	else
		result_ok(r, "self-signed; clients need the pin %s", pin);
	r->data = json_pack("{s:s}", "pin", pin);
}

static void check_meta(struct probe *p, struct result *r)
{
	char hex[2 * HD_KEY_BYTES + 1];
	long serial;

	if (p->meta == NULL) {
		result_skip(r, "none: clients wait for the answer to their "
			       "upgrade (does a proxy end TLS?)");
		return;
	}
	p->have_meta_key = true;
	serial = ASN1_INTEGER_get(X509_get0_serialNumber(p->meta));
	sodium_bin2hex(hex, sizeof(hex), p->meta_key.b, HD_KEY_BYTES);
	if (serial != META_SERIAL)
		result_bad(r, V_FAIL,
			   "the serial number is the protocol's version; "
			   "clients know version 2",
			   "serial number %ld", serial);
	else if (X509_cmp_current_time(X509_get0_notBefore(p->meta)) > 0 ||
		 X509_cmp_current_time(X509_get0_notAfter(p->meta)) < 0)
		result_bad(r, V_WARN, "restart the relay, it makes a new one",
			   "it is expired, or not valid yet");
	else
		result_ok(r, "derpkey%s", hex);
}

const struct check tls_checks[] = {
	{ "tls", FACT_TCP, FACT_TRANSPORT, true, check_handshake },
	{ "cert-dates", FACT_TRANSPORT, 0, true, check_dates },
	{ "cert-name", FACT_TRANSPORT, 0, true, check_name },
	{ "cert-chain", FACT_TRANSPORT, 0, true, check_chain },
	{ "meta-cert", FACT_TRANSPORT, 0, true, check_meta },
	{ 0 },
};
