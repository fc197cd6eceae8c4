/* SPDX-License-Identifier: MIT */
/* tools/hdcat/lookup.c - see lookup.h. The thread has the struct too: whoever
 * is last frees it. */
#include "tools/hdcat/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A resolver may take half a minute for each; others wait for a thread, as long
 * as somebody wants to know. So there are no more of them than connections. */
#define THREADS_MAX 32

struct lookup {
	atomic_uint users;
	atomic_int error; /* written behind found, read before it */
	int fd;
	char *host, *port;
	struct addrinfo *found;
	struct lookup *next; /* that waits */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *waiting, **last = &waiting;
static unsigned threads;

static void put(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (l->found != NULL)
		freeaddrinfo(l->found);
	if (l->fd >= 0)
		close(l->fd);
	free(l->host);
	free(l->port);
	free(l);
}

/* Of those that wait; NULL: none, and this thread ends. */
static struct lookup *next(void)
{
	struct lookup *l;

	pthread_mutex_lock(&lock);
	l = waiting;
	if (l == NULL)
		threads--;
	else
		waiting = l->next;
	if (waiting == NULL)
		last = &waiting;
	pthread_mutex_unlock(&lock);
	return l;
}

/* One that nobody waits for any more. Returns whether no thread has it. */
static bool leave(struct lookup *l)
{
	struct lookup **at = &waiting;
	bool waits;

	pthread_mutex_lock(&lock);
	while (*at != NULL && *at != l)
		at = &(*at)->next;
	waits = *at == l;
	if (waits) {
		*at = l->next;
		last = *at == NULL ? at : last;
	}
	pthread_mutex_unlock(&lock);
	return waits;
}

static void *run(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICSERV };
	int r;

	for (struct lookup *l = arg; l != NULL; l = next()) {
		r = getaddrinfo(l->host, l->port, &hints, &l->found);
		atomic_store(&l->error, r);
		(void)eventfd_write(l->fd, 1);
		put(l);
	}
	return NULL;
}

/* Returns whether it waits for a thread; else one may be made for it. */
static bool waits(struct lookup *l)
{
	bool full;

	pthread_mutex_lock(&lock);
	full = threads == THREADS_MAX;
	if (full) {
		*last = l;
		last = &l->next;
	} else {
		threads++;
	}
	pthread_mutex_unlock(&lock);
	return full;
}

static int start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	atomic_store(&l->users, 2);
	if (waits(l))
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = -pthread_create(&thread, &attr, run, l);
	pthread_attr_destroy(&attr);
	if (r < 0) {
		pthread_mutex_lock(&lock);
		threads--;
		pthread_mutex_unlock(&lock);
		atomic_store(&l->users, 1);
	}
	return r;
}

int lookup_begin(const char *host, const char *port, struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (l == NULL)
		return -ENOMEM;
	atomic_store(&l->users, 1);
	l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->fd < 0)
		r = -errno;
	l->host = strdup(host);
	l->port = strdup(port);
	if (l->fd >= 0 && l->host != NULL && l->port != NULL)
		r = start(l);
	if (r < 0) {
		put(l);
		return r;
	}
	*ret = l;
	return 0;
}

int lookup_fd(const struct lookup *l)
{
	return l->fd;
}

int lookup_take(struct lookup *l, struct addrinfo **ret)
{
	int r = atomic_load(&l->error);

	*ret = l->found;
	l->found = NULL;
	return r;
}

void lookup_free(struct lookup **l)
{
	if (*l != NULL && leave(*l))
		put(*l); /* as the thread would have */
	if (*l != NULL)
		put(*l);
	*l = NULL;
}
