/* SPDX-License-Identifier: MIT */
/* core/conf/conf_proxies.c - whom the relay believes whose a connection is:
 * lists of addresses and prefixes. */
#include "core/conf/conf_value.h"
#include <errno.h>
#include <hyper-derp/log.h>

static int wrong_prefix(const char *key, const struct hd_place *at,
			const char *text, int r, struct hd_error *err)
{
	if (r == -EDOM)
		return hd_error_at(at, err, -EINVAL,
				   "`%s`: %.64s has bits set after its "
				   "prefix",
				   key, text);
	return hd_error_at(
		at, err, -EINVAL,
		"`%s`: %.64s is not an address or a prefix; list the "
		"proxies, as in "
		"`%s: [192.0.2.7, \"2001:db8::/32\"]`",
		key, text, key);
}

/* It may be meant: only the proxy's network reaches the port. */
static void warn_of_all(const char *key, const struct hd_place *at,
			const char *text)
{
	if (hd_log_on(HD_LOG_WARN))
		hd_log_write(HD_LOG_WARN,
			     "%s:%u: `%s`: %s is everybody: who reaches the "
			     "port may claim any address",
			     at->file, at->line, key, text);
}

int hd_conf_prefixes(struct hd_conf *conf, const char *key,
		     const struct hd_place *at, const struct hd_list *texts,
		     struct hd_prefixes *ret, struct hd_error *err)
{
	struct hd_prefix *v =
		hd_arena_alloc(&conf->priv->arena, (texts->n + 1) * sizeof(*v));

	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < texts->n; i++) {
		int r = hd_prefix_parse(texts->v[i], &v[i]);

		if (r < 0)
			return wrong_prefix(key, at, texts->v[i], r, err);
		if (hd_prefix_is_all(&v[i]))
			warn_of_all(key, at, texts->v[i]);
	}
	*ret = (struct hd_prefixes){ v, texts->n };
	return 0;
}

int hd_conf_trusted(struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_node *node =
		hd_node_get(conf->priv->root, "trusted_proxies");
	const struct hd_place at = { node != NULL ? node->file : NULL,
				     node != NULL ? node->line : 0 };

	return hd_conf_prefixes(conf, "trusted_proxies", &at,
				&conf->trusted_proxies, &conf->trusted, err);
}
