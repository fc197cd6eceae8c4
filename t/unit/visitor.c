/* SPDX-License-Identifier: MIT */
/* t/unit/visitor.c - addresses that have connections here: so many, so fast,
 * and in bounded memory. The table is of the process: each test ends with none.
 */
#include "core/stream/visitor.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/base/key.h"
#include "core/base/prefix.h"
#include "core/net/listener.h"
#include "core/stream/stream.h"
#include "core/stream/stream_worker.h"
#include "t/unit/unit.h"

enum { S = 1000000000, KEPT_MAX = 65536, CROWD = 200000, MINUTE_MS = 60000 };

static struct hd_worker *w;
static struct hd_conf conf;
static struct hd_listener listener;

static int setup(void **state)
{
	(void)state;
	hd_key_hash_seed();
	conf = (struct hd_conf){ .address_bits = 64 };
	w = calloc(1, sizeof(*w));
	w->conf = &conf;
	w->now_ms = 1000;
	w->now_ns = S;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(w);
	return 0;
}

static void pass_ms(uint64_t ms)
{
	w->now_ms += ms;
	w->now_ns += ms * (S / 1000);
}

static union hd_addr addr_of(const char *text)
{
	union hd_addr a = { .sa = { .sa_family = AF_INET } };

	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
		return a;
	a.sa.sa_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
	return a;
}

static bool comes(const char *text, struct hd_visitor **ret)
{
	const union hd_addr a = addr_of(text);

	return hd_visitor_come(w, &listener, &a, ret);
}

/* It comes and goes. */
static bool looks_in(const char *text)
{
	struct hd_visitor *v;
	bool may = comes(text, &v);

	hd_visitor_leave(w, &v);
	return may;
}

/* What is kept of them ends before long: a part looks when it is used. */
static void forgotten(void)
{
	union hd_addr a = addr_of("10.0.0.0");
	struct hd_visitor *v;

	pass_ms(10ull * MINUTE_MS);
	conf = (struct hd_conf){ .address_bits = 64,
				 .address_connections = 1 };
	for (uint32_t i = 0; i < 2000; i++) {
		a.in.sin_addr.s_addr = htonl(0x0a000000 + i);
		assert_true(hd_visitor_come(w, &listener, &a, &v));
		hd_visitor_leave(w, &v);
	}
	assert_int_equal(hd_visitors_n(), 0);
}

static void so_many(void **state)
{
	struct hd_visitor *v[4];

	(void)state;
	assert_true(comes("192.0.2.1", &v[0])); /* no limit */
	assert_null(v[0]);
	conf.address_connections = 2;
	assert_true(comes("192.0.2.1", &v[0]));
	assert_true(comes("::ffff:192.0.2.1", &v[1])); /* the same */
	assert_false(comes("192.0.2.1", &v[2]));
	assert_null(v[2]);
	assert_int_equal(w->stats.address_refused.n, 1);
	assert_true(comes("192.0.2.2", &v[3]));
	hd_visitor_leave(w, &v[3]);
	hd_visitor_leave(w, &v[0]);
	assert_null(v[0]);
	assert_true(comes("192.0.2.1", &v[2]));
	hd_visitor_leave(w, &v[1]);
	hd_visitor_leave(w, &v[2]);
	forgotten();
}

static void of_ipv6_a_network_is_one(void **state)
{
	struct hd_visitor *v;

	(void)state;
	conf.address_connections = 1;
	assert_true(comes("2001:db8:0:1::1", &v));
	assert_false(looks_in("2001:db8:0:1:ffff::2"));
	assert_true(looks_in("2001:db8:0:2::1"));
	conf.address_bits = 48;
	assert_true(looks_in("2001:db8:0:2::1")); /* new ones count so */
	hd_visitor_leave(w, &v);
	assert_true(comes("2001:db8:0:1::1", &v));
	assert_false(looks_in("2001:db8:0:2::1"));
	assert_true(looks_in("2001:db8:1::1"));
	hd_visitor_leave(w, &v);
	forgotten();
}

