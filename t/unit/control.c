/* SPDX-License-Identifier: MIT */
/* t/unit/control.c - the control protocol over a socket pair: requests,
 * answers, events. */
#include <hyper-derp/event.h>
#include "core/module/module.h"
#include "t/unit/control_help.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static struct hd_call *held;

static void run_hold(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_call_hold(c);
	held = c;
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
	{ .words = "big", .args = "N", .help = "-", .run = control_run_big },
	{ .words = "hold", .help = "-", .run = run_hold },
	{ .words = "watch",
	  .args = "[EVENT...]",
	  .help = "-",
	  .run = control_run_watch },
	{ .words = "each", .help = "-", .each = each_none },
	{ .words = "operate",
	  .help = "-",
	  .role = HD_ROLE_OPERATE,
	  .args = "[TEXT]",
	  .run = run_refuse },
	{ .words = "admin",
	  .help = "-",
	  .role = HD_ROLE_ADMIN,
	  .run = run_open },
	{ .words = NULL },
};

static int begin(void **state)
{
	(void)state;
	return control_begin(commands);
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
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++)
		assert_string_equal(control_say(fd, rows[i].line),
				    rows[i].want);
	control_leave(fd);
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
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		char want[64];

		control_say(fd, rows[i].line);
		snprintf(want, sizeof(want), "\"code\":\"%s\"", rows[i].code);
		if (strstr(control_say(fd, "\n"), want) == NULL)
			fail_msg("%s: %s", rows[i].line, control_answer);
	}
	assert_string_equal(control_say(fd, "{\"cmd\":[\"echo\",\"alive\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":\"alive\"}\n");
	control_leave(fd);
}

static void zero_bytes_and_depth(void **state)
{
	static char deep[50001];
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	assert_non_null(strstr(control_say_n(fd, "{\0}\n", 4), "bad_json"));
	memset(deep, '[', 50000);
	deep[50000] = '\n';
	assert_non_null(strstr(control_say_n(fd, deep, 50001), "bad_json"));
	control_leave(fd);
}

static void one_call_at_a_time(void **state)
{
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	assert_string_equal(
		control_say(fd, "{\"id\":1,\"cmd\":[\"hold\"]}\n"
				"{\"id\":2,\"cmd\":[\"echo\",\"2\"]}\n"),
		"");
	assert_int_equal(hd_control_calls(NULL), 1);
	hd_call_answer(&held);
	assert_string_equal(control_say(fd, ""),
			    "{\"id\":1,\"ok\":true,\"data\":null}\n"
			    "{\"id\":2,\"ok\":true,\"data\":\"2\"}\n");
	control_leave(fd);
}

static void leaves_during_a_call(void **state)
{
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	control_say(fd, "{\"id\":1,\"cmd\":[\"hold\"]}\n");
	control_leave(fd);
	hd_call_answer(&held);
	control_turns(2);
	assert_int_equal(hd_control_calls(NULL), 0);
}

static void half_closed_is_answered(void **state)
{
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	send(fd, "{\"cmd\":[\"echo\",\"x\"]}\n", 21, 0);
	shutdown(fd, SHUT_WR);
	assert_string_equal(control_say(fd, ""),
			    "{\"id\":null,\"ok\":true,\"data\":\"x\"}\n");
	assert_int_equal(recv(fd, control_answer, 1, MSG_DONTWAIT), 0);
	control_leave(fd);
}

static void events_by_filter(void **state)
{
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	assert_false(hd_event_wanted());
	control_say(fd, "{\"cmd\":[\"watch\",\"peer\",\"drain\"]}\n");
	assert_true(hd_event_wanted());
	hd_event("peer.up", "{\"n\":1}");
	hd_event("peers", "{\"n\":2}");
	hd_event("reload", NULL);
	hd_event("drain", NULL);
	control_say(fd, "");
	assert_int_equal(
		strncmp(control_answer, "{\"event\":\"peer.up\",\"time\":", 26),
		0);
	assert_non_null(strstr(control_answer, "\"data\":{\"n\":1}}\n"));
	assert_non_null(strstr(control_answer, "{\"event\":\"drain\""));
	assert_null(strstr(control_answer, "\"n\":2"));
	assert_null(strstr(control_answer, "reload"));
	control_leave(fd);
	assert_false(hd_event_wanted());
}

/* Else a flood of questions would keep a reload waiting until it gives up. */
static void a_leaving_module_is_not_asked(void **state)
{
	static const struct hd_command look = { .words = "look",
						.help = "-",
						.run = run_open };
	struct hd_module mod = { .name = "m", .closing = true };
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	assert_int_equal(hd_command_add(&mod, &look, NULL), 0);
	assert_non_null(strstr(control_say(fd, "{\"cmd\":[\"look\"]}\n"),
			       "\"busy\""));
	mod.closing = false;
	assert_non_null(strstr(control_say(fd, "{\"cmd\":[\"look\"]}\n"),
			       "\"ok\":true"));
	hd_commands_drop(&mod);
	control_leave(fd);
}

static void changes_are_audited(void **state)
{
	int fd = control_connect(HD_ROLE_OPERATE);

	(void)state;
	control_say(fd, "{\"cmd\":[\"operate\",\"x\"]}\n");
	assert_string_equal(control_logged,
			    "audit: uid=7 pid=8 role=operate "
			    "command=\"operate text=x\" result=refused "
			    "why=no, because of this");
	control_say(fd, "{\"cmd\":[\"operate\",\"x\\\" result=ok\"]}\n");
	assert_non_null(strstr(control_logged,
			       "\"operate text=x' result=ok\" result=refused"));
	assert_non_null(strstr(control_say(fd, "{\"cmd\":[\"admin\"]}\n"),
			       "not_permitted"));
	assert_string_equal(control_logged,
			    "audit: uid=7 pid=8 role=operate "
			    "command=\"admin\" result=not_permitted");
	control_leave(fd);
}

/* The last test: nobody is answered anything else after it. */
static void all_are_told_who_has_taken_over(void **state)
{
	int asks = control_connect(HD_ROLE_READ);
	int idle = control_connect(HD_ROLE_READ);

	(void)state;
	control_say(asks, "{\"id\":1,\"cmd\":[\"hold\"]}\n"
			  "{\"id\":2,\"cmd\":[\"echo\",\"2\"]}\n");
	hd_control_replaced(7);
	control_say(asks, "");
	const char *first = strstr(control_answer, "\"id\":1,\"ok\":false");
	const char *told = strstr(control_answer, "\"data\":{\"pid\":7}}\n");
	const char *second = strstr(control_answer, "\"id\":2,\"ok\":false");

	assert_non_null(first);
	assert_non_null(strstr(first, "\"interrupted\""));
	assert_true(told > first && second > told);
	assert_non_null(strstr(second, "\"upgraded\""));
	control_say(idle, "");
	assert_int_equal(strncmp(control_answer, "{\"event\":\"upgraded\"", 19),
			 0);
	close(idle);
	control_leave(asks);
	hd_call_answer(&held);
	control_turns(2);
	assert_int_equal(hd_control_calls(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(zero_bytes_and_depth),
		cmocka_unit_test(one_call_at_a_time),
		cmocka_unit_test(leaves_during_a_call),
		cmocka_unit_test(half_closed_is_answered),
		cmocka_unit_test(events_by_filter),
		cmocka_unit_test(a_leaving_module_is_not_asked),
		cmocka_unit_test(changes_are_audited),
		cmocka_unit_test(all_are_told_who_has_taken_over),
	};

	return cmocka_run_group_tests(tests, begin, control_end);
}
