/* SPDX-License-Identifier: MIT */
/* core/conf/compat_flags.c - flags of Hyper-DERP's predecessor: each stands for
 * a key of the file, or warns. Unit files and containers go on as they are. */
#include "core/conf/compat_flags.h"
#include <errno.h>
#include <stdio.h>

#define VALUE(n, k) { .name = (n), .takes_value = true, .key = (k) }
#define SWITCH(n, k) { .name = (n), .key = (k), .value = "true" }

/* Those that are ours, too (--config, --port, --workers, --log-level), stand
 * in cli.c. */
const struct hd_old_flag hd_old_flags[] = {
	VALUE("tls-cert", "tls_cert"),
	VALUE("tls-key", "tls_key"),
	VALUE("pin-workers", "pin_cores"),
	VALUE("sockbuf", "sockbuf"),
	VALUE("max-accept-rate", "max_accept_rate"),
	VALUE("metrics-port", "metrics.port"),
	VALUE("hd-relay-key", "hd.relay_key"),
	VALUE("hd-enroll-mode", "hd.enroll_mode"),
	VALUE("hd-relay-id", "hd.relay_id"),
	VALUE("hd-seed-relay", "hd.seed_relays"),
	VALUE("stun-port", "level2.stun_port"),
	VALUE("xdp-interface", "level2.xdp_interface"),
	SWITCH("sqpoll", "sqpoll"),
	SWITCH("debug-endpoints", "metrics.debug_endpoints"),
	SWITCH("level2", "level2.enabled"),
	{ .name = "xdp-mode", .takes_value = true,
	  .ignored = "the module wg has `wg.xdp`" },
	{ .name = "trace-forward-hashes",
	  .ignored = "`hdctl trace` follows packets" },
	{ .name = NULL },
};

static int put(struct hd_conf_private *priv, const struct hd_old_arg *arg,
	       struct hd_error *err)
{
	const struct hd_old_flag *f = arg->flag;
	const char *name = hd_arena_printf(&priv->arena, "--%s", f->name);
	const struct hd_node at = { .file = name };

	if (name == NULL)
		return -ENOMEM;
	if (f->key == NULL) {
		hd_node_warn(&at, "this flag has no effect here: %s",
			     f->ignored);
		return 0;
	}
	int r = hd_flag_put(priv, name, f->key,
			    f->takes_value ? arg->value : f->value);
	return r == -ENOTDIR ? hd_node_error(&at, err,
					     "`%s` belongs to a section that "
					     "is not a mapping",
					     f->key)
			     : r;
}

int hd_compat_flags(struct hd_conf_private *priv, const struct hd_conf_cli *cli,
		    struct hd_error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < cli->n_old; i++)
		r = put(priv, &cli->old[i], err);
	return r;
}
