/* SPDX-License-Identifier: MIT */
/* t/unit/stun_module.c - what the stun module answers, and to whom. The wire
 * format itself is tested in t/unit/stun.c. */
#include "t/unit/fake_core.h"
#include "modules/stun/late.h"
#include "t/unit/unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/stun.h>
#include <stdlib.h>
#include <string.h>

extern const struct hd_module_def stun_LTX_hd_module;

/* as stun.c keeps it */
static struct {
	union hd_addr listen;
} conf = { { .in6 = { .sin6_family = AF_INET6 } } };

#define TXID 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

/* RFC 5389: no attribute at all */
static const uint8_t plain[] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, TXID };

static union hd_addr v4, v6, local;

static int setup(void **state)
{
	struct hd_error err;

	(void)state;
	conf.listen.in6.sin6_port = htons(3478);
	memset(&v4, 0, sizeof(v4));
	memset(&v6, 0, sizeof(v6));
	memset(&local, 0, sizeof(local));
	v4.in.sin_family = AF_INET;
	v4.in.sin_port = htons(0x1234);
	inet_pton(AF_INET, "192.0.2.1", &v4.in.sin_addr);
	v6.in6.sin6_family = AF_INET6;
	v6.in6.sin6_port = htons(0x1234);
	inet_pton(AF_INET6, "2001:db8::1", &v6.in6.sin6_addr);
	local.in.sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.99", &local.in.sin_addr);
	return fake_load(&stun_LTX_hd_module, &conf, &err);
}

static int teardown(void **state)
{
	(void)state;
	fake_unload();
	return 0;
}

static void receive(const union hd_addr *from, const void *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	struct hd_datagram dg = { .from = *from,
				  .to = local,
				  .data = copy,
				  .len_bytes = (uint32_t)n };

	memcpy(copy, p, n);
	fake.udp.fn(&fake.module, &fake.udp, fake.udp.arg, &dg, 1);
	free(copy);
}

static uint64_t ignored(const char *labels)
{
	return fake_metric("hyper_derp_stun_ignored_total", labels);
}

static uint64_t answers(const char *labels)
{
	return fake_metric("hyper_derp_stun_answers_total", labels);
}

static void opens_what_is_configured(void **state)
{
	(void)state;
	assert_int_equal(fake.udp.bind.in6.sin6_port, htons(3478));
	assert_string_equal(stun_LTX_hd_module.options[0].def, "[::]:3478");
}

/* XOR with the cookie: port 1234 ^ 2112 = 3326, c0000201 ^ 2112a442 =
 * e112a643. */
static void ipv4_gets_32_bytes(void **state)
{
	static const uint8_t want[] = { 1,    1,    0,	  12,	0x21, 0x12,
					0xa4, 0x42, TXID, 0,	0x20, 0,
					8,    0,    1,	  0x33, 0x26, 0xe1,
					0x12, 0xa6, 0x43 };

	(void)state;
	receive(&v4, plain, sizeof(plain));
	assert_int_equal(fake.udp.out_len, sizeof(want));
	assert_memory_equal(fake.udp.out, want, sizeof(want));
	assert_memory_equal(&fake.udp.to, &v4, sizeof(v4));
	assert_int_equal(answers("family=\"ipv4\""), 1);
}

static void answer_comes_from_the_address_that_was_asked(void **state)
{
	(void)state;
	receive(&v4, plain, sizeof(plain));
	assert_memory_equal(&fake.udp.from, &local, sizeof(local));
}

static void ipv6_gets_44_bytes(void **state)
{
	(void)state;
	receive(&v6, plain, sizeof(plain));
	assert_int_equal(fake.udp.out_len, 44);
	assert_int_equal(fake.udp.out[25], 2);
	assert_int_equal(answers("family=\"ipv6\""), 1);
}

/* As Tailscale's clients send it: SOFTWARE "tailnode", FINGERPRINT. */
static void tailscale_request_is_answered(void **state)
{
	static const uint8_t txid[] = { TXID };
	uint8_t request[64];

	(void)state;
	receive(&v4, request, stun_request_put(request, txid, "tailnode"));
	assert_int_equal(fake.udp.out_len, 32);
}

static void wrong_fingerprint_is_ignored(void **state)
{
	static const uint8_t txid[] = { TXID };
	uint8_t request[64];
	size_t n = stun_request_put(request, txid, "tailnode");

	(void)state;
	request[n - 1] ^= 1;
	receive(&v4, request, n);
	assert_int_equal(fake.udp.sent, 0);
	assert_int_equal(ignored("reason=\"garbage\""), 1);
}

static void garbage_is_ignored_and_counted(void **state)
{
	uint8_t junk[1500];

	(void)state;
	memset(junk, 0x41, sizeof(junk));
	for (size_t n = 0; n < sizeof(junk); n += 7)
		receive(&v4, junk, n);
	for (size_t n = 0; n < sizeof(plain); n++)
		receive(&v4, plain, n);
	assert_int_equal(fake.udp.sent, 0);
	assert_int_equal(ignored("reason=\"garbage\""), 215 + sizeof(plain));
}

