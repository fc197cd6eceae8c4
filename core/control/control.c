/* SPDX-License-Identifier: MIT */
/* core/control/control.c - the socket where operators ask. Main thread. */
#include "core/control/control.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/stream/trace.h"

#define DEFAULT_FOLDER "/run/hyper-derp"
#define DEFAULT_SOCKET DEFAULT_FOLDER "/control.sock"
#define SOCKET_NAME "control.sock"

enum { BACKLOG = 128 };

static struct {
	int fd; /* -1: no socket */
	int tick_fd;
	int inherited; /* -1: there was no process before this one */
	struct sockaddr_un addr;
	struct stat made; /* to remove no socket but ours */
	struct hd_role_rules rules;
	bool listening; /* false: no room for another client */
} control = { .fd = -1, .tick_fd = -1, .inherited = -1 };

const char *hd_control_path(void)
{
	return control.fd >= 0 ? control.addr.sun_path : NULL;
}

int hd_control_fd(void)
{
	return control.fd;
}

void hd_control_inherit(int fd)
{
	control.inherited = fd;
}

/* ---- open ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		hd_main_unwatch(*fd);
		close(*fd);
	}
	*fd = -1;
}

static int set_path(const struct hd_conf *conf, struct hd_error *err)
{
	char *to = control.addr.sun_path;
	size_t size = sizeof(control.addr.sun_path);
	int n;

	control.addr.sun_family = AF_UNIX;
	if (conf->control_socket != NULL)
		n = snprintf(to, size, "%s", conf->control_socket);
	else if (conf->dev)
		n = snprintf(to, size, "%s/" SOCKET_NAME, conf->state_dir);
	else
		n = snprintf(to, size, DEFAULT_SOCKET);
	if (n <= 0 || (size_t)n >= size)
		return hd_error_set(err, -ENAMETOOLONG,
				    "control.socket: the path has %d bytes, a "
				    "unix socket's has 1 to %zu: choose "
				    "another",
				    n, size - 1);
	return 0;
}

/* A socket that nobody answers on is left over from a crash. */
static int remove_stale(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && connect(fd, (struct sockaddr *)&control.addr,
			      sizeof(control.addr)) < 0)
		r = -errno;
	else if (r == 0)
		r = -EADDRINUSE;
	if (fd >= 0)
		close(fd);
	if (r != -ECONNREFUSED)
		return r == -EAGAIN ? -EADDRINUSE : r;
	return unlink(control.addr.sun_path) < 0 ? -errno : 0;
}

static int bind_here(int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)&control.addr;

	/* the file's mode from its first moment on: nobody is early */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, sa, sizeof(control.addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	int r = remove_stale();

	if (r == 0 && bind(fd, sa, sizeof(control.addr)) < 0)
		r = -errno;
	return r;
}

static int give_to_group(void) /* after an upgrade not ours to do, perhaps */
{
	const char *path = control.addr.sun_path;
	mode_t mode = control.rules.others_read ? 0666 : 0660;

	if (control.rules.group != (gid_t)-1 &&
	    lchown(path, (uid_t)-1, control.rules.group) < 0 &&
	    errno != EPERM) /* not root, and no member */
		return -errno;
	if (stat(path, &control.made) < 0 || chmod(path, mode) < 0)
		return -errno;
	return 0;
}

/* Who connects meanwhile waits in it. */
static bool take_inherited(void)
{
	struct sockaddr_un its = { 0 };
	socklen_t len = sizeof(its);
	int fd = control.inherited;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&its, &len) < 0 ||
	    strncmp(its.sun_path, control.addr.sun_path, sizeof(its.sun_path)))
		close_fd(&control.inherited);
	control.fd = control.inherited;
	return control.fd >= 0;
}

static int open_socket(void)
{
	if (take_inherited())
		return 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int r = bind_here(fd);

	if (r == 0)
		r = give_to_group();
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		control.fd = fd;
	return r;
}

static int explain(int r, struct hd_error *err)
{
	const char *path = control.addr.sun_path;

	if (r == -EADDRINUSE)
		return hd_error_set(err, r,
				    "control.socket: another relay answers at "
				    "%s: stop it, or set another path",
				    path);
	if (r == -ENOENT)
		return hd_error_set(err, r,
				    "control.socket: the folder of %s is "
				    "missing: make it, or set another path",
				    path);
	return hd_error_set(err, r, "control.socket: %s: %s", path,
			    strerror(-r));
}

/* The folder of the default is gone after each boot, /run is a tmpfs: where no
 * service manager has made it root does, for the user that the relay becomes.
 * What fails here open_socket() tells. */
static void make_folder(const struct hd_conf *conf)
{
	struct hd_error unused;
	uid_t uid = 0;
	gid_t gid = 0;

	if (conf->control_socket != NULL || conf->dev || geteuid() != 0)
		return;
	if (conf->user != NULL && hd_conf_user(conf, &uid, &gid, &unused) < 0)
		return;
	if (mkdir(DEFAULT_FOLDER, 0755) < 0)
		return;
	/* whatever the umask is, control.others may let everybody in */
	if (chmod(DEFAULT_FOLDER, 0755) < 0 ||
	    lchown(DEFAULT_FOLDER, uid, gid) < 0)
		hd_log_warn("control.socket: %s: %s", DEFAULT_FOLDER,
			    strerror(errno));
}

