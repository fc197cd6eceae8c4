/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/mesh.h - --mesh: the relays of a region, and whether packets go
 * from each to each. */
#pragma once
#include "tools/hdprobe/probe.h"

enum { MESH_RELAYS_MAX = 64 };

struct mesh_relay {
	char *label; /* as people know it: HOST or HOST:PORT */
	char *host, *port, *name, *pin; /* what p.opt points into */
	struct probe p; /* logged in: p.conn[0], p.peer[0] */
	bool in; /* it is */
};

struct mesh_region {
	struct mesh_relay *v;
	size_t n;
};

/* ---- mesh_list.c ---- */

/* mesh_list_args - relays of the command line. mesh_list_map - those of a
 * region in a DERP map, in JSON or YAML.
 * @opt  what holds for all of them
 * @ret  to be freed with mesh_list_free(), also on failure
 * Return 0; -EINVAL; -ENOENT no such file, or region; -ENOMEM. */
int mesh_list_args(const struct options *opt, struct mesh_region *ret,
		   struct hd_error *err);
int mesh_list_map(const struct options *opt, const char *text, size_t n,
		  struct mesh_region *ret, struct hd_error *err);
void mesh_list_free(struct mesh_region *region);

/* ---- mesh_pair.c ---- */

/* mesh_pair - packets from a client at one relay to a client at another. */
void mesh_pair(struct mesh_relay *from, struct mesh_relay *to,
	       struct result *r);

/* ---- mesh.c ---- */

/* probe_mesh - all of it. Returns the exit status. */
int probe_mesh(const struct options *opt);
