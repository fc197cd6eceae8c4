/* SPDX-License-Identifier: MIT */
/* core/route.c - who answers which path. A list: a relay has a dozen routes,
 * and they are looked up once per connection. Changed on the main thread while
 * no worker runs. */
#include "core/http.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct hd_route_entry *routes;

static bool same_place(const struct hd_route *a, const char *listener,
		       const char *path)
{
	if ((a->listener == NULL) != (listener == NULL))
		return false;
	if (listener != NULL && strcmp(a->listener, listener) != 0)
		return false;
	return strcmp(a->path, path) == 0;
}

static bool clash(const struct hd_route *a, const struct hd_route *b)
{
	if (!same_place(a, b->listener, b->path))
		return false;
	if (a->answer != NULL && b->answer != NULL)
		return true;
	return a->token != NULL && b->token != NULL &&
	       strcasecmp(a->token, b->token) == 0;
}

static const char *fault(const struct hd_route *route)
{
	if (route->path == NULL || route->path[0] != '/')
		return "its path does not begin with /";
	if (route->methods == 0)
		return "it names no method";
	if (route->answer == NULL && route->token == NULL)
		return "it has neither an answer nor an upgrade token";
	if (route->token == NULL)
		return NULL;
	if (route->proto == NULL)
		return "it upgrades to no protocol";
	if (route->upgrade == NULL && route->websocket == HD_WS_NONE)
		return "nothing writes the answer to its upgrade";
	return NULL;
}

int hd_route_add(struct hd_module *mod, const struct hd_route *route,
		 struct hd_error *err)
{
	struct hd_route_entry **at = &routes, *entry;
	const char *wrong = fault(route);

	if (wrong != NULL)
		return hd_error_set(
			err, -EINVAL,
			"route %s is refused: %s: the module has "
			"a bug, report it to its author",
			route->path != NULL ? route->path : "(none)", wrong);
	for (; *at != NULL; at = &(*at)->next) {
		if (!clash(&(*at)->route, route))
			continue;
		return hd_error_set(err, -EEXIST,
				    "route %s%s%s is taken by module %s: load "
				    "only one of the two modules",
				    route->path, route->token ? " for " : "",
				    route->token ? route->token : "",
				    (*at)->mod->name);
	}
	entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return hd_error_set(err, -ENOMEM, "route %s: out of memory",
				    route->path);
	*entry = (struct hd_route_entry){ .route = *route, .mod = mod };
	*at = entry;
	return 0;
}

static const struct hd_route_entry *find(const struct hd_route_entry *entry,
					 const char *listener, const char *path)
{
	while (entry != NULL && !same_place(&entry->route, listener, path))
		entry = entry->next;
	return entry;
}

const struct hd_route_entry *hd_routes_first(void)
{
	return routes;
}

const struct hd_route_entry *hd_route_find(const char *listener,
					   const char *path)
{
	return find(routes, listener, path);
}

const struct hd_route_entry *hd_route_next(const struct hd_route_entry *entry)
{
	return find(entry->next, entry->route.listener, entry->route.path);
}

void hd_routes_free(struct hd_module *mod)
{
	struct hd_route_entry **at = &routes;

	while (*at != NULL) {
		struct hd_route_entry *entry = *at;

		if (mod != NULL && entry->mod != mod) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		free(entry);
	}
}
