/* SPDX-License-Identifier: MIT */
/* modules/wg/ops.c - a change is durable, then live, then answered. */
#include "modules/wg/ops.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "modules/wg/state.h"
#include "modules/wg/yaml.h"

#define ROSTER_FILE "wg-roster"

enum {
	FIRST_BYTES = 1 << 20,
	ROSTER_MAX_BYTES = 1 << 28,
	FEW_CHANGES = 64, /* more of them go as one plan */
};

static struct {
	struct wg_roster *roster;
	char *path; /* NULL: in state_dir */
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

static const char *file_name(void)
{
	return ops.path != NULL ? ops.path : ROSTER_FILE;
}

/* ---- the file ---- */

/* Returns its length; -ENOENT; other -errno. */
static int read_file(char **ret, struct hd_error *err)
{
	int n = -EFBIG;

	for (size_t size = FIRST_BYTES; n == -EFBIG && size <= ROSTER_MAX_BYTES;
	     size *= 4) {
		free(*ret);
		*ret = malloc(size);
		if (*ret == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		n = hd_state_file_read(file_name(), *ret, size, err);
	}
	return n;
}

/* Returns 1; 0 there is none: nobody has been added yet, or this is a trial. */
static int load_file(struct wg_roster *r, struct hd_error *err)
{
	HD_AUTO(free_text) char *text = NULL;
	struct wg_changes c = { 0 };
	struct wg_refusal why;
	int n = read_file(&text, err), e;

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n;
	e = wg_text_apply(&c, r, file_name(), text, (size_t)n, &why);
	wg_changes_free(&c);
	return e < 0 ? hd_error_set(err, e, "%s", why.err.text) : 1;
}

static int save_file(struct hd_error *err)
{
	HD_AUTO(free_text) char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	wg_text_print(ops.roster, f);
	if (fclose(f) != 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	return hd_state_file_write(file_name(), text, n, err);
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

bool wg_ops_commit(struct hd_module *mod, struct hd_call *call,
		   struct wg_changes *c, int r, const struct wg_refusal *why)
{
	struct hd_error err = { "" };

	if (r < 0)
		hd_call_refuse(call, why->code, "%s", why->err.text);
	else if (c->n > 0 && save_file(&err) < 0)
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

int wg_ops_check(const struct wg_conf *conf, struct hd_error *err)
{
	HD_AUTO(wg_roster_free) struct wg_roster *r = wg_roster_new();
	int e;

	if (r == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	e = wg_yaml_peers(r, &conf->peers, false, err);
	if (e == 0)
		e = wg_yaml_links(r, &conf->links, true, err);
	return HD_MIN(e, 0);
}

/* What the configuration lists, what the file has, who of them are linked. */
static int read_roster(const struct wg_conf *conf, struct hd_error *err)
{
	int r;

	ops.roster = wg_roster_new();
	if (conf->roster_path != NULL)
		ops.path = strdup(conf->roster_path);
	if (ops.roster == NULL || (ops.path == NULL && conf->roster_path))
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = wg_yaml_peers(ops.roster, &conf->peers, true, err);
	if (r == 0)
		r = load_file(ops.roster, err);
	if (r < 0)
		return r;
	r = wg_yaml_links(ops.roster, &conf->links, r == 0, err);
	if (r > 0)
		hd_log_warn("wg: %d of `wg.links` are left out: they name "
			    "peers that do not exist",
			    r);
	return HD_MIN(r, 0);
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

	if (r == 0)
		r = add_commands(mod, err);
	if (r == 0 && apply_all(mod) < 0)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		wg_ops_unload();
		return r;
	}
	hd_log_notice("wg: roster read: peers=%u links=%u file=%s",
		      ops.roster->n_peers, ops.roster->n_links, file_name());
	return 0;
}

void wg_ops_unload(void)
{
	wg_roster_free(&ops.roster);
	free(ops.path);
	ops.path = NULL;
}
