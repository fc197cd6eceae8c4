/* SPDX-License-Identifier: MIT */
/* t/lib/modules/onmain.c - a timer and a descriptor on the main thread: every
 * tick writes a byte into a pipe, at whose other end they are counted. The test
 * writes into copies of the file: a build number, and how it behaves. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2() */
#endif
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/control.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/module.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 2 };

static const volatile char build[] = "BUILD=000000";
static const volatile char mode[] = "MODE=fine";

static struct {
	struct hd_main_timer *tick, *once;
	int fds[2];
	uint64_t ticks, bytes, late;
} here;

static bool is_mode(const char *what)
{
	for (unsigned i = 0; i < 4; i++)
		if (mode[5 + i] != what[i])
			return false;
	return true;
}

static void on_tick(struct hd_module *mod, void *arg)
{
	(void)mod;
	(void)arg;
	here.ticks++;
	if (write(here.fds[1], "x", 1) != 1)
		here.late++;
	hd_main_timer_set(here.tick, TICK_MS);
}

static void on_once(struct hd_module *mod, void *arg)
{
	(void)mod;
	(void)arg;
	hd_main_timer_free(&here.once);
}

static void on_bytes(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	char bytes[64];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)mod;
	(void)events;
	*(uint64_t *)arg += n > 0 ? (uint64_t)n : 0;
}

static void run_numbers(struct hd_module *mod, struct hd_call *call)
{
	char text[sizeof(build)];

	(void)mod;
	for (unsigned i = 0; i < sizeof(build); i++)
		text[i] = build[i];
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "build", text);
	hd_out_uint(call, "ticks", here.ticks);
	hd_out_uint(call, "bytes", here.bytes);
	hd_out_uint(call, "late", here.late);
	hd_out_bool(call, "once", here.once != NULL);
	hd_out_close(call);
}

static const struct hd_command numbers = {
	.words = "onmain numbers",
	.args = "",
	.help = "what the main thread has counted",
	.role = HD_ROLE_READ,
	.run = run_numbers,
};

static int onmain_load(struct hd_module *mod, struct hd_error *err)
{
	int r = pipe2(here.fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;

	if (r == 0)
		r = hd_watch(mod, here.fds[0], HD_WATCH_READ, on_bytes,
			     &here.bytes);
	here.tick = hd_main_timer_new(mod, on_tick, NULL);
	here.once = hd_main_timer_new(mod, on_once, NULL);
	if (r < 0 || here.tick == NULL || here.once == NULL)
		return hd_error_set(err, -ENOMEM, "no timer or descriptor");
	hd_main_timer_set(here.tick, TICK_MS);
	hd_main_timer_set(here.once, TICK_MS);
	if (is_mode("load"))
		return hd_error_set(err, -EPERM, "load() has a bad day");
	return hd_command_add(mod, &numbers, err);
}

/* What the core ends by itself may be ended before. */
static void onmain_unload(struct hd_module *mod)
{
	if (is_mode("tidy")) {
		hd_unwatch(mod, here.fds[0]);
		hd_main_timer_free(&here.tick);
		hd_main_timer_free(&here.once);
	} else {
		hd_main_timer_set(here.tick, TICK_MS);
	}
	close(here.fds[0]);
	close(here.fds[1]);
}

HD_MODULE(onmain, .version = "1.0", .licence = "MIT",
	  .summary = "a timer and a descriptor on the main thread",
	  .load = onmain_load, .unload = onmain_unload);
