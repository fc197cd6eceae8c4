/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_events.c - which events there are, and who watches them. Main
 * thread. */
#include <hyper-derp/event.h>
#include <hyper-derp/near.h>
#include <stdio.h>
#include <string.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module.h"

enum { NAMES_MAX = 256, LIST_BYTES = 200 };

static const struct hd_event_def core_events[] = {
	{ "drain", "the relay drains: state warning, closing, drained, "
		   "or serving again" },
	{ "drops", "packets were dropped, by reason, at most once a second" },
	{ "module", "a module was loaded, unloaded or reloaded; or lost: a "
		    "reload failed in its new code and in its old" },
	{ "peer.denied", "a key was refused" },
	{ "peer.down", "a connection of a key has ended" },
	{ "peer.up", "a key has logged in" },
	{ "reload", "the configuration was read again: ok or not" },
	{ "upgraded", "another process has taken over: the last line, "
		      "whatever is watched" },
	{ .name = NULL },
};

typedef void event_fn(void *arg, const char *module,
		      const struct hd_event_def *e);

static void each_of(const char *module, const struct hd_event_def *table,
		    event_fn *fn, void *arg)
{
	for (; table != NULL && table->name != NULL; table++)
		fn(arg, module, table);
}

static void each_event(event_fn *fn, void *arg)
{
	each_of(NULL, core_events, fn, arg);
	for (unsigned i = 0; i < hd_modules_n(); i++)
		each_of(hd_modules_at(i)->name, hd_modules_at(i)->def->events,
			fn, arg);
}

/* ---- is there such an event? ---- */

struct search {
	const char *filter; /* of n bytes */
	size_t n;
	bool found;
	const char *names[NAMES_MAX];
	size_t n_names;
};

/* "peer" stands for peer.up and peer.down. */
static bool stands_for(const struct search *s, const char *name)
{
	return strncmp(name, s->filter, s->n) == 0 &&
	       (name[s->n] == '\0' || name[s->n] == '.');
}

static void match_event(void *search, const char *module,
			const struct hd_event_def *e)
{
	struct search *s = search;

	(void)module;
	s->found |= stands_for(s, e->name);
	if (s->n_names < NAMES_MAX)
		s->names[s->n_names++] = e->name;
}

/* A module built before there were tables may tell what it likes. */
static bool lists_no_events(const struct search *s)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);
		size_t n = strlen(mod->name);

		if (mod->def->events == NULL &&
		    strncmp(s->filter, mod->name, n) == 0 &&
		    (s->n == n || (s->n > n && s->filter[n] == '.')))
			return true;
	}
	return false;
}

static void list_names(const struct search *s, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < s->n_names && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s",
				      i > 0 ? ", " : "", s->names[i]);
	if (n >= size)
		strcpy(buf + size - sizeof("..."), "...");
}

static void refuse(struct hd_call *c, const struct search *s)
{
	char said[64], all[LIST_BYTES],
		why[sizeof(((struct hd_error *)0)->text)];
	const char *nearest;

	snprintf(said, sizeof(said), "%.*s", (int)s->n, s->filter);
	list_names(s, all, sizeof(all));
	nearest = hd_near(said, s->names, s->n_names);
	snprintf(why, sizeof(why),
		 "there is no event \"%s\"%s%s%s; of this relay and its "
		 "modules there are: %s",
		 said, nearest != NULL ? "; is \"" : "",
		 nearest != NULL ? nearest : "",
		 nearest != NULL ? "\" meant?" : "", all);
	hd_call_fail(c, "bad_argument", why);
}

/* Returns false: refused. */
static bool check_filters(struct hd_call *c, const char *filters)
{
	while (filters != NULL && *filters != '\0') {
		struct search s = { .filter = filters,
				    .n = strcspn(filters, " ") };

		each_event(match_event, &s);
		if (s.n > 0 && !s.found && !lists_no_events(&s)) {
			refuse(c, &s);
			return false;
		}
		filters += s.n + (filters[s.n] == ' ');
	}
	return true;
}

static void run_watch(struct hd_module *mod, struct hd_call *c)
{
	const char *filters = hd_call_arg(c, "event");

	(void)mod;
	if (!check_filters(c, filters))
		return;
	hd_watch_begin(c->client, filters);
	hd_out_open(c, NULL, '{');
	hd_out_bool(c, "watching", true);
	hd_out_close(c);
}

static void put_event(void *call, const char *module,
		      const struct hd_event_def *e)
{
	struct hd_call *c = call;

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "event", e->name);
	hd_out_string(c, "module", module);
	hd_out_string(c, "help", e->help);
	hd_out_close(c);
}

static void run_events(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '[');
	each_event(put_event, c);
	hd_out_close(c);
}

const struct hd_command hd_cmd_events[] = {
	{ .words = "events",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "list the events that watch prints",
	  .columns = "event module help",
	  .run = run_events },
	{ .words = "watch",
	  .args = "[EVENT...]",
	  .role = HD_ROLE_READ,
	  .help = "print events as they happen: all, or those named (peer, "
		  "peer.up, drops, reload, drain, module)",
	  .run = run_watch },
	{ .words = NULL },
};
