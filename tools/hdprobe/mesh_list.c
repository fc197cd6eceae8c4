/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/mesh_list.c - which relays are to be checked: those of the
 * command line, or a region's nodes of a DERP map, as Tailscale's policy file,
 * Headscale's derp.paths and clients' derpmap URLs have it (tailscale
 * tailcfg/derpmap.go). */
#include "tools/hdprobe/mesh.h"
#include "tools/hdprobe/options.h"
#include "tools/lib/yaml_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIN_PREFIX "sha256-raw:"

static int no_memory(struct hd_error *err)
{
	return hd_error_set(err, -ENOMEM, "out of memory");
}

/* What it points into is the relay's own by now. */
static int finish(struct mesh_relay *m, const struct options *opt,
		  const char *port, struct hd_error *err)
{
	m->p.opt = *opt;
	if (m->host == NULL || m->label == NULL)
		return no_memory(err);
	m->p.opt.host = m->host;
	m->p.opt.port = port;
	m->p.opt.name = m->name != NULL ? m->name : m->host;
	m->p.opt.pin = m->pin;
	return probe_init(&m->p) ? 0 : no_memory(err);
}

static int add_arg(struct mesh_relay *m, const struct options *opt,
		   const char *arg, struct hd_error *err)
{
	const char *host = NULL, *port = opt->plain ? "80" : "443";
	char *text = strdup(arg);
	int r = text == NULL ? no_memory(err)
			     : options_target(text, &host, &port);

	if (r == -EINVAL)
		hd_error_set(err, r,
			     "'%s' is not HOST, HOST:PORT or [IPv6]:PORT", arg);
	if (r == 0) {
		m->label = strdup(arg);
		m->host = strdup(host);
		m->port = strdup(port);
		r = m->port == NULL ? no_memory(err)
				    : finish(m, opt, m->port, err);
	}
	free(text);
	return r;
}

/* Returns the next place. NULL: there are enough. */
static struct mesh_relay *place(struct mesh_region *region,
				struct hd_error *err)
{
	if (region->v == NULL)
		region->v = calloc(MESH_RELAYS_MAX, sizeof(*region->v));
	if (region->v != NULL && region->n < MESH_RELAYS_MAX)
		return &region->v[region->n++];
	hd_error_set(err, -EINVAL, "more than %d relays", MESH_RELAYS_MAX);
	return NULL;
}

