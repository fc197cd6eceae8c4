/* SPDX-License-Identifier: MIT */
/* modules/mesh/upgrade.c - a new process takes over: it dials the members anew,
 * and so do those that have dialled us; a link is away for a moment. Of members
 * that an operator has added only memory knows: they go over.
 *
 * Versions: 1, the first. */
#include <errno.h>
#include "modules/mesh/mesh.h"

static int pack_worker(struct hd_module *mod, struct hd_worker *w,
		       struct hd_pack *to, struct hd_error *err)
{
	(void)err;
	for (const struct mesh_link *l = mesh_here(mod, w)->links; l != NULL;
	     l = l->next) {
		if (l->source != MESH_FROM_OPERATOR)
			continue;
		hd_pack_open(to, "member");
		hd_pack_text(to, "name", l->to.name);
		hd_pack_text(to, "dial", l->to.dial);
		hd_pack_text(to, "ca_file", l->to.ca_file);
		hd_pack_text(to, "pin", l->to.pin);
		hd_pack_number(to, "tls", l->to.tls);
		hd_pack_close(to);
	}
	return 0;
}

struct words { /* of a member */
	char name[MESH_NAME_BYTES], dial[MESH_NAME_BYTES];
	char ca_file[4096], pin[4096];
};

/* Returns the text, or NULL: there is none. */
static const char *word(const struct hd_unpack *from, const char *name,
			char *buf, size_t size)
{
	return hd_unpack_text(from, name, buf, size) == 0 ? buf : NULL;
}

static int add(struct hd_module *mod, struct hd_worker *w,
	       const struct mesh_member_conf *c, struct hd_error *err)
{
	struct mesh_member m;
	int r = mesh_member_set(&m, c, NULL, err);

	if (r == 0 && hd_link_worker(m.name) == hd_worker_index(w) &&
	    mesh_links_find(mesh_here(mod, w), m.name) == NULL)
		r = mesh_links_add(mod, w, &m, MESH_FROM_OPERATOR);
	mesh_member_free(&m);
	return r;
}

static int unpack_worker(struct hd_module *mod, struct hd_worker *w,
			 struct hd_unpack *from, struct hd_error *err)
{
	struct hd_unpack one;
	struct words x;
	int r = 0;

	while (r == 0 && hd_unpack_next(from, "member", &one)) {
		uint64_t tls = 1;
		const struct mesh_member_conf c = {
			.name = word(&one, "name", x.name, sizeof(x.name)),
			.dial = word(&one, "dial", x.dial, sizeof(x.dial)),
			.ca_file = word(&one, "ca_file", x.ca_file,
					sizeof(x.ca_file)),
			.pin = word(&one, "pin", x.pin, sizeof(x.pin)),
			.tls = hd_unpack_number(&one, "tls", &tls) < 0 ||
			       tls != 0,
		};

		r = c.name != NULL ? add(mod, w, &c, err) : -EBADMSG;
	}
	return r;
}

const struct hd_upgrade_def mesh_upgrade = {
	.version = 1,
	.oldest = 1,
	.pack_worker = pack_worker,
	.unpack_worker = unpack_worker,
};
