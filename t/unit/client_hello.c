/* SPDX-License-Identifier: MIT */
/* t/unit/client_hello.c - the name in a ClientHello, whole, cut and in many
 * records. The hellos are OpenSSL's. */
#include "core/tls/client_hello.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 5, MAX = 8192 };

static char name[HD_SERVER_NAME_BYTES];

struct hello {
	uint8_t v[MAX];
	size_t n;
};

/* What OpenSSL says first. */
static struct hello hello_of(const char *host, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct hello h;
	SSL *ssl;

	SSL_CTX_set_max_proto_version(ctx, version);
	ssl = SSL_new(ctx);
	if (host != NULL)
		assert_int_equal(SSL_set_tlsext_host_name(ssl, host), 1);
	SSL_set_bio(ssl, in, out);
	assert_int_equal(SSL_connect(ssl), -1);
	h.n = (size_t)BIO_read(out, h.v, sizeof(h.v));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return h;
}

/* In memory of its own, so that the sanitizers see who reads further. */
static int read_n(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, p, n);
	r = hd_client_hello_name(copy, n, name);
	free(copy);
	if (r <= 0)
		assert_string_equal(name, "");
	return r;
}

/* The same message in records of so many bytes. */
static struct hello cut(const struct hello *h, size_t part)
{
	struct hello out = { .n = 0 };

	for (size_t at = HEAD; at < h->n; at += part) {
		size_t n = HD_MIN(part, h->n - at);
		const uint8_t head[HEAD] = { 22, 3, 1, (uint8_t)(n >> 8),
					     (uint8_t)n };

		assert_true(out.n + HEAD + n <= MAX);
		memcpy(out.v + out.n, head, HEAD);
		memcpy(out.v + out.n + HEAD, h->v + at, n);
		out.n += HEAD + n;
	}
	return out;
}

/* Known from some byte on, and the same from there. */
static void says(const struct hello *h, const char *want)
{
	size_t i = 0;

	while (i <= h->n && read_n(h->v, i) == 0)
		i++;
	assert_in_range(i, HEAD + 1, h->n);
	for (; i <= h->n; i++) {
		assert_int_equal(read_n(h->v, i), 1);
		assert_string_equal(name, want);
	}
}

static void names_are_found(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(versions); i++) {
		struct hello h = hello_of("WWW.example.com", versions[i]);

		says(&h, "www.example.com");
		h = hello_of(NULL, versions[i]);
		says(&h, "");
	}
}

static void records_do_not_matter(void **state)
{
	struct hello h = hello_of("www.example.com", TLS1_3_VERSION);

	(void)state;
	for (size_t part = 1; part < h.n; part = 2 * part + 1) {
		struct hello many = cut(&h, part);

		says(&many, "www.example.com");
	}
}

static void what_is_no_name_is_none(void **state)
{
	char longest[HD_SERVER_NAME_BYTES];
	struct hello h = hello_of("www.example.com.", TLS1_3_VERSION);

	(void)state;
	says(&h, "www.example.com"); /* RFC 6066, 3: no dot; some send one */
	h = hello_of("www example", TLS1_3_VERSION);
	says(&h, "");
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	h = hello_of(longest, TLS1_3_VERSION);
	says(&h, longest);
	char longer[HD_SERVER_NAME_BYTES + 1];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	h = hello_of(longer, TLS1_3_VERSION);
	says(&h, "");
}

static void others_are_refused(void **state)
{
	struct hello h = hello_of("www.example.com", TLS1_3_VERSION), bad;

	(void)state;
	assert_int_equal(read_n((const uint8_t *)"GET /", 5), -EBADMSG);
	assert_int_equal(read_n((const uint8_t *)"\x16\x03\x01\0\0", 5),
			 -EBADMSG); /* an empty record */
	bad = h;
	bad.v[HEAD] = 2; /* ServerHello */
	assert_int_equal(read_n(bad.v, bad.n), -EBADMSG);
	bad = h;
	bad.v[3] = 0x41; /* RFC 8446, 5.1: more than 2^14 */
	assert_int_equal(read_n(bad.v, bad.n), -EBADMSG);
	bad = h;
	bad.v[HEAD + 2] = 0; /* the message ends within the random */
	bad.v[HEAD + 3] = 20;
	assert_int_equal(read_n(bad.v, bad.n), -EBADMSG);
	bad = h;
	bad.v[HEAD + 4 + 34] = 255; /* a session that is longer than there is */
	assert_int_equal(read_n(bad.v, bad.n) > 0, 0);
}

static void one_that_does_not_end_is_given_up(void **state)
{
	static uint8_t p[HD_CLIENT_HELLO_MAX_BYTES] = { 22, 3, 1, 0x40, 0,
							1,  0, 0x80 };

	(void)state;
	/* a session of no bytes, 65,535 bytes of cipher suites */
	memset(p + HEAD + 4 + 34 + 1, 0xff, 2);
	assert_int_equal(read_n(p, sizeof(p) - 1), 0);
	assert_int_equal(read_n(p, sizeof(p)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(records_do_not_matter),
		cmocka_unit_test(what_is_no_name_is_none),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(one_that_does_not_end_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
