/* SPDX-License-Identifier: MIT */
/* t/unit/control.c - the control protocol over a socket pair: requests, roles,
 * bounds. No worker runs. */
#include "core/control.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void __wrap_hd_log_write(enum hd_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);

static char logged[1024]; /* the last line */

void __wrap_hd_log_write(enum hd_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

/* ---- commands ---- */

static void run_echo(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_string(c, NULL, hd_call_arg(c, "text"));
}

static void run_refuse(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_string(c, NULL, "is not sent");
	hd_call_error(c, "no, because of %s", "this");
	hd_call_error(c, "the first one stands");
}

static void run_twice(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_uint(c, NULL, 1);
	hd_out_uint(c, NULL, 2);
}

static void run_open(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	hd_out_open(c, NULL, '{'); /* the core closes them */
}

static void run_big(struct hd_module *mod, struct hd_call *c)
{
	uint64_t mib = strtoull(hd_call_arg(c, "n"), NULL, 10);
	char *text = malloc((1 << 20) + 1);

	(void)mod;
	memset(text, 'x', 1 << 20);
	text[1 << 20] = '\0';
	hd_out_open(c, NULL, '[');
	for (uint64_t i = 0; i < mib; i++)
		hd_out_string(c, NULL, text);
	hd_out_close(c);
	free(text);
}

static struct hd_call *held;

static void run_hold(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_call_hold(c);
	held = c;
}

static void run_watch(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_watch_begin(c->client, hd_call_arg(c, "event"));
}

static void each_none(struct hd_module *mod, struct hd_call *c,
		      struct hd_worker *w)
{
	(void)mod, (void)c, (void)w;
}

static const struct hd_command commands[] = {
	{ .words = "echo", .args = "TEXT...", .help = "-", .run = run_echo },
	{ .words = "refuse", .help = "-", .run = run_refuse },
	{ .words = "twice", .help = "-", .run = run_twice },
	{ .words = "open", .help = "-", .run = run_open },
	{ .words = "big", .args = "N", .help = "-", .run = run_big },
	{ .words = "hold", .help = "-", .run = run_hold },
	{ .words = "watch", .args = "[EVENT...]", .help = "-",
	  .run = run_watch },
	{ .words = "each", .help = "-", .each = each_none },
	{ .words = "operate", .help = "-", .role = HD_ROLE_OPERATE,
	  .args = "[TEXT]", .run = run_refuse },
	{ .words = "admin", .help = "-", .role = HD_ROLE_ADMIN,
	  .run = run_open },
};

/* ---- a client ---- */

static char answer[256 * 1024];

static int connect_as(enum hd_role role)
{
	const struct hd_who who = { .uid = 7, .pid = 8, .role = role };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_non_null(hd_client_new(fds[1], &who));
	return fds[0];
}

static void turns(unsigned n)
{
	while (n-- > 0)
		hd_main_turn(0);
}

/* Sends bytes; what is answered by then. Returns "" when nothing is. */
static const char *say_n(int fd, const char *p, size_t len)
{
	size_t n = 0;

	while (len > 0) {
		ssize_t w = send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(w > 0 || errno == EAGAIN);
		p += w > 0 ? w : 0;
		len -= w > 0 ? (size_t)w : 0;
		turns(1);
	}
	turns(4);
	for (;;) {
		ssize_t got = recv(fd, answer + n, sizeof(answer) - 1 - n,
				   MSG_DONTWAIT);

		if (got <= 0)
			break;
		n += (size_t)got;
		turns(1);
	}
	answer[n] = '\0';
	return answer;
}

static const char *say(int fd, const char *text)
{
	return say_n(fd, text, strlen(text));
}

static void leave(int fd)
{
	close(fd);
	turns(3);
	assert_int_equal(hd_clients_n(), 0);
}

static int begin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(commands); i++)
		if (hd_command_add(NULL, &commands[i], NULL) < 0)
			return -1;
	return hd_main_init();
}

static int end(void **state)
{
	(void)state;
	hd_clients_close();
	hd_main_free();
	hd_control_free();
	return 0;
}

/* ---- tests ---- */

