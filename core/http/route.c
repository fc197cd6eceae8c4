/* SPDX-License-Identifier: MIT */
/* core/http/route.c - who answers which path. A list: a relay has a dozen
 * routes, and they are looked up once per connection. */
#include "core/base/module_id.h"
#include "core/http/http.h"
#include "core/net/listener.h"
#include "core/stream/stream.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SUBPROTOCOL_MAX_BYTES 64
/* RFC 9110, 5.6.2 */
#define TOKEN_CHARS                                                            \
	"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"                  \
	"abcdefghijklmnopqrstuvwxyz"

#define REST_PATH "" /* no request has it */

static struct hd_entries routes;

/* Of a link, which may be NULL: it is the first member. */
static struct hd_route_entry *entry_of(struct hd_entry_link *link)
{
	return (struct hd_route_entry *)link;
}

const struct hd_route_entry *hd_routes_after(const struct hd_route_entry *entry)
{
	return entry_of(
		hd_entries_after(&routes, entry != NULL ? &entry->link : NULL));
}

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
	if (a->rest)
		return true;
	if (a->answer != NULL && b->answer != NULL)
		return true;
	return a->token != NULL && b->token != NULL &&
	       strcasecmp(a->token, b->token) == 0;
}

/* What stands in a header of the 101. */
static bool names_ok(const char *const *names)
{
	for (; names != NULL && *names != NULL; names++) {
		size_t n = strlen(*names);

		if (n == 0 || n > SUBPROTOCOL_MAX_BYTES ||
		    (*names)[strspn(*names, TOKEN_CHARS)] != '\0')
			return false;
	}
	return true;
}

static const char *websocket_fault(const struct hd_route *route)
{
	if (!names_ok(route->subprotocols))
		return "a subprotocol is not a token of at most 64 characters";
	if (route->subprotocol_needed && route->subprotocols == NULL)
		return "it needs a subprotocol and has none";
	if (route->websocket == HD_WS_MODE_BYTES)
		return route->proto->data == NULL
			       ? "its protocol takes no bytes"
			       : NULL;
	if (route->proto->message == NULL)
		return "its protocol takes no messages";
	if (route->message_max_bytes > HD_WS_MESSAGE_MAX_BYTES)
		return "its messages are too large";
	return NULL;
}

static const char *rest_fault(const struct hd_route *route)
{
	if (route->path != NULL || route->answer != NULL ||
	    route->token != NULL || route->methods != 0)
		return "the rest has no path, method, answer or token";
	if (route->proto == NULL || route->proto->data == NULL)
		return "nothing takes the bytes of the rest";
	return NULL;
}

static const char *fault(const struct hd_route *route)
{
	if (route->rest)
		return rest_fault(route);
	if (route->path == NULL || route->path[0] != '/')
		return "its path does not begin with /";
	if (route->below && route->path[strlen(route->path) - 1] != '/')
		return "its path has others below it and does not end with /";
	if (route->methods == 0)
		return "it names no method";
	if (route->answer == NULL && route->token == NULL)
		return "it has neither an answer nor an upgrade token";
	if (route->token == NULL)
		return NULL;
	if (route->proto == NULL)
		return "it upgrades to no protocol";
	if (route->websocket != HD_WS_MODE_NONE)
		return websocket_fault(route);
	if (route->upgrade == NULL)
		return "nothing writes the answer to its upgrade";
	if (route->proto->data == NULL)
		return "its protocol takes no bytes";
	return NULL;
}

static const struct hd_route_entry *taken(struct hd_entry_link *link,
					  const struct hd_route *route)
{
	while (link != NULL && !clash(&entry_of(link)->route, route))
		link = link->next;
	return entry_of(link);
}

static int add(struct hd_module *mod, const struct hd_route *route,
	       struct hd_error *err)
{
	const struct hd_route_entry *other;

	other = taken(routes.first, route);
	if (other == NULL)
		other = taken(routes.drafts, route);
	if (other != NULL)
		return hd_error_set(err, -EEXIST,
				    "route %s%s%s is taken by module %s: load "
				    "only one of the two modules",
				    route->rest ? "for the rest" : route->path,
				    route->token ? " for " : "",
				    route->token ? route->token : "",
				    other->link.mod->name);
	struct hd_route_entry *entry = malloc(sizeof(*entry));

