/* SPDX-License-Identifier: MIT */
/* t/unit/tenant.c - numbers for the names of tenants, and peers of several
 * tenants in one table. */
#include "core/relay/tenant.h"
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/relay/relay_table.h"
#include "t/unit/unit.h"

/* ---- in place of core/base/clock.c ---- */

static uint64_t now_ns;

uint64_t hd_clock_ns(void)
{
	return now_ns;
}

uint64_t hd_clock_thread_ns(void)
{
	return now_ns;
}

uint64_t hd_now_ns(void)
{
	return now_ns;
}

static void pass_ms(uint64_t ms)
{
	now_ns += ms * 1000000;
}

/* ---- names and numbers ---- */

static void names(void **state)
{
	char text[HD_TENANT_BYTES + 1];

	(void)state;
	assert_true(hd_tenant_is_name("a"));
	assert_true(hd_tenant_is_name("Example.com_2-b"));
	assert_false(hd_tenant_is_name(""));
	assert_false(hd_tenant_is_name("a b"));
	assert_false(hd_tenant_is_name("a\n"));
	assert_false(hd_tenant_is_name("a\"b"));
	assert_false(hd_tenant_is_name("m\xc3\xbcller"));
	memset(text, 'x', sizeof(text));
	text[HD_TENANT_BYTES] = '\0';
	assert_false(hd_tenant_is_name(text));
	text[HD_TENANT_BYTES - 1] = '\0';
	assert_true(hd_tenant_is_name(text));
}

static void a_name_keeps_its_number(void **state)
{
	uint16_t a, b, again;

	(void)state;
	assert_int_equal(hd_tenant_hold("a", &a), 0);
	assert_int_equal(hd_tenant_hold("b", &b), 0);
	assert_int_not_equal(a, 0);
	assert_int_not_equal(a, b);
	assert_int_equal(hd_tenant_hold("a", &again), 0);
	assert_int_equal(again, a);
	assert_string_equal(hd_tenant_name(b), "b");
	assert_string_equal(hd_tenant_of(hd_realm_with(3, b)).s, "b");
	assert_string_equal(hd_tenant_of(3).s, "");
	hd_tenant_drop(a);
	assert_true(hd_tenant_is_used("a"));
	hd_tenant_drop(a);
	assert_false(hd_tenant_is_used("a"));
	assert_false(hd_tenant_is_used("c"));
	assert_int_equal(hd_tenant_hold("a", &again), 0);
	assert_int_equal(again, a); /* while nobody needs it */
	hd_tenant_drop(again);
	hd_tenant_drop(b);
	assert_int_equal(hd_tenant_hold("no name", &again), -EINVAL);
	assert_int_equal(again, 0);
}

/* What one has let go of is given to nobody else at once: records of it may be
 * on their way. */
static void there_is_a_bound(void **state)
{
	uint16_t v[HD_TENANTS_MAX], one_more;
	char name[16];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < HD_TENANTS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		if (hd_tenant_hold(name, &v[n]) == 0)
			n++;
	}
	/* two of the test before rest */
	assert_int_equal(n, HD_TENANTS_MAX - 2);
	assert_int_equal(hd_tenant_hold("more", &one_more), -ENOSPC);
	hd_tenant_drop(v[--n]);
	assert_int_equal(hd_tenant_hold("more", &one_more), -ENOSPC);
	assert_int_equal(hd_tenant_hold("a", &one_more), 0);
	hd_tenant_drop(one_more);
	while (n > 0)
		hd_tenant_drop(v[--n]);
}

static const char *nth(char kind, unsigned i)
{
	static char name[16];

	snprintf(name, sizeof(name), "%c%u", kind, i);
	return name;
}

static void all_are(char kind, uint16_t v[HD_TENANTS_MAX])
{
	for (unsigned i = 0; i < HD_TENANTS_MAX; i++)
		assert_int_equal(hd_tenant_hold(nth(kind, i), &v[i]), 0);
}

static void drop_all(const uint16_t v[HD_TENANTS_MAX])
{
	for (unsigned i = 0; i < HD_TENANTS_MAX; i++)
		hd_tenant_drop(v[i]);
}

