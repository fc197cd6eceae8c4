/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon.h - the life of the daemon:
 *   daemon.c         from flags to an exit code
 *   daemon_start.c   from a configuration to serving workers, and back
 *   daemon_life.c    signals, drain, stop; what commands ask
 *   daemon_reload.c  another configuration
 *   trial.c          one that is taken back by itself: trial.h
 *   daemon_tls.c     the certificates that are served
 *   daemon_user.c    limits and privileges
 *   daemon_check.c   -t: what can be known before, as the user that will run
 *   daemon_files.c   which files that user reaches
 *   serve.c, turn*.c what the workers do: serve.h, turn.h
 *   upgrade*.c       another process takes over: upgrade.h
 * cli.c reads the command line, cli_version.c answers -V, about_relay.c tells
 * modules what this relay is. Main thread. */
#pragma once
#include "core/daemon/cli.h"
#include "core/daemon/serve.h"
#include "core/net/listener.h"
#include "core/tls/tls.h"

struct hd_daemon { /* what serves now */
	const struct hd_cli *cli;
	struct hd_conf *conf;
	struct hd_tls_store *tls; /* NULL: no listener has TLS */
	struct hd_listener *listeners;
	size_t n_listeners;
	bool started; /* the workers were */
	unsigned reloads; /* so many have succeeded */
	int signal_fd;
};

/* hd_daemon_main - run, check or print; returns the exit code. Whatever went
 * wrong has been logged. */
int hd_daemon_main(const struct hd_cli *cli);

/* hd_signals_block - those that the daemon understands; before threads start.
 * Returns the descriptor they come by.
 * hd_daemon_asked - what commands may ask about d from now on.
 * hd_daemon_live - serve, until it is time to stop. */
int hd_signals_block(void);
const struct hd_daemon_ops *hd_daemon_asked(struct hd_daemon *d);
void hd_daemon_live(void);

/* hd_daemon_check - -t and -T: all that can be checked without serving. -t as
 * root becomes the user that the relay will be. */
int hd_daemon_check(const struct hd_cli *cli);
/* hd_daemon_start - until the workers accept. Returns 0 or an exit code, after
 * which hd_daemon_stop() is still due. */
int hd_daemon_start(struct hd_daemon *d);
/* hd_daemon_serve_args - of what serves now. */
struct hd_serve_args hd_daemon_serve_args(const struct hd_daemon *d);
/* hd_daemon_stop - fast; accepts what a failed start left. */
void hd_daemon_stop(struct hd_daemon *d);
/* hd_daemon_check_reload - whether hd_daemon_reload() would succeed. */
int hd_daemon_check_reload(const struct hd_daemon *d, struct hd_error *err);
/* hd_daemon_look - the same for another one, whichever keys differ. */
int hd_daemon_look(const struct hd_daemon *d, struct hd_conf *conf,
		   struct hd_error *err);
/* hd_daemon_reload - all of the new configuration or none of it. */
int hd_daemon_reload(struct hd_daemon *d, struct hd_error *err);

/* What a start and a check have in common. hd_daemon_failed - say it, to the
 * log and to the terminal. hd_daemon_exit_code - what the configuration says
 * wrongly has its own. */
int hd_daemon_failed(const struct hd_daemon *d, int code,
		     const struct hd_error *err);
int hd_daemon_exit_code(int r);

/* hd_daemon_own_certificate - one of our own, where conf wants one.
 * hd_daemon_store - NULL where no listener has TLS.
 * hd_daemon_renew_tls - modules have changed what is served behind the
 * certificates. @daemon  struct hd_daemon */
int hd_daemon_check_tls(const struct hd_conf *conf, struct hd_error *err);
int hd_daemon_own_certificate(struct hd_conf *conf, struct hd_error *err);
int hd_daemon_store(const struct hd_conf *conf, struct hd_tls_store **ret,
		    struct hd_error *err);
int hd_daemon_renew_tls(void *daemon, struct hd_error *err);
/* hd_daemon_watch_tls - from now on certificates of modules are served as soon
 * as they come; NULL: no longer. */
void hd_daemon_watch_tls(struct hd_daemon *d);

/* hd_raise_nofile - the soft limit of descriptors becomes the hard one. */
void hd_raise_nofile(void);
/* hd_user_prepare - as root: the state folder will belong to conf->user.
 * hd_user_drop - become conf->user; nothing happens when not root. */
int hd_user_prepare(const struct hd_conf *conf, struct hd_error *err);
/* hd_user_become - for good, with all groups of that user. Returns 0; -errno.
 */
int hd_user_become(const char *name, uid_t uid, gid_t gid,
		   struct hd_error *err);
int hd_user_drop(const struct hd_conf *conf, struct hd_error *err);