int hd_control_open(const struct hd_conf *conf, struct hd_error *err)
{
	int r = hd_role_rules(conf, &control.rules, err);

	if (r == 0)
		r = set_path(conf, err);
	if (r < 0)
		return r;
	make_folder(conf);
	r = open_socket();
	if (r == 0)
		return 0;
	r = explain(r, err);
	if (conf->control_socket != NULL)
		return r == -EINVAL ? -EIO : r;
	/* without the folder nobody has asked for one */
	hd_log_write(r == -ENOENT ? HD_LOG_NOTICE : HD_LOG_WARN,
		     "no control socket: %s", err->text);
	return 0;
}

/* ---- accept ---- */

static void on_connection(void *unused, uint32_t events);

static void set_listening(bool on)
{
	if (control.fd < 0 || control.listening == on)
		return;
	if (on && hd_main_watch(control.fd, EPOLLIN, on_connection, NULL) < 0)
		return;
	if (!on)
		hd_main_unwatch(control.fd);
	control.listening = on;
}

/* Why a client is refused, in a line of the protocol; @text has no quotes. */
static void send_refusal(int fd, const char *code, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"id\":null,\"ok\":false,\"error\":{\"code\":\"%s\","
			 "\"message\":\"%s\"}}\n",
			 code, text);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		hd_log_debug("control: a refused client does not listen");
}

struct count {
	uid_t uid;
	unsigned readers, of_uid;
};

static bool count_one(struct hd_client *c, void *arg)
{
	struct count *n = arg;

	n->readers += hd_who_fds(&c->who) == HD_FDS_READER;
	n->of_uid += c->who.uid == n->uid;
	return false;
}

/* Whoever may only read has a share, so that one local user cannot shut out
 * the operator. Returns why there is no room; NULL: there is, and the
 * descriptor is counted as who's. */
static const char *no_room(const struct hd_who *who)
{
	struct count n = { .uid = who->uid };

	if (hd_clients_n() >= HD_CONTROL_CLIENTS_MAX)
		return "there are too many control clients: close some";
	if (hd_who_fds(who) != HD_FDS_READER)
		return NULL;
	hd_clients_each(count_one, &n);
	if (n.of_uid >= HD_CONTROL_READER_CLIENTS_MAX)
		return "this user has too many control clients: close some";
	if (n.readers >= HD_CONTROL_READERS_MAX || !hd_fds_take(HD_FDS_READER))
		return "there are too many readers: try again later";
	hd_fds_give(HD_FDS_OPERATOR);
	return NULL;
}

/* Returns whether somebody has the descriptor now. */
static bool admit(int fd)
{
	struct hd_who who;
	int r = hd_role_of(fd, &control.rules, &who);

	if (r == -EACCES) {
		hd_control_audit(&who, NULL, NULL, "not_permitted", "");
		send_refusal(fd, "not_permitted",
			     "only root and the members of the control group "
			     "may ask");
	}
	if (r < 0)
		return false;
	const char *why = no_room(&who);

	if (why != NULL) {
		hd_log_warn("control: refused: uid=%u reason=\"%s\"",
			    (unsigned)who.uid, why);
		send_refusal(fd, "busy", why);
		return false;
	}
	hd_client_new(fd, &who);
	return true;
}

/* Counted as an operator's until it is known who it is. */
static void on_connection(void *unused, uint32_t events)
{
	(void)unused;
	(void)events;
	if (!hd_fds_take(HD_FDS_OPERATOR)) {
		set_listening(false); /* until the next tick, or one ends */
		return;
	}
	int fd = accept4(control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		set_listening(false);
	if (fd >= 0 && admit(fd))
		return;
	if (fd >= 0)
		close(fd);
	hd_fds_give(HD_FDS_OPERATOR);
}

void hd_control_ended(void)
{
	set_listening(true);
}

static void on_tick(void *unused, uint32_t events)
{
	uint64_t n;

	(void)unused;
	(void)events;
	if (read(control.tick_fd, &n, sizeof(n)) < 0)
		return;
	hd_clients_tick(hd_clock_ms());
	hd_trace_tick();
	set_listening(true);
}

/* ---- begin and end ---- */

int hd_control_start(struct hd_error *err)
{
	const struct itimerspec second = { .it_value.tv_sec = 1,
					   .it_interval.tv_sec = 1 };

	if (control.fd < 0)
		return 0;
	if (control.inherited >= 0 && give_to_group() < 0)
		hd_log_warn("control: owner and mode of the socket stay");
	control.tick_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (control.tick_fd < 0 ||
	    timerfd_settime(control.tick_fd, 0, &second, NULL) < 0)
		return hd_error_set(err, -errno, "control socket: %s",
				    strerror(errno));
	int r = hd_main_watch(control.tick_fd, EPOLLIN, on_tick, NULL);

	if (r < 0)
		return hd_error_set(err, r, "control socket: %s", strerror(-r));
	set_listening(true);
	hd_log_write(HD_LOG_NOTICE, "control socket: path=%s",
		     control.addr.sun_path);
	return 0;
}

void hd_control_stop(void)
{
	struct stat now;
	bool ours = control.fd >= 0 && stat(control.addr.sun_path, &now) == 0 &&
		    now.st_dev == control.made.st_dev &&
		    now.st_ino == control.made.st_ino;

	if (ours && unlink(control.addr.sun_path) < 0)
		hd_log_debug("control: %s stays behind: %s",
			     control.addr.sun_path, strerror(errno));
	control.listening = false;
	close_fd(&control.fd);
	close_fd(&control.tick_fd);
	hd_clients_close();
}

void hd_control_free(void)
{
	hd_commands_drop(NULL);
}
