/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_relays.c - an endpoint of libhd with several relays: which is
 * next when one is lost, or refuses. */
#include "t/unit/libhd_relays.h"

/* As if it had been there for so long that it counts. */
static void lasted(struct libhd *h)
{
	opened(h);
	h->opened_ms -= 10000;
}

static void each_is_tried_once_then_it_waits(void **state)
{
	struct libhd *h = endpoint(3, false);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(libhd_relay_at(h), i);
			h->phase = HDL_DIALING;
			hdl_lost(h, 0, "nobody is there");
			if (i < 2)
				assert_int_equal(libhd_timeout_ms(h), 0);
		}
		assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
		assert_true(libhd_timeout_ms(h) >= 400 * (int)(round + 1));
	}
	libhd_free(&h);
}

/* libhd(3): about a second, then twice as long each time, up to a minute. */
static void waits_are_longer_each_time(void **state)
{
	struct libhd *h = endpoint(1, false);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 10; i++) {
			int most_ms = (int)HD_MIN(1000u << i, 60000u);

			hdl_lost(h, 0, "nobody is there");
			assert_in_range(libhd_timeout_ms(h), most_ms / 2 - 100,
					most_ms);
		}
		lasted(h); /* begins anew */
	}
	libhd_free(&h);
}

/* A relay may let in whom it then closes, also as one that restarts or that
 * sends elsewhere. */
static void what_does_not_last_is_no_beginning(void **state)
{
	static const uint8_t restarting[] = "\x28\0\0\x08\0\0\0\0\0\0\0";
	struct libhd *h = endpoint(1, false);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		int most_ms = (int)HD_MIN(1000u << i, 60000u);

		opened(h);
		if (i % 2 == 0)
			hdl_lost(h, 0, "gone");
		else
			assert_true(hdl_frames(h, restarting, 12) < 0);
		assert_in_range(libhd_timeout_ms(h), most_ms / 2 - 100,
				most_ms);
	}
	lasted(h);
	hdl_lost(h, 0, "gone");
	assert_in_range(libhd_timeout_ms(h), 400, 1000);
	libhd_free(&h);
}

static void what_is_lost_comes_first(void **state)
{
	struct libhd *h = endpoint(3, false);

	(void)state;
	hdl_lost(h, 0, "nobody is there");
	opened(h);
	hdl_lost(h, 0, "gone");
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_int_equal(libhd_relay_at(h), 1);
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_relay_at(h), 2);
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_relay_at(h), 0);
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_int_equal(libhd_relay_at(h), 0);
	libhd_free(&h);
}

static void one_that_refuses_is_left_out(void **state)
{
	struct libhd *h = endpoint(2, false);

	(void)state;
	h->proven = true;
	hdl_fail(h, "not you");
	assert_int_equal(libhd_relay_at(h), 1);
	opened(h);
	hdl_lost(h, 0, "gone");
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_int_equal(libhd_relay_at(h), 1);
	h->proven = true;
	hdl_fail(h, "not you either");
	assert_int_equal(libhd_state_of(h), LIBHD_FAILED);
	libhd_free(&h);
}

static void once_is_one_round(void **state)
{
	struct libhd *h = endpoint(2, true);

	(void)state;
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_relay_at(h), 1);
	opened(h);
	hdl_lost(h, 0, "gone");
	assert_int_equal(libhd_state_of(h), LIBHD_FAILED);
	libhd_free(&h);
}

static void one_can_leave(void **state)
{
	struct libhd *h = endpoint(2, false);

	(void)state;
	opened(h);
	libhd_next_relay(h);
	assert_int_equal(libhd_relay_at(h), 0); /* in libhd_process() */
	assert_int_equal(libhd_timeout_ms(h), 0);
	hdl_leave(h);
	assert_int_equal(libhd_relay_at(h), 1);
	assert_int_equal(libhd_timeout_ms(h), 0);
	opened(h);
	libhd_next_relay(h);
	hdl_leave(h);
	assert_int_equal(libhd_relay_at(h), 0);
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	libhd_free(&h);
}

/* ---- Redirect ---- */

static void led(struct libhd *h)
{
	static const uint8_t to[] = "\x01https://other.example:1";

	opened(h);
	assert_int_equal(hdl_take_redirect(h, to, sizeof(to) - 1), -ECONNRESET);
	assert_string_equal(h->relay->host, "other.example");
	assert_null(libhd_relay_key(h));
}

/* Who it leads to may not know us, and says so for good. */
static void one_that_we_are_led_to_may_refuse(void **state)
{
	struct libhd *h = endpoint(1, false);

	(void)state;
	led(h);
	h->phase = HDL_ENROLLING;
	h->verified = true;
	hdl_fail(h, "not you");
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_string_equal(h->relay->host, "one.example");
	opened(h);
	libhd_free(&h);
}

/* A ticket has the relay that it names, and that one's key. */
static void a_ticket_is_not_of_where_we_are_led_to(void **state)
{
	struct libhd *h = endpoint(1, false);
	struct libhd_ticket t;

	(void)state;
	h->relay->has_key = true;
	h->relay->key.v[0] = 1;
	led(h);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1) { /* the other one has proven its own */
			h->relay->has_key = true;
			h->relay->key.v[0] = 9;
		}
		if (i == 2)
			hdl_lost(h, 0, "gone");
		assert_int_equal(libhd_ticket_new(h, &t), 0);
		assert_string_equal(t.relays[0].name, "one.example:443");
		assert_int_equal(t.relays[0].key.v[0], 1);
	}
	libhd_free(&h);
}

