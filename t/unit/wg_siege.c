/* SPDX-License-Identifier: MIT */
/* t/unit/wg_siege.c - what all attacks at once have shown, one by one:
 * t/system/wg-siege-long.t. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"

static const uint32_t live = 0x70000000; /* alice's index; bob's is the next */
static uint64_t counter;

static int setup(void **state)
{
	(void)state;
	net_pair(4);
	net_link(1, 3);
	counter = 1;
	net_tunnel(1, &a_at, 2, &b_at, live);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_stop();
	return 0;
}

static void echo(void)
{
	counter++;
	net_data(&a_at, live + 1, counter, 96);
	assert_non_null(net_to(&b_at));
	net_data(&b_at, live, counter, 96);
	assert_non_null(net_to(&a_at));
}

/* Whether the session stands in which alice sends with this index. */
static bool stands(uint32_t index)
{
	unsigned to;
	bool here;
	struct wg_addr from = wg_addr_of(&a_at);
	const struct wg_session *s =
		wg_session_find(net.e, index, &from, &to, &here);

	return s != NULL && here && s->stands;
}

/* Somebody answers alice in bob's place, sooner than bob and in carol's name,
 * and goes on with it: bob's answer arrives, and the session stands. */
static void an_answer_in_anothers_name_comes_first(void **state)
{
	const uint32_t i = 0x60000000;

	(void)state;
	net_link(2, 3);
	net_init(&a_at, 2, i);
	net_response(&b_at, 3, i + 9, i);
	net_data(&a_at, i + 9, 0, 64);
	net_data(&b_at, i, 0, 64);
	net_response(&b_at, 1, i + 1, i);
	assert_non_null(net_to(&a_at));
	assert_int_equal(net_to(&a_at)->len, WG_RESPONSE_BYTES);
	for (unsigned k = 0; k < 100; k++, net_pass(1000)) {
		net_data(&a_at, i + 1, k, 96);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, i, k, 96);
		assert_non_null(net_to(&a_at));
	}
	assert_true(stands(i + 1));
}

/* Her first data has shown which of the answers is the real one: others, made
 * up a moment later, do not take its place. */
static void answers_after_the_first_data(void **state)
{
	const union hd_addr new_at = net_addr(500, 1001);
	const uint32_t i = 0x60000000;

	(void)state;
	for (unsigned k = 0; k < 3; k++)
		net_init(&new_at, 2, i); /* it shows its cookie */
	net_response(&b_at, 1, i + 1, i);
	net_data(&new_at, i + 1, 0, 64);
	assert_non_null(net_to(&b_at));
	net_pass(20);
	for (unsigned k = 0; k < 8; k++)
		net_response(&b_at, 1, i + 100 + k, i);
	for (unsigned k = 1; k < 20; k++, net_pass(1000)) {
		net_data(&new_at, i + 1, k, 96);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, i, k, 96);
		assert_non_null(net_to(&new_at));
	}
}

/* She is off, and what she said is said again in her name: that is not her. */
static void replays_do_not_speak_for_an_offline_peer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		echo();
	net_pass(6000);
	for (unsigned i = 1; i <= 200; i++) {
		net_data(&a_at, live + 1, counter - i % 20, 96);
		if (i % 2 == 0)
			net_pass(1100);
		net_data(&evil, live + 1, 1000000 + i, 96);
		net_data(&b_at, live, 5000 + i, 96);
		assert_null(net_to(&evil));
	}
	assert_true(net_at(1, &a_at));
}

/* Words of hers that are made up look like her. Bob, who finds none of them
 * genuine, asks after 15 s: from then on nothing of this session goes there. */
static void made_up_words_speak_for_her_once(void **state)
{
	uint64_t since;
	unsigned got = 0;

	(void)state;
	echo();
	net_pass(6000);
	since = net.now_ms;
	for (unsigned i = 1; net.now_ms - since < 150000; i++, net_pass(500)) {
		if (i % 8 == 1)
			net_data(&a_at, live + 1, 1000000 + i, 96);
		net_data(&evil, live + 1, 1000000 + i, 96);
		net_data(&b_at, live, 5000 + i, 96);
		got = net_to(&evil) != NULL ? i : got;
		if (i >= 30 && i % 10 == 0)
			net_init(&b_at, 1, 7000 + i);
	}
	assert_true(got > 0 && got <= 70);
	assert_true(net_at(1, &a_at));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_in_anothers_name_comes_first),
		T(answers_after_the_first_data),
		T(replays_do_not_speak_for_an_offline_peer),
		T(made_up_words_speak_for_her_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
