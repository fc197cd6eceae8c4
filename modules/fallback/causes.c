/* SPDX-License-Identifier: MIT */
/* modules/fallback/causes.c - a server that is down is one cause, however many
 * browsers ask for it: a line of the log each minute. */
#include <hyper-derp/log.h>
#include <pthread.h>
#include <string.h>
#include "modules/fallback/fallback.h"

enum { EVERY_MS = 60000, CAUSES_MAX = 16, TO_BYTES = 128 };

static struct cause {
	char to[TO_BYTES];
	int error; /* 0: free */
	uint64_t said_ms;
	unsigned held; /* since then, of which nothing was said */
} causes[CAUSES_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_it(const struct cause *c, const char *to, int error)
{
	return c->error == error && strncmp(c->to, to, TO_BYTES - 1) == 0;
}

/* Its own, a free one, or that of which nothing was said for longest. */
static struct cause *find(const char *to, int error)
{
	struct cause *best = &causes[0];

	for (struct cause *c = causes; c < causes + CAUSES_MAX; c++) {
		if (is_it(c, to, error))
			return c;
		if (c->said_ms < best->said_ms)
			best = c;
	}
	*best = (struct cause){ .error = error };
	strncpy(best->to, to, TO_BYTES - 1);
	return best;
}

void fallback_failed(uint64_t now_ms, const char *to, int error,
		     const char *text)
{
	struct cause *c;
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	c = find(to, error);
	c->held++;
	if (c->said_ms == 0 || now_ms - c->said_ms >= EVERY_MS) {
		n = c->held;
		c->held = 0;
		c->said_ms = now_ms;
	}
	pthread_mutex_unlock(&lock);
	if (n > 0)
		hd_log_warn("the web server is not reached: to=%s times=%u "
			    "error=\"%s\"",
			    to, n, text);
}
