/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_link.c - who may exchange packets with whom. */
#include "modules/wg/roster.h"
#include <errno.h>

static struct wg_edge *edge_find(const struct wg_entry *from,
				 const struct wg_entry *to)
{
	for (uint32_t i = 0; i < from->n_edges; i++)
		if (from->edges[i].peer == to)
			return &from->edges[i];
	return NULL;
}

/* By the shorter list: one end of a link may have 100,000. */
struct wg_edge *wg_edge_find(const struct wg_entry *a, const struct wg_entry *b)
{
	if (a->n_edges > b->n_edges && edge_find(b, a) == NULL)
		return NULL;
	return edge_find(a, b);
}

static bool edge_room(struct wg_entry *p)
{
	uint32_t size = p->edges_size > 0 ? 2 * p->edges_size : 2;
	struct wg_edge *v;

	if (p->n_edges < p->edges_size)
		return true;
	v = reallocarray(p->edges, size, sizeof(*v));
	if (v == NULL)
		return false;
	p->edges = v;
	p->edges_size = size;
	return true;
}

static void edge_delete(struct wg_entry *from, const struct wg_entry *to)
{
	struct wg_edge *e = edge_find(from, to);

	hd_assert(e != NULL);
	*e = from->edges[--from->n_edges];
}

static int check_link(const struct wg_roster *r, const struct wg_entry *a,
		      const struct wg_entry *b, struct wg_refusal *why)
{
	if (a == b)
		return wg_refuse(why, -EINVAL, "wg_link_self",
				 "%s cannot be linked with itself: name two "
				 "peers",
				 a->name);
	if (wg_edge_find(a, b) != NULL)
		return wg_refuse(why, -EEXIST, "wg_link_duplicate",
				 "%s and %s are linked already", a->name,
				 b->name);
	if (r->n_links >= WG_LINKS_MAX)
		return wg_refuse(why, -ENOSPC, "link_limit_exceeded",
				 "there are %d links: remove some first",
				 WG_LINKS_MAX);
	return 0;
}

int wg_roster_link(struct wg_roster *r, const char *a, const char *b,
		   bool fixed, struct wg_refusal *why)
{
	struct wg_entry *pa = wg_roster_peer(r, a, why);
	struct wg_entry *pb = pa != NULL ? wg_roster_peer(r, b, why) : NULL;
	int e = pb == NULL ? -ENOENT : check_link(r, pa, pb, why);

	if (e < 0)
		return e;
	if (!edge_room(pa) || !edge_room(pb))
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	pa->edges[pa->n_edges++] = (struct wg_edge){ pb, true, fixed };
	pb->edges[pb->n_edges++] = (struct wg_edge){ pa, false, fixed };
	r->n_links++;
	return 0;
}

int wg_roster_unlink(struct wg_roster *r, const char *a, const char *b,
		     struct wg_refusal *why)
{
	struct wg_entry *pa = wg_roster_peer(r, a, why);
	struct wg_entry *pb = pa != NULL ? wg_roster_peer(r, b, why) : NULL;
	const struct wg_edge *e = pb != NULL ? wg_edge_find(pa, pb) : NULL;

	if (pb == NULL)
		return -ENOENT;
	if (e == NULL)
		return wg_refuse(why, -ENOENT, "wg_link_unknown",
				 "%s and %s are not linked; \"wg link list\" "
				 "lists the links there are",
				 a, b);
	if (e->fixed)
		return wg_refuse(why, -EPERM, "wg_link_fixed",
				 "the link of %s and %s stands in the "
				 "configuration (wg.links): remove it there "
				 "and restart",
				 a, b);
	edge_delete(pa, pb);
	edge_delete(pb, pa);
	r->n_links--;
	return 0;
}

/* What its links' other ends need was theirs before: there is room. */
void wg_edges_back(struct wg_roster *r, struct wg_entry *p)
{
	for (uint32_t i = 0; i < p->n_edges; i++) {
		struct wg_entry *q = p->edges[i].peer;

		hd_assert(q->n_edges < q->edges_size);
		q->edges[q->n_edges++] =
			(struct wg_edge){ p, !p->edges[i].first,
					  p->edges[i].fixed };
	}
	r->n_links += p->n_edges;
}

void wg_edges_drop(struct wg_roster *r, const struct wg_entry *p)
{
	for (uint32_t i = 0; i < p->n_edges; i++)
		edge_delete(p->edges[i].peer, p);
	r->n_links -= p->n_edges;
}
