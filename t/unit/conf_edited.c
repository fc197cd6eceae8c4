/* SPDX-License-Identifier: MIT */
/* t/unit/conf_edited.c - one section of a file that was edited. */
#include "t/unit/conf.h"

struct chat {
	uint64_t rooms;
};

static const struct hd_option options[] = {
	{ .name = "rooms", .type = HD_OPTION_UINT, .def = "1" },
	HD_OPTION_END,
};

static uint64_t rooms_of(struct hd_conf *conf, struct hd_error *err)
{
	void *data = NULL;
	int r = hd_conf_section_fill(conf, "chat", options, sizeof(struct chat),
				     &data, err);

	return r < 0 ? 0 : ((struct chat *)data)->rooms;
}

static void take(struct hd_conf *conf, const char *text, struct hd_node **old)
{
	HD_AUTO(hd_conf_free) struct hd_conf *edited = load(text);

	assert_int_equal(0, hd_conf_section_take(conf, edited, "chat", old));
}

static void a_section_is_taken_and_put_back(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("load_module: [chat]\nchat: {rooms: 2}\n");
	struct hd_error err = { "" };
	struct hd_node *first, *old;

	(void)state;
	assert_int_equal(rooms_of(conf, &err), 2);
	take(conf, "load_module: [chat]\n\nchat:\n  rooms: 3\n", &first);
	assert_int_equal(rooms_of(conf, &err), 3);
	take(conf, "load_module: [chat]\n\nchat:\n  romos: 3\n", &old);
	assert_int_equal(rooms_of(conf, &err), 0);
	assert_string_equal(err.text, "text:4: unknown key `romos` in `chat`; "
				      "did you mean `rooms`?");
	take(conf, "load_module: [chat]\n", &old);
	assert_int_equal(rooms_of(conf, &err), 1);
	hd_conf_section_swap(conf, "chat", first);
	assert_int_equal(rooms_of(conf, &err), 2);
}

static void unlike(const char *a, const char *b, const char *want)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(a);
	HD_AUTO(hd_conf_free) struct hd_conf *edited = load(b);
	char keys[64] = "";
	size_t n = hd_conf_unlike(conf, edited, "chat", keys, sizeof(keys));

	assert_int_equal(n, strlen(want));
	assert_string_equal(keys, want);
}

#define A "load_module: [chat, wg]\nlog: {level: info}\nworkers: 2\n"
#define WG "wg: {peers: [{name: a}, {name: b}]}\n"

static void other_changes_are_named(void **state)
{
	(void)state;
	unlike(A WG, "\n\n" A WG, "");
	unlike(A WG "chat: {rooms: 1}\n", A WG "chat: {rooms: 2}\n", "");
	unlike(A, "load_module: [chat]\nworkers: 2\nlog: {level: info}\n", "");
	unlike(A, "load_module: [chat]\nlog: {level: warn}\nsqpoll: on\n",
	       "log, workers, sqpoll");
	unlike(A WG, A "wg: {peers: [{name: a}, {name: c}]}\n", "wg");
	unlike(A WG, A "wg: {peers: [{name: a}]}\n", "wg");
	unlike(A WG, A "wg: {peers: [{name: a}, {name: b, nic: x}]}\n", "wg");
	unlike(A WG, A, "wg");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_is_taken_and_put_back),
		cmocka_unit_test(other_changes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
