/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_tls.c - the certificates that a configuration names, one
 * of our own where it names none, and those of modules, as soon as they come.
 */
#include <errno.h>
#include <hyper-derp/log.h>
#include "core/daemon/daemon.h"
#include "core/daemon/serve.h"
#include "core/loop/mainloop.h"
#include "core/module/module.h"
#include "core/tls/tls_about.h"
#include "core/tls/tls_given.h"

static char own_cert[256], own_key[256];
static struct hd_cert_files own = { .cert = own_cert, .key = own_key };

static bool wants_tls(const struct hd_conf *conf)
{
	for (size_t i = 0; i < conf->n_listen; i++)
		if (conf->listen[i].tls)
			return true;
	return false;
}

/* Whether one of our own is served: wanted, or until a module has another. */
static bool needs_own(const struct hd_conf *conf)
{
	if (conf->n_certificates > 0)
		return false;
	return conf->dev || conf->self_signed ||
	       (hd_modules_flagged(HD_MODULE_CERTIFICATES) && wants_tls(conf));
}

int hd_daemon_check_tls(const struct hd_conf *conf, struct hd_error *err)
{
	if (hd_modules_flagged(HD_MODULE_CERTIFICATES))
		return 0; /* ours stands in for a moment: nobody has its pin */
	int r = hd_conf_check_tls(conf, err);

	if (r == 0 && conf->self_signed && conf->n_certificates == 0)
		r = hd_tls_self_signed_check(conf->state_dir, err);
	return r;
}

int hd_daemon_own_certificate(struct hd_conf *conf, struct hd_error *err)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	int r = hd_daemon_check_tls(conf, err);

	if (r < 0 || !needs_own(conf))
		return r;
	if (conf->dev && !conf->self_signed)
		r = hd_tls_self_signed(conf->state_dir, names,
				       HD_ARRAY_N(names), own_cert, own_key,
				       err);
	else
		r = hd_tls_self_signed_host(conf->state_dir, own_cert, own_key,
					    err);
	if (r < 0)
		return r;
	if (r == 1 && !hd_modules_flagged(HD_MODULE_CERTIFICATES))
		hd_log_write(HD_LOG_NOTICE,
			     "new self-signed certificate, whose pin clients "
			     "need (hdctl derpmap): cert=%s",
			     own_cert);
	conf->certificates = &own;
	conf->n_certificates = 1;
	return 0;
}

int hd_daemon_store(const struct hd_conf *conf, struct hd_tls_store **ret,
		    struct hd_error *err)
{
	bool stands_in = conf->certificates == &own && hd_tls_given_any();

	*ret = NULL;
	int r = wants_tls(conf)
			? hd_tls_store_new(conf->certificates,
					   stands_in ? 0 : conf->n_certificates,
					   ret, err)
			: 0;
	/* a bad certificate is no error in the configuration's text */
	return r == -EINVAL ? -EIO : r;
}

static int renew(struct hd_daemon *d, struct hd_error *err)
{
	struct hd_tls_store *tls, *old = d->tls;

	if (old == NULL)
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

int hd_daemon_renew_tls(void *daemon, struct hd_error *err)
{
	return hd_tls_chain_changed() ? renew(daemon, err) : 0;
}

/* ---- a module has another one ---- */

/* Not at once: who gives several has one store made for all. */
static struct {
	struct hd_main_post post;
	struct hd_daemon *d;
	bool waits;
} change;

static void on_change(struct hd_main_post *post)
{
	struct hd_error err = { "" };

	(void)post;
	change.waits = false;
	if (change.d != NULL && renew(change.d, &err) < 0)
		hd_log_write(HD_LOG_WARN,
			     "still serving the old certificates, until a "
			     "reload: %s",
			     err.text);
}

static void note_change(void *unused)
{
	(void)unused;
	if (change.waits)
		return;
	change.waits = true;
	change.post.fn = on_change;
	hd_main_post(&change.post);
}

void hd_daemon_watch_tls(struct hd_daemon *d)
{
	change.d = d;
	hd_tls_given_watch(d != NULL ? note_change : NULL, NULL);
}
