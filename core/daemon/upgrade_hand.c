/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_hand.c - the old process hands over: first its sockets,
 * then, while its workers stand, the rest. Until GO has been sent nothing of
 * what it has is changed. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/whole.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/control/control.h"
#include "core/daemon/daemon.h"
#include "core/daemon/upgrade_ahead.h"
#include "core/loop/worker.h"
#include "core/net/listener.h"
#include "core/net/udp.h"

enum {
	/* all of an upgrade up to GO: hdctl waits for 60 s */
	ALL_MS = 55000,
	/* of that, while workers stand, and who is just coming is awaited */
	STAND_MS = 10000,
	COMING_MS = 1000,
	/* how long clients may wait for a new process that does not get on */
	READY_MS = 5000,
};

/* ---- sockets ---- */

struct fds {
	int *v;
	size_t n;
	bool failed;
};

static void add_fd(void *arg, int fd)
{
	struct fds *f = arg;
	int *v = realloc(f->v, (f->n + 1) * sizeof(*v));

	if (v == NULL) {
		f->failed = true;
		return;
	}
	f->v = v;
	f->v[f->n++] = fd;
}

/* One with port 0 has a message of its own: its address says nothing. */
static void add_listener(struct fds *f, const struct hd_listener *l)
{
	char label[HD_LISTENER_LABEL_BYTES];

	if (hd_listener_any(l, label))
		return;
	for (unsigned i = 0; i < l->n_fds; i++)
		add_fd(f, l->fds[i]);
}

struct udp_fds {
	pthread_mutex_t lock;
	struct fds *all;
};

static void add_udps_here(struct hd_worker *w, void *arg)
{
	struct udp_fds *u = arg;

	pthread_mutex_lock(&u->lock);
	hd_udps_fds(w, add_fd, u->all);
	pthread_mutex_unlock(&u->lock);
}

/* Sockets come and go by the main thread only, which is here. */
static void all_sockets(const struct hd_daemon *d, struct fds *f)
{
	struct udp_fds u = { PTHREAD_MUTEX_INITIALIZER, f };

	for (size_t i = 0; i < d->n_listeners; i++)
		add_listener(f, &d->listeners[i]);
	for (struct hd_listener *l = hd_listens_first(); l != NULL; l = l->next)
		if (!l->left)
			add_listener(f, l);
	hd_workers_run_all(add_udps_here, &u);
}

static int send_any(int fd, const struct hd_listener *l)
{
	char label[HD_LISTENER_LABEL_BYTES];
	int r = 0;

	if (!hd_listener_any(l, label))
		return 0;
	for (unsigned i = 0; i < l->n_fds && r == 0; i++) {
		const struct hd_upgrade_message m = {
			.type = HD_UP_HELLO_ANY,
			.data = (uint8_t *)label,
			.len = (uint32_t)strlen(label),
			.n_fds = 1,
			.fds = { l->fds[i] },
		};

		r = hd_upgrade_send(fd, &m);
	}
	return r;
}

/* Modules' are listed newest first; of one label the order counts. */
static int send_any_of_modules(int fd, const struct hd_listener *l)
{
	int r = l->next != NULL ? send_any_of_modules(fd, l->next) : 0;

	return r == 0 && !l->left ? send_any(fd, l) : r;
}

static int send_anys(const struct hd_daemon *d, int fd)
{
	const struct hd_listener *of_modules = hd_listens_first();
	int r = 0;

	for (size_t i = 0; i < d->n_listeners && r == 0; i++)
		r = send_any(fd, &d->listeners[i]);
	return r == 0 && of_modules != NULL
		       ? send_any_of_modules(fd, of_modules)
		       : r;
}

static int send_control(int fd)
{
	int control = hd_control_fd();

	return control >= 0
		       ? hd_upgrade_send_fds(fd, HD_UP_CONTROL, &control, 1)
		       : 0;
}

int hd_hand_sockets(const struct hd_daemon *d, int fd)
{
	struct fds f = { NULL, 0, false };

	hd_upgrade_bound(hd_clock_ms() + ALL_MS - STAND_MS - COMING_MS);
	all_sockets(d, &f);
	int r = f.failed ? -ENOMEM : 0;

	if (r == 0)
		r = hd_upgrade_send_fds(fd, HD_UP_HELLO, f.v, f.n);
	free(f.v);
	if (r == 0)
		r = send_anys(d, fd);
	if (r == 0)
		r = send_control(fd);
	return r == 0 ? hd_upgrade_say(fd, HD_UP_HELLO_END, HD_UP_ANSWERS_FILE)
		      : r;
}

/* ---- the rest ---- */

