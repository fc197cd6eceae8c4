/* SPDX-License-Identifier: MIT */
/* t/unit/derp_peer.c - what an admitted client is told. Bytes are those of
 * doc/reference/protocol-derp.md. */
#include "t/unit/derp_help.h"

static void assert_open(void)
{
	assert_false(alice->closing);
}

static void packet_is_delivered(void **state)
{
	struct hd_key bob;
	struct hd_packet packet = { .src = &bob,
				    .data = (const uint8_t *)"hi",
				    .len_bytes = 2 };

	(void)state;
	memset(bob.b, 0xbb, sizeof(bob.b));
	alice->proto->peer->deliver(&fake.module, &alice->peer, &packet);
	assert_hex(alice->lane[HD_LANE_BULK].v, alice->lane[HD_LANE_BULK].n,
		   "05 00000022 bb.. 6869");
	packet.urgent = true;
	alice->proto->peer->deliver(&fake.module, &alice->peer, &packet);
	assert_hex(alice->lane[HD_LANE_URGENT].v, alice->lane[HD_LANE_URGENT].n,
		   "05 00000022 bb.. 6869");
}

static void largest_packet_is_delivered(void **state)
{
	static uint8_t data[65536];
	struct hd_key bob;
	struct hd_packet packet = { .src = &bob,
				    .data = data,
				    .len_bytes = sizeof(data) };

	(void)state;
	memset(bob.b, 0xbb, sizeof(bob.b));
	alice->proto->peer->deliver(&fake.module, &alice->peer, &packet);
	assert_int_equal(alice->out.n, 5 + 32 + 65536);
	assert_hex(alice->out.v, 37, "05 00010020 bb..");
}

static void full_lane_drops_the_packet(void **state)
{
	struct hd_key bob = { { 0 } };
	struct hd_packet packet = { .src = &bob,
				    .data = (const uint8_t *)"hi",
				    .len_bytes = 2 };

	(void)state;
	alice->lane_full[HD_LANE_BULK] = true;
	alice->proto->peer->deliver(&fake.module, &alice->peer, &packet);
	assert_int_equal(alice->out.n, 0);
	assert_open();
}

static void peer_gone_has_its_reason(void **state)
{
	struct hd_key bob;

	(void)state;
	memset(bob.b, 0xbb, sizeof(bob.b));
	alice->proto->peer->gone(&fake.module, &alice->peer, &bob,
				 HD_GONE_DISCONNECTED);
	alice->proto->peer->gone(&fake.module, &alice->peer, &bob,
				 HD_GONE_NOT_HERE);
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n,
		   "08 00000021 bb.. 00 08 00000021 bb.. 01");
	assert_int_equal(fake_metric("hyper_derp_derp_peer_gone_total",
				     "reason=\"not_here\""),
			 1);
}

static void drain_says_restarting(void **state)
{
	(void)state;
	alice->proto->peer->drain(&fake.module, &alice->peer, 1000, 30000);
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n,
		   "15 00000008 000003e8 00007530");
}

static void health_is_told_and_cleared(void **state)
{
	(void)state;
	alice->proto->peer->health(&fake.module, &alice->peer, "no UDP");
	alice->proto->peer->health(&fake.module, &alice->peer, "");
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n,
		   "14 00000006 6e6f20554450 14 00000000");
}

static void health_is_cut_at_1_kib(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	alice->proto->peer->health(&fake.module, &alice->peer, text);
	assert_int_equal(alice->out.n, 5 + 1024);
	assert_hex(alice->out.v, 6, "14 00000400 78");
}

static void keep_alive_comes_back(void **state)
{
	uint32_t first_ms = alice->timer_ms[0];

	(void)state;
	assert_true(first_ms >= KEEPALIVE_MS);
	assert_true(first_ms < KEEPALIVE_MS + 5000);
	alice->timer_ms[0] = 0;
	alice->proto->timer(&fake.module, alice, alice->state, 0);
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n, "06 00000000");
	assert_int_equal(alice->timer_ms[0], first_ms); /* one draw per peer */
}

static void who_is_leaving_gets_no_keep_alive(void **state)
{
	(void)state;
	alice->leaving = true;
	alice->timer_ms[0] = 0;
	alice->proto->timer(&fake.module, alice, alice->state, 0);
	assert_int_equal(alice->lane[HD_LANE_CONTROL].n, 0);
	assert_true(alice->timer_ms[0] >= KEEPALIVE_MS);
	alice->leaving = false; /* undrained */
	alice->proto->timer(&fake.module, alice, alice->state, 0);
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n, "06 00000000");
}

/* A twelfth more at most: nginx waits 60 s by default, haproxy 50 s. */
static void proxied(bool plain, const char *header, bool is)
{
	struct hd_stream *s = derp_alice_through(plain, header);
	uint32_t ms = s->timer_ms[0];

	if (is)
		assert_in_range(ms, PROXIED_MS, PROXIED_MS + PROXIED_MS / 12);
	else
		assert_in_range(ms, KEEPALIVE_MS, KEEPALIVE_MS + 5000);
	fake_close(s, HD_CLOSE_PEER);
	fake_stream_free(&s);
}

static void keep_alive_is_sooner_through_a_proxy(void **state)
{
	(void)state;
	proxied(false, NULL, false);
	proxied(false, "User-Agent", false);
	proxied(true, NULL, true);
	proxied(false, "X-Forwarded-For", true);
	proxied(false, "Forwarded", true);
	proxied(false, "Via", true);
	proxied(false, "PROXY", true);
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, derp_alice_up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packet_is_delivered),
		TEST(largest_packet_is_delivered),
		TEST(full_lane_drops_the_packet),
		TEST(peer_gone_has_its_reason),
		TEST(drain_says_restarting),
		TEST(health_is_told_and_cleared),
		TEST(health_is_cut_at_1_kib),
		TEST(keep_alive_comes_back),
		TEST(who_is_leaving_gets_no_keep_alive),
		TEST(keep_alive_is_sooner_through_a_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
