/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_start.c - a configuration becomes a serving relay.
 *
 *   configuration -> log -> limits -> state folder -> modules -> TLS ->
 *   listeners -> privileges -> workers
 *
 * The order is that of need: modules make keys that certificates carry, ports
 * are bound while we may, threads start with the privileges they keep. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>
#include <unistd.h>
#include "core/base/descriptors.h"
#include "core/base/log.h"
#include "core/base/notify.h"
#include "core/base/secret.h"
#include "core/base/state_file.h"
#include "core/base/version.h"
#include "core/control/control.h"
#include "core/daemon/about_relay.h"
#include "core/daemon/daemon.h"
#include "core/daemon/daemon_files.h"
#include "core/daemon/serve.h"
#include "core/loop/task.h"
#include "core/loop/worker.h"
#include "core/module/module.h"
#include "core/module/module_file.h"
#include "core/module/module_listed.h"
#include "core/module/module_live.h"
#include "core/tls/openssl_memory.h"
#include "core/tls/tls_about.h"

/* Also to the terminal, when the log goes elsewhere. */
int hd_daemon_failed(const struct hd_daemon *d, int code,
		     const struct hd_error *err)
{
	const char *target = d->conf != NULL ? d->conf->log_target : NULL;

	hd_log_write(HD_ERROR, "%s", err->text);
	if (target != NULL && strcmp(target, "stderr") != 0)
		fprintf(stderr, "hyper-derp: %s\n", err->text);
	return code;
}

/* One of our own, where none is configured. */
static int own_certificate(struct hd_conf *conf, struct hd_error *err)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	static char cert[256], key[256];
	static struct hd_cert_conf one = { .cert = cert, .key = key };
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
	int r = wants_tls(conf) ? hd_tls_store_new(conf, ret, err) : 0;
	/* a bad certificate is no error in the configuration's text */
	return r == -EINVAL ? -EIO : r;
}

/* What a module or the core says about the configuration is -EINVAL. */
int hd_daemon_exit_code(int r)
{
	return r == -EINVAL ? HD_EXIT_CONFIG : HD_EXIT_FAILED;
}

static void tell_listeners(const struct hd_daemon *d)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct hd_listener *l = &d->listeners[i];
		char addr[HD_ADDR_TEXT_BYTES];

		hd_log_write(HD_NOTICE, "listening: addr=%s tls=%s%s%s%s",
			     hd_addr_text(&l->addr, addr),
			     l->tls ? "yes" : "no",
			     l->name != NULL ? " name=" : "",
			     l->name != NULL ? l->name : "",
			     l->shared ? " inherited=yes" : "");
	}
	hd_listen_fds_unused();
}

/* The state folder, and what needs the privileges of the start. */
static int prepare(struct hd_daemon *d, struct hd_error *err)
{
	struct hd_conf *conf = d->conf;
	int r = hd_state_dir_open(conf->state_dir, err);

	if (r == 0)
		r = hd_user_prepare(conf, err);
	if (r == 0)
		r = hd_control_commands(err);
	hd_listens_begin(conf);
	if (r == 0)
		r = hd_modules_load(conf, err);
	if (r == 0)
		r = own_certificate(conf, err);
	if (r == 0)
		r = hd_daemon_store(conf, &d->tls, err);
	if (r == 0)
		r = hd_listeners_open(conf, hd_workers_wanted(conf),
				      &d->listeners, &d->n_listeners, err);
	if (r == 0)
		r = hd_control_open(conf, err);
	return r;
}

static int start_workers(struct hd_daemon *d, struct hd_error *err)
{
	const struct hd_serve_args args = {
		.conf = d->conf,
		.tls = d->tls,
		.listeners = d->listeners,
		.n_listeners = d->n_listeners,
	};

	return hd_serve_start(&args, err);
}

/* Modules have changed what is served behind the certificates. */
static int renew_tls(void *daemon, struct hd_error *err)
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

