/* SPDX-License-Identifier: MIT */
/* t/unit/conf_section.c - sections of modules, live changes, printing. */
#include "t/unit/conf.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct chat_conf { /* one option of each type */
	bool loud;
	uint64_t rooms;
	uint64_t idle_ms;
	uint64_t history_bytes;
	const char *motd;
	const char *path;
	union hd_addr listen;
	struct hd_key key;
	struct hd_secret secret;
	uint64_t colour;
	struct hd_list friends;
};

#define AT(member) .offset = offsetof(struct chat_conf, member)
static const char *const colours[] = { "red", "green", NULL };
static const struct hd_option chat_options[] = {
	{ .name = "loud",
	  .type = HD_OPTION_BOOL,
	  AT(loud),
	  .def = "true",
	  .live = true,
	  .help = "speak up" },
	{ .name = "rooms",
	  .type = HD_OPTION_UINT,
	  AT(rooms),
	  .def = "4",
	  .min = 1,
	  .max = 9,
	  .unit = "rooms",
	  .help = "how many" },
	{ .name = "idle",
	  .type = HD_OPTION_DURATION_MS,
	  AT(idle_ms),
	  .def = "90s",
	  .help = "how long" },
	{ .name = "history",
	  .type = HD_OPTION_SIZE_BYTES,
	  AT(history_bytes),
	  .def = "4096",
	  .help = "how much" },
	{ .name = "motd",
	  .type = HD_OPTION_STRING,
	  AT(motd),
	  .live = true,
	  .help = "what to say" },
	{ .name = "path", .type = HD_OPTION_PATH, AT(path), .help = "where" },
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  AT(listen),
	  .def = "[::]:3478",
	  .help = "on what" },
	{ .name = "key", .type = HD_OPTION_KEY, AT(key), .help = "whose" },
	{ .name = "secret",
	  .type = HD_OPTION_SECRET_FILE,
	  AT(secret),
	  .help = "from where" },
	{ .name = "colour",
	  .type = HD_OPTION_CHOICE,
	  AT(colour),
	  .def = "green",
	  .choices = colours,
	  .help = "which" },
	{ .name = "friends",
	  .type = HD_OPTION_LIST,
	  AT(friends),
	  .def = "[ann, 'b o b']",
	  .help = "who" },
	HD_OPTION_END,
};
#define CHAT "load_module: [chat]\nport: 3340\n"

static int take(struct hd_conf *conf, const struct chat_conf **ret_chat,
		struct hd_error *err)
{
	void *data = NULL;
	int r = hd_conf_section_fill(conf, "chat", chat_options,
				     sizeof(struct chat_conf), &data, err);

	*ret_chat = data;
	return r;
}

static const struct chat_conf *taken(struct hd_conf *conf)
{
	const struct chat_conf *chat;
	struct hd_error err;

	if (take(conf, &chat, &err) < 0)
		fail_msg("%s", err.text);
	return chat;
}

static void refuse_section(const char *text, const char *want)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(text);
	const struct chat_conf *chat;
	struct hd_error err;

	assert_int_equal(-EINVAL, take(conf, &chat, &err));
	assert_null(chat);
	assert_string_equal(err.text, want);
}

static void an_absent_section_has_the_defaults(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(CHAT);
	const struct chat_conf *chat = taken(conf);
	char buf[HD_ADDR_TEXT_BYTES];

	(void)state;
	assert_true(chat->loud);
	assert_int_equal(chat->rooms, 4);
	assert_int_equal(chat->idle_ms, 90000);
	assert_int_equal(chat->history_bytes, 4096);
	assert_null(chat->motd);
	assert_null(chat->path);
	assert_string_equal(hd_addr_text(&chat->listen, buf), "[::]:3478");
	assert_int_equal(chat->key.b[0], 0);
	assert_null(chat->secret.v);
	assert_int_equal(chat->colour, 1);
	assert_int_equal(chat->friends.n, 2);
	assert_string_equal(chat->friends.v[1], "b o b");
}

static void a_section_is_read(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load(CHAT "chat:\n  loud: no\n  rooms: 9\n  idle: 1m\n"
			  "  motd: \"null\"\n  colour: red\n  friends: eve\n"
			  "  listen: 10.0.0.1:5\n  key: "
			  "0102030405060708090a0b0c0d0e0f10"
			  "1112131415161718191a1b1c1d1e1f20\n");
	const struct chat_conf *chat = taken(conf);

	(void)state;
	assert_false(chat->loud);
	assert_int_equal(chat->rooms, 9);
	assert_string_equal(chat->motd, "null");
	assert_int_equal(chat->colour, 0);
	assert_int_equal(chat->friends.n, 1);
	assert_string_equal(chat->friends.v[0], "eve");
	assert_int_equal(chat->key.b[31], 0x20);
}

