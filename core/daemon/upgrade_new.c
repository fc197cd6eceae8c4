/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_new.c - the new process: it is given sockets, starts as
 * always but for its workers, which stand, and takes over.
 *
 * Whatever fails before GO ends in _exit(): the usual end of a relay would say
 * goodbye to clients, with keys that are the old one's. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <hyper-derp/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/clock.h"
#include "core/base/descriptors.h"
#include "core/base/notify.h"
#include "core/base/snap_format.h"
#include "core/control/control.h"
#include "core/daemon/cli.h"
#include "core/daemon/daemon.h"
#include "core/daemon/upgrade.h"
#include "core/loop/hooks.h"
#include "core/loop/mainloop.h"
#include "core/module/module.h"
#include "core/net/listener.h"

enum {
	HELLO_MS = 10000,
	GO_MS = 20000,
	DEATH_MS = 10000,
};

static struct {
	int fd; /* -1: this is no upgrade, or it is over */
	pid_t old;
	bool is_new; /* the other one may serve on */
	bool ready; /* READY was sent: it may die, and we go on */
	uint8_t *data; /* secret memory */
	size_t moved;
} up = { .fd = -1 };

bool hd_upgrade_is_new(void)
{
	return up.is_new;
}

bool hd_upgrade_announces(void)
{
	return up.fd >= 0;
}

void hd_upgrade_failed(const struct hd_error *err)
{
	struct hd_upgrade_message m = {
		.type = HD_UP_FAILED,
		.data = (uint8_t *)err->text,
		.len = (uint32_t)strlen(err->text),
	};

	hd_audit_close();
	hd_log_close(); /* what waits is written */
	(void)hd_upgrade_send(up.fd, &m);
	_exit(HD_EXIT_FAILED);
}

/* @missing  those that have not come, beside what is open */
static int no_descriptors(const char *what, size_t missing,
			  struct hd_error *err)
{
	struct rlimit limit = { 0 };
	size_t needed = missing;

	getrlimit(RLIMIT_NOFILE, &limit);
	needed += hd_fds_open();
	return hd_error_set(err, -EMFILE,
			    "%s: %s: %zu are needed, and %ju are allowed "
			    "(LimitNOFILE)",
			    what, strerror(EMFILE), needed,
			    (uintmax_t)limit.rlim_cur);
}

static void fail_missing(const char *what, int r, size_t missing)
{
	struct hd_error err;

	if (r == -EMFILE)
		no_descriptors(what, missing, &err);
	else
		hd_error_set(&err, r, "%s: %s", what, strerror(-r));
	hd_log_write(HD_LOG_ERROR, "upgrade: %s", err.text);
	hd_upgrade_failed(&err);
}

static void fail(const char *what, int r)
{
	fail_missing(what, r, 1);
}

/* ---- hello ---- */

static void receive(uint64_t until_ms, struct hd_upgrade_message *m)
{
	*m = (struct hd_upgrade_message){ .data = up.data };
	int r = hd_upgrade_receive(up.fd, until_ms, m);

	if (r == -EPIPE) /* it has given up, or is dead: nobody to tell */
		_exit(HD_EXIT_FAILED);
	if (r < 0)
		fail("from the old process", r);
}

static void take_sockets(const struct hd_upgrade_message *m)
{
	char label[HD_LISTENER_LABEL_BYTES];

	snprintf(label, sizeof(label), "%.*s", (int)m->len, (char *)m->data);
	for (uint32_t i = 0; i < m->n_fds; i++) {
		int r = 0;

		if (m->type == HD_UP_CONTROL)
			hd_control_inherit(m->fds[i]);
		else if (m->type == HD_UP_HELLO_ANY)
			r = hd_listen_fds_add_any(m->fds[i], label);
		else
			r = hd_listen_fds_add(m->fds[i]);
		if (r < 0)
			fail("a listener", r);
	}
}

static bool is_pair(int fd)
{
	int type = 0;
	socklen_t n = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	       type == SOCK_SEQPACKET;
}

void hd_upgrade_hello(int fd)
{
	uint64_t until_ms = hd_clock_ms() + HELLO_MS;
	struct hd_upgrade_message m;

	if (!is_pair(fd)) {
		fprintf(stderr, "hyper-derp: --take-over is not for people: "
				"hdctl upgrade\n");
		_exit(HD_EXIT_USAGE);
	}
	up.fd = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* whatever a library of the old one has left open */
	syscall(SYS_close_range, fd + 1, ~0u, 0);
	up.old = getppid();
	up.is_new = true;
	hd_taking_over(true);
	up.data = hd_secret_alloc(HD_UP_DATA_BYTES);
	if (up.data == NULL)
		fail("memory", -ENOMEM);
	hd_listen_fds_lend(true);
	for (;;) {
		receive(until_ms, &m);
		if (m.type == HD_UP_HELLO_END)
			break;
		take_sockets(&m);
	}
	if (m.n & HD_UP_ANSWERS_FILE)
		hd_files_ask(up.fd, up.data);
}

/* ---- what the old one has ---- */

static bool comes_later(const struct hd_module *mod)
{
	return (mod->def->flags & HD_MODULE_AHEAD) == 0;
}

/* A module that keeps something beside a peer reads what it had in the old
 * process first, if it does not say that this does not matter. */
