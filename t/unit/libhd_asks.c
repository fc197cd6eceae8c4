/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_asks.c - knocks and intents: as many as a relay takes, and each
 * peer in turn. protocol-hd.md, "Limits": 16 at once, then one a second. */
#include "t/unit/libhd_alone.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <hyper-derp/hd_intents.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AT_ONCE = 15, PEERS = 20 };

static time_t step_s, stepped_s; /* what each look at the clock adds */

int clock_gettime(clockid_t id, struct timespec *t)
{
	long r = syscall(SYS_clock_gettime, id, t);

	stepped_s += step_s;
	t->tv_sec += stepped_s;
	return (int)r;
}

static struct libhd *endpoint(struct libhd_peer *peers[PEERS])
{
	struct libhd *h = alone_new(NULL, NULL);

	for (unsigned i = 0; i < PEERS; i++) {
		struct libhd_address address = { { (uint8_t)(i + 1) } };

		assert_int_equal(libhd_allow_address(h, &address, &peers[i]),
				 0);
	}
	return h;
}

/* Of a type, since the last time; *last: the payload of the last one, or NULL.
 */
static unsigned sent(struct libhd *h, enum hdp_type type, uint8_t last[64])
{
	const uint8_t *p = hdl_buf_front(&h->out);
	size_t at = 0;
	unsigned n = 0;

	while (at < h->out.n) {
		struct hdp_header f = hdp_header_get(p + at);

		at += HDP_HEADER_BYTES;
		if (f.type == type) {
			n++;
			memcpy(last, p + at, HD_MIN(f.len_bytes, 64u));
		}
		at += f.len_bytes;
	}
	hdl_buf_free(&h->out);
	return n;
}

static void second_passes(struct libhd *h)
{
	h->asks_paid_ms -= 1000;
	assert_int_equal(hdl_asks_run(h), 0);
}

/* Its number is its handle. */
static void here(struct libhd *h, const struct libhd_peer *peer, uint8_t number)
{
	uint8_t contact[HDP_CONTACT_BYTES] = { 0, 0, 1, number };
	const uint8_t handle[4] = { 0, 0, 1, number };

	memcpy(contact + 4, libhd_peer_address(peer), HD_KEY_BYTES);
	assert_int_equal(hdl_take_contact(h, contact, sizeof(contact)), 0);
	assert_int_equal(hdl_take_allowed(h, handle, sizeof(handle)), 0);
}

static void asked_by(struct libhd *h, uint8_t number)
{
	const uint8_t p[HDP_INTENT_BYTES] = { 0, 0, 1, number, 'a' };

	assert_int_equal(hdl_take_incoming(h, p, sizeof(p)), 0);
}

static void knocks_beyond_what_a_relay_takes_wait(void **state)
{
	struct libhd_peer *peers[PEERS];
	struct libhd *h = endpoint(peers);
	uint8_t last[64];

	(void)state;
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(libhd_knock(peers[i], "x", 1), 0);
	for (unsigned round = 0; round < 2; round++) {
		alone_enrolled(h, PEERS);
		assert_int_equal(sent(h, HDP_KNOCK, last), AT_ONCE);
		assert_in_range(libhd_timeout_ms(h), 1, 1000);
		assert_int_equal(libhd_knock(peers[0], "y", 1), 0);
		assert_int_equal(sent(h, HDP_KNOCK, last), 0);
		for (unsigned i = AT_ONCE; i < PEERS + 1; i++) {
			second_passes(h);
			assert_int_equal(sent(h, HDP_KNOCK, last), 1);
		}
		assert_int_equal(last[HD_KEY_BYTES], 'y');
		assert_int_equal(libhd_timeout_ms(h), -1);
		hdl_lost(h, 0, "gone");
	}
	libhd_free(&h);
}

static void what_is_not_to_be_said_any_more_is_not(void **state)
{
	const uint8_t gone[HDP_GONE_BYTES] = { 0, 0, 1, PEERS, 0 };
	struct libhd_peer *peers[PEERS];
	struct libhd *h = endpoint(peers);
	uint8_t last[64];

	(void)state;
	alone_enrolled(h, PEERS);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(libhd_knock(peers[i], NULL, 0), 0);
	assert_int_equal(sent(h, HDP_KNOCK, last), AT_ONCE);
	here(h, peers[PEERS - 1], PEERS);
	for (unsigned i = AT_ONCE; i < PEERS - 1; i++)
		libhd_forbid(&peers[i]);
	assert_int_equal(h->n_due, 0);
	asked_by(h, PEERS);
	assert_int_equal(h->n_due, 1);
	assert_int_equal(hdl_take_gone(h, gone, sizeof(gone)), 0);
	assert_int_equal(h->n_due, 0);
	libhd_free(&h);
}

static void all_with_an_intent_are_asked(void **state)
{
	struct libhd_peer *peers[PEERS];
	struct libhd *h = endpoint(peers);
	uint8_t last[64];

	(void)state;
	alone_enrolled(h, PEERS);
	for (uint8_t i = 0; i < PEERS; i++) {
		assert_int_equal(libhd_peer_set_intent(peers[i],
						       LIBHD_PREFER_DIRECT),
				 0);
		here(h, peers[i], i);
	}
	assert_int_equal(sent(h, HDP_OPEN_CONNECTION, last), AT_ONCE);
	for (uint8_t i = AT_ONCE; i < PEERS; i++) {
		second_passes(h);
		assert_int_equal(sent(h, HDP_OPEN_CONNECTION, last), 1);
		assert_int_equal(last[3], i);
	}
	libhd_free(&h);
}

/* One who asks once a second, as often as a relay lets it. */
static void who_asks_without_end_has_its_turn_only(void **state)
{
	struct libhd_peer *peers[PEERS];
	struct libhd *h = endpoint(peers);
	unsigned answers = 0, knocks = 0;
	uint8_t last[64];

	(void)state;
	alone_enrolled(h, PEERS);
	here(h, peers[0], 0);
	here(h, peers[1], 1);
	for (unsigned i = 0; i < 2 * AT_ONCE; i++)
		asked_by(h, 0);
	assert_int_equal(sent(h, HDP_ANSWER, last), AT_ONCE);
	assert_int_equal(libhd_knock(peers[2], NULL, 0), 0);
	asked_by(h, 1);
	for (unsigned i = 0; i < 6; i++) {
		second_passes(h);
		knocks += hdl_buf_front(&h->out)[0] == HDP_KNOCK;
		answers += sent(h, HDP_ANSWER, last) == 1 && last[3] == 1;
		asked_by(h, 0);
	}
	assert_int_equal(knocks, 1);
	assert_int_equal(answers, 1);
	libhd_free(&h);
}

/* However late it gets between one look and the next. */
static void the_time_left_is_not_less_than_nothing(void **state)
{
	(void)state;
	step_s = 3;
	for (int64_t s = 0; s < 10; s++)
		assert_true(hdl_left_ms(hdl_now_ms() + s * 1000) >= 0);
	step_s = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_left_is_not_less_than_nothing),
		cmocka_unit_test(knocks_beyond_what_a_relay_takes_wait),
		cmocka_unit_test(what_is_not_to_be_said_any_more_is_not),
		cmocka_unit_test(all_with_an_intent_are_asked),
		cmocka_unit_test(who_asks_without_end_has_its_turn_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