int mesh_list_args(const struct options *opt, struct mesh_region *ret,
		   struct hd_error *err)
{
	for (int i = 0; i < opt->n_targets; i++) {
		struct mesh_relay *m = place(ret, err);
		int r = m == NULL ? -EINVAL
				  : add_arg(m, opt, opt->targets[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- a DERP map ---- */

/* Headscale's keys are in lower case. */
static json_t *get(const json_t *o, const char *key)
{
	const char *name;
	json_t *v;

	json_object_foreach ((json_t *)o, name, v)
		if (strcasecmp(name, key) == 0)
			return v;
	return NULL;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *v = json_string_value(get(o, key));

	return v != NULL ? v : "";
}

/* YAML's scalars are text. */
static long number_of(const json_t *o, const char *key)
{
	const json_t *v = get(o, key);

	return json_is_string(v) ? strtol(json_string_value(v), NULL, 10)
				 : (long)json_integer_value(v);
}

static bool is_true(const json_t *o, const char *key)
{
	return json_is_true(get(o, key)) ||
	       strcasecmp(text_of(o, key), "true") == 0;
}

/* Where to connect: an address of the map, or the name. */
static const char *dial_of(const json_t *node, int *family)
{
	const char *v4 = text_of(node, "IPv4"), *v6 = text_of(node, "IPv6");
	bool no_v4 = strcmp(v4, "none") == 0, no_v6 = strcmp(v6, "none") == 0;

	if (no_v4 || (*family == AF_INET6 && !no_v6))
		v4 = "";
	if (no_v6 || *family == AF_INET)
		v6 = "";
	if (v4[0] == '\0' && v6[0] == '\0' && no_v4 != no_v6)
		*family = no_v4 ? AF_INET6 : AF_INET;
	return v4[0] != '\0'   ? v4
	       : v6[0] != '\0' ? v6
			       : text_of(node, "HostName");
}

static int add_node(struct mesh_relay *m, const struct options *opt,
		    const json_t *node, struct hd_error *err)
{
	const char *host = text_of(node, "HostName");
	const char *cert = text_of(node, "CertName");
	bool pinned = strncmp(cert, PIN_PREFIX, strlen(PIN_PREFIX)) == 0;
	long port = number_of(node, "DERPPort");
	struct options own = *opt;

	if (host[0] == '\0' || port < 0 || port > 65535)
		return hd_error_set(err, -EINVAL, "a node of the DERP map has "
				    "no HostName, or a wrong DERPPort");
	own.insecure |= is_true(node, "InsecureForTests");
	m->host = strdup(dial_of(node, &own.family));
	m->name = strdup(pinned || cert[0] == '\0' ? host : cert);
	m->pin = pinned ? strdup(cert) : NULL;
	if (asprintf(&m->port, "%ld", port > 0 ? port : 443L) < 0)
		m->port = NULL;
	if (asprintf(&m->label, port > 0 && port != 443 ? "%s:%ld" : "%s", host,
		     port) < 0)
		m->label = NULL;
	if (m->port == NULL || m->name == NULL || (pinned && m->pin == NULL))
		return no_memory(err);
	return finish(m, &own, m->port, err);
}

/* --region-id, or the only one there is. */
static const json_t *region_of(const json_t *map, const struct options *opt,
			       struct hd_error *err)
{
	const json_t *inner = get(map, "derpMap");
	json_t *all = get(inner != NULL ? inner : map, "Regions");
	char id[16];

	if (json_object_size(all) == 0) {
		hd_error_set(err, -EINVAL, "%s: no DERP map: there are no "
			     "Regions in it", opt->map);
		return NULL;
	}
	if (opt->region_id == 0 && json_object_size(all) == 1)
		return json_object_iter_value(json_object_iter(all));
	(void)snprintf(id, sizeof(id), "%d", opt->region_id);
	if (opt->region_id != 0 && json_object_get(all, id) != NULL)
		return json_object_get(all, id);
	hd_error_set(err, -ENOENT,
		     opt->region_id == 0
			     ? "%s: several regions: say which, by --region-id"
			     : "%s: no region %s",
		     opt->map, id);
	return NULL;
}

static int add_nodes(const struct options *opt, const json_t *map,
		     struct mesh_region *ret, struct hd_error *err)
{
	const json_t *region = region_of(map, opt, err), *node;
	size_t i;

	if (region == NULL)
		return -ENOENT;
	json_array_foreach(get(region, "Nodes"), i, node) {
		struct mesh_relay *m;
		int r;

		if (is_true(node, "STUNOnly"))
			continue;
		m = place(ret, err);
		r = m == NULL ? -EINVAL : add_node(m, opt, node, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int mesh_list_map(const struct options *opt, const char *text, size_t n,
		  struct mesh_region *ret, struct hd_error *err)
{
	json_t *map = json_loadb(text, n, 0, NULL);
	int r = -EINVAL;

	if (map == NULL) /* as hdprobe --derpmap --format yaml has it */
		map = yaml_tree_parse(text, n, opt->map, err);
	if (map != NULL)
		r = add_nodes(opt, map, ret, err);
	json_decref(map);
	return r;
}

void mesh_list_free(struct mesh_region *region)
{
	for (size_t i = 0; i < region->n; i++) {
		struct mesh_relay *m = &region->v[i];

		probe_clear(&m->p);
		free(m->label);
		free(m->host);
		free(m->port);
		free(m->name);
		free(m->pin);
	}
	free(region->v);
	*region = (struct mesh_region){ 0 };
}
