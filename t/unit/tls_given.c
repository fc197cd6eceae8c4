/* SPDX-License-Identifier: MIT */
/* t/unit/tls_given.c - certificates that modules give: who is served which, and
 * what is refused. */
#include "core/tls/tls_given.h"
#include <errno.h>
#include <hyper-derp/tls.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/module_id.h"
#include "t/unit/made_cert.h"
#include "t/unit/shake.h"
#include "t/unit/unit.h"

static struct hd_module acme = { .name = "acme" };
static struct hd_module other = { .name = "other" };
static unsigned told;

static void on_change(void *arg)
{
	assert_ptr_equal(arg, &told);
	told++;
}

static int reset(void **state)
{
	(void)state;
	hd_tls_given_kind.withdraw(&acme);
	hd_tls_given_kind.withdraw(&other);
	assert_null(hd_tls_given_first());
	return 0;
}

/* Of a file, at the end of text. */
static void add_file(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = strlen(text);

	assert_non_null(f);
	n += fread(text + n, 1, size - 1 - n, f);
	text[n] = '\0';
	fclose(f);
}

static int give(struct hd_module *mod, const char *name, const char *cn,
		const char *names)
{
	struct made_cert c = made(cn, names);
	char pem[16384] = "";

	add_file(pem, sizeof(pem), c.key);
	add_file(pem, sizeof(pem), c.cert);
	return hd_tls_certificate(mod,
				  &(struct hd_tls_certificate){
					  .name = name,
					  .pem = pem,
					  .pem_len_bytes = strlen(pem) },
				  NULL);
}

static void take_back(struct hd_module *mod, const char *name)
{
	assert_int_equal(
		hd_tls_certificate(mod,
				   &(struct hd_tls_certificate){ .name = name },
				   NULL),
		0);
}

static void served_behind_those_of_the_configuration(void **state)
{
	struct made_cert v[] = { made("first", "DNS:first.example") };
	struct hd_tls_store *store;

	(void)state;
	assert_int_equal(give(&acme, "a", "given", "DNS:a.example"), 0);
	assert_int_equal(made_store(v, 1, &store, NULL), 0);
	assert_string_equal(cn_for(store, NULL), "first");
	assert_string_equal(cn_for(store, "a.example"), "given");
	hd_tls_store_put(&store);
}

static void enough_without_others(void **state)
{
	struct hd_tls_store *store, *later;
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_tls_store_new(NULL, 0, &store, &err), -EINVAL);
	assert_int_equal(give(&acme, "a", "given", "DNS:a.example"), 0);
	assert_true(hd_tls_given_any());
	assert_int_equal(hd_tls_store_new(NULL, 0, &store, &err), 0);
	assert_string_equal(cn_for(store, NULL), "given");

	/* by the same name: in its place, in the stores after that */
	assert_int_equal(give(&acme, "a", "renewed", "DNS:a.example"), 0);
	assert_int_equal(give(&other, "a", "other", "DNS:b.example"), 0);
	assert_int_equal(hd_tls_given_n(), 2);
	assert_int_equal(hd_tls_store_new(NULL, 0, &later, &err), 0);
	assert_string_equal(cn_for(store, "a.example"), "given");
	assert_string_equal(cn_for(later, "a.example"), "renewed");
	assert_string_equal(cn_for(later, "b.example"), "other");
	hd_tls_store_put(&store);
	hd_tls_store_put(&later);
}

