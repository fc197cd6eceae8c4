/* SPDX-License-Identifier: MIT */
/* core/loop/mainloop.c - what the main thread waits for. */
#include "core/loop/mainloop.h"
#include "core/base/clock.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

struct watch { /* by descriptor; gen outlives the watch */
	hd_main_fn *fn; /* NULL: nobody watches */
	void *arg;
	uint32_t gen; /* of an earlier one: a late event */
};

static struct {
	pthread_t thread;
	int epoll_fd, wake_fd; /* -1: it does not run */
	struct watch *watches;
	size_t n_watches;
} loop = { .epoll_fd = -1, .wake_fd = -1 };

static struct {
	pthread_mutex_t lock;
	struct hd_main_post *first, *last;
} posts = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- descriptors ---- */

static int make_room(int fd)
{
	size_t n = loop.n_watches > 0 ? loop.n_watches : 64;

	if ((size_t)fd < loop.n_watches)
		return 0;
	while (n <= (size_t)fd)
		n *= 2;
	struct watch *v = realloc(loop.watches, n * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	for (size_t i = loop.n_watches; i < n; i++)
		v[i] = (struct watch){ 0 };
	loop.watches = v;
	loop.n_watches = n;
	return 0;
}

int hd_main_watch(int fd, uint32_t events, hd_main_fn *fn, void *arg)
{
	int r = make_room(fd);

	if (r < 0)
		return r;
	struct watch *w = &loop.watches[fd];
	struct epoll_event e = {
		.events = events,
		.data.u64 = (uint64_t)w->gen << 32 | (uint32_t)fd,
	};

	if (epoll_ctl(loop.epoll_fd,
		      w->fn != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &e) < 0)
		return -errno;
	w->fn = fn;
	w->arg = arg;
	return 0;
}

void hd_main_unwatch(int fd)
{
	if ((size_t)fd >= loop.n_watches || loop.watches[fd].fn == NULL)
		return;
	epoll_ctl(loop.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	loop.watches[fd].fn = NULL;
	loop.watches[fd].gen++;
}

bool hd_main_watched(int fd)
{
	return (size_t)fd < loop.n_watches && loop.watches[fd].fn != NULL;
}

static int until_next_timer(int timeout_ms)
{
	uint64_t next_ms = hd_main_timers_next_ms(), now_ms = hd_clock_ms();
	uint64_t ms = next_ms > now_ms ? next_ms - now_ms : 0;

	if (next_ms == UINT64_MAX || (timeout_ms >= 0 &&
				      ms > (uint64_t)timeout_ms))
		return timeout_ms;
	return (int)HD_MIN(ms, (uint64_t)INT_MAX);
}

void hd_main_turn(int timeout_ms)
{
	struct epoll_event v[EVENTS_PER_TURN];
	int n = epoll_wait(loop.epoll_fd, v, HD_ARRAY_N(v),
			   until_next_timer(timeout_ms));

	for (int i = 0; i < n; i++) {
		uint32_t fd = (uint32_t)v[i].data.u64;
		struct watch *w = &loop.watches[fd];

		if (w->fn != NULL && w->gen == v[i].data.u64 >> 32)
			w->fn(w->arg, v[i].events);
	}
	hd_main_timers_run();
}

/* ---- posts ---- */

void hd_main_post(struct hd_main_post *post)
{
	post->next = NULL;
	pthread_mutex_lock(&posts.lock);
	if (posts.last != NULL)
		posts.last->next = post;
	else
		posts.first = post;
	posts.last = post;
	pthread_mutex_unlock(&posts.lock);
	eventfd_write(loop.wake_fd, 1);
}

static struct hd_main_post *take_posts(void)
{
	pthread_mutex_lock(&posts.lock);
	struct hd_main_post *first = posts.first;

	posts.first = NULL;
	posts.last = NULL;
	pthread_mutex_unlock(&posts.lock);
	return first;
}

void hd_main_posts_run(void)
{
	struct hd_main_post *p = take_posts();

	while (p != NULL) {
		struct hd_main_post *next = p->next;

		p->fn(p);
		p = next;
	}
}

static void on_wake(void *unused, uint32_t events)
{
	eventfd_t n;

	(void)unused;
	(void)events;
	eventfd_read(loop.wake_fd, &n);
	hd_main_posts_run();
}

/* ---- begin and end ---- */

bool hd_main_runs(void)
{
	return loop.epoll_fd >= 0;
}

void hd_main_assert(void)
{
	hd_assert(!hd_main_runs() ||
		  pthread_equal(loop.thread, pthread_self()));
}

int hd_main_init(void)
{
	loop.thread = pthread_self();
	loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = loop.epoll_fd < 0 || loop.wake_fd < 0 ? -errno : 0;

	if (r == 0)
		r = hd_main_watch(loop.wake_fd, EPOLLIN, on_wake, NULL);
	if (r < 0)
		hd_main_free();
	return r;
}

void hd_main_free(void)
{
	hd_main_posts_run();
	hd_main_timers_end();
	if (loop.wake_fd >= 0)
		close(loop.wake_fd);
	if (loop.epoll_fd >= 0)
		close(loop.epoll_fd);
	free(loop.watches);
	loop.watches = NULL;
	loop.n_watches = 0;
	loop.wake_fd = -1;
	loop.epoll_fd = -1;
}
