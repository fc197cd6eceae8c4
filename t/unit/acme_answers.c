/* SPDX-License-Identifier: MIT */
/* t/unit/acme_answers.c - what an ACME server says: the examples of RFC 8555
 * and RFC 9773, and what is refused. */
#include "modules/acme/answers.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* RFC 8555, 7.1.1, with renewalInfo of RFC 9773, 4 */
static const char directory[] =
	"{\"newNonce\": \"https://example.com/acme/new-nonce\","
	"\"newAccount\": \"https://example.com/acme/new-account\","
	"\"newOrder\": \"https://example.com/acme/new-order\","
	"\"newAuthz\": \"https://example.com/acme/new-authz\","
	"\"renewalInfo\": \"https://example.com/acme/renewal-info\","
	"\"meta\": {"
	"\"termsOfService\": \"https://example.com/acme/terms/2017-5-30\","
	"\"profiles\": {\"classic\": \"x\", \"short\\nlived\": \"y\"},"
	"\"externalAccountRequired\": true}}";

static void a_directory(void **state)
{
	struct acme_directory d;
	struct hd_error err;

	(void)state;
	assert_int_equal(acme_directory_read(directory, strlen(directory),
					     "classic", &d, &err),
			 0);
	assert_string_equal(d.new_nonce, "https://example.com/acme/new-nonce");
	assert_string_equal(d.new_order, "https://example.com/acme/new-order");
	assert_string_equal(d.new_account,
			    "https://example.com/acme/new-account");
	assert_string_equal(d.renewal_info,
			    "https://example.com/acme/renewal-info");
	assert_string_equal(d.terms,
			    "https://example.com/acme/terms/2017-5-30");
	assert_true(d.needs_eab && d.has_profiles && d.has_profile);
	assert_string_equal(d.profiles, "classic, short?lived");
	assert_int_equal(acme_directory_read(directory, strlen(directory),
					     "other", &d, &err),
			 0);
	assert_false(d.has_profile);
}

static void a_small_directory(void **state)
{
	static const char text[] = "{\"newNonce\": \"http://a/n\","
				   "\"newAccount\": \"http://a/a\","
				   "\"newOrder\": \"http://a/o\"}";
	struct acme_directory d;
	struct hd_error err;

	(void)state;
	assert_int_equal(
		acme_directory_read(text, strlen(text), NULL, &d, &err), 0);
	assert_string_equal(d.renewal_info, "");
	assert_string_equal(d.terms, "");
	assert_false(d.needs_eab || d.has_profiles || d.has_profile);
}

static void wrong_directories(void **state)
{
	static const char *const rows[][2] = {
		{ "", "is not a JSON object" },
		{ "[]", "is not a JSON object" },
		{ "<html>", "is not a JSON object" },
		{ "{}", "has no \"newNonce\"" },
		{ "{\"newNonce\": 7}", "has no \"newNonce\"" },
		{ "{\"newNonce\": \"ftp://a\"}", "\"newNonce\" of the server's "
						 "answer is not a URL" },
		{ "{\"newNonce\": \"http://a\", \"newAccount\": \"\"}",
		  "has no \"newAccount\"" },
	};
	struct acme_directory d;
	struct hd_error err;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		assert_int_equal(acme_directory_read(rows[i][0],
						     strlen(rows[i][0]), NULL,
						     &d, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, rows[i][1]));
	}
	snprintf(text, sizeof(text), "{\"newNonce\": \"https://%0600d\"}", 1);
	assert_int_equal(
		acme_directory_read(text, strlen(text), NULL, &d, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "is too long"));
}

static int read_order(const char *text, struct acme_order *ret,
		      struct hd_error *err)
{
	return acme_order_read(text, strlen(text), ret, err);
}

