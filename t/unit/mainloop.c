/* SPDX-License-Identifier: MIT */
/* t/unit/mainloop.c - timers and descriptors of modules on the main thread. */
#include "core/loop/mainloop.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/mainloop.h>
#include <string.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/base/module_id.h"
#include "t/unit/unit.h"

static struct hd_module mods[2];
static struct hd_main_timer *timers[3];
static char order[16];

static int up(void **state)
{
	(void)state;
	memset(order, 0, sizeof(order));
	return hd_main_init();
}

static int down(void **state)
{
	(void)state;
	hd_main_free();
	for (unsigned i = 0; i < 2; i++) {
		hd_main_timer_kind.withdraw(&mods[i]);
		hd_watch_kind.withdraw(&mods[i]);
	}
	hd_main_timer_kind.reclaim();
	return 0;
}

static void note(struct hd_module *mod, void *arg)
{
	assert_ptr_equal(mod, &mods[0]);
	strcat(order, arg);
}

static void again(struct hd_module *mod, void *arg)
{
	note(mod, "a");
	if (strlen(order) < 3)
		hd_main_timer_set(timers[(uintptr_t)arg], 1);
	else
		hd_main_timer_free(&timers[(uintptr_t)arg]);
}

static void turn_until(const char *want)
{
	while (strcmp(order, want) != 0 && strlen(order) < sizeof(order) - 1)
		hd_main_turn(-1);
	assert_string_equal(order, want);
}

/* ---- timers ---- */

static void timers_fire_in_order(void **state)
{
	(void)state;
	timers[0] = hd_main_timer_new(&mods[0], note, "0");
	timers[1] = hd_main_timer_new(&mods[0], note, "1");
	timers[2] = hd_main_timer_new(&mods[0], note, "2");
	hd_main_timer_set(timers[0], 1);
	hd_main_timer_set(timers[2], 40);
	hd_main_timer_set(timers[1], 20);
	hd_main_timer_set(timers[0], 30);
	turn_until("102");
	hd_main_timer_set(timers[0], 1);
	hd_main_timer_set(timers[1], 1);
	hd_main_timer_set(timers[0], 0);
	hd_main_timer_free(&timers[1]);
	assert_null(timers[1]);
	hd_main_turn(10);
	assert_string_equal(order, "102");
}

static void a_timer_sets_and_frees_itself(void **state)
{
	(void)state;
	timers[0] = hd_main_timer_new(&mods[0], again, (void *)0);
	hd_main_timer_set(timers[0], 1);
	turn_until("aaa");
	assert_null(timers[0]);
}

static void a_turn_waits_no_longer_than_asked(void **state)
{
	(void)state;
	timers[0] = hd_main_timer_new(&mods[0], note, "0");
	hd_main_timer_set(timers[0], 3600 * 1000);
	hd_main_turn(1); /* a test that hangs here has failed */
	assert_string_equal(order, "");
}

static void withdrawn_timers_do_nothing(void **state)
{
	(void)state;
	timers[0] = hd_main_timer_new(&mods[0], note, "0");
	timers[1] = hd_main_timer_new(&mods[0], note, "1");
	hd_main_timer_set(timers[0], 1);
	hd_main_timer_kind.withdraw(&mods[1]);
	turn_until("0");
	hd_main_timer_set(timers[0], 1);
	hd_main_timer_kind.withdraw(&mods[0]);
	hd_main_timer_set(timers[1], 1);
	hd_main_turn(10);
	assert_string_equal(order, "0");
	hd_main_timer_free(&timers[0]); /* as unload() may */
	hd_main_timer_kind.reclaim();
}

/* ---- descriptors ---- */

static int fds[2];

static void on_fd(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	char byte;

	if (events & HD_WATCH_READ)
		strcat(order, read(fd, &byte, 1) == 1 ? arg : "end");
	if (events & HD_WATCH_WRITE)
		strcat(order, "w");
	if (strcmp(order, "rwend") == 0)
		hd_unwatch(mod, fd);
}

static void descriptors_are_watched(void **state)
{
	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(hd_watch(&mods[0], fds[0], HD_WATCH_READ, on_fd, "r"),
			 0);
	hd_main_turn(0);
	assert_string_equal(order, "");
	assert_int_equal(write(fds[1], "x", 1), 1);
	hd_main_turn(-1);
	hd_main_turn(0);
	assert_string_equal(order, "r");
	assert_int_equal(hd_watch(&mods[0], fds[1], HD_WATCH_WRITE, on_fd, ""),
			 0);
	hd_main_turn(-1);
	assert_string_equal(order, "rw");
	hd_unwatch(&mods[1], fds[1]); /* another's */
	hd_unwatch(&mods[0], fds[1]);
	hd_main_turn(0);
	close(fds[1]);
	hd_main_turn(-1); /* hung up: the read says so */
	assert_string_equal(order, "rwend");
	hd_main_turn(0);
	assert_string_equal(order, "rwend");
	close(fds[0]);
}

static void wrong_ones_are_refused(void **state)
{
	int file = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(hd_watch(&mods[0], fds[0], 0, on_fd, ""), -EINVAL);
	assert_int_equal(hd_watch(&mods[0], file, HD_WATCH_READ, on_fd, ""),
			 -EPERM);
	close(file);
	assert_int_equal(hd_watch(&mods[0], file, HD_WATCH_READ, on_fd, ""),
			 -EBADF);
	assert_int_equal(hd_watch(&mods[0], -1, HD_WATCH_READ, on_fd, ""),
			 -EBADF);
	assert_int_equal(hd_watch(&mods[0], fds[0], HD_WATCH_READ, on_fd, ""),
			 0);
	assert_int_equal(hd_watch(&mods[1], fds[0], HD_WATCH_READ, on_fd, ""),
			 -EBUSY);
	close(fds[0]);
	close(fds[1]);
}

static void withdrawn_descriptors_are_silent(void **state)
{
	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(hd_watch(&mods[0], fds[0], HD_WATCH_READ, on_fd, "r"),
			 0);
	assert_int_equal(hd_watch(&mods[1], fds[1], HD_WATCH_WRITE, on_fd, ""),
			 0);
	hd_watch_kind.withdraw(&mods[1]);
	assert_int_equal(write(fds[1], "x", 1), 1);
	hd_main_turn(-1);
	assert_string_equal(order, "r");
	hd_watch_kind.withdraw(&mods[0]);
	assert_int_equal(write(fds[1], "x", 1), 1);
	hd_main_turn(0);
	assert_string_equal(order, "r");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_order, up, down),
		cmocka_unit_test_setup_teardown(a_timer_sets_and_frees_itself,
						up, down),
		cmocka_unit_test_setup_teardown(
			a_turn_waits_no_longer_than_asked, up, down),
		cmocka_unit_test_setup_teardown(withdrawn_timers_do_nothing,
						up, down),
		cmocka_unit_test_setup_teardown(descriptors_are_watched, up,
						down),
		cmocka_unit_test_setup_teardown(wrong_ones_are_refused, up,
						down),
		cmocka_unit_test_setup_teardown(
			withdrawn_descriptors_are_silent, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
