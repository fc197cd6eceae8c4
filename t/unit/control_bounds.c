/* SPDX-License-Identifier: MIT */
/* t/unit/control_bounds.c - control clients that ask for too much, or do not
 * read. */
#include <hyper-derp/event.h>
#include "core/base/clock.h"
#include "t/unit/control_help.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void run_echo(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_string(c, NULL, hd_call_arg(c, "text"));
}

static void run_size(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_uint(c, NULL, strlen(hd_call_arg(c, "file")));
}

static void each_none(struct hd_module *mod, struct hd_call *c,
		      struct hd_worker *w)
{
	(void)mod;
	(void)c;
	(void)w;
}

static const struct hd_command commands[] = {
	{ .words = "echo", .args = "TEXT...", .help = "-", .run = run_echo },
	{ .words = "big", .args = "N", .help = "-", .run = control_run_big },
	{ .words = "size", .args = "FILE", .help = "-", .run = run_size },
	{ .words = "workers", .help = "-", .each = each_none },
	{ .words = "watch",
	  .args = "[EVENT...]",
	  .help = "-",
	  .run = control_run_watch },
	{ .words = NULL },
};

static int begin(void **state)
{
	(void)state;
	return control_begin(commands);
}

static void long_line(void **state)
{
	static char text[200000];
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	memset(text, ' ', sizeof(text));
	control_say_n(
		fd, text,
		sizeof(text)); /* one control_answer, not one per 64 KiB */
	const char *first = strstr(control_answer, "too_long");

	assert_non_null(first);
	assert_null(strstr(first + 1, "too_long"));
	assert_string_equal(control_say(fd, "\n{\"cmd\":[\"echo\",\"on\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":\"on\"}\n");
	control_leave(fd);
}

/* A file's text, by one operator at a time. */
static void a_file_is_a_long_line(void **state)
{
	static char text[300000];
	int fd = control_connect(HD_ROLE_OPERATE);
	int other = control_connect(HD_ROLE_OPERATE);
	int at = snprintf(text, sizeof(text), "{\"cmd\":[\"size\",\"");

	(void)state;
	memset(text + at, 'x', 200000);
	memcpy(text + at + 1000, "\\n", 2);
	control_say_n(fd, text, (size_t)at + 200000);
	control_say_n(other, text, (size_t)at + 200000);
	assert_non_null(strstr(control_answer, "too_long"));
	assert_string_equal(control_say(fd, "\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":199999}\n");
	control_say(other, "\n");
	control_say_n(other, text, (size_t)at + 200000);
	assert_string_equal(control_say(other, "\"]}\n"),
			    "{\"id\":null,\"ok\":true,\"data\":199999}\n");
	close(fd);
	control_leave(other);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

/* Two hundred lines at once: others are served between them. */
static void many_lines_hold_up_nobody(void **state)
{
	char text[200 * 32] = "";
	int fd = control_connect(HD_ROLE_OPERATE);

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		strcat(text, "{\"cmd\":[\"echo\",\"on\"]}\n");
	send(fd, text, strlen(text), 0);
	control_turns(1);
	ssize_t n = recv(fd, control_answer, sizeof(control_answer) - 1,
			 MSG_DONTWAIT);

	assert_true(n > 0);
	control_answer[n] = '\0';
	unsigned first = count(control_answer, "\"on\"");

	assert_in_range(first, 1, 100);
	assert_int_equal(first + count(control_say(fd, "\n"), "\"on\""), 200);
	/* and none is forgotten when the client has no more to say */
	send(fd, text, strlen(text), 0);
	shutdown(fd, SHUT_WR);
	assert_int_equal(count(control_say_n(fd, "", 0), "\"on\""), 200);
	control_leave(fd);
}

static void brackets_are_counted(void **state)
{
	static char text[300000];
	int fd = control_connect(HD_ROLE_OPERATE);
	int at = snprintf(text, sizeof(text), "{\"cmd\":[\"size\",\"");

	(void)state;
	memset(text + at, ',', 200000);
	snprintf(text + at + 200000, 10, "\"]}\n");
	assert_string_equal(control_say(fd, text),
			    "{\"id\":null,\"ok\":true,\"data\":200000}\n");
	memcpy(text + at - 1, "[]", 2);
	assert_non_null(strstr(control_say(fd, text), "65536 values"));
	control_leave(fd);
}

static void large_answers(void **state)
{
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	assert_non_null(strstr(control_say(fd, "{\"cmd\":[\"big\",\"65\"]}\n"),
			       "too_large"));
	control_say(fd, "{\"cmd\":[\"big\",\"2\"]}\n");
	assert_int_equal(
		strncmp(control_answer, "{\"id\":null,\"ok\":true", 20), 0);
	close(fd);
	control_turns(3);
	assert_int_equal(hd_clients_n(), 0);
}

/* As many as want ask at once. */
static void calls_are_bounded(void **state)
{
	int fds[100];
	unsigned done = 0, busy = 0;

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(fds); i++) {
		fds[i] = control_connect(HD_ROLE_READ);
		send(fds[i], "{\"cmd\":[\"workers\"]}\n", 20, 0);
	}
	control_turns(10);
	for (unsigned i = 0; i < HD_ARRAY_N(fds); i++) {
		const char *answer = control_say(fds[i], "");

		done += strstr(answer, "\"ok\":true") != NULL;
		busy += strstr(answer, "\"busy\"") != NULL;
		close(fds[i]);
	}
	control_turns(10);
	assert_int_equal(hd_clients_n(), 0);
	assert_in_range(done, HD_CONTROL_CALLS_MAX, HD_ARRAY_N(fds) - 1);
	assert_int_equal(done + busy, HD_ARRAY_N(fds));
}

static bool count_broken(struct hd_client *c, void *n)
{
	*(unsigned *)n += c->broken;
	return c->broken;
}

/* Five answers of 60 MiB are more than may wait for readers. */
static void unread_answers_are_bounded(void **state)
{
	const char *line = "{\"cmd\":[\"big\",\"60\"]}\n";
	int fds[5];
	unsigned broken = 0;

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(fds); i++) {
		fds[i] = control_connect(HD_ROLE_READ);
		send(fds[i], line, strlen(line), 0);
		control_turns(2);
	}
	hd_clients_each(count_broken, &broken); /* no tick: making them takes
						 * a sanitizer long */
	assert_int_equal(broken, 1);
	assert_int_equal(hd_clients_n(), HD_ARRAY_N(fds) - 1);
	assert_true(recv(fds[4], control_answer, 20, MSG_DONTWAIT) == 20);
	for (unsigned i = 0; i < HD_ARRAY_N(fds); i++)
		close(fds[i]);
	control_turns(5);
	assert_int_equal(hd_clients_n(), 0);
}

/* It asks and asks: its second line waits until it has read the first
 * answer, and in the end it is closed. */
static void never_reads(void **state)
{
	int fd = control_connect(HD_ROLE_READ);
	const char *line = "{\"cmd\":[\"big\",\"8\"]}\n";

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_true(send(fd, line, strlen(line), MSG_DONTWAIT) > 0);
		control_turns(2);
	}
	assert_int_equal(hd_clients_n(), 1);
	uint64_t now = hd_clock_ms();

	hd_clients_tick(now + HD_CONTROL_STALL_MS / 2);
	assert_int_equal(hd_clients_n(), 1);
	hd_clients_tick(now + HD_CONTROL_STALL_MS + 1000);
	assert_int_equal(hd_clients_n(), 0);
	close(fd);
}

