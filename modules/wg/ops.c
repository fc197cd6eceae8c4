/* SPDX-License-Identifier: MIT */
/* modules/wg/ops.c - a change is durable, then live, then answered. */
#include "modules/wg/ops.h"
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "modules/wg/state.h"

enum { FEW_CHANGES = 64 }; /* more of them go as one plan */

static struct {
	struct wg_roster *roster;
} ops;

static void free_text(char **text)
{
	free(*text);
}

struct wg_roster *wg_ops_roster(void)
{
	return ops.roster;
}

uint16_t wg_ops_port(struct hd_module *mod)
{
	const struct wg_conf *conf = hd_module_conf(mod);

	return conf->listen.sa.sa_family != AF_UNSPEC
		       ? ntohs(conf->listen.in.sin_port)
		       : (uint16_t)conf->port;
}

/* ---- the engine ---- */

static void fill_peer(struct wg_peer_conf *to, const struct wg_entry *p)
{
	_Static_assert(sizeof(to->name) >= sizeof(p->name) &&
			       sizeof(to->nic) >= sizeof(p->nic),
		       "what the roster takes fits the engine");
	memset(to, 0, sizeof(*to));
	strcpy(to->name, p->name);
	strcpy(to->nic, p->nic);
	to->has_key = wg_entry_has_key(p);
	to->has_endpoint = wg_entry_has_endpoint(p);
	memcpy(to->key, p->key.b, sizeof(to->key));
	to->endpoint = p->endpoint;
}

static struct wg_plan *make_plan(const struct wg_roster *r)
{
	struct wg_plan *plan = wg_plan_new(r->n_peers, r->n_links);
	uint32_t i = 0, j = 0;

	if (plan == NULL)
		return NULL;
	for (const struct wg_entry *p = r->by_name; p != NULL;
	     p = p->by_name.next) {
		fill_peer(&plan->peers[i++], p);
		for (uint32_t k = 0; k < p->n_edges; k++) {
			if (!p->edges[k].first)
				continue;
			strcpy(plan->links[j].a, p->name);
			strcpy(plan->links[j++].b, p->edges[k].peer->name);
		}
	}
	hd_assert(i == r->n_peers && j == r->n_links);
	return plan;
}

static int apply_all(struct hd_module *mod)
{
	struct wg_plan *plan = make_plan(ops.roster);

	return plan == NULL ? -ENOMEM : wg_engine_apply(mod, &plan);
}

static int apply_one(struct hd_module *mod, const struct wg_change *c)
{
	struct wg_peer_conf conf;

	switch (c->kind) {
	case WG_PEER_ADDED:
	case WG_PEER_UPDATED:
		fill_peer(&conf, c->a);
		return wg_engine_peer_put(mod, &conf);
	case WG_PEER_REMOVED:
		return wg_engine_peer_remove(mod, c->a->name);
	case WG_LINK_ADDED:
		return wg_engine_link_put(mod, c->a->name, c->b->name);
	default:
		return wg_engine_link_remove(mod, c->a->name, c->b->name);
	}
}

static void tell_one(const struct wg_change *c)
{
	static const char *const names[] = {
		[WG_PEER_ADDED] = "wg.peer_added",
		[WG_PEER_UPDATED] = "wg.peer_updated",
		[WG_PEER_REMOVED] = "wg.peer_removed",
		[WG_LINK_ADDED] = "wg.link_added",
		[WG_LINK_REMOVED] = "wg.link_removed",
	};
	json_t *data = c->b != NULL ? json_pack("{s:s,s:s}", "a", c->a->name,
						"b", c->b->name)
				    : json_pack("{s:s}", "name", c->a->name);
	HD_AUTO(free_text) char *text = json_dumps(data, JSON_COMPACT);

	json_decref(data);
	hd_event(names[c->kind], text);
}

static int apply(struct hd_module *mod, const struct wg_changes *c)
{
	int r = 0;

	if (c->n > FEW_CHANGES)
		return apply_all(mod);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = apply_one(mod, &c->v[i]);
	return r;
}

static int check_entry(const struct wg_conf *conf, const struct wg_entry *p,
		       struct wg_refusal *why)
{
	int r = wg_looks_check(p, why);

	return r < 0 ? r : wg_own_check(conf, p, why);
}

/* Of a peer that was there, what has not changed is not asked. */
static int check_change(const struct wg_conf *conf, const struct wg_change *c,
			struct wg_refusal *why)
{
	const union hd_addr *is = &c->a->endpoint;
	int r = 0;

	if (c->kind == WG_PEER_ADDED)
		return check_entry(conf, c->a, why);
	if (c->kind != WG_PEER_UPDATED || !wg_entry_has_endpoint(c->a) ||
	    memcmp(is, &c->old->endpoint, sizeof(*is)) == 0)
		return 0;
	r = wg_addr_check(is, why);
	return r < 0 ? r : wg_own_check(conf, c->a, why);
}

static int check_changes(const struct wg_conf *conf, const struct wg_changes *c,
			 struct wg_refusal *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = check_change(conf, &c->v[i], why);
	return r;
}

bool wg_ops_commit(struct hd_module *mod, struct hd_call *call,
		   struct wg_changes *c, int r, struct wg_refusal *why)
{
	struct hd_error err = { "" };

