/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_tls.c - the certificates that a configuration names, and
 * one of our own where it names none. */
#include <errno.h>
#include "core/daemon/daemon.h"
#include "core/daemon/serve.h"
#include "core/tls/tls_about.h"

int hd_daemon_own_certificate(struct hd_conf *conf, struct hd_error *err)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	static char cert[256], key[256];
	static struct hd_cert_files one = { .cert = cert, .key = key };
	int r;

	if (conf->n_certificates > 0 || !(conf->dev || conf->self_signed))
		return 0;
	if (conf->self_signed)
		r = hd_tls_self_signed_host(conf->state_dir, cert, key, err);
	else
		r = hd_tls_self_signed(conf->state_dir, names,
				       HD_ARRAY_N(names), cert, key, err);
	if (r < 0)
		return r;
	conf->certificates = &one;
	conf->n_certificates = 1;
	return 0;
}

static bool wants_tls(const struct hd_conf *conf)
{
	for (size_t i = 0; i < conf->n_listen; i++)
		if (conf->listen[i].tls)
			return true;
	return false;
}

int hd_daemon_store(const struct hd_conf *conf, struct hd_tls_store **ret,
		    struct hd_error *err)
{
	*ret = NULL;
	int r = wants_tls(conf)
			? hd_tls_store_new(conf->certificates,
					   conf->n_certificates, ret, err)
			: 0;
	/* a bad certificate is no error in the configuration's text */
	return r == -EINVAL ? -EIO : r;
}

int hd_daemon_renew_tls(void *daemon, struct hd_error *err)
{
	struct hd_daemon *d = daemon;
	struct hd_tls_store *tls, *old = d->tls;

	if (old == NULL || !hd_tls_chain_changed())
		return 0;
	int r = hd_daemon_store(d->conf, &tls, err);
	if (r < 0)
		return r;
	d->tls = tls;
	hd_serve_tls(tls);
	hd_tls_show(tls);
	hd_tls_store_put(&old);
	return 0;
}