static void a_number_gets_another_name(void **state)
{
	static uint16_t x[HD_TENANTS_MAX], y[HD_TENANTS_MAX];
	uint16_t other;

	(void)state;
	pass_ms(10000);
	all_are('x', x);
	drop_all(x);
	pass_ms(10000);
	all_are('y', y);
	for (unsigned i = 0; i < HD_TENANTS_MAX; i++) {
		assert_int_equal(hd_tenant_hold_known(nth('x', i), &other),
				 -ENOENT);
		assert_int_equal(hd_tenant_hold_known(nth('y', i), &other), 0);
		assert_int_equal(other, y[i]);
		assert_string_equal(hd_tenant_name(other), nth('y', i));
	}
	drop_all(y);
	drop_all(y);
	pass_ms(10000);
}

static void one_key_in_two_tenants(void **state)
{
	const struct hd_key k = { { 7 } };
	struct hd_relay_table t = { 0 };
	uint16_t tenant, realm;
	uint64_t hash = hd_key_hash(1, &k);
	struct hd_entry *common, *own;

	(void)state;
	assert_int_equal(hd_tenant_hold("t0", &tenant), 0);
	realm = hd_realm_with(1, tenant);
	assert_int_equal(hd_key_hash(realm, &k), hash); /* one home */
	common = hd_relay_table_add(&t, hash, 1, &k);
	assert_null(hd_relay_table_find(&t, hash, realm, &k));
	own = hd_relay_table_add(&t, hash, realm, &k);
	assert_ptr_equal(hd_relay_table_find(&t, hash, realm, &k), own);
	assert_ptr_equal(hd_relay_table_find(&t, hash, 1, &k), common);
	assert_null(hd_relay_table_find(&t, hash, hd_realm_with(1, tenant + 1),
					&k));
	for (uint32_t at = 0, n = 0; n < 3; n++) {
		const struct hd_entry *e =
			hd_relay_table_next(&t, hash, &k, &at);

		assert_ptr_equal(e, n == 0 ? common : n == 1 ? own : NULL);
	}
	/* the entry holds it, too: it may owe PeerGone when all have left */
	hd_tenant_drop(tenant);
	hd_relay_table_free(&t);
}

/* ---- realms of other relays ---- */

static int hold(const char *text, bool make, uint16_t *ret)
{
	return hd_realm_hold(text, strlen(text), make, ret);
}

static void a_realm_goes_as_text(void **state)
{
	uint16_t chat = hd_realm("chat"), realm, again;

	(void)state;
	assert_string_equal(hd_realm_text(chat).s, "chat");
	assert_string_equal(hd_realm_text(0).s, "");
	assert_int_equal(hold("", false, &realm), 0);
	assert_int_equal(realm, 0);
	assert_int_equal(hold("chat/nobody", false, &realm), -ENOENT);
	assert_int_equal(hold("chat/a", true, &realm), 0);
	assert_string_equal(hd_realm_text(realm).s, "chat/a");
	assert_int_equal(hold("chat/a", false, &again), 0);
	assert_int_equal(again, realm);
	hd_realm_drop(realm);
	hd_realm_drop(realm);
}

static void what_is_no_realm_is_refused(void **state)
{
	char text[HD_REALM_TEXT_BYTES + 1];
	uint16_t realm;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(hd_realm_hold(text, sizeof(text), true, &realm),
			 -EINVAL);
	assert_int_equal(hd_realm_hold("chat\0", 5, true, &realm), -EINVAL);
	assert_int_equal(hold("chat/", true, &realm), -EINVAL);
	assert_int_equal(hold("chat/a/b", true, &realm), -EINVAL);
	assert_int_equal(hold("nothing", true, &realm), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(a_name_keeps_its_number),
		cmocka_unit_test(a_realm_goes_as_text),
		cmocka_unit_test(what_is_no_realm_is_refused),
		cmocka_unit_test(there_is_a_bound),
		cmocka_unit_test(a_number_gets_another_name),
		cmocka_unit_test(one_key_in_two_tenants),
	};

	hd_key_hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