	if (r == 0)
		r = check_changes(hd_module_conf(mod), c, why);
	if (r < 0)
		hd_call_refuse(call, why->code, "%s", why->err.text);
	else if (c->n > 0 && wg_file_save(ops.roster, &err) < 0)
		hd_call_refuse(call, "wg_roster_failed",
			       "nothing has changed: the roster cannot be "
			       "written: %s",
			       err.text);
	else
		r = 1;
	if (r <= 0) {
		wg_changes_undo(c, ops.roster);
		return false;
	}
	r = apply(mod, c);
	if (r < 0)
		hd_call_refuse(call, "no_memory",
			       "it is in the roster, but not at work: out of "
			       "memory; restart the relay");
	for (size_t i = 0; i < c->n && hd_event_wanted(); i++)
		tell_one(&c->v[i]);
	wg_changes_free(c);
	return r == 0;
}

/* ---- life ---- */

/* The configuration's are refused. Those of the file have been taken before:
 * they are named, no more. */
static int check_all(const struct wg_conf *conf, const struct wg_roster *r,
		     struct hd_error *err)
{
	struct wg_refusal why;

	for (const struct wg_entry *p = r->by_name; p != NULL;
	     p = p->by_name.next) {
		if (check_entry(conf, p, &why) == 0)
			continue;
		if (p->fixed)
			return hd_error_at(wg_yaml_at(&conf->yaml, p->name),
					   err, -EINVAL, "the peer %s: %s",
					   p->name, why.err.text);
		hd_log_warn("wg: the roster's peer %s: %s", p->name,
			    why.err.text);
	}
	return 0;
}

int wg_ops_check(const struct wg_conf *conf, struct hd_error *err)
{
	HD_AUTO(wg_roster_free) struct wg_roster *r = wg_roster_new();
	int e;

	if (r == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	e = wg_yaml_peers(r, &conf->yaml, false, err);
	if (e == 0)
		e = check_all(conf, r, err);
	if (e == 0)
		e = wg_yaml_links(r, &conf->yaml, true, err);
	return HD_MIN(e, 0);
}

/* What the configuration lists, what the file has, who of them are linked. */
static int read_roster(const struct wg_conf *conf, struct hd_error *err)
{
	int r = wg_file_use(conf->roster_path, err);

	if (r < 0)
		return r;
	ops.roster = wg_roster_new();
	if (ops.roster == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = wg_yaml_peers(ops.roster, &conf->yaml, true, err);
	if (r == 0)
		r = wg_file_load(ops.roster, err);
	if (r >= 0 && check_all(conf, ops.roster, err) < 0)
		r = -EINVAL;
	if (r < 0)
		return r;
	r = wg_yaml_links(ops.roster, &conf->yaml, r == 0, err);
	if (r > 0)
		hd_log_warn("wg: %d of `wg.links` are left out: they name "
			    "peers that do not exist",
			    r);
	return HD_MIN(r, 0);
}

/* Whether the next load() will read what is there. */
static int try_file(const struct wg_conf *conf, struct hd_error *err)
{
	HD_AUTO(wg_roster_free) struct wg_roster *r = wg_roster_new();
	int e = wg_file_check(err);

	if (e != 0)
		return e;
	if (r == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	e = wg_yaml_peers(r, &conf->yaml, false, err);
	if (e == 0)
		e = wg_file_load(r, err);
	if (e >= 0)
		e = wg_yaml_links(r, &conf->yaml, e == 0, err);
	return e;
}

void wg_ops_reload(const struct wg_conf *conf)
{
	struct hd_error why = { "" }, err = { "" };
	const char *name;
	char path[256];

	if (ops.roster == NULL || try_file(conf, &why) >= 0)
		return;
	name = wg_file_path(path, sizeof(path));
	if (wg_file_save(ops.roster, &err) < 0)
		hd_log_error("wg: %s; and what the relay has cannot be "
			     "written: %s",
			     why.text, err.text);
	else
		hd_log_error("wg: %s. What the relay has is written in its "
			     "place; what was there is %.200s.before",
			     why.text, name);
}

static int add_commands(struct hd_module *mod, struct hd_error *err)
{
	static const struct hd_command *const tables[] = {
		wg_cmd_peer,  wg_cmd_link,   wg_cmd_show,
		wg_cmd_block, wg_cmd_import,
	};
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(tables); i++)
		for (const struct hd_command *c = tables[i];
		     r == 0 && c->words != NULL; c++)
			r = hd_command_add(mod, c, err);
	return r;
}

int wg_ops_load(struct hd_module *mod, const struct wg_conf *conf,
		struct hd_error *err)
{
	int r = read_roster(conf, err);
	char path[256];

	if (r == 0)
		r = add_commands(mod, err);
	if (r == 0 && apply_all(mod) < 0)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		wg_ops_unload();
		return r;
	}
	hd_log_notice("wg: roster read: peers=%u links=%u file=%s",
		      ops.roster->n_peers, ops.roster->n_links,
		      wg_file_path(path, sizeof(path)));
	return 0;
}

int wg_ops_read_again(struct hd_module *mod, struct hd_error *err)
{
	int r;

	wg_ops_unload();
	r = read_roster(hd_module_conf(mod), err);
	if (r == 0 && apply_all(mod) < 0)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	return r;
}

void wg_ops_unload(void)
{
	wg_roster_free(&ops.roster);
	wg_file_forget();
}
