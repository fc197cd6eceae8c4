/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_reload.c - another configuration for a relay that serves:
 * all of it, or none. */
#include <hyper-derp/log.h>
#include "core/base/log.h"
#include "core/base/reloaded.h"
#include "core/daemon/daemon.h"
#include "core/daemon/serve.h"
#include "core/daemon/trial.h"
#include "core/module/module.h"
#include "core/module/module_listed.h"
#include "core/tls/tls_about.h"

/* A reload changes no module: that is for whoever asked, one at a time. */
static void log_unlike(void *unused, const char *name, bool listed)
{
	(void)unused;
	if (listed)
		hd_log_notice("load_module lists a module that is not loaded; "
			      "now: hdctl module load %s",
			      name);
	else
		hd_log_notice("a module is loaded that load_module does not "
			      "list; now: hdctl module unload %s",
			      name);
}

/* Both configurations are good; which keys may differ?
 * @live  those that a reload applies */
static int check_conf(const struct hd_daemon *d, struct hd_conf *conf,
		      bool live, struct hd_tls_store **ret_tls,
		      struct hd_error *err)
{
	int r = hd_daemon_own_certificate(conf, err);

	if (r == 0)
		r = hd_modules_check(conf, err);
	if (r == 0 && live)
		r = hd_conf_live_only(d->conf, conf, err);
	if (r == 0)
		r = hd_listens_check(err);
	if (r == 0)
		r = hd_daemon_store(conf, ret_tls, err);
	return r;
}

int hd_daemon_check_reload(const struct hd_daemon *d, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *tls = NULL;
	int r = hd_trial_load(&d->cli->conf, &conf, err);

	return r == 0 ? check_conf(d, conf, true, &tls, err) : r;
}

int hd_daemon_look(const struct hd_daemon *d, struct hd_conf *conf,
		   struct hd_error *err)
{
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *tls = NULL;

	return check_conf(d, conf, false, &tls, err);
}

int hd_daemon_reload(struct hd_daemon *d, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	HD_AUTO(hd_conf_free) struct hd_conf *before = NULL;
	struct hd_tls_store *tls = NULL;
	int r = hd_trial_load(&d->cli->conf, &conf, err);

	if (r == 0)
		r = check_conf(d, conf, true, &tls, err);
	hd_reloaded_note(r >= 0);
	if (r < 0)
		return r;
	hd_serve_reload(conf, tls);
	hd_tls_show(tls);
	hd_listens_renew();
	hd_modules_adopt(conf);
	hd_log_level_set((enum hd_log_level)conf->log_level);
	hd_modules_unlike(conf, log_unlike, NULL);
	hd_tls_store_put(&d->tls);
	before = d->conf;
	d->tls = tls;
	d->conf = hd_steal(&conf);
	d->reloads++;
	hd_trial_reloaded(before);
	return 0;
}