	if (entry == NULL)
		return hd_error_set(err, -ENOMEM, "route %s: out of memory",
				    route->path);
	if (route->listener != NULL && hd_listener_take(route->listener) < 0) {
		free(entry);
		return hd_error_set(err, -ENOMEM, "route %s: out of memory",
				    route->path);
	}
	*entry = (struct hd_route_entry){ .link.mod = mod, .route = *route };
	hd_entries_add(&routes, &entry->link);
	return 0;
}

int hd_route_add(struct hd_module *mod, const struct hd_route *route,
		 struct hd_error *err)
{
	const char *wrong = fault(route);
	struct hd_route copy = *route;

	if (wrong != NULL)
		return hd_error_set(
			err, -EINVAL,
			"route %s is refused: %s: the module has "
			"a bug, report it to its author",
			route->path != NULL ? route->path : "(none)", wrong);
	if (route->rest)
		copy.path = REST_PATH;
	return add(mod, &copy, err);
}

static const struct hd_route_entry *find(const struct hd_route_entry *entry,
					 const char *listener, const char *path)
{
	while (entry != NULL && !same_place(&entry->route, listener, path))
		entry = hd_routes_after(entry);
	return entry;
}

static bool is_below(const struct hd_route *route, const char *listener,
		     const char *path)
{
	return route->below && same_place(route, listener, route->path) &&
	       strncmp(path, route->path, strlen(route->path)) == 0;
}

const struct hd_route_entry *hd_route_find(const char *listener,
					   const char *path)
{
	const struct hd_route_entry *e =
		find(hd_routes_after(NULL), listener, path);

	if (e != NULL)
		return e;
	for (e = hd_routes_after(NULL); e != NULL; e = hd_routes_after(e))
		if (is_below(&e->route, listener, path))
			break;
	return e;
}

const struct hd_route_entry *hd_route_rest(const char *listener)
{
	return find(hd_routes_after(NULL), listener, REST_PATH);
}

const struct hd_route_entry *hd_route_next(const struct hd_route_entry *entry)
{
	return find(hd_routes_after(entry), entry->route.listener,
		    entry->route.path);
}

void hd_route_answer(const struct hd_route_entry *entry, struct hd_request *req)
{
	struct hd_account *before =
		hd_stream_enter(req->stream, entry->link.mod);

	entry->route.answer(entry->link.mod, req);
	hd_stream_leave(req->stream, before);
}

int hd_route_accept(const struct hd_route_entry *entry, struct hd_request *req)
{
	struct hd_account *before;
	int r;

	if (entry->route.accept == NULL)
		return 0;
	before = hd_stream_enter(req->stream, entry->link.mod);
	r = entry->route.accept(entry->link.mod, req);
	hd_stream_leave(req->stream, before);
	return r;
}

int hd_route_upgrade(const struct hd_route_entry *entry, struct hd_request *req,
		     void *state)
{
	const struct hd_route *route = &entry->route;
	struct hd_account *before =
		hd_stream_enter(req->stream, entry->link.mod);
	int r = 0;

	if (route->upgrade != NULL)
		r = route->upgrade(entry->link.mod, req, req->stream, state);
	hd_stream_leave(req->stream, before);
	return r;
}

static void each_of(struct hd_entry_link *link, const struct hd_module *mod,
		    void (*fn)(void *arg, const struct hd_route *route),
		    void *arg)
{
	for (; link != NULL; link = link->next)
		if (link->mod == mod)
			fn(arg, &entry_of(link)->route);
}

void hd_routes_each(const struct hd_module *mod,
		    void (*fn)(void *arg, const struct hd_route *route),
		    void *arg)
{
	each_of(routes.first, mod, fn, arg);
	each_of(routes.drafts, mod, fn, arg);
}

static void draft(void)
{
	hd_entries_draft(&routes);
}

static void publish(void)
{
	hd_entries_publish(&routes);
}

static void withdraw(const struct hd_module *mod)
{
	hd_entries_withdraw(&routes, mod);
}

static void reclaim(void)
{
	hd_entries_reclaim(&routes);
}

const struct hd_kind hd_route_kind = {
	.name = "routes",
	.draft = draft,
	.publish = publish,
	.withdraw = withdraw,
	.reclaim = reclaim,
};