static void wrong_sections_are_refused(void **state)
{
	(void)state;
	refuse_section(CHAT "chat:\n  romos: 1",
		       "text:4: unknown key `romos` in `chat`; did you mean "
		       "`rooms`?");
	refuse_section(CHAT "chat: {rooms: 10}",
		       "text:3: `rooms: 10` is out of range: 1 to 9 rooms");
	refuse_section(CHAT "chat: 5", "text:3: `chat` must be a mapping, as "
				       "in `chat: {key: value}`");
	refuse_section(CHAT "chat: {colour: gren}",
		       "text:3: `colour: gren` is not one of red, green; did "
		       "you mean `green`?");
	refuse_section(CHAT "chat: {key: 00}",
		       "text:3: `key: 00` is not a key of 64 hexadecimal "
		       "digits");
	refuse_section(CHAT "chat: {secret: /nonexistent/x}",
		       "text:3: `secret`: cannot read the secret in "
		       "/nonexistent/x: No such file or directory");
}

static void secrets_come_from_files(void **state)
{
	char path[] = "/tmp/hd-conf.XXXXXX", text[256];
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	const struct chat_conf *chat;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "hush\n", 5), 5);
	close(fd);
	snprintf(text, sizeof(text), CHAT "chat: {secret: %s}", path);
	conf = load(text);
	chat = taken(conf);
	assert_int_equal(chat->secret.len_bytes, 4);
	assert_memory_equal(chat->secret.v, "hush", 4);
	unlink(path);
}

static void a_module_without_options_has_no_section(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *with = load(CHAT "chat: {a: 1}");
	HD_AUTO(hd_conf_free) struct hd_conf *without = load(CHAT);
	struct hd_error err;
	void *data = NULL;

	(void)state;
	assert_int_equal(
		0, hd_conf_section_fill(without, "chat", NULL, 0, &data, &err));
	assert_non_null(data);
	assert_int_equal(-EINVAL, hd_conf_section_fill(with, "chat", NULL, 0,
						       &data, &err));
	assert_string_equal(err.text, "text:3: the module chat has no options; "
				      "remove `chat`");
}

static void finish_warns_of_sections_left_over(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load(CHAT "tls:\nlog: {}\nchat: {rooms: 2}\nwg: {a: 1}\n"
			  "metrics:\n");
	struct hd_error err;

	(void)state;
	taken(conf);
	logged[0] = '\0';
	assert_int_equal(0, hd_conf_finish(conf, &err));
	assert_string_equal(logged, "text:6: the section `wg` has no effect: "
				    "that module is not loaded\n");
}

/* ---- live ---- */

static void live(const char *a, const char *b, const char *want)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf_a = load(a);
	HD_AUTO(hd_conf_free) struct hd_conf *conf_b = load(b);
	struct hd_error err = { "" };
	int r;

	taken(conf_a);
	taken(conf_b);
	r = hd_conf_live_only(conf_a, conf_b, &err);
	assert_int_equal(r, want == NULL ? 0 : -EBUSY);
	if (want != NULL)
		assert_string_equal(err.text, want);
}

static void some_changes_need_a_restart(void **state)
{
	(void)state;
	live(CHAT "write_timeout: 2s", CHAT "write_timeout: 3s", NULL);
	live(CHAT "workers: 0", CHAT, NULL);
	live(CHAT, CHAT "tls_cert: a\ntls_key: b\nlisten:",
	     "text:2: `port` "
	     "has changed, which needs a restart");
	live(CHAT "chat: {loud: no, motd: a}", CHAT "chat: {motd: b}", NULL);
	live(CHAT "workers: 1", CHAT "workers: 2",
	     "text:3: `workers` has changed, which needs a restart");
	live(CHAT "workers: 1", CHAT,
	     "text:3: `workers` has changed, which needs a restart");
	live(CHAT "log: {target: /a}", CHAT "log:\n  target: /b",
	     "text:4: `log.target` has changed, which needs a restart");
	live("port: 1\n", "port: 2\n",
	     "text:1: `port` has changed, which needs a restart");
	live("listen: ['1.2.3.4:5']\n",
	     "listen: [{addr: '1.2.3.4:5', name: "
	     "x}]\n",
	     "text:1: `listen` has changed, which needs a restart");
	live(CHAT, "load_module: [chat, derp]\nport: 3340\n", NULL);
	live(CHAT "chat: {friends: [a]}", CHAT "chat: {friends: [b]}",
	     "text:3: `chat.friends` has changed, which needs a restart");
}

