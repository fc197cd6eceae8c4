/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_change.c - changes that can be taken back until they are
 * durable. Room for the account is made first, so that whatever was done can
 * also be noted. */
#include "modules/wg/roster.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct wg_change *reserve(struct wg_changes *c, struct wg_refusal *why)
{
	size_t size = c->size > 0 ? 2 * c->size : 4;
	struct wg_change *v = c->v;

	if (c->n == c->size) {
		v = reallocarray(c->v, size, sizeof(*v));
		if (v == NULL) {
			wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
			return NULL;
		}
		c->v = v;
		c->size = size;
	}
	memset(&v[c->n], 0, sizeof(*v));
	return &v[c->n];
}

int wg_change_add(struct wg_changes *c, struct wg_roster *r,
		  const struct wg_entry_text *text, struct wg_refusal *why)
{
	struct wg_change *e = reserve(c, why);
	int rc = e == NULL ? -ENOMEM : wg_roster_add(r, text, &e->a, why);

	if (rc < 0)
		return rc;
	e->kind = WG_PEER_ADDED;
	c->n++;
	return 0;
}

/* Values only: it is in no table and owns no list. */
static struct wg_entry *copy_values(const struct wg_entry *p)
{
	struct wg_entry *old = calloc(1, sizeof(*old));

	if (old == NULL)
		return NULL;
	old->key = p->key;
	old->endpoint = p->endpoint;
	strcpy(old->name, p->name);
	strcpy(old->nic, p->nic);
	old->label = p->label != NULL ? strdup(p->label) : NULL;
	if (p->label != NULL && old->label == NULL)
		wg_entry_free(&old);
	return old;
}

int wg_change_update(struct wg_changes *c, struct wg_roster *r,
		     const struct wg_entry_text *text, struct wg_refusal *why)
{
	HD_AUTO(wg_entry_free) struct wg_entry *old = NULL;
	struct wg_entry *p = wg_roster_peer(r, text->name, why);
	struct wg_change *e = p != NULL ? reserve(c, why) : NULL;
	int rc;

	if (e == NULL)
		return p == NULL ? -ENOENT : -ENOMEM;
	old = copy_values(p);
	if (old == NULL)
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	rc = wg_roster_update(r, text, why);
	if (rc < 0)
		return rc;
	*e = (struct wg_change){ WG_PEER_UPDATED, p, NULL, hd_steal(&old) };
	c->n++;
	return 0;
}

/* Links that the configuration makes would come back with it. */
int wg_change_remove(struct wg_changes *c, struct wg_roster *r,
		     const char *name, struct wg_refusal *why)
{
	struct wg_entry *p = wg_roster_peer(r, name, why);
	int rc = p == NULL ? -ENOENT : wg_fixed_check(p, why);
	struct wg_change *e;

	for (uint32_t i = 0; rc == 0 && i < p->n_edges; i++)
		if (p->edges[i].fixed)
			rc = wg_refuse(why, -EPERM, "wg_link_fixed",
				       "the configuration links %s with %s "
				       "(wg.links): change it there first",
				       name, p->edges[i].peer->name);
	if (rc < 0)
		return rc;
	e = reserve(c, why);
	if (e == NULL)
		return -ENOMEM;
	wg_roster_detach(r, p);
	e->kind = WG_PEER_REMOVED;
	e->a = p;
	c->n++;
	return 0;
}

static int change_link(struct wg_changes *c, struct wg_roster *r,
		       enum wg_change_kind kind, const char *a, const char *b,
		       struct wg_refusal *why)
{
	struct wg_change *e = reserve(c, why);
	int rc;

	if (e == NULL)
		return -ENOMEM;
	rc = kind == WG_LINK_ADDED ? wg_roster_link(r, a, b, false, why)
				   : wg_roster_unlink(r, a, b, why);
	if (rc < 0)
		return rc;
	e->kind = kind;
	e->a = wg_roster_find(r, a);
	e->b = wg_roster_find(r, b);
	c->n++;
	return 0;
}

int wg_change_link(struct wg_changes *c, struct wg_roster *r, const char *a,
		   const char *b, struct wg_refusal *why)
{
	return change_link(c, r, WG_LINK_ADDED, a, b, why);
}

int wg_change_unlink(struct wg_changes *c, struct wg_roster *r, const char *a,
		     const char *b, struct wg_refusal *why)
{
	return change_link(c, r, WG_LINK_REMOVED, a, b, why);
}

/* ---- back, the last first: each undoing then finds what it left ---- */

static void undo_add(struct wg_roster *r, struct wg_change *e)
{
	wg_roster_detach(r, e->a);
	wg_entry_free(&e->a);
}

static void undo_update(struct wg_roster *r, struct wg_change *e)
{
	wg_roster_restore(r, e->a, e->old);
	wg_entry_free(&e->old);
}

static void undo_remove(struct wg_roster *r, struct wg_change *e)
{
	wg_roster_attach(r, hd_steal(&e->a));
}

static void undo_link(struct wg_roster *r, struct wg_change *e)
{
	hd_assert(wg_roster_unlink(r, e->a->name, e->b->name, NULL) == 0);
}

/* Its lists had the room a moment ago. */
static void undo_unlink(struct wg_roster *r, struct wg_change *e)
{
	hd_assert(wg_roster_link(r, e->a->name, e->b->name, false, NULL) == 0);
}

void wg_changes_undo(struct wg_changes *c, struct wg_roster *r)
{
	static void (*const undo[])(struct wg_roster *, struct wg_change *) = {
		[WG_PEER_ADDED] = undo_add,
		[WG_PEER_UPDATED] = undo_update,
		[WG_PEER_REMOVED] = undo_remove,
		[WG_LINK_ADDED] = undo_link,
		[WG_LINK_REMOVED] = undo_unlink,
	};

	while (c->n > 0) {
		struct wg_change *e = &c->v[--c->n];

		undo[e->kind](r, e);
	}
	wg_changes_free(c);
}

void wg_changes_free(struct wg_changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		wg_entry_free(&c->v[i].old);
		if (c->v[i].kind == WG_PEER_REMOVED)
			wg_entry_free(&c->v[i].a);
	}
	free(c->v);
	*c = (struct wg_changes){ 0 };
}
