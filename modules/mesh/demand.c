/* SPDX-License-Identifier: MIT */
/* modules/mesh/demand.c - links that another module wishes for, which finds out
 * where a key is (link.h, hd_link_wish()). Such a link does not watch who is at
 * the other relay: it has the ways that were wished for. It is trusted as any
 * other: by its certificate, and by the mesh key. Nobody misses it: it ends
 * when it is idle. Context: the link's worker. */
#include "modules/mesh/mesh.h"
#include <hyper-derp/hook.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 256 };

/* Returns NULL: it is no relay that could be dialled, or there is no memory. */
static struct mesh_link *begin(struct hd_module *mod, struct hd_worker *w,
			       struct mesh_member *m)
{
	char name[MESH_NAME_BYTES];
	struct mesh_link *l;

	memcpy(name, m->name, sizeof(name));
	if (mesh_links_add(mod, w, m, MESH_ON_DEMAND) < 0)
		return NULL;
	l = mesh_links_find(mesh_here(mod, w), name);
	hd_timer_set(l->timer, 1);
	return l;
}

/* One that stands in a list is as that says; it watches who is there, so it has
 * all ways without a wish, and would not be told that one is wrong. */
static struct mesh_link *link_for(struct hd_module *mod, struct hd_worker *w,
				  const struct hd_link_wish *wish)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	const struct mesh_member_conf c = { .name = wish->name,
					    .dial = wish->dial,
					    .ca_file = wish->ca_file,
					    .tls = true };
	struct mesh_link *l = mesh_links_find(mesh_here(mod, w), wish->name);
	struct hd_error err = { "" };
	struct mesh_member m;

	if (l != NULL && l->source != MESH_ON_DEMAND)
		return l;
	if (mesh_member_set(&m, &c, conf->ca_file, &err) < 0) {
		hd_log_warn("mesh: no link on demand: %s", err.text);
		mesh_member_free(&m);
		return NULL;
	}
	if (l != NULL && mesh_member_same(&l->to, &m)) {
		mesh_member_free(&m);
		return l;
	}
	if (l != NULL)
		mesh_links_remove(mod, w, l);
	return begin(mod, w, &m);
}

/* A number that somebody holds: once more, by its text. */
static void hold(uint16_t realm)
{
	struct hd_realm_text text = hd_realm_text(realm);

	hd_realm_hold(text.s, strlen(text.s), true, &realm);
}

/* Until it is up. */
static void remember(struct mesh_link *l, const struct hd_link_wish *wish)
{
	if (l->waiting == NULL)
		l->waiting = calloc(WAITING_MAX, sizeof(*l->waiting));
	if (l->waiting == NULL || l->n_waiting == WAITING_MAX)
		return;
	hold(wish->realm);
	l->waiting[l->n_waiting++] =
		(struct mesh_wanted){ wish->key, wish->realm };
}

/* An older relay of ours, or derper, would not know what to do with packets of
 * other realms. */
static void add_way(struct hd_stream *s, uint16_t realm,
		    const struct hd_key *key)
{
	if (mesh_realms_have(hd_stream_state(s), realm))
		hd_link_add(s, realm, key);
}

static void take_away(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_link_wish *wish)
{
	struct mesh_link *l = mesh_links_find(mesh_here(mod, w), wish->name);

	if (l == NULL || l->source != MESH_ON_DEMAND || l->state != MESH_UP)
		return;
	if (wish->unused)
		hd_link_forget(l->stream, wish->realm, &wish->key);
	else
		hd_link_del(l->stream, wish->realm, &wish->key);
}

static void on_wish(struct hd_module *mod, struct hd_worker *w,
		    const struct hd_link_wish *wish)
{
	struct mesh_link *l;

	if (wish->gone || wish->unused) {
		take_away(mod, w, wish);
		return;
	}
	l = link_for(mod, w, wish);
	if (l == NULL || l->source != MESH_ON_DEMAND || l->state == MESH_SELF)
		return;
	l->wanted_ms = hd_now_ms(w);
	if (l->state == MESH_UP)
		add_way(l->stream, wish->realm, &wish->key);
	else
		remember(l, wish);
}

void mesh_demand_up(struct hd_stream *s, struct mesh_link *l)
{
	for (unsigned i = 0; i < l->n_waiting; i++)
		add_way(s, l->waiting[i].realm, &l->waiting[i].key);
	mesh_demand_forget(l);
}

void mesh_demand_forget(struct mesh_link *l)
{
	for (unsigned i = 0; i < l->n_waiting; i++)
		hd_realm_drop(l->waiting[i].realm);
	free(l->waiting);
	l->waiting = NULL;
	l->n_waiting = 0;
}

bool mesh_demand_ended(struct hd_module *mod, struct hd_worker *w,
		       struct mesh_link *l)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);

	if (l->source != MESH_ON_DEMAND)
		return false;
	if (l->packets != l->wanted_packets)
		l->wanted_ms = hd_now_ms(w);
	l->wanted_packets = l->packets;
	if (hd_now_ms(w) - l->wanted_ms < conf->idle_ms)
		return false;
	hd_log_notice("mesh: link closed, nobody needs it: member=%s",
		      l->to.name);
	if (l->stream != NULL) /* who is there has not gone */
		hd_link_forget(l->stream, MESH_REALM, NULL);
	mesh_links_remove(mod, w, l);
	return true;
}

int mesh_demand_load(struct hd_module *mod, struct hd_error *err)
{
	return hd_hook_wish(mod, on_wish, err);
}
