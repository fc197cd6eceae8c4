/* SPDX-License-Identifier: MIT */
/* tools/hdcat/lookup.c - see lookup.h. The thread has the struct too: whoever
 * is last frees it. */
#include "tools/hdcat/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKUPS_MAX 32 /* a resolver may take half a minute for each */

struct lookup {
	atomic_uint users;
	int fd, error;
	char *host, *port;
	struct addrinfo *found;
};

static atomic_uint under_way;

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

static void *run(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICSERV };
	struct lookup *l = arg;

	l->error = getaddrinfo(l->host, l->port, &hints, &l->found);
	atomic_fetch_sub(&under_way, 1);
	(void)eventfd_write(l->fd, 1);
	put(l);
	return NULL;
}

static int start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (atomic_fetch_add(&under_way, 1) >= LOOKUPS_MAX) {
		atomic_fetch_sub(&under_way, 1);
		return -EBUSY;
	}
	atomic_store(&l->users, 2);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = -pthread_create(&thread, &attr, run, l);
	pthread_attr_destroy(&attr);
	if (r < 0) {
		atomic_fetch_sub(&under_way, 1);
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
	*ret = l->found;
	l->found = NULL;
	return l->error;
}

void lookup_free(struct lookup **l)
{
	if (*l != NULL)
		put(*l);
	*l = NULL;
}