static void so_fast(void **state)
{
	(void)state;
	for (uint64_t rate = 1; rate < 100; rate += 6) {
		uint64_t burst = HD_MAX(rate, 10u);

		conf.address_rate = rate;
		pass_ms(2 * MINUTE_MS);
		for (uint64_t i = 0; i < burst; i++)
			assert_true(looks_in("192.0.2.1"));
		assert_false(looks_in("192.0.2.1"));
		assert_true(looks_in("192.0.2.2"));
		/* who is refused does not pay for that */
		pass_ms(1000 / rate / 4);
		assert_false(looks_in("192.0.2.1"));
		pass_ms(1000 / rate + 1);
		assert_true(looks_in("192.0.2.1"));
		assert_false(looks_in("192.0.2.1"));
	}
	forgotten();
}

/* So many clients of a network share its rate, and its connections. */
static void of_ipv6_a_network_has_one_rate(void **state)
{
	char text[32];

	(void)state;
	conf.address_rate = 12;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), "2001:db8:0:1::%x", i + 1);
		assert_true(looks_in(text));
	}
	assert_false(looks_in("2001:db8:0:1:8000::1"));
	assert_true(looks_in("2001:db8:0:2::1"));
	conf.address_bits = 128; /* each address for itself */
	assert_true(looks_in("2001:db8:0:1:8000::1"));
	conf.address_bits = 56;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), "2001:db8:0:1%02x::1", i);
		assert_true(looks_in(text));
	}
	assert_false(looks_in("2001:db8:0:1ff::1"));
	assert_true(looks_in("2001:db8:0:200::1"));
	forgotten();
}

static void proxies_do_not_count(void **state)
{
	struct hd_prefix p;

	(void)state;
	assert_int_equal(hd_prefix_parse("192.0.2.0/24", &p), 0);
	conf.address_connections = conf.address_rate = 1;
	conf.trusted = (struct hd_prefixes){ &p, 1 };
	for (unsigned i = 0; i < 100; i++)
		assert_true(looks_in("192.0.2.1"));
	assert_int_equal(hd_visitors_n(), 0);
}

/* A reload, or an upgrade, that finds a crowd behind one address does not lock
 * it out: none of them has just come. */
static void who_is_here_has_not_just_come(void **state)
{
	struct hd_streams streams = { .first = NULL };
	struct hd_stream crowd[100] = { 0 };

	(void)state;
	w->streams = &streams;
	for (unsigned i = 0; i < HD_ARRAY_N(crowd); i++) {
		crowd[i].worker = w;
		crowd[i].addr = addr_of("192.0.2.1");
		crowd[i].next = streams.first;
		streams.first = &crowd[i];
	}
	conf.address_connections = HD_ARRAY_N(crowd) + 1;
	conf.address_rate = 1;
	hd_visitors_reload(w);
	assert_true(looks_in("192.0.2.1"));
	conf.address_connections--;
	assert_false(looks_in("192.0.2.1")); /* but they count */
	for (unsigned i = 0; i < HD_ARRAY_N(crowd); i++)
		hd_visitor_leave(w, &crowd[i].visitor);
	w->streams = NULL;
	forgotten();
}

/* Nor can they make us forget who comes too often, or has connections. */
static void a_crowd_takes_no_memory(void **state)
{
	struct hd_visitor *held, *v;
	union hd_addr a = addr_of("10.0.0.0");

	(void)state;
	conf.address_connections = 1;
	conf.address_rate = 1;
	assert_true(comes("192.0.2.9", &held));
	while (looks_in("192.0.2.1"))
		;
	for (uint32_t i = 0; i < CROWD; i++) {
		a.in.sin_addr.s_addr = htonl(0x0a000000 + i);
		assert_true(hd_visitor_come(w, &listener, &a, &v));
		hd_visitor_leave(w, &v);
	}
	assert_true(hd_visitors_n() <= KEPT_MAX + 1);
	assert_false(looks_in("192.0.2.1"));
	assert_false(looks_in("192.0.2.9"));
	hd_visitor_leave(w, &held);
	forgotten();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(so_many, setup, teardown),
		cmocka_unit_test_setup_teardown(of_ipv6_a_network_is_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(of_ipv6_a_network_has_one_rate,
						setup, teardown),
		cmocka_unit_test_setup_teardown(proxies_do_not_count, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_here_has_not_just_come,
						setup, teardown),
		cmocka_unit_test_setup_teardown(so_fast, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_takes_no_memory, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