/* ---- print ---- */

static char *printed(struct hd_conf *conf,
		     int (*print)(const struct hd_conf *conf, FILE *file))
{
	taken(conf);
	return text_of(conf, print);
}

static void what_is_printed_loads_again(void **state)
{
	static const char *const texts[] = {
		CHAT,
		CHAT "tls_cert: /a b\ntls_key: 'x\"\\y'\nworkers: 3\n"
		     "chat: {motd: \"~\", friends: [\"\", \"a: b\", \"#\", "
		     "\"\\u2028\\u0085\\u00e9\\t\", '[::]:1', \"- x\"]}\n",
		"load_module: [{name: chat, optional: true}]\nlisten: []\n"
		"pin_cores: '1,2'\nuser: \"null\"\nstate_dir: \"\"\n",
		"load_module: [chat]\nlisten: [{addr: '[::1]:1', name: 'a b'}]"
		"\nwrite_timeout: 1500ms\nsockbuf: 3MiB\nlog_level: debug\n"
		"chat: {key: '0102030405060708090a0b0c0d0e0f10"
		"1112131415161718191a1b1c1d1e1f20', listen: '1.2.3.4:5'}\n",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		HD_AUTO(hd_conf_free) struct hd_conf *a = load(texts[i]);
		HD_AUTO(free_text) char *once = printed(a, hd_conf_print);
		HD_AUTO(hd_conf_free) struct hd_conf *b = load(once);
		HD_AUTO(free_text) char *twice = printed(b, hd_conf_print);
		struct hd_error err = { "" };

		assert_string_equal(once, twice);
		if (hd_conf_live_only(a, b, &err) < 0)
			fail_msg("%s", err.text);
	}
}

static void effective_values_are_printed(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load(CHAT "drain_time: 120s\n");
	HD_AUTO(free_text) char *text = printed(conf, hd_conf_print);

	(void)state;
	assert_non_null(strstr(text, "listen:\n  - {addr: \"[::]:3340\", tls: "
				     "false}\n"));
	assert_non_null(strstr(text, "\ndrain_time: 2m\n"));
	assert_non_null(strstr(text, "\nuser: ~\n"));
	assert_non_null(strstr(text, "\n  certificates: []\n"));
	assert_non_null(strstr(text, "\nchat:\n  loud: true\n  rooms: 4\n  "
				     "idle: 90s\n  history: 4KiB\n"));
}

/* Each option line without its comment sign; keys that exclude each other are
 * left out. */
static void the_example_holds_every_default(void **state)
{
	static const char *const others[] = {
		"include:",   "listen: [{",	 "tls_cert:",	"tls_key:",
		"log_level:", "  certificates:", "load_module:"
	};
	HD_AUTO(hd_conf_free) struct hd_conf *plain = load(CHAT);
	HD_AUTO(free_text) char *example = printed(plain, hd_conf_example);
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	char text[32768] = "load_module: [chat]\n";
	struct hd_error err = { "" };
	size_t found = 0, len = strlen(text);

	(void)state;
	for (char *line = strtok(example, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		bool other = false;

		assert_true(strlen(line) <= 80 || strchr(line, ':') != NULL);
		for (size_t i = 0; i < HD_ARRAY_N(others); i++)
			other |= strncmp(line + 1, others[i],
					 strlen(others[i])) == 0;
		found += other;
		if (line[0] == '#' && !other &&
		    (line[1] != ' ' || line[2] == ' '))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s\n", line + 1);
	}
	assert_int_equal(found, HD_ARRAY_N(others));
	conf = load(text);
	taken(conf);
	if (hd_conf_live_only(plain, conf, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(strstr(text, "\n  colour: green\n"));
	assert_non_null(strstr(text, "\nuser:\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_section_has_the_defaults),
		cmocka_unit_test(a_section_is_read),
		cmocka_unit_test(wrong_sections_are_refused),
		cmocka_unit_test(secrets_come_from_files),
		cmocka_unit_test(a_module_without_options_has_no_section),
		cmocka_unit_test(finish_warns_of_sections_left_over),
		cmocka_unit_test(some_changes_need_a_restart),
		cmocka_unit_test(what_is_printed_loads_again),
		cmocka_unit_test(effective_values_are_printed),
		cmocka_unit_test(the_example_holds_every_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
