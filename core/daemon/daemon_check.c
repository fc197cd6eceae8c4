/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_check.c - -t: what can be known before a start and before
 * a reload. Root may read everything; the relay may not. So a check by root
 * becomes the user that will run, reads the configuration once more and goes on
 * as that user: whatever a reload reads, it reads, too.
 *
 * That user is `user:`, else the owner of the state folder, as with a service
 * manager that starts the relay as somebody. */
#include <hyper-derp/log.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/log.h"
#include "core/control/control.h"
#include "core/daemon/daemon.h"
#include "core/daemon/daemon_files.h"
#include "core/daemon/serve.h"
#include "core/module/module.h"
#include "core/stream/accept.h"
#include "core/stream/service.h"

struct runner {
	char name[64]; /* "": whoever checks */
	const char *why;
	uid_t uid;
	gid_t gid;
};

/* Returns 0; -EINVAL there is no such user or group. */
static int find_runner(const struct hd_conf *conf, struct runner *ret,
		       struct hd_error *err)
{
	const struct passwd *pw = NULL;
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (conf->user != NULL) {
		snprintf(ret->name, sizeof(ret->name), "%s", conf->user);
		ret->why = "of the key `user`";
		return hd_conf_user(conf, &ret->uid, &ret->gid, err);
	}
	if (stat(conf->state_dir, &st) == 0 && st.st_uid != 0)
		pw = getpwuid(st.st_uid);
	if (pw == NULL)
		return 0;
	snprintf(ret->name, sizeof(ret->name), "%s", pw->pw_name);
	ret->why = "who owns state_dir";
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	return 0;
}

/* Who says what is wrong says as whom it looked. */
static int as_user(const struct runner *who, int r, struct hd_error *err)
{
	struct hd_error why = *err;

	if (r == 0 || who->name[0] == '\0')
		return r;
	return hd_error_set(err, r, "checked as the user %s, %s: %s", who->name,
			    who->why, why.text);
}

/* The files again, as the user: warnings have been given. */
static int read_again(struct hd_daemon *d, struct hd_error *err)
{
	hd_conf_free(&d->conf);
	hd_log_level_set(HD_LOG_ERROR);
	int r = hd_conf_load(&d->cli->conf, &d->conf, err);
	hd_log_level_set(HD_LOG_INFO);
	return r;
}

/* From here on this process is the user that will run. */
static int become_runner(struct hd_daemon *d, struct runner *who,
			 struct hd_error *err)
{
	struct hd_role_rules rules;
	int r = hd_role_rules(d->conf, &rules, err);

	if (r == 0)
		r = find_runner(d->conf, who, err);
	if (r < 0 || who->uid == 0) {
		who->name[0] = '\0';
		return r;
	}
	r = hd_user_become(who->name, who->uid, who->gid, err);
	/* sanitizers look at their own process; it lives for this check only */
	(void)prctl(PR_SET_DUMPABLE, 1);
	return r == 0 ? read_again(d, err) : r;
}

/* Whether the kernel has it is known by asking only. */
static void warn_congestion(const struct hd_conf *conf)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	hd_accept_congestion(fd, conf);
	close(fd);
}

static int check(struct hd_daemon *d, struct hd_error *err)
{
	bool by_root = geteuid() == 0 && d->conf->user != NULL;
	struct runner who = { .name = "" };
	const struct hd_ring_ops *ops;
	int r = 0;

	if (d->cli->action == HD_CHECK)
		r = become_runner(d, &who, err);
	if (r == 0 && d->cli->action == HD_CHECK)
		r = hd_serve_check(d->conf, &ops, err);
	if (r == 0)
		r = hd_modules_probe(d->conf, err);
	if (r == 0)
		r = hd_services_check(d->conf, err);
	if (r == 0 && d->cli->action == HD_CHECK)
		hd_modules_check_left(d->conf);
	if (r == 0)
		r = hd_daemon_check_tls(d->conf, err);
	if (r == 0 && d->conf->n_certificates > 0)
		r = hd_daemon_store(d->conf, &d->tls, err);
	if (r == 0 && d->cli->action == HD_CHECK)
		warn_congestion(d->conf);
	if (r == 0 && d->cli->action == HD_CHECK)
		r = hd_files_check(d->conf, by_root, err);
	return as_user(&who, r, err);
}

static void print_good(void)
{
	printf("the configuration is good%s\n",
	       hd_modules_n() > 0 ? ""
				  : ", but it loads no module: such a relay "
				    "serves nobody");
}

int hd_daemon_check(const struct hd_cli *cli)
{
	struct hd_daemon d = { .cli = cli };
	struct hd_error err = { "" };
	int code = HD_EXIT_OK;
	int r = hd_conf_load(&cli->conf, &d.conf, &err);

	if (r < 0)
		return hd_daemon_failed(&d, HD_EXIT_CONFIG, &err);
	if (cli->action == HD_EXAMPLE) /* nobody runs it as it stands */
		hd_log_level_set(HD_LOG_ERROR);
	r = check(&d, &err);
	if (r < 0)
		code = hd_daemon_failed(&d, hd_daemon_exit_code(r), &err);
	else if (cli->action == HD_PRINT)
		code = hd_conf_print(d.conf, stdout) < 0 ? HD_EXIT_FAILED : 0;
	else if (cli->action == HD_EXAMPLE)
		code = hd_conf_example(d.conf, stdout) < 0 ? HD_EXIT_FAILED : 0;
	else
		print_good();
	hd_tls_store_put(&d.tls);
	hd_modules_unload();
	hd_conf_free(&d.conf);
	return code;
}
