/* SPDX-License-Identifier: MIT */
/* core/stream/accept.c - a worker's side of the listeners.
 *
 * Accepting pauses when the descriptors that clients may have are in use
 * (descriptors.c) and when max_accept_rate is reached: what waits stays in
 * the kernel's backlog and is taken later. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "core/base/bucket.h"
#include "core/loop/tag.h"
#include "core/loop/timer.h"
#include "core/net/listener.h"
#include "core/stream/accept.h"
#include "core/stream/stream_life.h"

#define ACCEPTS_PER_TURN 32
#define PAUSE_MS 100

struct hd_acceptor {
	const struct hd_listener *listener;
	uint32_t slot, gen;
	int fd;
	bool readable, paused, starved;
	struct hd_timer *resume;
	bool booked; /* it has a place in max_accept_rate for its next one */
};

/* What the kernel has not loaded, or only root may choose, is said once, and
 * not tried again: who is root has the kernel look for a module each time. */
void hd_accept_congestion(int fd, const struct hd_conf *conf)
{
	const char *name = conf->tcp_congestion;
	static bool fails;

	if (name == NULL || strcmp(name, "kernel") == 0 ||
	    strcmp(name, "auto") == 0 || /* stream_path.c */
	    __atomic_load_n(&fails, __ATOMIC_RELAXED) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
		       (socklen_t)strlen(name)) == 0 ||
	    errno == EOPNOTSUPP || /* no TCP */
	    __atomic_exchange_n(&fails, true, __ATOMIC_RELAXED))
		return;
	hd_log_warn("tcp_congestion: %s: %m; connections have the kernel's "
		    "(net.ipv4.tcp_available_congestion_control and "
		    "tcp_allowed_congestion_control)",
		    name);
}

/* Accepted sockets inherit these. Sources: derper's write timeout, TCP user
 * timeout 15 s and keep-alive 10 min; TCP_NOTSENT_LOWAT so that a slow reader
 * shows at once instead of filling megabytes of kernel memory. */
void hd_accept_options(int fd, const struct hd_conf *conf)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 600 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 15000 },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024 },
	};

	for (size_t i = 0; i < HD_ARRAY_N(options); i++)
		setsockopt(fd, options[i].level, options[i].name,
			   &options[i].value, sizeof(int));
	int size = (int)conf->sockbuf_bytes;

	if (size > 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
}

static void on_resume(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hd_acceptor *a = arg;

	(void)mod;
	a->paused = false;
	a->readable = true;
	w->more = true; /* timers come last in a turn: no sleep before it */
}

static uint64_t tag_of(const struct hd_acceptor *a)
{
	return hd_tag(HD_OP_ACCEPT, a->slot, a->gen);
}

static void acceptor_free(struct hd_acceptor *a)
{
	hd_timer_free(&a->resume);
	free(a);
}

static int acceptor_arm(struct hd_worker *w, struct hd_acceptor *a)
{
	int r;

	a->resume = hd_timer_new(NULL, w, on_resume, a);
	if (a->resume == NULL)
		return -ENOMEM;
	r = hd_slots_add(&w->streams->acceptors, a, &a->slot, &a->gen);
	if (r < 0)
		return r;
	hd_accept_options(a->fd, w->conf);
	r = w->ring_ops->watch(w->ring, a->fd, HD_READY_IN, tag_of(a));
	if (r < 0)
		hd_slots_remove(&w->streams->acceptors, a->slot);
	return r;
}

static int acceptor_start(struct hd_worker *w, const struct hd_listener *l,
			  int fd)
{
	struct hd_acceptor *a = calloc(1, sizeof(*a));
	int r;

	if (a == NULL)
		return -ENOMEM;
	a->listener = l;
	a->fd = fd;
	r = acceptor_arm(w, a);
	if (r < 0)
		acceptor_free(a);
	return r;
}

/* One for each worker; of inherited ones there may be fewer, which several
 * workers arm then, or more. */
static bool is_ours(const struct hd_worker *w, const struct hd_listener *l,
		    unsigned i)
{
	unsigned n = hd_workers();

	return l->n_fds < n ? w->index % l->n_fds == i : i % n == w->index;
}

static int acceptors_start(struct hd_worker *w, const struct hd_listener *l)
{
	int r = 0;

	for (unsigned i = 0; i < l->n_fds && r == 0; i++)
		if (is_ours(w, l, i))
			r = acceptor_start(w, l, l->fds[i]);
	return r;
}

static void acceptor_stop(struct hd_worker *w, struct hd_acceptor *a)
{
	w->ring_ops->unwatch(w->ring, a->fd, tag_of(a));
	hd_slots_remove(&w->streams->acceptors, a->slot);
	acceptor_free(a);
}