static void orders(void **state)
{
	struct acme_order o;
	struct hd_error err;

	(void)state;
	assert_int_equal(
		read_order("{\"status\": \"valid\", \"authorizations\": "
			   "[\"https://a/1\", \"https://a/2\"], "
			   "\"finalize\": \"https://a/f\", "
			   "\"certificate\": \"https://a/c\"}",
			   &o, &err),
		0);
	assert_int_equal(o.status, ACME_VALID);
	assert_int_equal(o.n, 2);
	assert_string_equal(o.authz[1], "https://a/2");
	assert_string_equal(o.certificate, "https://a/c");
	assert_string_equal(o.why.text, "");
	acme_order_free(&o);
	assert_int_equal(
		read_order("{\"status\": \"invalid\", \"authorizations\": "
			   "[\"https://a/1\"], \"finalize\": \"https://a/f\", "
			   "\"error\": {\"type\": \"urn:ietf:params:acme:error:"
			   "caa\", \"detail\": \"CAA says\\u001b no\"}}",
			   &o, &err),
		0);
	assert_int_equal(o.status, ACME_INVALID);
	assert_string_equal(o.certificate, "");
	assert_string_equal(o.why.type, "caa");
	assert_string_equal(o.why.text, "CAA says? no");
	acme_order_free(&o);
}

static void wrong_orders(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"finalize\": \"http://a\"}", "no \"status\"" },
		{ "{\"status\": \"good\"}", "RFC 8555 does not know" },
		{ "{\"status\": \"ready\"}", "no \"finalize\"" },
		{ "{\"status\": \"ready\", \"finalize\": \"http://a\"}",
		  "has 0 authorizations" },
		{ "{\"status\": \"ready\", \"finalize\": \"http://a\", "
		  "\"authorizations\": [7]}",
		  "is not a URL" },
		{ "{\"status\": \"valid\", \"finalize\": \"http://a\", "
		  "\"certificate\": 7, \"authorizations\": [\"http://a\"]}",
		  "no \"certificate\"" },
	};
	struct acme_order o;
	struct hd_error err;
	char text[2048] = "{\"status\": \"ready\", \"finalize\": \"http://a\", "
			  "\"authorizations\": [0";

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		assert_int_equal(read_order(rows[i][0], &o, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i][1]));
		assert_null(o.authz);
	}
	for (int i = 0; i < ACME_AUTHZS_MAX; i++)
		strcat(text, ",\"a:b\"");
	strcat(text, "]}");
	assert_int_equal(read_order(text, &o, &err), -EINVAL);
	assert_non_null(strstr(err.text, "has 101 authorizations"));
}

/* RFC 8555, 7.5 */
static void an_authorization(void **state)
{
	static const char text[] =
		"{\"status\": \"pending\", \"expires\": "
		"\"2016-01-02T14:09:30Z\", \"identifier\": {\"type\": \"dns\", "
		"\"value\": \"www.example.org\"}, \"challenges\": ["
		"{\"type\": \"dns-01\", \"url\": \"https://example.com/3\", "
		"\"token\": \"not/base64url\"}, "
		"{\"type\": \"http-01\", \"status\": \"pending\", \"url\": "
		"\"https://example.com/acme/chall/prV_B7yEyA4\", \"token\": "
		"\"DGyRejmCefe7v4NfDGDKfA\"}]}";
	struct acme_authz z;
	struct hd_error err;

	(void)state;
	assert_int_equal(acme_authz_read(text, strlen(text), &z, &err), 0);
	assert_int_equal(z.status, ACME_PENDING);
	assert_string_equal(z.host, "www.example.org");
	assert_string_equal(z.challenges[ACME_HTTP_01].url,
			    "https://example.com/acme/chall/prV_B7yEyA4");
	assert_string_equal(z.challenges[ACME_HTTP_01].token,
			    "DGyRejmCefe7v4NfDGDKfA");
	assert_int_equal(z.challenges[ACME_HTTP_01].status, ACME_PENDING);
	assert_string_equal(z.challenges[ACME_TLS_ALPN_01].url, "");
}

