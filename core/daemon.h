/* SPDX-License-Identifier: MIT */
/* core/daemon.h - the life of the daemon, in three files:
 *   daemon_start.c  from a configuration to serving workers, and back
 *   daemon.c        signals: reload, drain, stop
 *   daemon_user.c   limits and privileges
 * Main thread. */
#pragma once
#include "core/cli.h"
#include "core/listener.h"
#include "core/tls.h"

struct hd_daemon { /* what serves now */
	const struct hd_cli *cli;
	struct hd_conf *conf;
	struct hd_tls_store *tls; /* NULL: no listener has TLS */
	struct hd_listener *listeners;
	size_t n_listeners;
	bool started; /* the workers were */
	int signal_fd;
};

/* hd_daemon_main - run, check or print; returns the exit code. Whatever went
 * wrong has been logged. */
int hd_daemon_main(const struct hd_cli *cli);

/* What the control socket asks for. hd_daemon - what serves now, NULL before
 * and after. hd_daemon_ask_reload - as HUP does. hd_daemon_ask_drain - as USR2
 * and QUIT do; peers are closed after wait_ms. */
const struct hd_daemon *hd_daemon(void);
const char *hd_daemon_state(void);
uint64_t hd_daemon_uptime_ms(void);
int hd_daemon_ask_reload(struct hd_error *err);
int hd_daemon_ask_drain(uint64_t wait_ms, bool exit_after,
			struct hd_error *err);

/* hd_daemon_check - -t and -T: all that can be checked without serving. */
int hd_daemon_check(const struct hd_cli *cli);
/* hd_daemon_start - until the workers accept. Returns 0 or an exit code, after
 * which hd_daemon_stop() is still due. */
int hd_daemon_start(struct hd_daemon *d);
/* hd_daemon_stop - fast; accepts what a failed start left. */
void hd_daemon_stop(struct hd_daemon *d);
/* hd_daemon_try_reload - whether hd_daemon_reload() would succeed. */
int hd_daemon_try_reload(const struct hd_daemon *d, struct hd_error *err);
/* hd_daemon_reload - all of the new configuration or none of it. */
int hd_daemon_reload(struct hd_daemon *d, struct hd_error *err);

/* hd_daemon_renew_tls - after modules have changed what is served behind the
 * certificates. */
int hd_daemon_renew_tls(struct hd_daemon *d, struct hd_error *err);

/* hd_raise_nofile - the soft limit of descriptors becomes the hard one. */
void hd_raise_nofile(void);
/* hd_user_prepare - as root: the state folder will belong to conf->user.
 * hd_user_drop - become conf->user; nothing happens when not root. */
int hd_user_prepare(const struct hd_conf *conf, struct hd_error *err);
int hd_user_drop(const struct hd_conf *conf, struct hd_error *err);