static struct hd_acceptor *acceptor_of(const struct hd_worker *w,
				       const struct hd_listener *l)
{
	for (uint32_t i = 0; i < w->streams->acceptors.n; i++) {
		struct hd_acceptor *a = w->streams->acceptors.v[i].object;

		if (a != NULL && a->listener == l)
			return a;
	}
	return NULL;
}

/* Those of modules: arm what was opened since, let go of what was left. While
 * the main thread waits. */
static int sync_listens(struct hd_worker *w)
{
	int r = 0;

	for (const struct hd_listener *l = hd_listens_first();
	     l != NULL && r == 0; l = l->next) {
		struct hd_acceptor *a = acceptor_of(w, l);

		for (; l->left && a != NULL; a = acceptor_of(w, l))
			acceptor_stop(w, a);
		if (!l->left && a == NULL)
			r = acceptors_start(w, l);
	}
	return r;
}

static void sync_here(struct hd_worker *w, const struct hd_module *mod)
{
	if (sync_listens(w) < 0)
		hd_log_error("worker %u cannot accept for module %s: out of "
			     "memory",
			     w->index, mod->name);
}

const struct hd_kind hd_accept_kind = {
	.name = "accepting",
	.sync_here = sync_here,
};

int hd_accept_start(struct hd_worker *w, struct hd_listener *v, size_t n,
		    const struct hd_proto *first)
{
	int r = 0;

	w->streams->first_proto = first;
	for (size_t i = 0; i < n && r == 0; i++)
		r = acceptors_start(w, &v[i]);
	return r == 0 ? sync_listens(w) : r;
}

void hd_accept_on_ready(struct hd_worker *w, struct hd_acceptor *a,
			bool disarmed)
{
	if (disarmed)
		w->ring_ops->watch(w->ring, a->fd, HD_READY_IN, tag_of(a));
	a->readable = true;
}

static void pause_for(struct hd_worker *w, struct hd_acceptor *a, uint32_t ms)
{
	a->paused = true;
	hd_timer_set(a->resume, ms);
	hd_count(&w->stats.accept_pauses, 1);
}

/* max_accept_rate is of all workers and listeners together; burst: one second.
 * Each has one place in the queue, so none of them is passed over. A place is
 * used up by a connection: who finds none keeps it. */
static struct hd_pool accepting;

static bool may_accept(struct hd_worker *w, struct hd_acceptor *a)
{
	uint64_t per_s = w->conf->max_accept_rate;
	const struct hd_rate rate = hd_rate_of(per_s, per_s);
	uint64_t wait_ns;

	if (per_s == 0 || a->booked)
		return true;
	wait_ns = hd_pool_book(&accepting, &rate, w->now_ns);
	a->booked = true;
	if (wait_ns > 0)
		pause_for(w, a, (uint32_t)hd_ns_to_ms(wait_ns));
	return wait_ns == 0;
}

static void accept_failed(struct hd_worker *w, struct hd_acceptor *a, int e)
{
	if (e == EAGAIN) {
		a->readable = false;
		return;
	}
	if (e == ECONNABORTED || e == EINTR || e == EPROTO)
		return;
	if (!a->starved) {
		errno = e;
		hd_log_error("accept: %m; accepting pauses until it works "
			     "again (raise LimitNOFILE or ulimit -n)");
	}
	a->starved = true;
	pause_for(w, a, PAUSE_MS);
}

static void accept_one(struct hd_worker *w, struct hd_acceptor *a)
{
	union hd_addr from = { 0 };
	socklen_t len = sizeof(from);
	int fd;

	if (!may_accept(w, a))
		return;
	if (!hd_fds_take(hd_listener_fds(a->listener))) {
		accept_failed(w, a, EMFILE);
		return;
	}
	fd = accept4(a->fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		int e = errno;

		hd_fds_give(hd_listener_fds(a->listener));
		accept_failed(w, a, e);
		return;
	}
	a->starved = a->booked = false;
	hd_accept_congestion(fd, w->conf);
	hd_count(&w->stats.accepts, 1);
	hd_stream_accept(w, a->listener, fd, &from);
}

bool hd_accept_run(struct hd_worker *w)
{
	bool more = false;

	for (uint32_t i = 0; i < w->streams->acceptors.n; i++) {
		struct hd_acceptor *a = w->streams->acceptors.v[i].object;

		for (int n = 0; a != NULL && n < ACCEPTS_PER_TURN &&
				a->readable && !a->paused;
		     n++)
			accept_one(w, a);
		more |= a != NULL && a->readable && !a->paused;
	}
	return more;
}

void hd_accept_stop(struct hd_worker *w)
{
	for (uint32_t i = 0; i < w->streams->acceptors.n; i++)
		if (w->streams->acceptors.v[i].object != NULL)
			acceptor_stop(w, w->streams->acceptors.v[i].object);
}
