/* SPDX-License-Identifier: MIT */
/* t/unit/hd_signals.c - with the bridge: a signal that somebody has kept, and
 * sends again as DERP's client, says nothing to anybody else. */
#include <hyper-derp/worker.h>
#include <sodium.h>
#include <string.h>
#include "modules/hd/hd.h"
#include "t/unit/fake_relay.h"

#define MINUTE_MS UINT64_C(60000)

static struct hdp_relay relay;
struct hdp_relay *hdp_relay = &relay;

static struct fake from, to;
static struct hd_key stranger;
static struct { /* what has come to `to` */
	uint8_t v[256];
	uint32_t n;
	uint64_t sent_ms;
} seen;

static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	(void)of, (void)p;
	hd_assert(packet->len_bytes <= sizeof(seen.v));
	memcpy(seen.v, packet->data, packet->len_bytes);
	seen.n = packet->len_bytes;
}

static void says(struct hd_worker *w, void *to_group, void *unused)
{
	static const uint8_t body[HDP_GROUP_BYTES + 2] = "group";

	(void)unused;
	seen.n = 0;
	seen.sent_ms = hd_now_ms(w);
	if (to_group != NULL)
		hdp_signal_group(&from.p, &to.p.login.key, 1, body,
				 sizeof(body));
	else
		hdp_signal(&from.p, &to.p.login.key, HDP_SIGNAL_ALLOWED, body,
			   HDP_GROUP_BYTES);
}

static bool holds(const struct hd_key *src, const struct hd_key *dst,
		  int64_t later_ms)
{
	struct hd_worker w = { .now_ms = seen.sent_ms + (uint64_t)later_ms };
	const struct hd_packet packet = { .src = src,
					  .dst = dst,
					  .data = seen.v,
					  .len_bytes = seen.n,
					  .realm = REALM,
					  .urgent = true };
	struct hdp_said said;

	return hdp_signal_get(&w, &packet, &said);
}

static void is_said(bool to_group)
{
	in_worker(from.s.worker, says, to_group ? &seen : NULL, NULL);
	assert_int_not_equal(seen.n, 0);
}

/* ---- tests ---- */

static void what_is_said_to_one_holds_for_one(void **state)
{
	(void)state;
	is_said(false);
	assert_true(holds(&from.p.login.key, &to.p.login.key, 0));
	assert_true(holds(&from.p.login.key, &to.p.login.key, 9 * MINUTE_MS));
	assert_false(holds(&from.p.login.key, &stranger, 0));
	assert_false(holds(&stranger, &to.p.login.key, 0));
}

/* Else who has been in a group once would be in it for ever. */
static void what_is_said_to_a_group_holds_for_a_minute(void **state)
{
	(void)state;
	is_said(true);
	assert_true(holds(&from.p.login.key, &to.p.login.key, 0));
	assert_true(holds(&from.p.login.key, &to.p.login.key, MINUTE_MS));
	/* another worker has read its clock before the sender's did */
	assert_true(holds(&from.p.login.key, &to.p.login.key, -1000));
	assert_false(holds(&from.p.login.key, &stranger, 2 * MINUTE_MS));
	assert_false(holds(&from.p.login.key, &to.p.login.key, 2 * MINUTE_MS));
	assert_false(holds(&stranger, &to.p.login.key, 0));
}

static void what_is_changed_does_not_hold(void **state)
{
	(void)state;
	is_said(true);
	seen.v[seen.n - 1] ^= 1;
	assert_false(holds(&from.p.login.key, &to.p.login.key, 0));
}

static int begin(void **state)
{
	static const struct hd_peer_ops ops = { .deliver = deliver };
	static const struct hd_proto proto = { .name = "seen", .peer = &ops };
	struct hd_key key;
	int r = relay_start(state);

	if (r < 0)
		return r;
	key = key_of(0);
	peer_make(&from, &key, REALM);
	peer_up(&from);
	key = key_of(1);
	peer_make(&to, &key, REALM);
	to.s.proto = &proto;
	peer_up(&to);
	stranger = random_key();
	randombytes_buf(relay.bridging, sizeof(relay.bridging));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_to_one_holds_for_one),
		cmocka_unit_test(what_is_said_to_a_group_holds_for_a_minute),
		cmocka_unit_test(what_is_changed_does_not_hold),
	};

	return sodium_init() < 0
		       ? 1
		       : cmocka_run_group_tests(tests, begin, relay_stop);
}
