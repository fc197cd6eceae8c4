/* SPDX-License-Identifier: MIT */
/* t/unit/upgrade_wire.c - messages between two processes of an upgrade. */
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/daemon/upgrade.h"
#include "t/unit/unit.h"

enum { STALL_MS = 2000 };

/* Stands still, as its machine does, and then takes all there is. */
static void *stall(void *arg)
{
	const struct timespec step = { .tv_nsec = 10000000 };
	uint64_t until_ms = hd_clock_ms() + STALL_MS;
	const int *fd = arg;
	char byte;

	while (hd_clock_ms() < until_ms)
		nanosleep(&step, NULL);
	while (recv(*fd, &byte, 1, 0) > 0)
		;
	return NULL;
}

static void who_stands_still_for_a_moment_is_waited_for(void **state)
{
	pthread_t thread;
	int v[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	while (send(v[0], "", 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(pthread_create(&thread, NULL, stall, &v[1]), 0);
	assert_int_equal(hd_upgrade_say(v[0], HD_UP_END, 0), 0);
	close(v[0]);
	pthread_join(thread, NULL);
	close(v[1]);
}

/* An hour, if the bound were not there. */
static void nobody_waits_beyond_the_bound(void **state)
{
	struct hd_upgrade_message m = { .data = NULL };
	int v[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	assert_false(hd_upgrade_is_late());
	hd_upgrade_bound(hd_clock_ms() + 10);
	assert_int_equal(hd_upgrade_receive(v[0], hd_clock_ms() + 3600000, &m),
			 -ETIMEDOUT);
	assert_true(hd_upgrade_is_late());
	while (send(v[0], "", 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(hd_upgrade_say(v[0], HD_UP_END, 0), -EAGAIN);
	hd_upgrade_bound(UINT64_MAX);
	assert_false(hd_upgrade_is_late());
	close(v[0]);
	close(v[1]);
}

/* Our limit is that of who receives, too. */
static void too_many_descriptors_are_said_to_be(void **state)
{
	struct hd_upgrade_message m = { .data = NULL };
	const int fds[] = { 0, 0, 0, 0 };
	struct rlimit was, limit;
	int v[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	assert_int_equal(hd_upgrade_send_fds(v[0], HD_UP_DESCRIPTORS, fds, 4),
			 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = (rlim_t)HD_MAX(v[0], v[1]) + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(hd_upgrade_receive(v[1], hd_clock_ms() + 1000, &m),
			 -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	close(v[0]);
	close(v[1]);
}

static void who_has_gone_is_not(void **state)
{
	int v[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	close(v[1]);
	assert_int_equal(hd_upgrade_say(v[0], HD_UP_END, 0), -EPIPE);
	close(v[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_stands_still_for_a_moment_is_waited_for),
		cmocka_unit_test(who_has_gone_is_not),
		cmocka_unit_test(nobody_waits_beyond_the_bound),
		cmocka_unit_test(too_many_descriptors_are_said_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