/* As acme-tls/1, with a protocol that this test speaks. */
static void a_challenge_is_for_who_asks_for_it_alone(void **state)
{
	static const struct {
		const char *name, *alpn, *want;
	} rows[] = {
		{ "a.example", "\x08http/1.1", "challenge" },
		{ "A.Example", "\x08http/1.1", "challenge" },
		{ "b.example", "\x08http/1.1", "first" },
		{ NULL, "\x08http/1.1", "first" },
		{ "a.example", NULL, "first" },
		{ "a.example", "\x08http/1.1\x02h2", "first" },
	};
	struct made_cert v[] = { made("first", "DNS:first.example") };
	char pem[16384] = "";
	struct made_cert c = made("challenge", "DNS:a.example");
	struct hd_tls_certificate given = { .name = "challenge",
					    .pem = pem,
					    .server_name = "a.example",
					    .alpn = "http/1.1" };
	struct hd_tls_store *store;

	(void)state;
	add_file(pem, sizeof(pem), c.cert);
	add_file(pem, sizeof(pem), c.key);
	given.pem_len_bytes = strlen(pem);
	assert_int_equal(hd_tls_certificate(&acme, &given, NULL), 0);
	assert_false(hd_tls_given_any()); /* nobody else gets it */
	assert_int_equal(made_store(v, 1, &store, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		struct shake s = { .name = rows[i].name,
				   .alpn = rows[i].alpn };

		shake(store, &s);
		assert_true(s.ok);
		assert_string_equal(s.cn[0], rows[i].want);
	}
	hd_tls_store_put(&store);
}

static void one_that_is_no_longer_given_is_gone(void **state)
{
	struct hd_tls_store *store;

	(void)state;
	hd_tls_given_watch(on_change, &told);
	assert_int_equal(give(&acme, "a", "one", "DNS:a.example"), 0);
	assert_int_equal(give(&acme, "b", "two", "DNS:b.example"), 0);
	assert_int_equal(told, 2);
	take_back(&acme, "c");
	take_back(&other, "a");
	assert_int_equal(told, 2);
	take_back(&acme, "a");
	assert_int_equal(told, 3);
	assert_int_equal(hd_tls_store_new(NULL, 0, &store, NULL), 0);
	assert_string_equal(cn_for(store, "a.example"), "two");
	hd_tls_store_put(&store);
	hd_tls_given_kind.withdraw(&acme);
	hd_tls_given_kind.withdraw(&acme);
	assert_int_equal(told, 4);
	hd_tls_given_watch(NULL, NULL);
}

static int give_text(const char *pem, struct hd_error *err)
{
	return hd_tls_certificate(
		&acme,
		&(struct hd_tls_certificate){ .name = "a",
					      .pem = pem,
					      .pem_len_bytes = strlen(pem) },
		err);
}

static void what_cannot_be_served_changes_nothing(void **state)
{
	struct made_cert one = made("one", "DNS:a.example");
	struct made_cert two = made("two", "DNS:a.example");
	char pem[16384] = "", *large = calloc(1, 8 << 20);
	struct hd_error err;

	(void)state;
	assert_int_equal(give(&acme, "a", "good", "DNS:a.example"), 0);
	assert_int_equal(give_text("junk", &err), -EINVAL);
	assert_string_equal(err.text, "module acme: certificate a: it is not "
				      "PEM with a key and a certificate");
	add_file(pem, sizeof(pem), one.cert);
	assert_int_equal(give_text(pem, &err), -EINVAL);
	add_file(pem, sizeof(pem), two.key);
	assert_int_equal(give_text(pem, &err), -EINVAL);
	assert_non_null(strstr(err.text, "do not belong together"));
	memset(large, 'x', (8 << 20) - 1);
	assert_int_equal(give_text(large, &err), -EFBIG);
	free(large);
	assert_int_equal(hd_tls_given_n(), 1);
	assert_true(hd_tls_given_any());
}

#define TEST(fn) cmocka_unit_test_teardown(fn, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(served_behind_those_of_the_configuration),
		TEST(enough_without_others),
		TEST(a_challenge_is_for_who_asks_for_it_alone),
		TEST(one_that_is_no_longer_given_is_gone),
		TEST(what_cannot_be_served_changes_nothing),
	};

	return cmocka_run_group_tests(tests, made_set_up, made_tear_down);
}
