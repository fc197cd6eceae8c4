/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_control.c - any bytes from a control client: each line is
 * answered by one line of JSON, and nothing stays behind. The first byte cuts
 * the rest into reads. */
#include <hyper-derp/event.h>
#include "core/control/control.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run_echo(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '{');
	for (unsigned i = 0; i < c->entry.n_args; i++)
		hd_out_string(c, c->entry.args[i].name, c->values.v[i]);
	hd_out_close(c);
}

static void run_watch(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_watch_begin(c->client, hd_call_arg(c, "event"));
	hd_event("peer.up", NULL);
}

static const struct hd_command commands[] = {
	{ .words = "peer close",
	  .args = "KEY [--why TEXT] [--all]",
	  .help = "-",
	  .run = run_echo,
	  .role = HD_ROLE_OPERATE },
	{ .words = "peer", .args = "[N]", .help = "-", .run = run_echo },
	{ .words = "drain",
	  .args = "[--for DURATION] [--exit]",
	  .help = "-",
	  .run = run_echo },
	{ .words = "echo",
	  .args = "[LEVEL] [TEXT...]",
	  .help = "-",
	  .run = run_echo },
	{ .words = "watch",
	  .args = "[EVENT...]",
	  .help = "-",
	  .run = run_watch },
	{ .words = "admin",
	  .help = "-",
	  .run = run_echo,
	  .role = HD_ROLE_ADMIN },
};

static void begin(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	hd_assert(hd_main_init() == 0);
	for (unsigned i = 0; i < HD_ARRAY_N(commands); i++)
		hd_assert(hd_command_add(NULL, &commands[i], NULL) == 0);
}

/* All that has come is whole lines of JSON. */
static void check(const char *text, size_t n)
{
	while (n > 0) {
		const char *end = memchr(text, '\n', n);

		hd_assert(end != NULL);
		json_t *line = json_loadb(text, (size_t)(end - text), 0, NULL);

		hd_assert(json_is_object(line));
		json_decref(line);
		n -= (size_t)(end + 1 - text);
		text = end + 1;
	}
}

static size_t receive(int fd, char *to, size_t n, size_t size)
{
	ssize_t got = recv(fd, to + n, size - n, MSG_DONTWAIT);

	return n + (got > 0 ? (size_t)got : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct hd_who who = { .role = HD_ROLE_OPERATE };
	static char got[4 << 20];
	size_t step = n > 0 ? 1 + data[0] * 16u : 1, len = 0;
	int fds[2];

	begin();
	hd_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	hd_assert(hd_client_new(fds[1], &who) != NULL);
	for (size_t at = 1; at < n;) {
		ssize_t sent = send(fds[0], data + at, HD_MIN(step, n - at),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		hd_main_turn(0);
		len = receive(fds[0], got, len, sizeof(got));
		at += sent > 0 ? (size_t)sent : 0;
		if (sent < 0 && errno != EAGAIN)
			break;
	}
	shutdown(fds[0], SHUT_WR);
	for (unsigned i = 0; i < 1000; i++) {
		size_t before = len;

		hd_main_turn(0);
		len = receive(fds[0], got, len, sizeof(got));
		if (len == before && i > 8)
			break;
	}
	check(got, len);
	close(fds[0]);
	for (unsigned i = 0; i < 4; i++)
		hd_main_turn(0);
	hd_assert(hd_clients_n() == 0 && hd_control_calls(NULL) == 0);
	return 0;
}