static int rule(struct libhd *h)
{
	static const uint8_t to[] = "\x04https://ours.example:1";

	opened(h);
	return hdl_take_redirect(h, to, sizeof(to) - 1);
}

static void a_rule_leads_once(void **state)
{
	struct libhd *h = endpoint(2, false);

	(void)state;
	assert_int_equal(rule(h), -ECONNRESET);
	assert_int_equal(libhd_state_of(h), LIBHD_CONNECTING);
	assert_int_equal(libhd_timeout_ms(h), 0);
	assert_string_equal(h->relay->host, "ours.example");
	assert_int_equal(rule(h), 0); /* and not on from there */
	assert_string_equal(h->relay->host, "ours.example");
	assert_int_equal(libhd_state_of(h), LIBHD_OPEN);
	libhd_free(&h);
}

/* The one that has led is there: not the next of several, nor back-off. */
static void who_is_led_in_vain_turns_back(void **state)
{
	struct libhd *h = endpoint(2, false);

	(void)state;
	assert_int_equal(rule(h), -ECONNRESET);
	hdl_lost(h, 0, "nobody is there");
	assert_int_equal(libhd_relay_at(h), 0);
	assert_string_equal(h->relay->host, "one.example");
	assert_int_equal(libhd_timeout_ms(h), 0);
	assert_int_equal(rule(h), 0); /* and stays */
	h->relay->stays_ms = hdl_now_ms();
	assert_int_equal(rule(h), -ECONNRESET); /* for a while */
	libhd_free(&h);
}

static void a_rule_may_lead_to_who_refuses(void **state)
{
	struct libhd *h = endpoint(1, false);

	(void)state;
	assert_int_equal(rule(h), -ECONNRESET);
	h->phase = HDL_ENROLLING;
	h->verified = true;
	hdl_fail(h, "not you");
	assert_int_equal(libhd_state_of(h), LIBHD_CONNECTING);
	assert_string_equal(h->relay->host, "one.example");
	assert_false(h->relay->refuses);
	libhd_free(&h);
}

/* It is tried once more, since it may only have been started anew. */
static void where_a_rule_has_led_may_be_lost(void **state)
{
	struct libhd *h = endpoint(2, false);

	(void)state;
	assert_int_equal(rule(h), -ECONNRESET);
	opened(h);
	hdl_lost(h, 0, "gone");
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_string_equal(h->relay->host, "ours.example");
	hdl_lost(h, 0, "nobody is there");
	assert_string_equal(h->relay->host, "one.example");
	assert_int_equal(libhd_state_of(h), LIBHD_CONNECTING);
	libhd_free(&h);
}

/* What went wrong before it was led there is not that relay's fault. */
static void where_a_rule_has_led_begins_anew(void **state)
{
	struct libhd *h = endpoint(1, false);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		hdl_lost(h, 0, "nobody is there");
	assert_int_equal(rule(h), -ECONNRESET);
	opened(h);
	hdl_lost(h, 0, "gone");
	assert_string_equal(h->relay->host, "ours.example");
	assert_in_range(libhd_timeout_ms(h), 400, 1000);
	libhd_free(&h);
}

/* It lets in and closes, each time: that is no place to be. */
static void where_a_rule_has_led_may_close_each_time(void **state)
{
	struct libhd *h = endpoint(1, false);

	(void)state;
	assert_int_equal(rule(h), -ECONNRESET);
	for (unsigned i = 0; i < 3; i++) {
		opened(h);
		hdl_lost(h, 0, "gone");
		assert_string_equal(h->relay->host, "ours.example");
		assert_in_range(libhd_timeout_ms(h), (500 << i) - 100,
				1000 << i);
	}
	opened(h);
	hdl_lost(h, 0, "gone");
	assert_string_equal(h->relay->host, "one.example");
	assert_int_equal(libhd_timeout_ms(h), 0);
	assert_int_equal(rule(h), 0); /* and stays */
	libhd_free(&h);
}

static void a_rule_does_not_hold_who_is_there_once(void **state)
{
	struct libhd *h = endpoint(1, true);

	(void)state;
	assert_int_equal(rule(h), 0);
	assert_int_equal(libhd_state_of(h), LIBHD_OPEN);
	libhd_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_tried_once_then_it_waits),
		cmocka_unit_test(waits_are_longer_each_time),
		cmocka_unit_test(what_does_not_last_is_no_beginning),
		cmocka_unit_test(what_is_lost_comes_first),
		cmocka_unit_test(one_that_refuses_is_left_out),
		cmocka_unit_test(once_is_one_round),
		cmocka_unit_test(one_can_leave),
		cmocka_unit_test(one_that_we_are_led_to_may_refuse),
		cmocka_unit_test(a_ticket_is_not_of_where_we_are_led_to),
		cmocka_unit_test(a_rule_leads_once),
		cmocka_unit_test(who_is_led_in_vain_turns_back),
		cmocka_unit_test(a_rule_may_lead_to_who_refuses),
		cmocka_unit_test(where_a_rule_has_led_may_be_lost),
		cmocka_unit_test(where_a_rule_has_led_begins_anew),
		cmocka_unit_test(where_a_rule_has_led_may_close_each_time),
		cmocka_unit_test(a_rule_does_not_hold_who_is_there_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
