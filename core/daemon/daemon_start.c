/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_start.c - a configuration becomes a serving relay.
 *
 *   configuration -> log -> limits -> state folder -> modules -> TLS ->
 *   listeners -> privileges -> workers
 *
 * The order is that of need: modules make keys that certificates carry, ports
 * are bound while we may, threads start with the privileges they keep. */
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/descriptors.h"
#include "core/base/notify.h"
#include "core/base/secret.h"
#include "core/base/state_file.h"
#include "core/base/version.h"
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/daemon/about_relay.h"
#include "core/daemon/daemon.h"
#include "core/daemon/daemon_files.h"
#include "core/daemon/serve.h"
#include "core/daemon/trial.h"
#include "core/daemon/upgrade.h"
#include "core/fetch/fetch.h"
#include "core/loop/task.h"
#include "core/loop/worker.h"
#include "core/tls/aead.h"
#include "core/tls/kdf.h"
#include "core/module/module.h"
#include "core/module/module_file.h"
#include "core/module/module_live.h"
#include "core/module/module_pack.h"
#include "core/stream/service.h"
#include "core/tls/openssl_memory.h"
#include "core/tls/tls_about.h"

static void log_listeners(const struct hd_daemon *d)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct hd_listener *l = &d->listeners[i];
		char addr[HD_ADDR_TEXT_BYTES];

		hd_log_write(
			HD_LOG_NOTICE,
			"listening: addr=%s tls=%s%s%s%s%s%s%s%s",
			hd_addr_text(&l->addr, addr), l->tls ? "yes" : "no",
			l->name != NULL ? " name=" : "",
			l->name != NULL ? l->name : "",
			l->protocol != NULL ? " protocol=" : "",
			l->protocol != NULL ? l->protocol : "",
			l->proxies.n > 0 ? " proxy_protocol=yes" : "",
			l->only != 0 ? " pages_only=yes" : "",
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
		r = hd_commands_add_core(hd_daemon_asked(d), err);
	hd_listens_begin(conf);
	if (r == 0)
		r = hd_modules_load(conf, err);
	if (r == 0)
		r = hd_services_check(conf, err);
	if (r == 0)
		r = hd_daemon_own_certificate(conf, err);
	hd_kdf_start(conf->crypto != HD_CRYPTO_OPENSSL);
	if (r == 0)
		r = hd_daemon_store(conf, &d->tls, err);
	if (r == 0)
		r = hd_listeners_open(conf, hd_workers_wanted(conf),
				      &d->listeners, &d->n_listeners, err);
	if (r == 0)
		r = hd_control_open(conf, err);
	return r;
}

struct hd_serve_args hd_daemon_serve_args(const struct hd_daemon *d)
{
	return (struct hd_serve_args){
		.conf = d->conf,
		.tls = d->tls,
		.listeners = d->listeners,
		.n_listeners = d->n_listeners,
		.parked = hd_upgrade_is_new(),
	};
}

static int start_workers(struct hd_daemon *d, struct hd_error *err)
{
	const struct hd_serve_args args = hd_daemon_serve_args(d);

	return hd_serve_start(&args, err);
}

/* From here on it is too late to fail: the other process has ended. */
static void take_over(struct hd_daemon *d)
{
	const struct hd_serve_args args = hd_daemon_serve_args(d);
	struct hd_error err = { "" };

	hd_upgrade_take(d);
	hd_modules_taken();
	hd_serve_go(&args);
	hd_tasks_run();
	if (hd_control_start(&err) < 0)
		hd_log_write(HD_LOG_ERROR, "%s", err.text);
	hd_upgrade_taken();
}

int hd_daemon_start(struct hd_daemon *d)
{
	struct hd_error err = { "" };

	if (hd_conf_load(&d->cli->conf, &d->conf, &err) < 0)
		return hd_daemon_failed(d, HD_EXIT_CONFIG, &err);
	if (hd_log_open(d->conf->log_target,
			(enum hd_log_format)d->conf->log_format,
			(enum hd_log_level)d->conf->log_level, &err) < 0)
		return hd_daemon_failed(d, HD_EXIT_FAILED, &err);
	hd_trial_resume(&d->cli->conf, &d->conf);
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
		r = hd_audit_open(d->conf->audit_file, &err);
	if (r == 0)
		r = start_workers(d, &err);
	d->started = r == 0;
	if (r == 0 && !hd_upgrade_is_new())
		hd_tasks_run();
	if (r == 0)
		hd_fds_begin(hd_workers());
	hd_tls_show(d->tls);
	if (r == 0 && hd_upgrade_is_new())
		take_over(d);
	else if (r == 0)
		r = hd_control_start(&err);
	if (r < 0)
		return hd_daemon_failed(d,
					hd_trial_failed()
						? HD_EXIT_FAILED
						: hd_daemon_exit_code(r),
					&err);
	hd_live_begin(hd_daemon_renew_tls, d);
	hd_daemon_watch_tls(d);
	log_listeners(d);
	return 0;
}

/* A histogram is about how long things take, not how many there were. */
static void log_times(const struct hd_sample *s)
{
	const struct hd_times *t = s->times;

	hd_log_write(HD_LOG_INFO,
		     "metric %s%s%s%s: count=%ju mean_us=%ju p50_us=%ju "
		     "p90_us=%ju p99_us=%ju",
		     s->name, s->labels != NULL ? "{" : "",
		     s->labels != NULL ? s->labels : "",
		     s->labels != NULL ? "}" : "", (uintmax_t)t->n,
		     (uintmax_t)(t->sum_ns / t->n / 1000),
		     (uintmax_t)hd_times_us(t, 0.5),
		     (uintmax_t)hd_times_us(t, 0.9),
		     (uintmax_t)hd_times_us(t, 0.99));
}

static void log_sample(void *arg, const struct hd_sample *s)
{
	(void)arg;
	if (s->value == 0)
		return;
	if (s->times != NULL)
		log_times(s);
	else if (s->labels != NULL)
		hd_log_write(HD_LOG_INFO, "metric %s{%s}=%jd", s->name,
			     s->labels, (intmax_t)s->value);
	else
		hd_log_write(HD_LOG_INFO, "metric %s=%jd", s->name,
			     (intmax_t)s->value);
}

void hd_daemon_stop(struct hd_daemon *d)
{
	enum { TASKS_LIMIT_MS = 1000, TASKS_LATE_MS = 4000 };

	hd_upgrade_stop();
	hd_control_stop();
	hd_daemon_watch_tls(NULL);
	hd_live_end();
	hd_fetches_stop(); /* while workers run, so that callbacks do */
	bool all = hd_tasks_stop(TASKS_LIMIT_MS);
	if (d->started) {
		hd_metrics_read(NULL, log_sample, NULL);
		hd_workers_stop();
	}
	if (!all && !hd_tasks_stop(TASKS_LATE_MS)) /* unload() waits, too */
		hd_log_write(HD_LOG_WARN, "background work does not end");
	hd_listeners_close(&d->listeners, &d->n_listeners);
	hd_tls_show(NULL);
	hd_tls_store_put(&d->tls);
	hd_main_free(); /* calls that were under way come to their end */
	hd_modules_unload(); /* may still answer: hd_admit_answer() */
	hd_workers_free();
	hd_fetches_free();
	hd_control_free();
	hd_state_dir_close();
	hd_conf_free(&d->conf);
}