int hd_daemon_start(struct hd_daemon *d)
{
	struct hd_error err = { "" };

	if (hd_conf_load(&d->cli->conf, &d->conf, &err) < 0)
		return hd_daemon_failed(d, HD_EXIT_CONFIG, &err);
	if (hd_log_open(d->conf->log_target,
			(enum hd_log_format)d->conf->log_format,
			(enum hd_level)d->conf->log_level, &err) < 0)
		return hd_daemon_failed(d, HD_EXIT_FAILED, &err);
	hd_log_notice("starting: version=%s commit=%s pid=%d", hd_version,
		      hd_commit, (int)getpid());
	hd_process_protect(d->conf->core_dumps);
	if (hd_openssl_memory(d->conf->core_dumps) < 0)
		hd_log_warn("OpenSSL keeps its own memory: what it frees is "
			    "not wiped, a core dump would hold keys");
	hd_raise_nofile();
	hd_about_begin();
	hd_tasks_start();
	int r = prepare(d, &err);
	if (r == 0)
		r = hd_user_drop(d->conf, &err);
	if (r == 0)
		hd_files_warn_unread(d->conf);
	if (r == 0)
		r = start_workers(d, &err);
	d->started = r == 0;
	if (r == 0)
		hd_fds_begin(hd_workers());
	hd_tls_show(d->tls);
	if (r == 0)
		r = hd_control_start(&err);
	if (r < 0)
		return hd_daemon_failed(d, hd_daemon_exit_code(r), &err);
	hd_live_begin(renew_tls, d);
	tell_listeners(d);
	return 0;
}

/* What a histogram is about is how long things take, not how many there were. */
static void tell_times(const char *name, const struct hd_histogram *h)
{
	hd_log_write(HD_INFO,
		     "metric %s: count=%ju mean_us=%ju p50_us=%ju p90_us=%ju "
		     "p99_us=%ju",
		     name, (uintmax_t)h->n, (uintmax_t)(h->sum_ns / h->n / 1000),
		     (uintmax_t)hd_histogram_us(h, 0.5),
		     (uintmax_t)hd_histogram_us(h, 0.9),
		     (uintmax_t)hd_histogram_us(h, 0.99));
}

static void tell_metric(void *arg, const char *module,
			const struct hd_metric *metric, uint64_t sum,
			const struct hd_histogram *h)
{
	(void)arg;
	(void)module;
	if (sum == 0)
		return;
	if (h != NULL)
		tell_times(metric->name, h);
	else if (metric->labels != NULL)
		hd_log_write(HD_INFO, "metric %s{%s}=%ju", metric->name,
			     metric->labels, (uintmax_t)sum);
	else
		hd_log_write(HD_INFO, "metric %s=%ju", metric->name,
			     (uintmax_t)sum);
}

void hd_daemon_stop(struct hd_daemon *d)
{
	enum { TASKS_LIMIT_MS = 1000 };

	hd_control_stop();
	hd_live_end();
	if (!hd_tasks_stop(TASKS_LIMIT_MS))
		hd_log_warn("a background task did not end in time");
	if (d->started) {
		hd_metrics_read(NULL, tell_metric, NULL);
		hd_workers_stop();
	}
	hd_listeners_close(&d->listeners, &d->n_listeners);
	hd_tls_show(NULL);
	hd_tls_store_put(&d->tls);
	hd_main_free(); /* calls that were under way come to their end */
	hd_modules_unload(); /* may still answer for logins: hd_admit_answer() */
	hd_workers_free();
	hd_control_free();
	hd_state_dir_close();
	hd_conf_free(&d->conf);
}

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

/* Both configurations are good; which keys may differ? */
static int check_reload(const struct hd_daemon *d, struct hd_conf *conf,
			struct hd_tls_store **ret_tls, struct hd_error *err)
{
	int r = own_certificate(conf, err);

	if (r == 0)
		r = hd_modules_check(conf, err);
	if (r == 0)
		r = hd_conf_live_only(d->conf, conf, err);
	if (r == 0)
		r = hd_listens_check(err);
	if (r == 0)
		r = hd_daemon_store(conf, ret_tls, err);
	return r;
}

int hd_daemon_try_reload(const struct hd_daemon *d, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *tls = NULL;
	int r = hd_conf_load(&d->cli->conf, &conf, err);

	return r == 0 ? check_reload(d, conf, &tls, err) : r;
}

int hd_daemon_reload(struct hd_daemon *d, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	struct hd_tls_store *tls = NULL;
	int r = hd_conf_load(&d->cli->conf, &conf, err);

	if (r == 0)
		r = check_reload(d, conf, &tls, err);
	if (r < 0)
		return r;
	hd_serve_reload(conf, tls);
	hd_tls_show(tls);
	hd_listens_renew();
	hd_modules_adopt(conf);
	hd_log_level_set((enum hd_level)conf->log_level);
	hd_modules_unlike(conf, log_unlike, NULL);
	hd_tls_store_put(&d->tls);
	hd_conf_free(&d->conf);
	d->tls = tls;
	d->conf = hd_steal(&conf);
	return 0;
}