int hd_hand_memory(const struct hd_snap *s)
{
	int fd = memfd_create("upgrade", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : hd_write_whole(fd, s->v, s->n);

	if (r == 0 && fcntl(fd, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				    F_SEAL_SEAL) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int send_snapshot(const struct hd_give *g, int fd,
			 const struct hd_snap *plain, uint64_t secrets_bytes)
{
	struct hd_up_more more = { secrets_bytes, g->fds.n };
	int memory = hd_hand_memory(plain);
	struct hd_upgrade_message m = {
		.type = HD_UP_SNAPSHOT,
		.n = g->n,
		.data = (uint8_t *)&more,
		.len = sizeof(more),
		.n_fds = 1,
		.fds = { memory },
	};

	if (memory < 0)
		return memory;
	int r = hd_upgrade_send(fd, &m);

	close(memory);
	return r;
}

static int send_all(struct hd_give *g, int fd, const struct hd_snap *plain,
		    const struct hd_snap *secrets)
{
	size_t n_fds;
	int *fds = hd_give_fds(g, &n_fds);
	int r = fds != NULL ? send_snapshot(g, fd, plain, secrets->n) : -ENOMEM;

	if (r == 0)
		r = hd_upgrade_send_bytes(fd, HD_UP_SECRETS, secrets->v,
					  secrets->n);
	if (r == 0)
		r = hd_upgrade_send_fds(fd, HD_UP_DESCRIPTORS, fds,
					n_fds);
	if (r == 0)
		r = hd_upgrade_say(fd, HD_UP_END, 0);
	free(fds);
	return r;
}

int hd_hand_failed(const char *what, int r, struct hd_error *err)
{
	if (r == -EPIPE)
		what = "the new process has gone";
	return hd_error_set(err, r, "%s: %s", what, strerror(-r));
}

static int give(struct hd_give *g, int fd, struct hd_error *err)
{
	struct hd_snap plain = { 0 }, secrets = { 0 };
	int r = hd_give_pack(g, &plain, &secrets, err);
	bool explained = r < 0 && err->text[0] != '\0';

	if (r == 0)
		r = send_all(g, fd, &plain, &secrets);
	hd_snap_free(&plain);
	hd_secret_free(secrets.v);
	if (r == 0 || explained)
		return r;
	return hd_hand_failed("the snapshot cannot be handed over", r, err);
}

/* The answer comes in parts. */
static int await_ready(const struct hd_give *g, int fd, uint8_t *refused,
		       struct hd_error *err)
{
	uint64_t until_ms = hd_clock_ms() + READY_MS;
	uint8_t data[HD_UP_DATA_BYTES];
	size_t had = 0;

	do {
		struct hd_upgrade_message m = { .data = data };
		int r = hd_upgrade_receive(fd, until_ms, &m);

		if (r < 0)
			return hd_hand_failed(
				"the new process did not take over", r, err);
		while (m.n_fds > 0)
			close(m.fds[--m.n_fds]);
		if (m.type == HD_UP_FAILED)
			return hd_error_set(err, -ECANCELED,
					    "the new process says: %.*s",
					    (int)m.len, (char *)data);
		if (m.type != HD_UP_READY || m.len > g->n - had)
			return hd_hand_failed("the new process", -EBADMSG, err);
		memcpy(refused + had, data, m.len);
		had += m.len;
	} while (had < g->n);
	return 0;
}

static void count_refused(struct hd_give *g, const uint8_t *refused)
{
	struct hd_upgrade_report *r = g->report;
	unsigned n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->gifts[i] != NULL && refused[i] != 0;
	r->ahead = hd_ahead_same(g->ahead);
	r->moved -= n;
	r->closed_peers += n;
	if (n > 0 && r->n < HD_UPGRADE_REASONS_MAX)
		r->v[r->n++] = (struct hd_upgrade_reason){
			"refused by the new process, whose log says why", n,
			true
		};
}

/* Why clients cannot move: others are closed without a question. */
static const char *why_clients_stay(const struct hd_upgrade_report *r,
				    bool *ret_more)
{
	const char *why = "";
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->v[i].peers && n++ == 0)
			why = r->v[i].why;
	*ret_more = n > 1;
	return why;
}

static int check_rest(const struct hd_give *g, bool close_rest,
		      struct hd_error *err)
{
	const struct hd_upgrade_report *r = g->report;
	bool more;
	const char *why = why_clients_stay(r, &more);

	if (r->closed_peers == 0 || close_rest)
		return 0;
	return hd_error_set(err, -EXDEV,
			    "%u of %u clients cannot move (%s%s): nothing has "
			    "changed; with --close-rest they are closed and "
			    "come back",
			    r->closed_peers, r->closed_peers + r->moved, why,
			    more ? ", ..." : "");
}

/* @ret_refused  a byte for each connection of the snapshot: those that were
 * between two workers have arrived by then, so there may be more than before */
static int go(struct hd_give *g, int fd, bool close_rest,
	      uint8_t **ret_refused, struct hd_error *err)
{
	int r = hd_give_settle();

	if (r < 0)
		return hd_hand_failed("the workers do not come to rest", r,
				      err);
	r = give(g, fd, err);
	if (r == 0)
		r = check_rest(g, close_rest, err);
	if (r < 0)
		return r;
	*ret_refused = calloc(1, g->n + 1);
	if (*ret_refused == NULL)
		return hd_hand_failed("the answer", -ENOMEM, err);
	r = await_ready(g, fd, *ret_refused, err);
	if (r < 0)
		return r;
	count_refused(g, *ret_refused);
	r = check_rest(g, close_rest, err);
	if (r < 0)
		return r;
	r = hd_upgrade_say(fd, HD_UP_GO, 0);
	return r < 0 ? hd_hand_failed("GO cannot be sent", r, err) : 0;
}

int hd_hand_over(struct hd_give *g, int fd, bool close_rest, bool *ret_parked,
		 struct hd_error *err)
{
	uint64_t began_us = hd_clock_us();
	int r = hd_workers_park();

	hd_upgrade_bound(hd_clock_ms() + STAND_MS);
	*ret_parked = r == 0;
	if (r < 0)
		return hd_hand_failed("the workers cannot be stopped", r, err);
	uint8_t *refused = NULL;

	r = go(g, fd, close_rest, &refused, err);
	g->report->silent_us = hd_clock_us() - began_us;
	if (r == 0)
		hd_give_gone(g, refused);
	free(refused);
	return r;
}