static void answers(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "{\"id\":7,\"cmd\":[\"echo\",\"a\",\"b\"]}\n",
		  "{\"id\":7,\"ok\":true,\"data\":\"a b\"}\n" },
		{ "{\"id\":\"x\\u00e9\",\"cmd\":[\"echo\"],\"args\":"
		  "{\"text\":\"c\"}}\n",
		  "{\"id\":\"x\\u00E9\",\"ok\":true,\"data\":\"c\"}\n" },
		{ "{\"cmd\":[\"each\"]}\n",
		  "{\"id\":null,\"ok\":true,\"data\":[]}\n" },
		{ "{\"cmd\":[\"open\"]}\n",
		  "{\"id\":null,\"ok\":true,\"data\":[{}]}\n" },
		{ "{\"id\":1,\"cmd\":[\"refuse\"]}\n",
		  "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"refused\","
		  "\"message\":\"no, because of this\"}}\n" },
		{ "\n\n{\"id\":1,\"cmd\":[\"echo\",\"1\"]}\n"
		  "{\"id\":2,\"cmd\":[\"echo\",\"2\"]}\n",
		  "{\"id\":1,\"ok\":true,\"data\":\"1\"}\n"
		  "{\"id\":2,\"ok\":true,\"data\":\"2\"}\n" },
	};
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++)
		assert_string_equal(say(fd, rows[i].line), rows[i].want);
	leave(fd);
}

static void bad_requests(void **state)
{
	static const struct {
		const char *line, *code;
	} rows[] = {
		{ "hello", "bad_json" },
		{ "{\"cmd\":[\"echo\"]", "bad_json" },
		{ "{\"cmd\":[\"echo\"],\"cmd\":[]}", "bad_json" },
		{ "{\"cmd\":[\"echo\",\"\xff\"]}", "bad_json" },
		{ "[]", "bad_request" },
		{ "{}", "bad_request" },
		{ "{\"cmd\":\"echo\"}", "bad_request" },
		{ "{\"cmd\":[]}", "bad_request" },
		{ "{\"cmd\":[1]}", "bad_request" },
		{ "{\"id\":[],\"cmd\":[\"echo\"]}", "bad_request" },
		{ "{\"id\":1.5,\"cmd\":[\"echo\"]}", "bad_request" },
		{ "{\"cmd\":[\"echo\"],\"args\":[]}", "bad_request" },
		{ "{\"cmd\":[\"echo\",\"x\"],\"more\":1}", "bad_request" },
		{ "{\"cmd\":[\"nothing\"]}", "unknown_command" },
		{ "{\"cmd\":[\"\"]}", "unknown_command" },
		{ "{\"cmd\":[\"echo\"]}", "bad_argument" },
		{ "{\"cmd\":[\"echo\"],\"args\":{\"text\":{}}}",
		  "bad_argument" },
		{ "{\"cmd\":[\"echo\"],\"args\":{\"no\":\"\"}}",
		  "bad_argument" },
		{ "{\"cmd\":[\"echo\",\"a\\u001b[2J\"]}", "bad_argument" },
		{ "{\"cmd\":[\"big\",\"many\"]}", "bad_argument" },
		{ "{\"cmd\":[\"operate\"]}", "not_permitted" },
		{ "{\"cmd\":[\"twice\"]}", "refused" },
	};
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		char want[64];

		say(fd, rows[i].line);
		snprintf(want, sizeof(want), "\"code\":\"%s\"", rows[i].code);
		if (strstr(say(fd, "\n"), want) == NULL)
			fail_msg("%s: %s", rows[i].line, answer);
	}
	assert_string_equal(say(fd, "{\"cmd\":[\"echo\",\"alive\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":\"alive\"}\n");
	leave(fd);
}

static void zero_bytes_and_depth(void **state)
{
	static char deep[50001];
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	assert_non_null(strstr(say_n(fd, "{\0}\n", 4), "bad_json"));
	memset(deep, '[', 50000);
	deep[50000] = '\n';
	assert_non_null(strstr(say_n(fd, deep, 50001), "bad_json"));
	leave(fd);
}

static void long_line(void **state)
{
	static char text[200000];
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	memset(text, ' ', sizeof(text));
	say_n(fd, text, sizeof(text)); /* one answer, not one per 64 KiB */
	const char *first = strstr(answer, "too_long");

	assert_non_null(first);
	assert_null(strstr(first + 1, "too_long"));
	assert_string_equal(say(fd, "\n{\"cmd\":[\"echo\",\"on\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":\"on\"}\n");
	leave(fd);
}

static void large_answers(void **state)
{
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	assert_non_null(strstr(say(fd, "{\"cmd\":[\"big\",\"65\"]}\n"),
			       "too_large"));
	say(fd, "{\"cmd\":[\"big\",\"2\"]}\n");
	assert_int_equal(strncmp(answer, "{\"id\":null,\"ok\":true", 20), 0);
	close(fd);
	turns(3);
	assert_int_equal(hd_clients_n(), 0);
}

/* It asks and asks: its second line waits until it has read the first
 * answer, and in the end it is closed. */
static void never_reads(void **state)
{
	int fd = connect_as(HD_ROLE_READ);
	const char *line = "{\"cmd\":[\"big\",\"8\"]}\n";

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_true(send(fd, line, strlen(line), MSG_DONTWAIT) > 0);
		turns(2);
	}
	assert_int_equal(hd_clients_n(), 1);
	uint64_t now = hd_control_now_ms();

	hd_clients_tick(now + HD_CONTROL_STALL_MS / 2);
	assert_int_equal(hd_clients_n(), 1);
	hd_clients_tick(now + HD_CONTROL_STALL_MS + 1000);
	assert_int_equal(hd_clients_n(), 0);
	close(fd);
}

