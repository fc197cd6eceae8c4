/* SPDX-License-Identifier: MIT */
/* core/conf/conf_list.c - what tables do not know of the core's lists: the
 * short forms, what excludes what, what may not be twice; and pin_cores, a list
 * of numbers. */
#include "core/base/addr.h"
#include "core/conf/conf_number.h"
#include "core/conf/conf_value.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>

#define CORE_MAX 1023

/* ---- tls.certificates ---- */

/* Both or none, and not beside the list. @at  one of the two keys */
static int check_short(const struct hd_cert_files *c, const struct hd_node *at,
		       const struct hd_node *list, struct hd_error *err)
{
	if (c->cert == NULL || c->key == NULL)
		return hd_node_error(at, err,
				     "`tls_cert` and `tls_key` go together; "
				     "`%s` is missing",
				     c->cert == NULL ? "tls_cert" : "tls_key");
	if (list != NULL)
		return hd_node_error(list, err,
				     "`tls.certificates` and `tls_cert` "
				     "(%s:%u) are both set; move the latter "
				     "into the list",
				     at->file, at->line);
	return 0;
}

/* `tls_cert` and `tls_key`, which stand for the one entry of the list. */
static int read_short_cert(struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_node *list =
		hd_node_find(conf->priv->root, "tls.certificates");
	const struct hd_node *root = conf->priv->root;
	const struct hd_node *cert = hd_node_get(root, "tls_cert");
	const struct hd_node *key = hd_node_get(root, "tls_key");
	struct hd_cert_files *c =
		hd_arena_alloc(&conf->priv->arena, sizeof(*c));
	int r = c == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = hd_table_fill(conf->priv, hd_short_cert_options, root, c,
				  err);
	if (r < 0 || (c->cert == NULL && c->key == NULL))
		return r;
	conf->certificates = c;
	conf->n_certificates = 1;
	return check_short(c, cert != NULL ? cert : key, list, err);
}

/* ---- load_module ---- */

static bool is_module_name(const char *name)
{
	if (name[0] == '/')
		return true;
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return name[0] != '\0';
}

static const struct hd_load_conf *find_load(const struct hd_conf *conf,
					    const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(conf->load_module[i].name, name) == 0)
			return &conf->load_module[i];
	return NULL;
}

static int twice(const struct hd_load_conf *l, const struct hd_load_conf *other,
		 struct hd_error *err)
{
	return hd_error_at(&(struct hd_place){ l->file, l->line }, err, -EINVAL,
			   "module %.64s is loaded already, by %s:%u", l->name,
			   other->file, other->line);
}

static int check_load(struct hd_conf *conf, const struct hd_load_conf *l,
		      struct hd_error *err)
{
	size_t n = conf->n_load_module;
	const struct hd_load_conf *other = find_load(conf, l->name, n);

	if (!is_module_name(l->name))
		return hd_error_at(&(struct hd_place){ l->file, l->line }, err,
				   -EINVAL,
				   "`%.64s` is neither a module's "
				   "name nor an absolute path",
				   l->name);
	if (other != NULL && strcmp(other->file, l->file) == 0)
		return twice(l, other, err);
	/* listed here, and enabled there: once is enough */
	if (other == NULL)
		conf->load_module[conf->n_load_module++] = *l;
	return 0;
}

static int check_loads(struct hd_conf *conf, struct hd_error *err)
{
	size_t n = conf->n_load_module;
	int r = 0;

	conf->n_load_module = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct hd_load_conf l = conf->load_module[i];

		r = check_load(conf, &l, err);
	}
	return r;
}

/* ---- listen ---- */

static bool same_addr(const union hd_addr *a, const union hd_addr *b)
{
	return a->in.sin_port != 0 && hd_addr_same(a, b);
}

static bool has_certificate(const struct hd_conf *conf)
{
	return conf->n_certificates > 0 || conf->dev || conf->self_signed;
}

const char *const hd_pages_names[] = { "captive_portal", "acme", NULL };

static int take_only(struct hd_listen_conf *l, struct hd_error *err)
{
	for (size_t i = 0; i < l->only_names.n; i++) {
		const char *name = l->only_names.v[i];
		size_t k = 0;

		while (hd_pages_names[k] != NULL &&
		       strcmp(name, hd_pages_names[k]) != 0)
			k++;
		if (hd_pages_names[k] == NULL)
			return hd_error_at(&l->at_only, err, -EINVAL,
					   "`only`: there are no pages "
					   "`%.64s`; there are: "
					   "captive_portal, acme",
					   name);
		l->only |= 1u << k; /* enum hd_pages */
	}
	return 0;
}

static int check_listen(struct hd_conf *conf, size_t i, struct hd_error *err)
{
	struct hd_listen_conf *l = &conf->listen[i];
	const struct hd_place at = { l->file, l->line };

	if (l->protocol != NULL && strcmp(l->protocol, "http") == 0)
		l->protocol = NULL;
	if (l->protocol != NULL && l->name != NULL)
		return hd_error_at(&at, err, -EINVAL,
				   "a listener with a `protocol` has no pages "
				   "that a `name` could choose; leave out one "
				   "of the two");
	if (l->protocol != NULL && l->only_names.n > 0)
		return hd_error_at(&l->at_only, err, -EINVAL,
				   "a listener with a `protocol` has no pages; "
				   "leave out `only` or `protocol`");
	for (const struct hd_listen_conf *k = conf->listen; k < l; k++)
		if (same_addr(&k->addr, &l->addr))
			return hd_error_at(&at, err, -EINVAL,
					   "this address is "
					   "listened on already, by %s:%u",
					   k->file, k->line);
	if (take_only(l, err) < 0)
		return -EINVAL;
	return hd_conf_prefixes(conf, "proxy_protocol", &l->at_proxies,
				&l->proxy_protocol, &l->proxies, err);
}