static void response_is_not_answered(void **state)
{
	uint8_t response[sizeof(plain)];

	(void)state;
	memcpy(response, plain, sizeof(plain));
	response[0] = 1;
	receive(&v4, response, sizeof(response));
	assert_int_equal(fake.udp.sent, 0);
	assert_int_equal(ignored("reason=\"not_a_request\""), 1);
}

static void unknown_required_attribute_is_ignored(void **state)
{
	uint8_t request[sizeof(plain) + 4] = { 0 };

	(void)state;
	memcpy(request, plain, sizeof(plain));
	request[3] = 4;
	request[20] = 0x7f;
	receive(&v4, request, sizeof(request));
	assert_int_equal(fake.udp.sent, 0);
	assert_int_equal(ignored("reason=\"unknown_attribute\""), 1);
}

static void serve(bool on)
{
	fake.worker.serving = on;
	stun_LTX_hd_module.serving(&fake.module, &fake.worker, on);
}

static void answers_only_while_the_relay_serves(void **state)
{
	(void)state;
	serve(false);
	receive(&v4, plain, sizeof(plain));
	assert_int_equal(fake.udp.sent, 0);
	assert_int_equal(ignored("reason=\"not_serving\""), 1);
	serve(true);
	receive(&v4, plain, sizeof(plain));
	assert_int_equal(fake.udp.sent, 1);
}

static void silent_until_late(void)
{
	fake.worker.now_ms = 1000;
	serve(false);
	receive(&v4, plain, sizeof(plain));
	fake.worker.now_ms += STUN_SILENT_MS - 1;
	receive(&v4, plain, sizeof(plain));
	assert_false(fake_timer_ring());
	fake.worker.now_ms++;
}

static void a_long_drain_answers_late(void **state)
{
	(void)state;
	silent_until_late();
	receive(&v4, plain, sizeof(plain));
	fake.worker.now_ms += 100;
	receive(&v6, plain, sizeof(plain));
	assert_int_equal(ignored("reason=\"not_serving\""), 2);
	fake.worker.now_ms += STUN_LATE_MS - 101;
	assert_false(fake_timer_ring());
	fake.worker.now_ms++;
	assert_true(fake_timer_ring());
	assert_int_equal(fake.udp.sent, 1);
	assert_memory_equal(&fake.udp.to, &v4, sizeof(v4));
	assert_memory_equal(&fake.udp.from, &local, sizeof(local));
	assert_int_equal(fake.udp.out_len, 32);
	fake.worker.now_ms += 100;
	assert_true(fake_timer_ring());
	assert_memory_equal(&fake.udp.to, &v6, sizeof(v6));
	fake.worker.now_ms += STUN_LATE_MS;
	assert_false(fake_timer_ring());
	assert_int_equal(fake.udp.sent, 2);
}

static void new_code_is_not_silent_again(void **state)
{
	struct hd_error err;

	(void)state;
	silent_until_late();
	stun_LTX_hd_module.stop(&fake.module, &fake.worker);
	assert_int_equal(
		stun_LTX_hd_module.start(&fake.module, &fake.worker, &err), 0);
	receive(&v4, plain, sizeof(plain));
	fake.worker.now_ms += STUN_LATE_MS;
	assert_true(fake_timer_ring());
	assert_int_equal(fake.udp.sent, 1);
}

static void few_wait(void **state)
{
	(void)state;
	silent_until_late();
	for (unsigned i = 0; i < 5000; i++)
		receive(&v4, plain, sizeof(plain));
	fake.worker.now_ms += STUN_LATE_MS;
	assert_true(fake_timer_ring());
	assert_in_range(fake.udp.sent, 100, 4000);
	assert_int_equal(ignored("reason=\"not_serving\"") + fake.udp.sent,
			 5002);
}

static void undrained_it_answers_at_once(void **state)
{
	(void)state;
	silent_until_late();
	receive(&v4, plain, sizeof(plain));
	serve(true);
	fake.worker.now_ms += STUN_LATE_MS;
	assert_false(fake_timer_ring());
	receive(&v4, plain, sizeof(plain));
	assert_int_equal(fake.udp.sent, 1);
	serve(false); /* and begins with silence */
	receive(&v4, plain, sizeof(plain));
	fake.worker.now_ms += STUN_LATE_MS;
	assert_false(fake_timer_ring());
}

static void full_batch_is_counted(void **state)
{
	(void)state;
	fake.udp.send_result = -ENOBUFS;
	receive(&v4, plain, sizeof(plain));
	assert_int_equal(ignored("reason=\"send_failed\""), 1);
	assert_int_equal(answers("family=\"ipv4\""), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_what_is_configured),
		TEST(ipv4_gets_32_bytes),
		TEST(answer_comes_from_the_address_that_was_asked),
		TEST(ipv6_gets_44_bytes),
		TEST(tailscale_request_is_answered),
		TEST(wrong_fingerprint_is_ignored),
		TEST(garbage_is_ignored_and_counted),
		TEST(response_is_not_answered),
		TEST(unknown_required_attribute_is_ignored),
		TEST(answers_only_while_the_relay_serves),
		TEST(a_long_drain_answers_late),
		TEST(new_code_is_not_silent_again),
		TEST(few_wait),
		TEST(undrained_it_answers_at_once),
		TEST(full_batch_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
