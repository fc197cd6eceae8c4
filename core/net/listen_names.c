/* SPDX-License-Identifier: MIT */
/* core/net/listen_names.c - names of listeners that modules have taken for
 * themselves. Written by the main thread, read by any: entries stay for good,
 * so that what was private is not public when its module has gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/listener.h"

struct taken {
	const struct taken *next;
	char name[];
};

static const struct taken *first; /* atomic */

bool hd_listener_is_taken(const char *name)
{
	const struct taken *t = __atomic_load_n(&first, __ATOMIC_ACQUIRE);

	while (t != NULL && strcmp(t->name, name) != 0)
		t = t->next;
	return t != NULL;
}

int hd_listener_take(const char *name)
{
	struct taken *t;

	if (hd_listener_is_taken(name))
		return 0;
	t = malloc(sizeof(*t) + strlen(name) + 1);
	if (t == NULL)
		return -ENOMEM;
	strcpy(t->name, name);
	t->next = first;
	__atomic_store_n(&first, t, __ATOMIC_RELEASE);
	return 0;
}

const char *hd_listener_routes(const struct hd_listener *l)
{
	if (l->mod == NULL && l->name != NULL && !hd_listener_is_taken(l->name))
		return NULL;
	return l->name;
}
