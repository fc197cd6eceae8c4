/* SPDX-License-Identifier: MIT */
/* core/conf/conf_list.c - the lists of mappings: listen, load_module and
 * tls.certificates; and pin_cores, a list of numbers. */
#include "core/base/addr.h"
#include "core/conf/conf_number.h"
#include "core/conf/conf_value.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>

#define CORE_MAX 1023

/* A list and room for its entries, zeroed. */
static int open_list(struct hd_conf_private *priv, const struct hd_node *node,
		     size_t size, void **ret, struct hd_error *err)
{
	if (node->type != HD_NODE_LIST)
		return hd_node_error(node, err,
				     "`%s` must be a list, as in "
				     "`%s: [first, second]`",
				     node->key, node->key);
	*ret = hd_arena_alloc(&priv->arena, (node->n + 1) * size);
	return *ret == NULL ? hd_error_set(err, -ENOMEM, "out of memory") : 0;
}

static int fill_item(struct hd_conf_private *priv, const struct hd_node *item,
		     const struct hd_option *table, const char *section,
		     void *base, struct hd_error *err)
{
	int r;

	if (item->type == HD_NODE_LIST)
		return hd_node_error(item, err,
				     "an entry of `%s` cannot be a list",
				     section);
	if (item->type == HD_NODE_SCALAR) {
		r = hd_table_fill(priv, table, NULL, base, err);
		return r < 0 ? r : hd_value_set(priv, table, item, base, err);
	}
	r = hd_table_check(table, item, section, err);
	return r < 0 ? r : hd_table_fill(priv, table, item, base, err);
}

static int fail_missing(const struct hd_node *item, const char *section,
			const char *what, struct hd_error *err)
{
	return hd_node_error(item, err, "an entry of `%s` needs `%s`", section,
			     what);
}

/* ---- tls.certificates ---- */

/* Each of the two paths may be wrong, and each has its line. */
static void set_places(struct hd_cert_files *c, const struct hd_node *cert,
		       const struct hd_node *key)
{
	c->file = cert->file;
	c->line = cert->line;
	c->key_file = key->file;
	c->key_line = key->line;
}

static int add_cert(struct hd_conf *conf, const struct hd_node *item,
		    struct hd_error *err)
{
	static const char section[] = "tls.certificates";
	struct hd_cert_files *c = &conf->certificates[conf->n_certificates++];
	int r;

	r = fill_item(conf->priv, item, hd_cert_options, section, c, err);
	if (r < 0)
		return r;
	if (c->cert == NULL)
		return fail_missing(item, section, "cert", err);
	if (c->key == NULL)
		return fail_missing(item, section, "key", err);
	set_places(c, hd_node_get(item, "cert"), hd_node_get(item, "key"));
	return 0;
}

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
static int short_cert(struct hd_conf *conf, const struct hd_node *list,
		      struct hd_error *err)
{
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
	r = check_short(c, cert != NULL ? cert : key, list, err);
	if (r == 0)
		set_places(c, cert, key);
	return r;
}

static int read_certs(struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_node *list =
		hd_node_find(conf->priv->root, "tls.certificates");
	void *v;
	int r = short_cert(conf, list, err);

	if (r < 0 || list == NULL)
		return r;
	r = open_list(conf->priv, list, sizeof(*conf->certificates), &v, err);
	if (r < 0)
		return r;
	conf->certificates = v;
	for (const struct hd_node *i = list->first; r == 0 && i != NULL;
	     i = i->next)
		r = add_cert(conf, i, err);
	return r;
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

static int check_load(struct hd_conf *conf, const struct hd_node *item,
		      struct hd_error *err)
{
	size_t last = conf->n_load_module - 1;
	const struct hd_load_conf *l = &conf->load_module[last];

	if (l->name == NULL)
		return fail_missing(item, "load_module", "name", err);
	if (!is_module_name(l->name))
		return hd_node_error(item, err,
				     "`%.64s` is neither a module's "
				     "name nor an absolute path",
				     l->name);
	const struct hd_load_conf *other = find_load(conf, l->name, last);

	if (other != NULL && strcmp(other->file, l->file) == 0)
		return hd_node_error(item, err,
				     "module %.64s is loaded already, by %s:%u",
				     l->name, other->file, other->line);
	/* listed here, and enabled there: once is enough */
	conf->n_load_module -= other != NULL;
	return 0;
}

static int read_loads(struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_node *list =
		hd_node_get(conf->priv->root, "load_module");
	void *v;
	int r = open_list(conf->priv, list, sizeof(*conf->load_module), &v,
			  err);

	if (r < 0)
		return r;
	conf->load_module = v;
	for (const struct hd_node *i = list->first; r == 0 && i != NULL;
	     i = i->next) {
		struct hd_load_conf *l =
			&conf->load_module[conf->n_load_module++];

		l->file = i->file;
		l->line = i->line;
		r = fill_item(conf->priv, i, hd_load_options, "load_module", l,
			      err);
		if (r == 0)
			r = check_load(conf, i, err);
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

static int check_listen(const struct hd_conf *conf, const struct hd_node *item,
			struct hd_error *err)
{
	size_t last = conf->n_listen - 1;
	const struct hd_listen_conf *l = &conf->listen[last];

	if (l->addr.sa.sa_family == AF_UNSPEC)
		return fail_missing(item, "listen", "addr", err);
	if (l->tls && !has_certificate(conf))
		return hd_node_error(item, err,
				     "`tls: true` needs a certificate; set "
				     "`tls_cert` and `tls_key`, or `tls: "
				     "{self_signed: true}`");
	for (size_t i = 0; i < last; i++)
		if (same_addr(&conf->listen[i].addr, &l->addr))
			return hd_node_error(item, err,
					     "this address is "
					     "listened on already, by %s:%u",
					     conf->listen[i].file,
					     conf->listen[i].line);
	return 0;
}

static int read_listen_list(struct hd_conf *conf, const struct hd_node *list,
			    struct hd_error *err)
{
	void *v;
	int r = open_list(conf->priv, list, sizeof(*conf->listen), &v, err);

	if (r < 0)
		return r;
	conf->listen = v;
	for (const struct hd_node *i = list->first; r == 0 && i != NULL;
	     i = i->next) {
		struct hd_listen_conf *l = &conf->listen[conf->n_listen++];

		l->file = i->file;
		l->line = i->line;
		r = fill_item(conf->priv, i, hd_listen_options, "listen", l,
			      err);
		if (r == 0)
			r = check_listen(conf, i, err);
	}
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
	return list != NULL ? read_listen_list(conf, list, err)
			    : read_port(conf, port, err);
}

static int override_port(struct hd_conf *conf, int port, struct hd_error *err)
{
	if (port < 0)
		return 0;
	if (port > UINT16_MAX)
		return hd_error_set(err, -EINVAL,
				    "--port %d: ports end at 65535", port);
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
	int r = read_certs(conf, err);

	if (r == 0)
		r = read_loads(conf, err);
	if (r == 0)
		r = read_listen(conf, err);
	if (r == 0)
		r = override_port(conf, cli->port, err);
	return r == 0 ? read_cores(conf, err) : r;
}
