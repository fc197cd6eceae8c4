/* SPDX-License-Identifier: MIT */
/* t/unit/policy_keys.c - files of keys: what a line may be, and what is said of
 * others. */
#include "modules/policy/policy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

static int parse(const char *text, struct policy_keys *ret,
		 struct hd_error *err)
{
	return policy_keys_parse("keys", text, ret, err);
}

static void keys(void **state)
{
	const struct hd_key a = key_of(0xaa), b = key_of(0xbb),
			    c = key_of(0xcc);
	struct policy_keys k;
	struct hd_error err;

	(void)state;
	assert_int_equal(parse("# friends\r\n\n  nodekey:" BB
			       "\tbob's phone \r\n" AA,
			       &k, &err),
			 0);
	assert_int_equal(k.n, 2);
	assert_string_equal(policy_keys_find(&k, &a), "");
	assert_string_equal(policy_keys_find(&k, &b), "bob's phone");
	assert_null(policy_keys_find(&k, &c));
	policy_keys_free(&k);
	assert_int_equal(parse("", &k, &err), 0);
	assert_null(policy_keys_find(&k, &a));
	policy_keys_free(&k);
	assert_int_equal(parse("\xef\xbb\xbf" AA " alice\r\n" BB, &k, &err), 0);
	assert_string_equal(policy_keys_find(&k, &a), "alice");
	assert_string_equal(policy_keys_find(&k, &b), "");
	policy_keys_free(&k);
}

/* A key that is there twice has the name of the first line. */
static void twins(void **state)
{
	const struct hd_key a = key_of(0xaa), b = key_of(0xbb);
	struct policy_keys k;
	struct hd_error err;

	(void)state;
	assert_int_equal(parse(BB " z\n" AA " second\n#\n" AA " first\n" AA
				  " second\n" BB " z",
			       &k, &err),
			 0);
	assert_int_equal(k.n, 2);
	assert_string_equal(policy_keys_find(&k, &a), "second");
	assert_string_equal(policy_keys_find(&k, &b), "z");
	policy_keys_free(&k);
}

static void bad_keys(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "\nnobody", "keys:2: no key" },
		{ AA " alice\naaaa bob", "keys:2: no key" },
		{ AA "aa", "keys:1: the key is too long" },
		{ "privkey:" AA, "keys:1: no key" },
		{ AA " 0123456789012345678901234567890123456789012345678901234"
		     "567890123",
		  "keys:1: the name is longer" },
		{ AA " alice\r" BB " bob\r", "keys:1: the name has a control" },
		{ AA "\r" BB "\r", "keys:1: the key is too long" },
		{ "\n" AA " \x1b[31m", "keys:2: the name has a control" },
	};
	struct policy_keys k;
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		assert_int_equal(parse(cases[i].text, &k, &err), -EINVAL);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_null(k.v);
	}
}

#define TOKEN "0123456789abcdef"

static void tokens(void **state)
{
	struct policy_keys k;
	struct hd_error err;
	struct hd_key hash;

	(void)state;
	assert_int_equal(policy_tokens_parse("tokens",
					     "# x\n" TOKEN " alice\r\n" TOKEN
					     "-2",
					     &k, &err),
			 0);
	assert_int_equal(k.n, 2);
	assert_int_equal(policy_token_hash(TOKEN, strlen(TOKEN), &hash), 0);
	assert_string_equal(policy_keys_find(&k, &hash), "alice");
	assert_int_equal(policy_token_hash(TOKEN "-3", strlen(TOKEN) + 2,
					   &hash),
			 0);
	assert_null(policy_keys_find(&k, &hash));
	policy_keys_free(&k);
	assert_int_equal(policy_tokens_parse(
				 "tokens", TOKEN "\n123456789012345", &k,
				 &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "tokens:2: no token; a line is"));
	assert_null(strstr(err.text, "12345"));
	assert_int_equal(policy_token_hash("0123456789abcde\xff", 16, &hash),
			 -EINVAL);
}

static void no_file(void **state)
{
	struct policy_keys k;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_keys_read("/nowhere/keys", &k, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/keys: No such file"));
	assert_int_equal(policy_keys_read("/dev/null", &k, &err), -EINVAL);
	assert_int_equal(policy_keys_read("/", &k, &err), -EISDIR);
	assert_string_equal(err.text, "/ is a folder; name a file in it");
}

static void with_nul(void **state)
{
	char path[] = "/tmp/hd-keys-XXXXXX";
	int fd = mkstemp(path);
	struct policy_keys k;
	struct hd_error err;

	(void)state;
	assert_int_equal(write(fd, AA "\n\0\n", 67), 67);
	close(fd);
	assert_int_equal(policy_keys_read(path, &k, &err), -EILSEQ);
	assert_non_null(strstr(err.text, ":2: a NUL byte; write the file as"));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),	    cmocka_unit_test(twins),
		cmocka_unit_test(bad_keys), cmocka_unit_test(with_nul),
		cmocka_unit_test(no_file),  cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
