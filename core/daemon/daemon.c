/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon.c - the whole life of a relay, from flags to an exit code.
 */
#include "core/daemon/daemon.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/notify.h"
#include "core/daemon/upgrade.h"
#include "core/loop/mainloop.h"
#include "core/module/module.h"

/* Also to the terminal, when the log goes elsewhere. */
int hd_daemon_failed(const struct hd_daemon *d, int code,
		     const struct hd_error *err)
{
	const char *target = d->conf != NULL ? d->conf->log_target : NULL;

	hd_log_write(HD_LOG_ERROR, "%s", err->text);
	if (hd_upgrade_is_new())
		hd_upgrade_failed(err);
	if (target != NULL && strcmp(target, "stderr") != 0)
		fprintf(stderr, "hyper-derp: %s\n", err->text);
	return code;
}

/* What a module or the core says about the configuration is -EINVAL. */
int hd_daemon_exit_code(int r)
{
	return r == -EINVAL ? HD_EXIT_CONFIG : HD_EXIT_FAILED;
}

/* It is up, but what is a relay that nobody can talk to? */
static void announce_ready(void)
{
	bool empty = hd_modules_n() == 0;

	if (empty)
		hd_log_write(HD_LOG_WARN,
			     "no module is loaded: this relay serves nobody; "
			     "name some in load_module, or: hdctl module "
			     "enable derp");
	hd_log_write(HD_LOG_NOTICE,
		     empty ? "ready, without a module" : "ready");
	if (!hd_upgrade_announces()) /* else when the old process has ended */
		hd_notify("READY=1\nSTATUS=%s",
			  empty ? "up, started without a module" : "serving");
}

static int run(const struct hd_cli *cli)
{
	if (cli->take_over >= 0) /* before a descriptor is opened */
		hd_upgrade_hello(cli->take_over);

	struct hd_daemon d = { .cli = cli, .signal_fd = hd_signals_block() };

	hd_upgrade_init(&d);
	hd_assert(d.signal_fd >= 0 && hd_main_init() == 0);
	hd_listen_fds_init();
	int code = hd_daemon_start(&d);
	if (code == 0) {
		announce_ready();
		hd_daemon_live();
		hd_notify("STOPPING=1");
		hd_log_write(HD_LOG_NOTICE, "stopping");
	}
	hd_daemon_stop(&d);
	if (code == 0)
		hd_log_write(HD_LOG_NOTICE, "stopped");
	hd_audit_close();
	hd_log_close();
	close(d.signal_fd);
	return code;
}

int hd_daemon_main(const struct hd_cli *cli)
{
	return cli->action == HD_RUN ? run(cli) : hd_daemon_check(cli);
}
