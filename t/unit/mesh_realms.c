/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_realms.c - what relays of ours say to each other of realms that
 * DERP does not know, at the end that has dialled. Bytes are those of
 * doc/reference/protocol-derp.md. */
#include <stdio.h>
#include "core/relay/tenant.h"
#include "t/unit/mesh_help.h"

static const uint8_t realms[] = { 0, 2, 'h', 'd' }; /* "" and "hd" */

static struct hd_stream *up(bool knows)
{
	struct hd_stream *s = mesh_login();

	fake_out_clear(s);
	if (knows)
		mesh_feed(s, 0x70, realms, sizeof(realms));
	mesh_present(s, 2); /* itself */
	return s;
}

/* mesh_key in a realm. */
static void key_in(struct hd_stream *s, uint8_t type, const char *realm)
{
	uint8_t p[256] = { 0 };
	size_t n = strlen(realm);

	memcpy(p, mesh_key.b, 32);
	p[32] = (uint8_t)n;
	memcpy(p + 33, realm, n);
	mesh_feed(s, type, p, 33 + n);
}

static void it_tells_its_own_realms(void **state)
{
	struct hd_stream *s = mesh_login();

	(void)state;
	fake_out_clear(s);
	mesh_feed(s, 0x70, realms, sizeof(realms));
	assert_int_equal(s->out.n, 9);
	assert_memory_equal(s->out.v, "\x70\0\0\0\4\0\2hd", 9);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void derper_hears_of_none(void **state)
{
	struct hd_stream *s = up(false);
	struct mesh_stream *ms = hd_stream_state(s);

	(void)state;
	fake_out_clear(s);
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 0);
	assert_true(mesh_realms_have(ms, 0));
	assert_false(mesh_realms_have(ms, hd_realm("hd")));
	mesh_end(&s, HD_CLOSE_PEER);
}

/* A module was loaded meanwhile. */
static void what_is_new_is_told(void **state)
{
	struct hd_stream *s = up(true);
	struct mesh_stream *ms = hd_stream_state(s);

	(void)state;
	fake_out_clear(s);
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 0);
	ms->realms_told--;
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 9);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void keys_of_other_realms_come_and_go(void **state)
{
	struct hd_stream *s = up(true);
	uint16_t paris;

	(void)state;
	key_in(s, 0x71, "hd");
	assert_int_equal(mesh_fake.added, 1);
	assert_int_equal(mesh_fake.realm, hd_realm("hd"));
	key_in(s, 0x71, "hd/paris"); /* nobody here is in it yet */
	assert_int_equal(mesh_fake.added, 2);
	assert_int_equal(hd_tenant_hold_known("paris", &paris), 0);
	assert_int_equal(mesh_fake.realm, hd_realm_with(hd_realm("hd"), paris));
	key_in(s, 0x72, "hd/paris");
	assert_int_equal(mesh_fake.taken, 1);
	key_in(s, 0x71, "/paris");
	assert_int_equal(mesh_fake.realm, hd_realm_with(0, paris));
	hd_tenant_drop(paris);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void what_is_no_realm_here_is_skipped(void **state)
{
	static const char *const names[] = { "chat", "chat/paris", "hd/",
					     "hd/a b", "hd/a/b" };
	char longer[97];
	struct hd_stream *s = up(true);

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[96] = '\0';
	for (unsigned i = 0; i < HD_ARRAY_N(names); i++) {
		key_in(s, 0x71, names[i]);
		key_in(s, 0x72, names[i]);
	}
	key_in(s, 0x71, longer);
	key_in(s, 0x72, "hd/nobody"); /* it makes no tenant */
	assert_int_equal(mesh_fake.added, 0);
	assert_int_equal(mesh_fake.taken, 0);
	assert_false(s->closing);
	mesh_feed(s, 0x71, mesh_key.b, 32); /* without a realm */
	assert_true(mesh_is_waiting("against the protocol"));
	mesh_end(&s, HD_CLOSE_PEER);
}

/* Others have all numbers; then one is free. */
static void a_tenant_that_was_refused_is_asked_for_again(void **state)
{
	static uint16_t far[HD_TENANTS_MAX];
	struct hd_stream *s = up(true);
	struct mesh_stream *ms = hd_stream_state(s);
	char name[16];
	unsigned n = 0;

	(void)state;
	mesh_fake.now_ms += 3600 * 1000; /* what other tests had is free */
	do
		snprintf(name, sizeof(name), "/far%u", n);
	while (hd_realm_hold(name, strlen(name), true, &far[n]) == 0 && ++n);
	key_in(s, 0x71, "/late");
	assert_int_equal(mesh_fake.added, 0);
	fake_out_clear(s);
	mesh_fake.now_ms += 3600 * 1000;
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 0);
	hd_realm_drop(far[--n]);
	mesh_fake.now_ms += 3600 * 1000; /* nobody had it for a while */
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 5);
	assert_memory_equal(s->out.v, "\x10\0\0\0\0", 5); /* WatchConns */
	mesh_realms_look(s, ms);
	assert_int_equal(s->out.n, 5);
	key_in(s, 0x71, "/late");
	assert_int_equal(mesh_fake.added, 1);
	while (n > 0)
		hd_realm_drop(far[--n]);
	mesh_end(&s, HD_CLOSE_PEER);
}

static void packets_have_their_realm(void **state)
{
	struct hd_stream *s = up(true);
	const struct hd_packet packet = { .src = &mesh_key,
					  .dst = &mesh_key,
					  .data = (const uint8_t *)"hi",
					  .len_bytes = 2,
					  .realm = hd_realm("hd"),
					  .urgent = true };

	(void)state;
	fake_out_clear(s);
	s->proto->forward(&fake.module, s, &packet);
	assert_int_equal(s->out.n, 5 + 70);
	assert_memory_equal(s->out.v, "\x73\0\0\0\x46", 5);
	assert_memory_equal(s->out.v + 5, mesh_key.b, 32);
	assert_memory_equal(s->out.v + 69, "\1\2hdhi", 6);
	assert_int_equal(mesh_the_link()->packets, 1);
	mesh_end(&s, HD_CLOSE_PEER);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mesh_up, mesh_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_tells_its_own_realms),
		TEST(derper_hears_of_none),
		TEST(what_is_new_is_told),
		TEST(keys_of_other_realms_come_and_go),
		TEST(what_is_no_realm_here_is_skipped),
		TEST(a_tenant_that_was_refused_is_asked_for_again),
		TEST(packets_have_their_realm),
	};

	hd_realm("hd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
