/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd.h - the daemon's own commands, a file per subject:
 *   cmd_config.c   the configuration        cmd_module.c   modules, as they are
 *   cmd_control.c  commands, the log        cmd_pairs.c    who sends to whom
 *   cmd_daemon.c   reload, drain            cmd_peers.c    who is connected
 *   cmd_upgrade.c  another binary
 *   cmd_derpmap.c  for maps of relays       cmd_status.c   the relay on a page
 *   cmd_events.c   events                   cmd_trace.c    what happened lately
 *   cmd_live.c     modules come and go      cmd_metrics.c  metrics
 *   cmd_try.c      a configuration on trial
 * Main thread, but for the each() of a command, which runs in workers. */
#pragma once
#include <hyper-derp/control.h>
#include "core/conf/conf.h"
#include "core/net/listener.h"

/* A new binary takes over: core/daemon/upgrade.h. */
enum { HD_UPGRADE_REASONS_MAX = 16 };

struct hd_upgrade_report {
	bool dry_run;
	pid_t pid; /* the new process; 0: none has been put in our place */
	char version[64]; /* of the new binary */
	unsigned moved, closed_peers, closed_others; /* connections */
	unsigned ahead; /* of those moved: before, and as they were */
	uint64_t silent_us; /* no packet moved meanwhile */
	unsigned n;
	struct hd_upgrade_reason { /* why some cannot move */
		const char *why;
		unsigned n;
		bool peers; /* that have logged in */
	} v[HD_UPGRADE_REASONS_MAX];
};

struct hd_trial_about { /* core/daemon/trial.h; valid until the next turn */
	const char *by, *comment;
	uint64_t left_ms;
};

struct hd_upgrade_asked {
	const char *binary; /* copied; NULL: the file that this process was
			       started from */
	bool dry_run;
	bool close_rest; /* peers that cannot move; else: refuse */
	/* done - r is 0, or negative with err. When it was no dry run and r is
	 * 0, the process ends when this returns. Main thread. */
	void (*done)(void *arg, int r, const struct hd_upgrade_report *report,
		     const struct hd_error *err);
	void *arg;
};

/* What commands ask the daemon, which is above them and fills this in. conf and
 * listeners answer from the start on until no call is under way any more; they
 * are what serves now, or served last. */
struct hd_daemon_ops {
	const struct hd_conf *(*conf)(void);
	const struct hd_listener *(*listeners)(size_t *ret_n);
	const char *(*state)(void); /* "serving", … */
	uint64_t (*uptime_ms)(void);
	/* load_conf - the files as they are now; their warnings are logged.
	 * Returns -EACCES when this process may not read them. */
	int (*load_conf)(struct hd_conf **ret_conf, struct hd_error *err);
	/* check_reload - whether reload() would succeed. reload - as HUP does.
	 */
	int (*check_reload)(struct hd_error *err);
	int (*reload)(struct hd_error *err);
	/* try_dry - what texts in place of files would be; all is checked that
	 * a reload checks, but which keys differ. try_begin, try_end: trial.h.
	 * trial - returns whether one is under way. */
	int (*try_dry)(const char *text, struct hd_conf **ret_conf,
		       struct hd_error *err);
	int (*try_begin)(const char *text, uint64_t for_ms,
			 struct hd_error *err);
	int (*try_end)(struct hd_error *err);
	bool (*trial)(struct hd_trial_about *ret);
	/* drain - as USR2 does; peers are closed after wait_ms, HD_DRAIN_TIME:
	 * as configured. One that is under way gets the time, or the exit, that
	 * is asked for. undrain - at any moment before the process ends.
	 * Return 0; -EALREADY there is nothing to do. */
	int (*drain)(uint64_t wait_ms, bool exit_after, struct hd_error *err);
	int (*undrain)(struct hd_error *err);
	uint64_t (*closes_in_ms)(void); /* 0: at once, or no drain waits */
	/* upgrade - returns 0: done() will be called; negative with err: it
	 * will not, -EBUSY: another one is under way. */
	int (*upgrade)(const struct hd_upgrade_asked *asked,
		       struct hd_error *err);
};
#define HD_DRAIN_TIME UINT64_MAX

/* hd_commands_add_core - register them all. @ops  stays the caller's */
int hd_commands_add_core(const struct hd_daemon_ops *ops, struct hd_error *err);

/* ---- for the files of this folder ---- */

extern const struct hd_daemon_ops *hd_daemon_ops; /* as it was given */
/* hd_cmd_put_only - the pages that a listener is for; empty: for everything. */
void hd_cmd_put_only(struct hd_call *c, const struct hd_listener *l);
extern const struct hd_command hd_cmd_config[], hd_cmd_control[],
	hd_cmd_daemon[], hd_cmd_derpmap[], hd_cmd_events[], hd_cmd_live[],
	hd_cmd_metrics[], hd_cmd_module[], hd_cmd_pairs[], hd_cmd_peers[],
	hd_cmd_status[], hd_cmd_trace[], hd_cmd_try[], hd_cmd_upgrade[];
