/* SPDX-License-Identifier: MIT */
/* t/unit/control_help.c - see control_help.h. */
#include "t/unit/control_help.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);

char control_logged[1024];

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(control_logged, sizeof(control_logged), fmt, ap);
	va_end(ap);
}

char control_answer[256 * 1024];

int control_connect(enum hd_role role)
{
	const struct hd_who who = { .uid = 7, .pid = 8, .role = role };
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_non_null(hd_client_new(fds[1], &who));
	return fds[0];
}

void control_turns(unsigned n)
{
	while (n-- > 0)
		hd_main_turn(0);
}

const char *control_say_n(int fd, const char *p, size_t len)
{
	size_t n = 0;

	while (len > 0) {
		ssize_t w = send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(w > 0 || errno == EAGAIN);
		p += w > 0 ? w : 0;
		len -= w > 0 ? (size_t)w : 0;
		control_turns(1);
	}
	control_turns(4);
	for (;;) {
		ssize_t got =
			recv(fd, control_answer + n,
			     sizeof(control_answer) - 1 - n, MSG_DONTWAIT);

		if (got <= 0)
			break;
		n += (size_t)got;
		control_turns(1);
	}
	control_answer[n] = '\0';
	return control_answer;
}

const char *control_say(int fd, const char *text)
{
	return control_say_n(fd, text, strlen(text));
}

void control_leave(int fd)
{
	close(fd);
	control_turns(3);
	assert_int_equal(hd_clients_n(), 0);
}

void control_run_big(struct hd_module *mod, struct hd_call *c)
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

void control_run_watch(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_watch_begin(c->client, hd_call_arg(c, "event"));
}

int control_begin(const struct hd_command *commands)
{
	for (; commands->words != NULL; commands++)
		if (hd_command_add(NULL, commands, NULL) < 0)
			return -1;
	return hd_main_init();
}

int control_end(void **state)
{
	(void)state;
	hd_clients_close();
	hd_main_free();
	hd_control_free();
	return 0;
}
