/* SPDX-License-Identifier: MIT */
/* core/module/module_change.c - changes to the modules of a running relay: one
 * after the other, each in steps. Between steps that wait the main thread
 * serves signals and the control socket.
 *
 *   hd_change_begin -> (waits for those before it) -> step -> ... -> done
 *                                                      ^  |
 *                                                      `--' -EINPROGRESS
 *
 * Context: main thread. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "core/loop/mainloop.h"
#include "core/module/module_live.h"

enum { LOOK_MS = 2 };

static struct hd_change *first, *last;
static int timer_fd = -1;
static bool running; /* go_on() is under way */
static unsigned expected; /* children try their files */

static void look_again(void)
{
	const struct itimerspec in = {
		.it_value.tv_nsec = LOOK_MS * 1000000L,
	};

	timerfd_settime(timer_fd, 0, &in, NULL);
}

static void pop(void)
{
	struct hd_change *c = first;

	first = c->next;
	if (first == NULL)
		last = NULL;
	c->next = NULL;
	c->done(c);
}

static void go_on(void)
{
	if (running)
		return;
	running = true;
	while (first != NULL) {
		first->result = first->step(first);
		if (first->result == -EINPROGRESS)
			break;
		pop();
	}
	running = false;
	if (first != NULL)
		look_again();
}

static void on_timer(void *unused, uint32_t events)
{
	uint64_t n;

	(void)unused;
	(void)events;
	if (read(timer_fd, &n, sizeof(n)) == sizeof(n))
		go_on();
}

static int timer_open(void)
{
	if (timer_fd >= 0)
		return 0;
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int r = timer_fd < 0 ? -errno
			     : hd_main_watch(timer_fd, EPOLLIN, on_timer, NULL);
	if (r < 0 && timer_fd >= 0)
		close(timer_fd);
	if (r < 0)
		timer_fd = -1;
	return r;
}

void hd_change_begin(struct hd_change *c)
{
	int r = timer_open();

	c->next = NULL;
	c->stage = 0;
	if (r < 0) {
		c->result = hd_error_set(&c->err, r, "no timer: out of "
					 "descriptors or memory");
		c->done(c);
		return;
	}
	if (last != NULL)
		last->next = c;
	else
		first = c;
	last = c;
	go_on();
}

void hd_change_expect(bool comes)
{
	hd_assert(comes || expected > 0);
	expected += comes ? 1 : -1u;
}

bool hd_changes_wait(void)
{
	return expected > 0 || first != NULL;
}

void hd_changes_end(void)
{
	go_on(); /* the relay is stopping: each step says no */
	hd_assert(first == NULL);
	if (timer_fd < 0)
		return;
	hd_main_unwatch(timer_fd);
	close(timer_fd);
	timer_fd = -1;
}
