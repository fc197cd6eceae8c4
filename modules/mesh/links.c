/* SPDX-License-Identifier: MIT */
/* modules/mesh/links.c - the links that live in a worker: those whose name
 * falls to it, whoever names them. A change ends and begins only the links that
 * it is about. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>

struct mesh_link *mesh_links_find(const struct mesh_worker *mw,
				  const char *name)
{
	struct mesh_link *l = mw->links;

	while (l != NULL && strcmp(l->to.name, name) != 0)
		l = l->next;
	return l;
}

static void link_free(struct mesh_link *l)
{
	hd_timer_free(&l->timer);
	hd_series_end(mesh_family, &l->series);
	mesh_member_free(&l->to);
	mesh_demand_forget(l);
	free(l);
}

int mesh_links_add(struct hd_module *mod, struct hd_worker *w,
		   struct mesh_member *to, enum mesh_source source)
{
	struct mesh_worker *mw = mesh_here(mod, w);
	struct mesh_link *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL) {
		mesh_member_free(to);
		return -ENOMEM;
	}
	l->to = *to;
	*to = (struct mesh_member){ 0 };
	l->source = source;
	l->marked = true;
	l->series = hd_series_open(mesh_family,
				   (const char *const[]){ l->to.name, NULL });
	r = mesh_link_arm(mod, w, l);
	if (r < 0) {
		link_free(l);
		return r;
	}
	l->next = mw->links;
	mw->links = l;
	return 0;
}

static void let_go(struct hd_stream *s)
{
	struct mesh_stream *ms = hd_stream_state(s);

	ms->link = NULL;
	ms->phase = MESH_CLOSED;
	hd_stream_close(s, HD_CLOSE_OWN(MESH_REASON_REMOVED));
}

void mesh_links_remove(struct hd_module *mod, struct hd_worker *w,
		       struct mesh_link *l)
{
	struct mesh_link **at = &mesh_here(mod, w)->links;
	struct mesh_numbers *n = mesh_numbers_of(l, w);

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (l->state == MESH_DIALLING)
		hd_dial_cancel(mod, w, l->dial_id);
	if (l->stream != NULL) {
		mesh_link_show(l->stream, l);
		let_go(l->stream);
	}
	hd_gauge_set(&n->up, 0);
	hd_gauge_set(&n->down, 0);
	hd_gauge_set(&n->keys, 0);
	link_free(l);
}

/* ---- as the sources say ---- */

static int sync_member(struct hd_module *mod, struct hd_worker *w,
		       enum mesh_source source, struct mesh_member *m)
{
	struct mesh_link *l = mesh_links_find(mesh_here(mod, w), m->name);

	if (l != NULL && l->source < source) {
		mesh_member_free(m);
		return 0;
	}
	if (l != NULL && l->source != MESH_ON_DEMAND &&
	    mesh_member_same(&l->to, m)) {
		l->source = source;
		l->marked = true;
		mesh_member_free(m);
		return 0;
	}
	if (l != NULL)
		mesh_links_remove(mod, w, l);
	return mesh_links_add(mod, w, m, source);
}

static void unmark(struct mesh_worker *mw, enum mesh_source source)
{
	for (struct mesh_link *l = mw->links; l != NULL; l = l->next)
		if (l->source == source)
			l->marked = false;
}

static void sweep(struct hd_module *mod, struct hd_worker *w,
		  enum mesh_source source)
{
	struct mesh_link *next;

	for (struct mesh_link *l = mesh_here(mod, w)->links; l; l = next) {
		next = l->next;
		if (l->source == source && !l->marked)
			mesh_links_remove(mod, w, l);
	}
}

static int sync_source(struct hd_module *mod, struct hd_worker *w,
		       enum mesh_source source,
		       const struct mesh_member_conf *v, size_t n,
		       struct hd_error *err)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	int r = 0;

	unmark(mesh_here(mod, w), source);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct mesh_member m;

		r = mesh_member_set(&m, &v[i], conf->ca_file, err);
		if (r == 0 && hd_link_worker(m.name) == hd_worker_index(w))
			r = sync_member(mod, w, source, &m);
		else
			mesh_member_free(&m);
	}
	sweep(mod, w, source);
	return r;
}

int mesh_links_sync(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	struct mesh_worker *mw = mesh_here(mod, w);
	int r = sync_source(mod, w, MESH_FROM_CONF, conf->members.v,
			    conf->members.n, err);

	for (unsigned i = 0; i < MESH_SOURCES && r == 0; i++)
		if (mw->lists[i] != NULL)
			r = sync_source(mod, w, (enum mesh_source)i,
					mw->lists[i]->v, mw->lists[i]->n, err);
	return r < 0 ? hd_error_set(err, r, "out of memory") : 0;
}

void mesh_links_take(struct hd_module *mod, struct hd_worker *w,
		     enum mesh_source source, struct mesh_list *list)
{
	struct mesh_worker *mw = mesh_here(mod, w);
	struct hd_error err = { "" };

	mesh_list_put(mw->lists[source]);
	mw->lists[source] = mesh_list_get(list);
	if (mesh_links_sync(mod, w, &err) < 0)
		hd_log_error("mesh: not all members are dialled: %s", err.text);
}

/* ---- a reload ---- */

/* Connections have stayed; what waited, or was being dialled, begins anew. */
int mesh_links_wake(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err)
{
	for (struct mesh_link *l = mesh_here(mod, w)->links; l; l = l->next) {
		l->timer = NULL; /* the core has freed it */
		if (mesh_link_arm(mod, w, l) < 0)
			return hd_error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Streams have ended by now; one that has not finds no link. */
void mesh_links_free(struct hd_module *mod, struct hd_worker *w)
{
	struct mesh_worker *mw = mesh_here(mod, w);

	while (mw->links != NULL)
		mesh_links_remove(mod, w, mw->links);
	for (unsigned i = 0; i < MESH_SOURCES; i++) {
		mesh_list_put(mw->lists[i]);
		mw->lists[i] = NULL;
	}
}