static void deaf_watcher_is_closed(void **state)
{
	static char json[10000];
	int fd = control_connect(HD_ROLE_READ);

	(void)state;
	snprintf(json, sizeof(json), "{\"x\":\"%09000d\"}", 0);
	control_say(fd, "{\"cmd\":[\"watch\"]}\n");
	for (unsigned i = 0; i < 1000 && hd_clients_n() > 0; i++) {
		hd_event("x", json);
		control_turns(2);
	}
	assert_int_equal(hd_clients_n(), 0);
	close(fd);
}

static bool note_size(struct hd_client *c, void *max)
{
	size_t *to = max;

	*to = HD_MAX(*to, c->out.size);
	return false;
}

/* It reads as much as comes, and is always half a MiB behind. */
static void late_watcher_costs_no_more(void **state)
{
	static char json[10000], text[10000];
	int fd = control_connect(HD_ROLE_READ);
	size_t size = 0;

	(void)state;
	snprintf(json, sizeof(json), "{\"x\":\"%09000d\"}", 0);
	control_say(fd, "{\"cmd\":[\"watch\"]}\n");
	for (unsigned i = 0; i < 1000; i++) {
		hd_event("x", json);
		control_turns(2);
		if (i > 70)
			recv(fd, text, 9070, MSG_DONTWAIT);
		hd_clients_each(note_size, &size);
	}
	assert_int_equal(hd_clients_n(), 1);
	assert_in_range(size, 256 * 1024, 4 * HD_CONTROL_WAITING_MAX_BYTES);
	control_leave(fd);
}

static void too_many_events_are_counted(void **state)
{
	int fd = control_connect(HD_ROLE_READ);
	uint64_t before = hd_events_lost();

	(void)state;
	control_say(fd, "{\"cmd\":[\"watch\"]}\n");
	for (unsigned i = 0; i < HD_CONTROL_EVENTS_MAX + 10; i++)
		hd_event("x", NULL);
	assert_int_equal(hd_events_lost() - before, 10);
	close(fd);
	control_turns(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_line),
		cmocka_unit_test(a_file_is_a_long_line),
		cmocka_unit_test(many_lines_hold_up_nobody),
		cmocka_unit_test(brackets_are_counted),
		cmocka_unit_test(large_answers),
		cmocka_unit_test(calls_are_bounded),
		cmocka_unit_test(unread_answers_are_bounded),
		cmocka_unit_test(never_reads),
		cmocka_unit_test(deaf_watcher_is_closed),
		cmocka_unit_test(late_watcher_costs_no_more),
		cmocka_unit_test(too_many_events_are_counted),
	};

	return cmocka_run_group_tests(tests, begin, control_end);
}
