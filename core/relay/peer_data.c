/* SPDX-License-Identifier: MIT */
/* core/relay/peer_data.c - see peer_data.h. A chain: few modules ask, and most
 * relays have none. A peer gets its blocks when it has come home, so whoever
 * goes through the peers of a worker finds all that there are. */
#include "core/relay/peer_data.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/loop/hooks.h"
#include "core/stream/stream_life.h"

struct hd_peer_data {
	struct hd_peer_data *next;
	const struct hd_module *mod;
	size_t n;
	_Alignas(max_align_t) uint8_t bytes[];
};

/* Where it hangs, or would. */
static struct hd_peer_data **place_of(struct hd_peer *p,
				      const struct hd_module *mod)
{
	struct hd_peer_data **at = &p->data;

	while (*at != NULL && (*at)->mod != mod)
		at = &(*at)->next;
	return at;
}

static void take_off(struct hd_peer_data **at)
{
	struct hd_peer_data *d = *at;

	if (d == NULL)
		return;
	*at = d->next;
	free(d);
}

/* What it has with another size is of no use to the code that is there now. */
static int give(struct hd_peer *p, const struct hd_hook *h)
{
	struct hd_peer_data **at = place_of(p, h->mod);
	struct hd_peer_data *d = *at;

	if (d != NULL && d->n == h->data_bytes)
		return 0;
	take_off(at);
	d = calloc(1, sizeof(*d) + h->data_bytes);
	if (d == NULL)
		return -ENOMEM;
	d->mod = h->mod;
	d->n = h->data_bytes;
	d->next = p->data;
	p->data = d;
	return 0;
}

int hd_peer_data_give(struct hd_peer *p)
{
	const struct hd_hook_list *list = &p->stream->worker->hooks->data;
	int r = 0;

	for (unsigned i = 0; i < list->n && r == 0; i++)
		r = give(p, &list->v[i]);
	return r;
}

void hd_peer_data_free(struct hd_peer *p)
{
	while (p->data != NULL)
		take_off(&p->data);
}

static struct hd_peer *at_home(const struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);

	return p != NULL && p->home ? p : NULL;
}

void hd_peer_data_drop(struct hd_worker *w, const struct hd_module *mod)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		struct hd_peer *p = at_home(s);

		if (p != NULL)
			take_off(place_of(p, mod));
	}
}

/* While it is stopped its connections still end, and look at theirs: they lose
 * it after stop(). */
static bool still_runs(const struct hd_worker *w, const struct hd_module *mod)
{
	return w->mods[mod->index].phase == HD_MOD_STARTED;
}

void hd_peer_data_sync(struct hd_worker *w, const struct hd_module *mod)
{
	const struct hd_hook *h = hd_hook_of(&w->hooks->data, mod);

	if (h == NULL) {
		if (!still_runs(w, mod))
			hd_peer_data_drop(w, mod);
		return;
	}
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		struct hd_peer *p = at_home(s);

		if (p != NULL && give(p, h) < 0)
			hd_stream_abort(s, HD_CLOSE_ERROR);
	}
}

void *hd_peer_data(const struct hd_module *mod, const struct hd_peer *peer)
{
	struct hd_peer_data *d = peer->data;

	while (d != NULL && d->mod != mod)
		d = d->next;
	return d != NULL ? d->bytes : NULL;
}

/* ---- to another process ---- */

const struct hd_module *hd_peer_packer(const struct hd_peer *p)
{
	const struct hd_module *mod = p->stream->mod;

	return mod != NULL && mod->def->upgrade != NULL &&
			       mod->def->upgrade->pack_peer != NULL &&
			       hd_peer_data(mod, p) == NULL
		       ? mod
		       : NULL;
}

bool hd_peer_data_stays(const struct hd_peer *p, const bool *reads)
{
	const struct hd_module *own = hd_peer_packer(p);
	const struct hd_peer_data *d = p->data;

	while (d != NULL && reads[d->mod->index] &&
	       d->mod->def->upgrade->pack_peer != NULL)
		d = d->next;
	return d != NULL || (own != NULL && !reads[own->index]);
}

