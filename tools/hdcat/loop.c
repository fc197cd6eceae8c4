/* SPDX-License-Identifier: MIT */
/* tools/hdcat/loop.c - see loop.h. */
#include "tools/hdcat/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* then the endpoint has a turn */

struct loop {
	struct watch signals;
	int epfd;
	struct hdcat *c;
};

static struct loop loop = { .signals.fd = -1, .epfd = -1 };

static void on_signal(struct watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	note(loop.c, "ends, by %s", strsignal((int)info.ssi_signo));
	if (loop.c->status == STATUS_RUNNING)
		loop.c->status = loop.c->status_at_signal;
}

/* Each connection is a descriptor: all that the system lets us have. */
static void descriptors(void)
{
	struct rlimit v;

	if (getrlimit(RLIMIT_NOFILE, &v) < 0)
		return;
	v.rlim_cur = v.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &v);
}

int loop_open(struct hdcat *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	descriptors();
	loop.c = c;
	loop.signals.ready = on_signal;
	loop.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop.epfd >= 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		loop.signals.fd =
			signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop.signals.fd >= 0 &&
	    watch_set(&loop.signals, EPOLLIN) == 0)
		return 0;
	fail(c, STATUS_BROKEN, "epoll: %s", strerror(errno));
	return -1;
}

void loop_close(void)
{
	watch_close(&loop.signals);
	if (loop.epfd >= 0)
		close(loop.epfd);
	loop.epfd = -1;
}

/* One at a time: who is told may free who comes next. */
void loop_turn(struct hdcat *c, int64_t until_ms)
{
	struct pollfd fd = { .fd = loop.epfd, .events = POLLIN };
	struct epoll_event e;

	end_turn(c, &fd, 1, until_ms);
	for (unsigned i = 0; i < EVENTS_MAX; i++) {
		struct watch *w;

		if (epoll_wait(loop.epfd, &e, 1, 0) != 1)
			return;
		w = e.data.ptr;
		w->ready(w, e.events);
	}
}

int watch_set(struct watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };
	int op = EPOLL_CTL_MOD;

	if (w->events == events)
		return 0;
	if (events == 0)
		op = EPOLL_CTL_DEL;
	else if (w->events == 0)
		op = EPOLL_CTL_ADD;
	if (epoll_ctl(loop.epfd, op, w->fd, &e) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void watch_close(struct watch *w)
{
	if (w->fd < 0)
		return;
	(void)watch_set(w, 0);
	close(w->fd);
	w->fd = -1;
	w->events = 0;
}
