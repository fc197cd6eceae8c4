/* SPDX-License-Identifier: MIT */
/* core/module/module_pack.c - see module_pack.h.
 *
 * A HD_SNAP_PACK has a HD_SNAP_MODULE_NAME, a HD_SNAP_PACK_WORKER if it is of
 * a worker, and what the module has packed. */
#include "core/module/module_pack.h"
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"

static const struct hd_upgrade_def *def_of(const struct hd_module *mod)
{
	static const struct hd_upgrade_def none;

	return mod->def->upgrade != NULL ? mod->def->upgrade : &none;
}

bool hd_module_reads(const struct hd_module *mod, uint64_t oldest,
		     uint64_t newest)
{
	uint64_t version = def_of(mod)->version;

	return version != 0 && oldest != 0 && version >= oldest &&
	       version <= newest;
}

bool hd_module_unpacks(const struct hd_module *mod, uint64_t version)
{
	const struct hd_upgrade_def *u = def_of(mod);

	return version != 0 && version >= u->oldest && version <= u->version;
}

/* What a module says of its failure; or errno's words. */
static int explain(const struct hd_module *mod, int r, const char *what,
		   struct hd_error *err)
{
	struct hd_error said = *err;

	if (r >= 0)
		return 0;
	return hd_error_set(err, r, "module %s %s: %s", mod->name, what,
			    said.text[0] != '\0' ? said.text : strerror(-r));
}

/* ---- the old process ---- */

/* @w  NULL: what the module has once */
static int pack(struct hd_module *mod, struct hd_worker *w, struct hd_snap *to,
		struct hd_pack_fds *fds, struct hd_error *err)
{
	const struct hd_upgrade_def *u = def_of(mod);
	struct hd_pack p = { .to = to, .fds = fds };
	size_t at = hd_snap_begin(to, HD_SNAP_PACK);
	int r;

	err->text[0] = '\0';
	hd_snap_text(to, HD_SNAP_MODULE_NAME, mod->name);
	if (w != NULL)
		hd_snap_number(to, HD_SNAP_PACK_WORKER, hd_worker_index(w));
	r = w != NULL ? u->pack_worker(mod, w, &p, err) : u->pack(mod, &p, err);
	hd_pack_end(&p);
	hd_snap_end(to, at);
	return explain(mod, r, "cannot hand over what it has", err);
}

int hd_modules_pack_here(struct hd_worker *w, const bool *reads,
			 struct hd_snap *to, struct hd_pack_fds *fds,
			 struct hd_error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);

		if (reads[mod->index] && def_of(mod)->pack_worker != NULL)
			r = pack(mod, w, to, fds, err);
	}
	return r;
}

int hd_modules_pack(const bool *reads, struct hd_snap *to,
		    struct hd_pack_fds *fds, struct hd_error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);

		if (reads[mod->index] && def_of(mod)->pack != NULL)
			r = pack(mod, NULL, to, fds, err);
	}
	return r;
}

/* ---- the new process ---- */

struct head { /* of HD_SNAP_PACK */
	char *name;
	bool of_worker;
};

static int take_head(struct head *h, const struct hd_snap_item *item,
		     struct hd_error *err)
{
	uint64_t unused;

	switch (item->tag) {
	case HD_SNAP_MODULE_NAME:
		return hd_snap_to_text(item, &h->name);
	case HD_SNAP_PACK_WORKER:
		h->of_worker = true;
		return hd_snap_to_number(item, &unused);
	default:
		return hd_pack_is_item(item)
			       ? 0
			       : hd_snap_unknown(item, "a module", err);
	}
}

static int read_head(struct head *h, struct hd_snap_in in, struct hd_error *err)
{
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_head(h, &item, err);
		if (r < 0)
			return r;
	}
	return r == 0 && h->name != NULL ? 0 : -EBADMSG;
}

/* One that this process does not load, or whose format it does not know, begins
 * anew: the old process has been told, and has said so. */
static struct hd_module *reader_of(const struct hd_unpack_from *from,
				   const char *name)
{
	struct hd_module *mod = hd_modules_find(name);

	return mod != NULL && hd_module_unpacks(mod, from->version[mod->index])
		       ? mod
		       : NULL;
}

static int unpack(struct hd_unpack_from *from, struct hd_worker *w,
		  struct hd_snap_in in, struct hd_error *err)
{
	struct head h = { NULL, false };
	int r = read_head(&h, in, err);
	struct hd_module *mod = r == 0 ? reader_of(from, h.name) : NULL;

	free(h.name);
	if (r < 0 || mod == NULL || h.of_worker != (w != NULL))
		return r;
	const struct hd_upgrade_def *u = def_of(mod);
	struct hd_unpack p =
		hd_unpack_of(in, from->version[mod->index], &from->fds);

	err->text[0] = '\0';
	if (w == NULL && u->unpack != NULL)
		r = u->unpack(mod, &p, err);
	else if (w != NULL && u->unpack_worker != NULL)
		r = u->unpack_worker(mod, w, &p, err);
	return explain(mod, r, "cannot take over what the old process has",
		       err);
}

static int unpack_all(struct hd_unpack_from *from, struct hd_worker *w,
		      struct hd_error *err)
{
	struct hd_snap_in in = from->in;
	struct hd_snap_item item;
	int r;

	err->text[0] = '\0';
	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag != HD_SNAP_PACK)
			continue;
		r = unpack(from, w, item.in, err);
		if (r < 0)
			return r;
	}
	return r;
}

int hd_modules_unpack(struct hd_unpack_from *from, struct hd_error *err)
{
	return unpack_all(from, NULL, err);
}

int hd_modules_unpack_here(struct hd_worker *w, struct hd_unpack_from *from,
			   struct hd_error *err)
{
	return unpack_all(from, w, err);
}

void hd_modules_taken(void)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);

		if (def_of(mod)->taken != NULL)
			def_of(mod)->taken(mod);
	}
}
