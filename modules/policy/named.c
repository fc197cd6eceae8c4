/* SPDX-License-Identifier: MIT */
/* modules/policy/named.c - tenants that an admission service names of itself.
 * The relay has numbers for 2047 at once, for everybody. So one service, which
 * may lie, has POLICY_NAMED_MAX of them, and the other services and the rules
 * have the rest. A name makes room when nobody is of that tenant any more, and
 * is looked at again when a key is let in by what was said before. Any worker.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/service.h"

struct named { /* of a service */
	struct named *next;
	unsigned n;
	struct {
		char name[HD_TENANT_BYTES];
		uint64_t used_ms; /* given, or found in use, the last time */
	} v[POLICY_NAMED_MAX];
	char url[];
};

static struct named *first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* NULL when out of memory. */
static struct named *named_of(const char *url)
{
	struct named *s = first;

	while (s != NULL && strcmp(s->url, url) != 0)
		s = s->next;
	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s) + strlen(url) + 1);
	if (s == NULL)
		return NULL;
	strcpy(s->url, url);
	s->next = first;
	first = s;
	return s;
}

enum {
	REST_MS = 10000, /* a login is on its way to its tenant */
	LOOKS_MAX = 4, /* for one that nobody has */
};

static unsigned place_of(const struct named *s, const char *name)
{
	unsigned i = 0;

	while (i < s->n && strcmp(s->v[i].name, name) != 0)
		i++;
	return i;
}

static unsigned oldest_of(const struct named *s)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < s->n; i++)
		if (s->v[i].used_ms < s->v[oldest].used_ms)
			oldest = i;
	return oldest;
}

/* Of a full one. Returns its place; s->n: all that it looked at are in use. */
static unsigned make_room(struct named *s, uint64_t now_ms)
{
	for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
		unsigned i = oldest_of(s);

		if (now_ms < s->v[i].used_ms + REST_MS)
			break;
		if (!hd_tenant_is_used(s->v[i].name))
			return i;
		s->v[i].used_ms = now_ms;
	}
	return s->n;
}

static int give(struct named *s, const char *name, uint64_t now_ms)
{
	unsigned i = place_of(s, name);

	if (i == s->n && s->n == POLICY_NAMED_MAX)
		i = make_room(s, now_ms);
	if (i == POLICY_NAMED_MAX)
		return -ENOSPC;
	snprintf(s->v[i].name, sizeof(s->v[i].name), "%s", name);
	s->v[i].used_ms = now_ms;
	s->n = HD_MAX(s->n, i + 1);
	return 0;
}

int policy_named(const char *url, const char *name, uint64_t now_ms)
{
	struct named *s;
	int r = -ENOMEM;

	pthread_mutex_lock(&lock);
	s = named_of(url);
	if (s != NULL)
		r = give(s, name, now_ms);
	pthread_mutex_unlock(&lock);
	return r;
}

void policy_named_end(void)
{
	while (first != NULL) {
		struct named *s = first;

		first = s->next;
		free(s);
	}
}
