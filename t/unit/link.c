/* SPDX-License-Identifier: MIT */
/* t/unit/link.c - the checking DERP client against frames written by hand
 * (doc/reference/protocol-derp.md: 1 byte type, 4 bytes length, payload). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/lib/link.h"
#include <errno.h>
#include <sodium.h>
#include <string.h>

struct script { /* what the relay says, and what it was told */
	const uint8_t *in;
	size_t in_bytes;
	uint8_t out[512];
	size_t out_bytes;
};

static int script_read(void *arg, void *buf, size_t n, struct hd_error *err)
{
	struct script *s = arg;

	if (n > s->in_bytes)
		return hd_error_set(err, -ECONNRESET, "closed");
	memcpy(buf, s->in, n);
	s->in += n;
	s->in_bytes -= n;
	return 0;
}

static int script_write(void *arg, const void *buf, size_t n,
			struct hd_error *err)
{
	struct script *s = arg;

	(void)err;
	assert_true(s->out_bytes + n <= sizeof(s->out));
	memcpy(s->out + s->out_bytes, buf, n);
	s->out_bytes += n;
	return 0;
}

static struct link *link_to(struct script *s)
{
	struct link *l = link_new();

	assert_non_null(l);
	l->io = (struct link_io){ script_read, script_write, s };
	return l;
}

static void ping_and_health_are_seen_to(void **state)
{
	static const uint8_t in[] = {
		0x06, 0, 0, 0, 0, /* KeepAlive */
		0x12, 0, 0, 0, 9, 1,   2,   3,	 4,   5, 6, 7, 8, 9, /* Ping */
		0x14, 0, 0, 0, 4, 's', 'i', 'c', 'k', /* Health */
		0x7f, 0, 0, 0, 1, 0, /* unknown */
		0x08, 0, 0, 0, 0, /* PeerGone, no matter how long */
	};
	static const uint8_t pong[] = {
		0x13, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8
	};
	struct script s = { .in = in, .in_bytes = sizeof(in) };
	struct link *l = link_to(&s);
	struct hd_error err;

	(void)state;
	assert_int_equal(link_expect(l, DERP_PEER_GONE, &err), 0);
	assert_int_equal(s.out_bytes, sizeof(pong));
	assert_memory_equal(s.out, pong, sizeof(pong));
	assert_string_equal(l->health, "sick");
	assert_int_equal(link_expect(l, DERP_PEER_GONE, &err), -ECONNRESET);
	link_free(&l);
}

static void long_frames_are_refused_by_their_header(void **state)
{
	static const uint8_t in[] = { 0x05, 0xff, 0xff, 0xff, 0xff };
	struct script s = { .in = in, .in_bytes = sizeof(in) };
	struct link *l = link_to(&s);
	struct hd_error err;

	(void)state;
	assert_int_equal(link_read(l, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "4294967295"));
	link_free(&l);
}

/* RecvPacket: 32 bytes source, packet. */
static void packets_are_compared(void **state)
{
	static const struct {
		const char *packet;
		uint8_t src;
		int rc;
	} cases[] = {
		{ "hello", 7, 0 },
		{ "hello", 8, -EBADMSG },
		{ "hellO", 7, -EBADMSG },
		{ "hell", 7, -EBADMSG },
	};
	uint8_t in[5 + 32 + 5] = { 0x05, 0, 0, 0, 37 };
	struct hd_error err;

	(void)state;
	memset(in + 5, 7, 32);
	memcpy(in + 37, "hello", 5);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct script s = { .in = in, .in_bytes = sizeof(in) };
		struct link *l = link_to(&s);
		struct hd_key src;

		memset(&src, cases[i].src, sizeof(src));
		assert_int_equal(link_expect_packet(l, &src, cases[i].packet,
						    strlen(cases[i].packet),
						    &err),
				 cases[i].rc);
		link_free(&l);
	}
}

/* ServerKey: magic and key. The login answers with ClientInfo and waits. */
static void server_key_is_answered(void **state)
{
	uint8_t in[5 + 8 + 32] = { 0x01, 0,    0,    0,	   40,	 0x44, 0x45,
				   0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91 };
	struct script s = { .in = in, .in_bytes = sizeof(in) };
	struct link *l = link_to(&s);
	struct derpc_keys relay;
	struct hd_error err;

	(void)state;
	derpc_keys_make(&relay);
	memcpy(in + 13, relay.pub.b, 32);
	assert_int_equal(link_start(l, NULL, &err), 0);
	assert_int_equal(link_login_until(l, DERPC_SERVER_INFO, &err), 0);
	assert_memory_equal(l->login.server.b, relay.pub.b, 32);
	assert_int_equal(s.out[0], 0x02);
	assert_memory_equal(s.out + 5, l->self.pub.b, 32);
	assert_int_equal(link_login(l, &err), -ECONNRESET);
	link_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ping_and_health_are_seen_to),
		cmocka_unit_test(long_frames_are_refused_by_their_header),
		cmocka_unit_test(packets_are_compared),
		cmocka_unit_test(server_key_is_answered),
	};

	return sodium_init() < 0 ||
	       cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