static bool goes_ahead(const struct hd_module *mod)
{
	return (mod->def->flags & HD_MODULE_AHEAD) != 0;
}

bool hd_peer_data_ahead(const struct hd_peer *p)
{
	const struct hd_module *own = hd_peer_packer(p);
	const struct hd_peer_data *d = p->data;

	while (d != NULL && goes_ahead(d->mod))
		d = d->next;
	return d == NULL && (own == NULL || goes_ahead(own));
}

static int pack_one(const struct hd_peer *p, const struct hd_module *mod,
		    struct hd_snap *to, struct hd_pack_fds *fds,
		    struct hd_error *err)
{
	struct hd_pack pack = { .to = to, .fds = fds };
	size_t at = hd_snap_begin(to, HD_SNAP_PEER_PACK);
	int r;

	hd_snap_text(to, HD_SNAP_MODULE_NAME, mod->name);
	r = mod->def->upgrade->pack_peer((struct hd_module *)mod,
					 p->stream->worker, p, &pack, err);
	hd_pack_end(&pack);
	hd_snap_end(to, at);
	return HD_MIN(r, 0);
}

int hd_peer_data_pack(const struct hd_peer *p, struct hd_snap *to,
		      struct hd_pack_fds *fds, struct hd_error *err)
{
	const struct hd_module *own = hd_peer_packer(p);
	int r = own != NULL ? pack_one(p, own, to, fds, err) : 0;

	for (const struct hd_peer_data *d = p->data; r == 0 && d != NULL;
	     d = d->next)
		r = pack_one(p, d->mod, to, fds, err);
	return r;
}

static int read_name(struct hd_snap_in in, char **ret, struct hd_error *err)
{
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_MODULE_NAME)
			r = hd_snap_to_text(&item, ret);
		else if (!hd_pack_is_item(&item))
			r = hd_snap_unknown(&item, "a module's peer", err);
		if (r < 0)
			return r;
	}
	return r == 0 && *ret != NULL ? 0 : -EBADMSG;
}

static const struct hd_module *reader_of(const struct hd_peer *p,
					 const char *name)
{
	const struct hd_module *own = hd_peer_packer(p);
	const struct hd_peer_data *d = p->data;

	if (own != NULL && strcmp(own->name, name) == 0)
		return own;

	while (d != NULL && strcmp(d->mod->name, name) != 0)
		d = d->next;
	return d != NULL ? d->mod : NULL;
}

static int unpack(struct hd_peer *p, const struct hd_module *mod,
		  struct hd_snap_in in, uint64_t version,
		  struct hd_unpack_fds *fds, struct hd_error *err)
{
	const struct hd_upgrade_def *u = mod->def->upgrade;
	struct hd_unpack from = hd_unpack_of(in, version, fds);

	if (u == NULL || u->unpack_peer == NULL || version < u->oldest ||
	    version > u->version)
		return hd_error_set(err, -ENOENT,
				    "module %s keeps other data beside it",
				    mod->name);
	int r = u->unpack_peer((struct hd_module *)mod, p->stream->worker, p,
			       &from, err);

	return HD_MIN(r, 0);
}

/* A module that keeps nothing beside peers any more has nothing to lose. */
int hd_peer_data_unpack(struct hd_peer *p, struct hd_snap_in in, bool own,
			const uint64_t *version, struct hd_unpack_fds *fds,
			struct hd_error *err)
{
	char *name = NULL;
	int r = read_name(in, &name, err);
	const struct hd_module *mod = r == 0 ? reader_of(p, name) : NULL;

	free(name);
	if (mod == NULL || (mod == hd_peer_packer(p)) != own)
		return r;
	r = unpack(p, mod, in, version[mod->index], fds, err);
	return r < 0 ? r : 1;
}
