/* SPDX-License-Identifier: MIT */
/* core/loop/main_watch.c - descriptors that modules watch on the main thread.
 */
#include <errno.h>
#include <hyper-derp/mainloop.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "core/base/dry.h"
#include "core/loop/mainloop.h"

struct watch {
	struct hd_module *mod;
	int fd;
	unsigned events;
	hd_watch_fn *fn;
	void *arg;
	struct watch *next;
};

static struct watch *all;

/* The link that leads to it, or to the end. */
static struct watch **find(const struct hd_module *mod, int fd)
{
	struct watch **at = &all;

	while (*at != NULL && ((*at)->mod != mod || (*at)->fd != fd))
		at = &(*at)->next;
	return at;
}

static void end(struct watch **at)
{
	struct watch *w = *at;

	*at = w->next;
	hd_main_unwatch(w->fd);
	free(w);
}

static void on_events(void *arg, uint32_t epoll_events)
{
	struct watch *w = arg;
	unsigned events = 0;

	if (epoll_events & EPOLLIN)
		events |= HD_WATCH_READ;
	if (epoll_events & EPOLLOUT)
		events |= HD_WATCH_WRITE;
	if (epoll_events & (EPOLLERR | EPOLLHUP))
		events = w->events;
	w->fn(w->mod, w->fd, events, w->arg);
}

static uint32_t epoll_events(unsigned events)
{
	return (events & HD_WATCH_READ ? EPOLLIN : 0u) |
	       (events & HD_WATCH_WRITE ? EPOLLOUT : 0u);
}

static int watch_more(struct hd_module *mod, int fd, unsigned events)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (w == NULL)
		return -ENOMEM;
	r = hd_main_watched(fd) ? -EBUSY
				: hd_main_watch(fd, epoll_events(events),
						on_events, w);
	if (r < 0) {
		free(w);
		return r;
	}
	*w = (struct watch){ .mod = mod, .fd = fd, .next = all };
	all = w;
	return 0;
}

int hd_watch(struct hd_module *mod, int fd, unsigned events, hd_watch_fn *fn,
	     void *arg)
{
	int r;

	hd_main_assert();
	if ((events & (HD_WATCH_READ | HD_WATCH_WRITE)) == 0)
		return -EINVAL;
	if (fd < 0)
		return -EBADF;
	if (hd_dry)
		return 0;
	struct watch *w = *find(mod, fd);

	r = w == NULL ? watch_more(mod, fd, events)
		      : hd_main_watch(fd, epoll_events(events), on_events, w);
	if (r < 0)
		return r;
	w = *find(mod, fd);
	w->events = events;
	w->fn = fn;
	w->arg = arg;
	return 0;
}

void hd_unwatch(struct hd_module *mod, int fd)
{
	struct watch **at = find(mod, fd);

	hd_main_assert();
	if (*at != NULL)
		end(at);
}

static void withdraw(const struct hd_module *mod)
{
	struct watch **at = &all;

	while (*at != NULL) {
		if ((*at)->mod == mod)
			end(at);
		else
			at = &(*at)->next;
	}
}

const struct hd_kind hd_watch_kind = {
	.name = "descriptors that the main thread watches",
	.withdraw = withdraw,
	.to_the_last = true,
};
