/* SPDX-License-Identifier: MIT */
/* t/unit/hd_waiting.c - who waits to be approved: one address has eight places,
 * and takes none of another's. */
#include "modules/hd/people.h"
#include "t/unit/unit.h"
#include <arpa/inet.h>
#include <string.h>

/* ---- what the core does ---- */

static int ticket; /* of all */

void hd_admit_answer(struct hd_ticket **t, enum hd_verdict verdict,
		     const char *reason)
{
	(void)verdict;
	(void)reason;
	*t = NULL;
}

void hd_admit_name(struct hd_ticket *t, const char *name)
{
	(void)t;
	(void)name;
}

void hd_admit_tenant(struct hd_ticket *t, const char *tenant)
{
	(void)t;
	(void)tenant;
}

void hd_admit_limits(struct hd_ticket *t, enum hd_limits_of of,
		     const struct hd_limits *limits)
{
	(void)t;
	(void)of;
	(void)limits;
}

/* ---- */

static struct hdp_people people;
static uint8_t keys;

static void addr_of(const char *text, union hd_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		return;
	}
	ret->in6.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &ret->in6.sin6_addr), 1);
}

/* With another key each time. Returns whether there was a place. */
static bool comes(const char *from)
{
	struct hdp_waiting who = { .ticket = (struct hd_ticket *)&ticket };

	who.address.b[0] = ++keys;
	addr_of(from, &who.from);
	return hdp_waiting_add(&people, &who) != 0;
}

static void eight_come(const char *from)
{
	memset(&people, 0, sizeof(people));
	for (int i = 0; i < HDP_WAITING_FROM_MAX; i++)
		assert_true(comes(from));
	assert_false(comes(from));
}

static void eight_of_an_address(void **state)
{
	(void)state;
	eight_come("192.0.2.1");
	assert_true(comes("192.0.2.2"));
	assert_true(comes("2001:db8::1"));
}

static void of_a_64_in_ipv6(void **state)
{
	(void)state;
	eight_come("2001:db8::1");
	assert_false(comes("2001:db8::ffff:0:2"));
	assert_true(comes("2001:db8:0:1::1"));
	assert_true(comes("192.0.2.1"));
}

/* As a listener of [::] has them: all begin with the same 96 bits. */
static void of_an_address_in_ipv4_on_both(void **state)
{
	(void)state;
	eight_come("::ffff:192.0.2.1");
	assert_false(comes("192.0.2.1"));
	assert_true(comes("::ffff:192.0.2.2"));
	assert_true(comes("::1"));
}

/* One that has gone gives its place up. */
static void gone_for_new(void **state)
{
	(void)state;
	eight_come("192.0.2.1");
	hdp_waiting_left(&people, people.waiting[3].number);
	assert_true(comes("192.0.2.1"));
	assert_int_equal(people.n_waiting, HDP_WAITING_FROM_MAX);
	assert_false(comes("192.0.2.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_of_an_address),
		cmocka_unit_test(of_a_64_in_ipv6),
		cmocka_unit_test(of_an_address_in_ipv4_on_both),
		cmocka_unit_test(gone_for_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