static enum hd_ahead_goes takes_ahead(void)
{
	const struct hd_hook_list *data = &hd_modules_hooks()->data;
	enum hd_ahead_goes ret = HD_AHEAD_PACKED;

	for (unsigned i = 0; i < data->n; i++)
		if (comes_later(data->v[i].mod))
			return HD_AHEAD_NONE;
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (mod->def->upgrade != NULL &&
		    mod->def->upgrade->unpack_peer != NULL && comes_later(mod))
			ret = HD_AHEAD_PLAIN;
	}
	return ret;
}

static void say_prepared(void)
{
	enum hd_ahead_goes ahead = takes_ahead();
	struct hd_snap s = { 0 };

	hd_files_asked();
	hd_give_head(&s);
	if (ahead != HD_AHEAD_NONE)
		hd_snap_number(&s, HD_SNAP_TAKES_AHEAD, ahead);
	if (s.failed || s.n > HD_UP_DATA_BYTES)
		fail("memory", -ENOMEM);
	int r = hd_upgrade_send_bytes(up.fd, HD_UP_PREPARED, s.v, s.n);

	hd_snap_free(&s);
	if (r < 0)
		fail("to the old process", r);
}

/* ---- ours? ---- */

static void say_ready(const struct hd_take *t)
{
	int r = t->n > 0 ? hd_upgrade_send_bytes(up.fd, HD_UP_READY, t->refused,
						 t->n)
			 : hd_upgrade_say(up.fd, HD_UP_READY, 0);

	if (r < 0)
		fail("to the old process", r);
	up.ready = true;
}

/* Its descriptors are closed before we are told that it is dead. */
static void await_death(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	uint64_t until_ms = hd_clock_ms() + DEATH_MS;

	while (getppid() == up.old && hd_clock_ms() < until_ms)
		nanosleep(&step, NULL);
	if (getppid() == up.old)
		_exit(HD_EXIT_FAILED);
	hd_log_write(HD_LOG_WARN, "the old process died while it handed over: "
				  "this one takes over");
}

/* GO may be there already: what fails for a moment is tried again. */
static int receive_go(struct hd_upgrade_message *m)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	uint64_t until_ms = hd_clock_ms() + GO_MS;
	int r;

	for (;;) {
		r = hd_upgrade_receive(up.fd, until_ms, m);
		if (r == 0 || r == -EPIPE || r == -EBADMSG ||
		    hd_clock_ms() >= until_ms)
			return r;
		nanosleep(&step, NULL);
	}
}

static void await_go(void)
{
	struct hd_upgrade_message m = { .data = up.data };
	int r = receive_go(&m);

	if (r == 0 && m.type == HD_UP_GO)
		return;
	if (r != -EPIPE) /* it is about to kill us */
		_exit(HD_EXIT_FAILED);
	await_death();
}

static void free_take(struct hd_take *t)
{
	for (size_t i = 0; i < t->n + t->n_module_fds; i++)
		if (t->fds[i] >= 0)
			close(t->fds[i]);
	for (size_t i = 0; i < t->n; i++)
		up.moved += t->refused[i] == 0;
	hd_arrived_free(t);
	free(t->fds);
	free(t->refused);
	free(t->taken);
}

static void check_taken(int r, const struct hd_error *err)
{
	if (r == 0)
		return;
	hd_log_write(HD_LOG_ERROR, "upgrade: %s", err->text);
	hd_upgrade_failed(err);
}

/* Returns whether it was one that comes ahead. */
static bool take_one(struct hd_take *t)
{
	int what = hd_arrive(t, up.fd, up.data);
	struct hd_error err = { "" };

	if (what == -EPIPE)
		_exit(HD_EXIT_FAILED);
	if (what < 0)
		fail_missing("the snapshot", what, t->missing);
	if (what == HD_UP_SNAPSHOT) {
		check_taken(hd_take_all(t, &err), &err);
		return false;
	}
	check_taken(hd_take_part(t, &err), &err);
	hd_arrived_free(t);
	if (hd_upgrade_say(up.fd, HD_UP_TAKEN, t->n) < 0)
		_exit(HD_EXIT_FAILED);
	return true;
}

void hd_upgrade_take(struct hd_daemon *d)
{
	struct hd_take t = { .listeners = d->listeners,
			     .n_listeners = d->n_listeners };

	say_prepared();
	while (take_one(&t))
		;
	say_ready(&t);
	await_go();
	up.is_new = false;
	hd_taking_over(false);
	hd_listen_fds_lend(false);
	free_take(&t);
	hd_secret_free(up.data);
	up.data = NULL;
}

/* ---- after that ---- */

static void on_old(void *unused, uint32_t events)
{
	(void)unused;
	(void)events;
	hd_main_unwatch(up.fd);
	close(up.fd);
	up.fd = -1;
	hd_log_write(HD_LOG_NOTICE, "the process before this one has ended: "
				    "pid=%d",
		     (int)up.old);
	/* the file may have been rotated when only the old one was told */
	hd_logs_reopen();
	hd_notify("READY=1\nSTATUS=serving");
}

void hd_upgrade_taken(void)
{
	hd_log_write(HD_LOG_NOTICE, "taken over: pid=%d connections=%zu",
		     (int)up.old, up.moved);
	hd_assert(hd_main_watch(up.fd, EPOLLIN, on_old, NULL) == 0);
}