static void one_call_at_a_time(void **state)
{
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	assert_string_equal(say(fd, "{\"id\":1,\"cmd\":[\"hold\"]}\n"
				    "{\"id\":2,\"cmd\":[\"echo\",\"2\"]}\n"),
			    "");
	assert_int_equal(hd_control_calls(NULL), 1);
	hd_call_answer(&held);
	assert_string_equal(say(fd, ""),
			    "{\"id\":1,\"ok\":true,\"data\":null}\n"
			    "{\"id\":2,\"ok\":true,\"data\":\"2\"}\n");
	leave(fd);
}

static void leaves_during_a_call(void **state)
{
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	say(fd, "{\"id\":1,\"cmd\":[\"hold\"]}\n");
	leave(fd);
	hd_call_answer(&held);
	turns(2);
	assert_int_equal(hd_control_calls(NULL), 0);
}

static void half_closed_is_answered(void **state)
{
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	send(fd, "{\"cmd\":[\"echo\",\"x\"]}\n", 23, 0);
	shutdown(fd, SHUT_WR);
	assert_string_equal(say(fd, ""),
			    "{\"id\":null,\"ok\":true,\"data\":\"x\"}\n");
	assert_int_equal(recv(fd, answer, 1, MSG_DONTWAIT), 0);
	leave(fd);
}

static void events_by_filter(void **state)
{
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	assert_false(hd_event_wanted());
	say(fd, "{\"cmd\":[\"watch\",\"peer\",\"drain\"]}\n");
	assert_true(hd_event_wanted());
	hd_event("peer.up", "{\"n\":1}");
	hd_event("peers", "{\"n\":2}");
	hd_event("reload", NULL);
	hd_event("drain", NULL);
	say(fd, "");
	assert_int_equal(strncmp(answer, "{\"event\":\"peer.up\",\"time\":", 26),
			 0);
	assert_non_null(strstr(answer, "\"data\":{\"n\":1}}\n"));
	assert_non_null(strstr(answer, "{\"event\":\"drain\""));
	assert_null(strstr(answer, "\"n\":2"));
	assert_null(strstr(answer, "reload"));
	leave(fd);
	assert_false(hd_event_wanted());
}

static void deaf_watcher_is_closed(void **state)
{
	static char json[10000];
	int fd = connect_as(HD_ROLE_READ);

	(void)state;
	snprintf(json, sizeof(json), "{\"x\":\"%09000d\"}", 0);
	say(fd, "{\"cmd\":[\"watch\"]}\n");
	for (unsigned i = 0; i < 1000 && hd_clients_n() > 0; i++) {
		hd_event("x", json);
		turns(2);
	}
	assert_int_equal(hd_clients_n(), 0);
	close(fd);
}

static void too_many_events_are_counted(void **state)
{
	int fd = connect_as(HD_ROLE_READ);
	uint64_t before = hd_events_lost();

	(void)state;
	say(fd, "{\"cmd\":[\"watch\"]}\n");
	for (unsigned i = 0; i < HD_CONTROL_EVENTS_MAX + 10; i++)
		hd_event("x", NULL);
	assert_int_equal(hd_events_lost() - before, 10);
	close(fd);
	turns(3);
}

static void changes_are_audited(void **state)
{
	int fd = connect_as(HD_ROLE_OPERATE);

	(void)state;
	say(fd, "{\"cmd\":[\"operate\",\"x\"]}\n");
	assert_string_equal(logged, "audit: uid=7 pid=8 role=operate "
				    "command=\"operate text=x\" result=refused "
				    "why=no, because of this");
	assert_non_null(strstr(say(fd, "{\"cmd\":[\"admin\"]}\n"),
			       "not_permitted"));
	assert_string_equal(logged, "audit: uid=7 pid=8 role=operate "
				    "command=\"admin\" result=not_permitted");
	leave(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(zero_bytes_and_depth),
		cmocka_unit_test(long_line),
		cmocka_unit_test(large_answers),
		cmocka_unit_test(never_reads),
		cmocka_unit_test(one_call_at_a_time),
		cmocka_unit_test(leaves_during_a_call),
		cmocka_unit_test(half_closed_is_answered),
		cmocka_unit_test(events_by_filter),
		cmocka_unit_test(deaf_watcher_is_closed),
		cmocka_unit_test(too_many_events_are_counted),
		cmocka_unit_test(changes_are_audited),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