int hd_conf_check_tls(const struct hd_conf *conf, struct hd_error *err)
{
	for (size_t i = 0; i < conf->n_listen && !has_certificate(conf); i++) {
		const struct hd_listen_conf *l = &conf->listen[i];

		if (l->tls)
			return hd_error_at(&(struct hd_place){ l->file,
							       l->line },
					   err, -EINVAL,
					   "`tls: true` needs a certificate; "
					   "set `tls_cert` and `tls_key`, or "
					   "`tls: {self_signed: true}`, or "
					   "load the module %s, which gets "
					   "one",
					   hd_certificate_module);
	}
	return 0;
}

static int check_listens(struct hd_conf *conf, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < conf->n_listen; i++)
		r = check_listen(conf, i, err);
	return r;
}

/* One dual-stack listener. @node  `port: N`; NULL: the default port */
static int read_port(struct hd_conf *conf, const struct hd_node *node,
		     struct hd_error *err)
{
	struct hd_listen_conf *l =
		hd_arena_alloc(&conf->priv->arena, sizeof(*l));
	uint64_t port = 3340;
	int r = 0;

	if (l == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (node != NULL)
		r = hd_value_set(conf->priv, &hd_port_option, node, &port, err);
	l->file = node == NULL ? "default" : node->file;
	l->line = node == NULL ? 0 : node->line;
	l->tls = has_certificate(conf);
	l->addr.in6.sin6_family = AF_INET6;
	l->addr.in6.sin6_port = htons((uint16_t)port);
	conf->listen = l;
	conf->n_listen = 1;
	return r;
}

static int read_listen(struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_node *list = hd_node_get(conf->priv->root, "listen");
	const struct hd_node *port = hd_node_get(conf->priv->root, "port");

	if (list != NULL && port != NULL)
		return hd_node_error(port, err,
				     "`port` and `listen` (%s:%u) "
				     "are both set; add the port to the list",
				     list->file, list->line);
	return list != NULL ? check_listens(conf, err)
			    : read_port(conf, port, err);
}

static int override_port(struct hd_conf *conf, int port, struct hd_error *err)
{
	if (port < 0)
		return 0;
	if (port > UINT16_MAX)
		return hd_error_set(err, -EINVAL,
				    "--port %d is outside 1-65535", port);
	if (conf->n_listen == 0) {
		if (hd_log_on(HD_LOG_WARN))
			hd_log_write(HD_LOG_WARN,
				     "--port %d has no effect: there "
				     "is no listener",
				     port);
		return 0;
	}
	/* sin_port and sin6_port lie at the same place. */
	conf->listen[0].addr.in.sin_port = htons((uint16_t)port);
	return 0;
}

/* ---- pin_cores ---- */

/* "0,2" is one text, [0, 2] are two: each part becomes an entry. */
static int add_cores(struct hd_conf *conf, const char *text, const char **v,
		     struct hd_error *err)
{
	const struct hd_node *node = hd_node_get(conf->priv->root, "pin_cores");

	do {
		size_t len = strcspn(text, ",");
		const char *core = hd_arena_text(&conf->priv->arena, text, len);
		uint64_t n;

		if (core == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		if (hd_number_parse(HD_OPTION_UINT, core, &n) < 0 ||
		    n > CORE_MAX)
			return hd_node_error(node, err,
					     "`pin_cores`: `%s` is "
					     "no CPU number, 0 to %d",
					     core, CORE_MAX);
		v[conf->pin_cores.n++] = core;
		text += len;
	} while (*text++ == ',');
	return 0;
}

static int read_cores(struct hd_conf *conf, struct hd_error *err)
{
	struct hd_list raw = conf->pin_cores;
	size_t n = raw.n;
	const char **v;
	int r = 0;

	for (size_t i = 0; i < raw.n; i++)
		for (const char *p = raw.v[i]; *p != '\0'; p++)
			n += *p == ',';
	v = hd_arena_alloc(&conf->priv->arena, (n + 1) * sizeof(*v));
	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	conf->pin_cores = (struct hd_list){ .v = v };
	for (size_t i = 0; r == 0 && i < raw.n; i++)
		r = add_cores(conf, raw.v[i], v, err);
	return r;
}

int hd_conf_lists(struct hd_conf *conf, const struct hd_conf_cli *cli,
		  struct hd_error *err)
{
	int r = read_short_cert(conf, err);

	if (r == 0)
		r = check_loads(conf, err);
	if (r == 0)
		r = read_listen(conf, err);
	if (r == 0)
		r = hd_conf_trusted(conf, err);
	if (r == 0)
		r = override_port(conf, cli->port, err);
	return r == 0 ? read_cores(conf, err) : r;
}
