/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_old.c - the old process: it starts the new one, goes on
 * serving until that one has tried all it can, hands over, and ends.
 *
 *   hd_upgrade_begin() -> WAITS --PREPARED--> hd_hand_over() --> _exit(0)
 *                           |  a dry run           | failed
 *                           `----------------------+--> new one killed, done()
 */
#include <errno.h>
#include <hyper-derp/log.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/clock.h"
#include "core/base/notify.h"
#include "core/control/control.h"
#include "core/daemon/daemon.h"
#include "core/daemon/upgrade_ahead.h"
#include "core/loop/mainloop.h"
#include "core/loop/worker.h"
#include "core/module/module_live.h"

enum { PREPARED_S = 30, BARRIER_MS = 2000, COMING_MS = 1000,
       ENDS_MS = 2000, LEAVE_S = 60 };

static struct upgrade {
	struct hd_upgrade_asked asked;
	struct hd_upgrade_report report;
	pid_t pid; /* of the new one; 0: no upgrade is under way */
	int fd, timer_fd;
	unsigned reloads; /* of the daemon when it began */
} up = { .fd = -1, .timer_fd = -1 };

static struct hd_daemon *d;
static char own_binary[4096]; /* "" unknown */

/* A package that is upgraded has another file there by then. */
void hd_upgrade_init(struct hd_daemon *daemon)
{
	d = daemon;
	ssize_t n = readlink("/proc/self/exe", own_binary,
			     sizeof(own_binary) - 1);

	own_binary[n > 0 ? n : 0] = '\0';
}

/* ---- may it be? ---- */

static int check_modules(struct hd_error *err)
{
	if (hd_changes_wait())
		return hd_error_set(err, -EBUSY,
				    "a module is being loaded, unloaded or "
				    "reloaded: try again");
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if ((mod->def->flags & HD_MODULE_UPGRADES) == 0)
			return hd_error_set(
				err, -ENOTSUP,
				"module %s cannot hand over what it keeps in "
				"memory: restart the relay instead%s",
				mod->name,
				(mod->def->flags & HD_MODULE_RESIDENT) != 0
					? ""
					: ", or unload it first");
	}
	return 0;
}

/* Of a unit that we cannot tell of the new process systemd ends all when the
 * old one ends. */
static bool unit_would_end(void)
{
	const char *pid = getenv("SYSTEMD_EXEC_PID");

	return pid != NULL && getenv("NOTIFY_SOCKET") == NULL &&
	       strtol(pid, NULL, 10) == (long)getpid();
}

static int check(struct hd_error *err)
{
	if (getpid() == 1)
		return hd_error_set(err, -ENOTSUP,
				    "the relay is process 1, whose end ends "
				    "the container: replace the container");
	if (unit_would_end())
		return hd_error_set(err, -ENOTSUP,
				    "the relay's systemd unit has no "
				    "Type=notify, so it would end with this "
				    "process: restart instead");
	const char *state = hd_daemon_ops->state();

	if (strcmp(state, "serving") != 0)
		return hd_error_set(err, -EBUSY, "the relay is %s", state);
	return check_modules(err);
}

/* What has happened since it began: the new one has read the files before. */
static int check_again(const struct upgrade *u, struct hd_error *err)
{
	if (d->reloads != u->reloads)
		return hd_error_set(err, -EBUSY,
				    "the configuration was reloaded "
				    "meanwhile: try again");
	return check(err);
}

/* ---- the end ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		hd_main_unwatch(*fd);
		close(*fd);
	}
	*fd = -1;
}

static void tell(struct upgrade *u, int r, const struct hd_error *err)
{
	struct hd_upgrade_asked asked = u->asked;

	free((char *)asked.binary);
	u->asked = (struct hd_upgrade_asked){ 0 };
	asked.done(asked.arg, r, &u->report, err);
}

/* It is over and this process serves on: a dry run, or it did not work. */
static void end(struct upgrade *u, int r, const struct hd_error *err)
{
	u->pid = 0;
	u->report.pid = 0;
	close_fd(&u->fd);
	close_fd(&u->timer_fd);
	if (r < 0)
		hd_log_write(HD_LOG_WARN,
			     "upgrade refused, nothing has changed: %s",
			     err->text);
	else
		hd_log_write(HD_LOG_NOTICE,
			     "upgrade tried: version=%s moves=%u "
			     "closes_peers=%u closes_others=%u",
			     u->report.version, u->report.moved,
			     u->report.closed_peers, u->report.closed_others);
	tell(u, r, err);
}

static void __attribute__((noreturn)) leave(struct upgrade *u)
{
	const struct hd_upgrade_report *r = &u->report;
	struct hd_error none = { "" };

	/* The new one waits for our end: whatever hangs now (a log that takes
	 * nothing, work that asks a worker), SIGALRM ends it. */
	alarm(LEAVE_S);
	hd_clients_deaf(true);
	hd_give_rest();
	hd_notify("MAINPID=%d", (int)u->pid);
	hd_notify_barrier(BARRIER_MS);
	hd_log_write(HD_LOG_NOTICE,
		     "upgraded: pid=%d version=%s moved=%u ahead=%u "
		     "closed_peers=%u closed_others=%u silent_ms=%.1f",
		     (int)u->pid, r->version, r->moved, r->ahead,
		     r->closed_peers, r->closed_others,
		     (double)r->silent_us / 1000);
	tell(u, 0, &none);
	hd_main_posts_run(); /* the answer leaves */
	hd_control_replaced(u->pid);
	hd_audit_close();
	hd_log_close(); /* so do the lines that wait */
	hd_spawn_signals(u->pid);
	/* no stop() and no unload(): files of modules are the new one's */
	_exit(0);
}

void hd_upgrade_stop(void)
{
	struct hd_error err;

	if (up.pid == 0)
		return;
	hd_spawn_end(up.pid, 0);
	end(&up, hd_error_set(&err, -ESHUTDOWN, "the relay is stopping"), &err);
}

/* ---- under way ---- */

/* Returns 0: it is the new one's, the workers stand for ever; negative with
 * err: we serve on, once the new one is dead. */
static int hand_over_deaf(struct upgrade *u, struct hd_give *g,
			  struct hd_error *err)
{
	const struct hd_serve_args args = hd_daemon_serve_args(d);
	bool parked = false;

	hd_serve_accept(false, &args);
	hd_give_await(COMING_MS);
	int r = hd_hand_over(g, u->fd, u->asked.close_rest, &parked, err);

	if (r == 0)
		return 0;
	/* first it is dead, then we go on: no key is used twice */
	hd_spawn_end(u->pid, 0);
	if (parked)
		hd_serve_go(&args);
	else
		hd_serve_accept(true, &args);
	return r;
}

static void hand_over(struct upgrade *u, struct hd_give *g)
{
	struct hd_error err = { "" };
	int r = hd_ahead_send(g, u->fd, &err);

	if (r == 0)
		r = hand_over_deaf(u, g, &err);
	else
		hd_spawn_end(u->pid, 0);
	hd_give_free(g);
	if (r == 0)
		leave(u);
	end(u, r, &err);
}

static void prepared(struct upgrade *u, const struct hd_upgrade_message *m)
{
	struct hd_give g = { .report = &u->report,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .fds = { .lock = PTHREAD_MUTEX_INITIALIZER } };
	struct hd_error err = { "" };
	int r = hd_give_read(&g, (struct hd_snap_in){ m->data, m->len }, &err);

	if (r == 0)
		r = check_again(u, &err);
	if (r == 0 && !u->asked.dry_run) {
		hand_over(u, &g);
		return;
	}
	if (r == 0)
		hd_give_count(&g);
	hd_spawn_end(u->pid, 0);
	end(u, r, &err);
}

/* Its socket is closed: it ends, or does so now. */
static void new_one_ended(struct upgrade *u, struct hd_error *err)
{
	int status = hd_spawn_end(u->pid, ENDS_MS);

	if (WIFEXITED(status))
		hd_error_set(err, -ECHILD,
			     "the new process ended with status %d: see the "
			     "log, and is it a hyper-derp that knows "
			     "--take-over?",
			     WEXITSTATUS(status));
	else
		hd_error_set(err, -ECHILD, "the new process was killed (%s)",
			     strsignal(WTERMSIG(status)));
}

static void on_message(void *arg, uint32_t events)
{
	struct upgrade *u = arg;
	uint8_t data[HD_UP_DATA_BYTES];
	struct hd_upgrade_message m = { .data = data };
	struct hd_error err = { "" };
	int r = hd_upgrade_receive(u->fd, hd_clock_ms(), &m);

	(void)events;
	while (r == 0 && m.n_fds > 0)
		close(m.fds[--m.n_fds]);
	if (r == -ETIMEDOUT)
		return;
	if (r == 0 && m.type == HD_UP_PREPARED) {
		prepared(u, &m);
		return;
	}
	if (r == 0 && m.type == HD_UP_FILE && hd_files_give(d, u->fd, &m) == 0)
		return;
	if (r == 0 && m.type == HD_UP_FAILED) {
		hd_spawn_end(u->pid, 0);
		hd_error_set(&err, -ECANCELED, "the new process says: %.*s",
			     (int)m.len, (char *)data);
	} else {
		new_one_ended(u, &err);
	}
	end(u, -ECANCELED, &err);
}

static void on_late(void *arg, uint32_t events)
{
	struct upgrade *u = arg;
	struct hd_error err = { "" };

	(void)events;
	hd_spawn_end(u->pid, 0);
	hd_error_set(&err, -ETIMEDOUT,
		     "the new process was not ready to take over within %d s",
		     PREPARED_S);
	end(u, -ETIMEDOUT, &err);
}

/* ---- begin ---- */

static int watch(struct upgrade *u, struct hd_error *err)
{
	const struct itimerspec limit = { .it_value.tv_sec = PREPARED_S };
	int r = 0;

	u->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (u->timer_fd < 0 ||
	    timerfd_settime(u->timer_fd, 0, &limit, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = hd_main_watch(u->timer_fd, EPOLLIN, on_late, u);
	if (r == 0)
		r = hd_hand_sockets(d, u->fd);
	if (r == 0)
		r = hd_main_watch(u->fd, EPOLLIN, on_message, u);
	return r < 0 ? hd_error_set(err, r, "upgrade: %s", strerror(-r)) : 0;
}

static int start_new(struct upgrade *u, struct hd_error *err)
{
	const char *binary =
		u->asked.binary != NULL ? u->asked.binary : own_binary;

	if (binary[0] != '/')
		return hd_error_set(err, -EINVAL,
				    "name the binary by its absolute path: "
				    "--binary /path/hyper-derp");
	hd_log_write(HD_LOG_NOTICE, "upgrade begins: binary=%s dry_run=%s",
		     binary, u->asked.dry_run ? "yes" : "no");
	int r = hd_spawn(binary, d->cli->argv, &u->pid, &u->fd, err);

	if (r < 0) {
		u->pid = 0;
		return r;
	}
	u->report.pid = u->pid;
	r = watch(u, err);
	if (r < 0) {
		if (r == -EPIPE)
			new_one_ended(u, err);
		else
			hd_spawn_end(u->pid, 0);
		u->pid = 0;
		close_fd(&u->fd);
		close_fd(&u->timer_fd);
	}
	return r;
}

int hd_upgrade_begin(const struct hd_upgrade_asked *asked,
		     struct hd_error *err)
{
	struct upgrade *u = &up;

	if (u->pid != 0)
		return hd_error_set(err, -EBUSY, "an upgrade is under way");
	int r = check(err);

	if (r < 0)
		return r;
	*u = (struct upgrade){ .asked = *asked, .fd = -1,
			       .timer_fd = -1, .reloads = d->reloads };
	u->report.dry_run = asked->dry_run;
	if (asked->binary != NULL) {
		u->asked.binary = strdup(asked->binary);
		if (u->asked.binary == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
	}
	r = start_new(u, err);
	if (r < 0) {
		free((char *)u->asked.binary);
		u->asked.binary = NULL;
	}
	return r;
}