static int read_challenge(const char *challenge, struct acme_authz *ret,
			  struct hd_error *err)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"status\": \"invalid\", \"identifier\": {\"value\": "
		 "\"a.example\"}, \"challenges\": [%s]}",
		 challenge);
	return acme_authz_read(text, strlen(text), ret, err);
}

static void wrong_challenges(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"type\": \"http-01\"}", "no \"url\"" },
		{ "{\"type\": \"http-01\", \"url\": \"http://a\"}",
		  "no \"status\"" },
		{ "{\"type\": \"http-01\", \"url\": \"http://a\", \"status\": "
		  "\"pending\"}",
		  "no \"token\"" },
		{ "{\"type\": \"http-01\", \"url\": \"http://a\", \"status\": "
		  "\"pending\", \"token\": \"../x\"}",
		  "not base64url" },
	};
	struct acme_authz z;
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		assert_int_equal(read_challenge(rows[i][0], &z, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i][1]));
	}
	assert_int_equal(read_challenge("7, {}", &z, &err), 0);
	assert_int_equal(
		read_challenge("{\"type\": \"tls-alpn-01\", \"url\": "
			       "\"http://a\", \"status\": \"invalid\", "
			       "\"token\": \"x\", \"error\": {\"type\": \"urn:"
			       "ietf:params:acme:error:connection\", "
			       "\"detail\": \"refused\"}}",
			       &z, &err),
		0);
	assert_string_equal(z.why.type, "connection");
	assert_string_equal(z.why.text, "refused");
}

static void problems(void **state)
{
	static const struct {
		const char *text, *type, *want;
	} rows[] = {
		{ "{\"type\": \"urn:ietf:params:acme:error:badNonce\", "
		  "\"detail\": \"JWS has an invalid anti-replay nonce\"}",
		  "badNonce", "JWS has an invalid anti-replay nonce" },
		{ "{\"type\": \"about:blank\"}", "about:blank", "about:blank" },
		{ "{}", "", "HTTP status 404" },
		{ "not found", "", "HTTP status 404" },
		{ "", "", "HTTP status 404" },
		{ "{\"type\": [], \"detail\": \"a\\nb\"}", "", "a?b" },
	};
	struct acme_problem p;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		acme_problem_read(rows[i].text, strlen(rows[i].text), 404, &p);
		assert_string_equal(p.type, rows[i].type);
		assert_string_equal(p.text, rows[i].want);
	}
}

/* RFC 9773, 4.2 */
static void windows(void **state)
{
	static const char good[] =
		"{\"suggestedWindow\": {\"start\": \"2025-01-02T04:00:00Z\", "
		"\"end\": \"2025-01-03T04:00:00Z\"}, \"explanationURL\": "
		"\"https://acme.example.com/docs/ari\"}";
	static const char *const wrong[] = {
		"{}",
		"{\"suggestedWindow\": {\"start\": \"2025-01-02T04:00:00Z\"}}",
		("{\"suggestedWindow\": {\"start\": \"2025-01-02T04:00:00Z\", "
		 "\"end\": \"2025-01-01T04:00:00Z\"}}"),
		"{\"suggestedWindow\": {\"start\": \"x\", \"end\": \"y\"}}",
	};
	struct acme_window w = { 0 };
	struct hd_error err;

	(void)state;
	assert_int_equal(acme_window_read(good, strlen(good), &w, &err), 0);
	assert_int_equal(w.start_s, 1735790400);
	assert_int_equal(w.end_s, 1735876800);
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++)
		assert_int_equal(acme_window_read(wrong[i], strlen(wrong[i]),
						  &w, &err),
				 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory),
		cmocka_unit_test(a_small_directory),
		cmocka_unit_test(wrong_directories),
		cmocka_unit_test(orders),
		cmocka_unit_test(wrong_orders),
		cmocka_unit_test(an_authorization),
		cmocka_unit_test(wrong_challenges),
		cmocka_unit_test(problems),
		cmocka_unit_test(windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
