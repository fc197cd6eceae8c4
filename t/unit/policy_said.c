/* SPDX-License-Identifier: MIT */
/* t/unit/policy_said.c - what admission services are asked, and how their
 * answers are read. */
#include "modules/policy/service.h"
#include <errno.h>
#include <string.h>
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

static void requests(void **state)
{
	const struct hd_key key = key_of(0xab);
	const union hd_addr four = addr_of("192.0.2.7"),
			    mapped = addr_of("::ffff:192.0.2.7"),
			    six = addr_of("2001:db8::7");
	const union hd_addr *const from[] = { &four, &mapped, &six };
	char buf[POLICY_REQUEST_BYTES];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(from); i++) {
		const struct policy_subject who = { .key = &key,
						    .from = from[i] };

		policy_verify_request(&who, buf);
		assert_non_null(strstr(buf, "{\"NodePublic\":\"nodekey:abab"));
		assert_non_null(strstr(buf, i < 2 ? "\"Source\":\"192.0.2.7\"}"
						  : "\"2001:db8::7\"}"));
	}
}

static void answers(void **state)
{
	static const struct {
		const char *body;
		int want;
		const char *name;
	} cases[] = {
		{ "{\"Allow\":true}", 1, "" },
		{ "{\"Allow\":false,\"Name\":\"bob\"}", 0, "bob" },
		{ "{\"Allow\":true,\"Name\":\"two\\nlines\"}", 1, "" },
		{ "{\"Allow\":true,\"Name\":7,\"More\":[]}", 1, "" },
		{ "{\"Allow\":1}", -EPROTO, "" },
		{ "{\"Allow\":1,\"Name\":\"bob\"}", -EPROTO, "" },
		{ "{\"Allow\":true,\"Allow\":false}", -EPROTO, "" },
		{ "{\"allow\":true,\"name\":\"eve\"}", 1, "eve" },
		{ "{\"ALLOW\":false}", 0, "" },
		{ "{\"Allow\":true,\"N\":36893488147419103232,"
		  "\"S\":\"\\u0000\"}",
		  1, "" },
		{ "{\"Allow\":true,\"Name\":\"al\\u0000ice\"}", 1, "al" },
		{ "{\"Allow\":true,\"allow\":false}", -EPROTO, "" },
		{ "{\"allow\":false,\"Allow\":true}", -EPROTO, "" },
		{ "{\"Allowed\":true}", -EPROTO, "" },
		{ "{\"Allow\":null}", -EPROTO, "" },
		{ "[{\"Allow\":true}]", -EPROTO, "" },
		{ "{\"Allow\":true", -EPROTO, "" },
		{ "true", -EPROTO, "" },
		{ "", -EPROTO, "" },
	};
	struct policy_extra got;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		assert_int_equal(policy_verify_answer(cases[i].body,
						      strlen(cases[i].body),
						      &got),
				 cases[i].want);
		assert_string_equal(got.name, cases[i].name);
		assert_string_equal(got.tenant, "");
		assert_false(got.has_limits);
	}
}

/* What it says beside yes. */
static void tenants_and_limits(void **state)
{
	static const char yes[] =
		"{\"Allow\":true,\"tenant\":\"office\",\"Limits\":{"
		"\"Rate\":1048576,\"packetcost\":20,\"Connections\":4,"
		"\"More\":null}}";
	static const char *const none[] = {
		"{\"Allow\":true,\"Tenant\":\"two words\"}",
		"{\"Allow\":true,\"Tenant\":7}",
		"{\"Allow\":true,\"Limits\":[]}",
		"{\"Allow\":true,\"Limits\":{\"Rate\":\"1MiB\"}}",
		"{\"Allow\":true,\"Limits\":{\"Rate\":-1}}",
		"{\"Allow\":true,\"Limits\":{\"Burst\":0.5}}",
		"{\"Allow\":true,\"Limits\":{\"PacketCost\":65537}}",
		"{\"Allow\":true,\"Limits\":{\"Connections\":1000001}}",
		/* which of them counts? */
		"{\"Allow\":true,\"Tenant\":\"a\",\"tenant\":\"b\"}",
		"{\"Allow\":true,\"Limits\":{\"Rate\":1},\"limits\":{}}",
		"{\"Allow\":true,\"Limits\":{\"Rate\":1,\"rate\":2}}",
	};
	static const char no[] = "{\"Allow\":false,\"Tenant\":7}";
	/* 0 takes the rule's away; {} says nothing */
	static const char zero[] = "{\"Allow\":true,\"Limits\":{\"Rate\":0}}";
	static const char empty[] = "{\"Allow\":true,\"Limits\":{}}";
	struct policy_extra got;

	(void)state;
	assert_int_equal(policy_verify_answer(yes, strlen(yes), &got), 1);
	assert_string_equal(got.tenant, "office");
	assert_true(got.has_limits);
	assert_int_equal(got.limits.bytes_per_s, 1048576);
	assert_int_equal(got.limits.burst_bytes, 0);
	assert_int_equal(got.limits.packet_bytes, 20);
	assert_int_equal(got.limits.connections, 4);
	for (size_t i = 0; i < HD_ARRAY_N(none); i++)
		assert_int_equal(policy_verify_answer(none[i], strlen(none[i]),
						      &got),
				 -EPROTO);
	assert_int_equal(policy_verify_answer(no, strlen(no), &got), 0);
	assert_string_equal(got.tenant, "");
	assert_int_equal(policy_verify_answer(zero, strlen(zero), &got), 1);
	assert_true(got.has_limits);
	assert_int_equal(policy_verify_answer(empty, strlen(empty), &got), 1);
	assert_false(got.has_limits);
}

static void nested_without_end(void **state)
{
	static char body[100000];
	struct policy_extra got;

	(void)state;
	memset(body, '[', sizeof(body));
	memcpy(body, "{\"Allow\":true,\"x\":", 18);
	assert_int_equal(policy_verify_answer(body, sizeof(body), &got),
			 -EPROTO);
}

#define NODE "{\"Node\":{\"Key\":\"nodekey:" ABAB "\""
#define ABAB16 "abababababababab"
#define ABAB ABAB16 ABAB16 ABAB16 ABAB16

static void nodes(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		int want;
		const char *name;
	} cases[] = {
		{ 200, NODE ",\"ComputedName\":\"laptop\"}}", 1, "laptop" },
		{ 200, NODE ",\"Name\":\"a.ts.net.\"}}", 1, "a.ts.net." },
		/* a grant has any JSON in it */
		{ 200, NODE "},\"CapMap\":{\"x\":[18446744073709551615]}}", 1,
		  "" },
		{ 200, "{\"Node\":{\"Key\":\"nodekey:abab\"}}", -EPROTO, "" },
		{ 200, "{\"Node\":null}", -EPROTO, "" },
		{ 200, "", -EPROTO, "" },
		{ 404, "", 0, "" },
		{ 400, NODE "}}", -EPROTO, "" },
	};
	struct hd_key key;

	(void)state;
	memset(&key, 0xab, sizeof(key));
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		char name[POLICY_NAME_BYTES] = "";
		const char *body = cases[i].body;

		assert_int_equal(policy_whois_answer(cases[i].status, body,
						     strlen(body), &key, name),
				 cases[i].want);
		assert_string_equal(name, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(answers),
		cmocka_unit_test(tenants_and_limits),
		cmocka_unit_test(nested_without_end),
		cmocka_unit_test(nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
