/* SPDX-License-Identifier: MIT */
/* libhd/groups.c - whom we let send to us by the group that its credential
 * names, and packets to all of one. And visitors, who cannot knock. */
#include <errno.h>
#include <string.h>
#include "libhd/inner.h"

_Static_assert(LIBHD_GROUP_PACKET_MAX_BYTES == HDP_GROUP_PACKET_MAX_BYTES,
	       "as the protocol says");

static struct hdl_group *find(struct libhd *h, const char *name, size_t n)
{
	for (unsigned i = 0; i < LIBHD_GROUPS_MAX; i++)
		if (h->groups[i].n == n &&
		    memcmp(h->groups[i].v, name, n) == 0)
			return &h->groups[i];
	return NULL;
}

static bool is_name(size_t n)
{
	return n > 0 && n <= HDP_WORD_MAX_BYTES;
}

static int tell(struct libhd *h, enum hdp_type type, const struct hdl_group *g)
{
	return h->phase == HDL_OPEN ? hdl_put(h, type, g->v, g->n, NULL, 0)
				    : 0;
}

int libhd_allow_group(struct libhd *h, const char *group)
{
	size_t n = strlen(group);
	struct hdl_group *g;
	int r;

	if (!is_name(n))
		return -EINVAL;
	if (find(h, group, n) != NULL)
		return 0;
	g = find(h, "", 0);
	if (g == NULL)
		return -ENOSPC;
	memcpy(g->v, group, n);
	g->n = (uint8_t)n;
	r = tell(h, HDP_ALLOW_GROUP, g);
	if (r < 0)
		g->n = 0;
	return r;
}

void libhd_forbid_group(struct libhd *h, const char *group)
{
	struct hdl_group *g = NULL;

	if (is_name(strlen(group)))
		g = find(h, group, strlen(group));
	if (g == NULL)
		return;
	/* without memory the buffer breaks with the next frame */
	(void)tell(h, HDP_FORBID_GROUP, g);
	g->n = 0;
}

int libhd_send_group(struct libhd *h, const char *group, const void *data,
		     size_t len_bytes)
{
	uint8_t head[1 + HDP_WORD_MAX_BYTES];
	size_t n = strlen(group);
	int r;

	if (!is_name(n))
		return -EINVAL;
	if (h->streams)
		return -EPROTO;
	if (!h->welcome.has_credential)
		return -EACCES;
	if (len_bytes > LIBHD_GROUP_PACKET_MAX_BYTES)
		return -EMSGSIZE;
	r = hdl_out_room(h);
	if (r < 0)
		return r;
	head[0] = (uint8_t)n;
	memcpy(head + 1, group, n);
	return hdl_put(h, HDP_PACKET_TO_GROUP, head, 1 + n, data, len_bytes);
}

/* ---- what the relay says ---- */

void hdl_groups_open(struct libhd *h)
{
	for (unsigned i = 0; i < LIBHD_GROUPS_MAX; i++)
		if (h->groups[i].n > 0)
			(void)tell(h, HDP_ALLOW_GROUP, &h->groups[i]);
}

bool hdl_groups_any(const struct libhd *h)
{
	for (unsigned i = 0; i < LIBHD_GROUPS_MAX; i++)
		if (h->groups[i].n > 0)
			return true;
	return false;
}

/* That it is allowed; or that the relay has fewer places than we have. */
int hdl_take_group(struct libhd *h, const uint8_t *p, size_t n)
{
	if (n < 2)
		return -EPROTO;
	if ((p[0] & HDP_CONTACT_REFUSED) != 0)
		hdl_error(h, "%s allows no more groups", h->relay->host);
	return 0;
}

int hdl_take_visitor(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_address from;

	if (n != sizeof(from.v))
		return -EPROTO;
	memcpy(from.v, p, sizeof(from.v));
	if (h->events.visitor == NULL ||
	    !h->events.visitor(h, &from, h->user))
		return 0;
	return libhd_allow_address(h, &from, NULL);
}
