/* SPDX-License-Identifier: MIT */
/* t/unit/derp_realms.c - what relays of ours say to each other of realms that
 * DERP does not know, at the end that was dialled. Bytes are those of
 * doc/reference/protocol-derp.md. */
#include <hyper-derp/presence.h>
#include "core/relay/tenant.h"
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"

#define MESH "00000000000000000000000000000000000000000000000000000000000000ab"
#define KEY "\"meshKey\":\"" MESH "\""
#define KNOWS ",\"hyperDerpRealms\":true}"
#define REALMS "70 00000004 00 026864"

static int up(void **state)
{
	derp_mesh_key(MESH);
	return derp_fast_up(state);
}

static void admit(const char *told)
{
	const struct fake_bytes *out = &alice->lane[HD_LANE_CONTROL];

	fake_out_clear(alice);
	fake_admit(alice);
	assert_true(out->n >= DERP_SERVER_INFO_BYTES);
	assert_hex(out->v + DERP_SERVER_INFO_BYTES,
		   out->n - DERP_SERVER_INFO_BYTES, told);
	fake_out_clear(alice);
}

/* @told  the frames in the lane behind ServerInfo */
static void login(const char *json, const char *told)
{
	send_json(json, strlen(json));
	admit(told);
}

/* The same, when modules have said what it is: core/relay/admit.c. */
static void login_as(const char *json, bool mesh, const char *told)
{
	send_json(json, strlen(json));
	alice->peer.login.mesh = mesh;
	admit(told);
}

static void assert_told(const char *text)
{
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n, text);
	fake_out_clear(alice);
}

/* ---- who is told ---- */

static void who_knows_realms_is_told_of_them(void **state)
{
	(void)state;
	login("{" KEY KNOWS, REALMS);
}

static void derper_and_older_ones_are_not(void **state)
{
	(void)state;
	login("{" KEY "}", "");
	feed(alice, "12 00000008 0102030405060708");
	assert_told("");
}

static void a_client_is_not(void **state)
{
	(void)state;
	login("{\"version\":2" KNOWS, "");
	feed(alice, REALMS); /* it needs the mesh key */
	assert_true(alice->closing);
	assert_int_equal(fake.also, 0);
}

static void a_module_s_word_is_as_good_as_the_key(void **state)
{
	(void)state;
	login_as("{\"version\":2" KNOWS, true, REALMS);
	feed(alice, REALMS);
	assert_false(alice->closing);
	assert_int_equal(fake.also, 3);
}

static void the_key_without_it_is_not(void **state)
{
	(void)state;
	login_as("{" KEY KNOWS, false, "");
	feed(alice, "12 00000008 0102030405060708");
	assert_told("");
}

static void what_is_new_is_told_with_the_next_pong(void **state)
{
	struct derp_state *d;

	(void)state;
	login("{" KEY KNOWS, REALMS);
	feed(alice, "12 00000008 0102030405060708");
	assert_told("");
	d = alice->state;
	d->realms--; /* as if there were one more now */
	feed(alice, "12 00000008 0102030405060708");
	assert_told(REALMS);
	feed(alice, "12 00000008 0102030405060708");
	assert_told("");
}

/* ---- what it takes ---- */

static void only_realms_of_both_are_watched(void **state)
{
	(void)state;
	login("{" KEY KNOWS, REALMS);
	feed(alice, "70 00000008 00 026864 037a7a7a");
	assert_int_equal(fake.also, 3);
	feed(alice, "70 00000004 037a7a7a");
	assert_int_equal(fake.also, 0);
	feed(alice, "70 00000005 026864 0568"); /* cut off */
	assert_int_equal(fake.also, 2);
	feed(alice, "70 00000000");
	assert_int_equal(fake.also, 0);
	assert_false(alice->closing);
}

static void packets_have_a_realm(void **state)
{
	struct hd_key aa, bb;

	(void)state;
	memset(&aa, 0xaa, sizeof(aa));
	memset(&bb, 0xbb, sizeof(bb));
	login("{" KEY KNOWS, REALMS);
	feed(alice, "73 0000004c aa.. bb.. 01 08 68642f7061726973 6869");
	assert_string_equal(fake.forwarded_in, "hd/paris");
	assert_memory_equal(&fake.forwarded, &aa, sizeof(aa));
	assert_memory_equal(&fake.sent[0].dst, &bb, sizeof(bb));
	assert_memory_equal(fake.sent[0].head, "hi", 2);
	assert_true(fake.sent[0].urgent);
	feed(alice, "73 00000042 aa.. bb.. 00 00");
	assert_int_equal(fake.n_sent, 2);
	assert_string_equal(fake.forwarded_in, "");
	assert_false(fake.sent[1].urgent);
}

static void packets_without_a_readable_realm_are_for_nobody(void **state)
{
	(void)state;
	login("{" KEY KNOWS, REALMS);
	feed(alice, "73 00000044 aa.. bb.. 00 03 6868"); /* cut off */
	feed(alice, "73 00000043 aa.. bb.. 00 60 68"); /* longer than any */
	assert_int_equal(fake.n_sent, 0);
	assert_false(alice->closing);
	feed(alice, "73 00000041"); /* no realm at all */
	assert_true(alice->closing);
}

/* ---- what it is told ---- */

static void tell(uint16_t realm, bool present)
{
	struct hd_key bb;
	const struct hd_presence what = { .key = &bb,
					  .realm = realm,
					  .present = present,
					  .addr = &alice->addr };

	memset(&bb, 0xbb, sizeof(bb));
	alice->proto->peer->presence(&fake.module, &alice->peer, &what);
}

static void presence_has_the_realm(void **state)
{
	uint16_t paris;

	(void)state;
	assert_int_equal(hd_tenant_hold("paris", &paris), 0);
	login("{" KEY KNOWS, REALMS);
	tell(hd_realm("hd"), true);
	assert_told("71 00000023 bb.. 026864");
	tell(hd_realm_with(hd_realm("hd"), paris), false);
	assert_told("72 00000029 bb.. 08 68642f7061726973");
	tell(hd_realm_with(0, paris), true);
	assert_told("71 00000027 bb.. 06 2f7061726973");
	hd_tenant_drop(paris);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_knows_realms_is_told_of_them),
		TEST(derper_and_older_ones_are_not),
		TEST(a_client_is_not),
		TEST(a_module_s_word_is_as_good_as_the_key),
		TEST(the_key_without_it_is_not),
		TEST(what_is_new_is_told_with_the_next_pong),
		TEST(only_realms_of_both_are_watched),
		TEST(packets_have_a_realm),
		TEST(packets_without_a_readable_realm_are_for_nobody),
		TEST(presence_has_the_realm),
	};

	hd_realm("hd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
