/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/thread.c - the thread in which all happens that is about
 * the directory, and the queue of what others want of it. Calls of libnats may
 * wait for the network: no worker and not the main thread makes them. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 200, RETRY_MS = 1000, CLOSE_MS = 1000, GOODBYE_MS = 20 };

struct dir_state dir = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct dir_op *first, **end;
	bool stop, runs;
	bool closed; /* nobody takes any more */
	pthread_t thread;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER };

uint64_t dir_now_ms(void)
{
	return hd_now_ns() / 1000000;
}

void dir_error(const char *fmt, ...)
{
	char text[sizeof(dir.error)];
	va_list args;
	bool is_new;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	is_new = strcmp(text, dir.error) != 0;
	snprintf(dir.error, sizeof(dir.error), "%s", text);
	dir.error_ms = dir_now_ms();
	if (is_new)
		hd_log_warn("mesh_nats: %s", text);
}

/* ---- the queue ---- */

static bool add(struct dir_op *op)
{
	bool closed;

	pthread_mutex_lock(&queue.lock);
	closed = queue.closed;
	if (queue.end == NULL)
		queue.end = &queue.first;
	if (!closed) {
		*queue.end = op;
		queue.end = &op->next;
	}
	if (queue.first == op && queue.runs)
		pthread_cond_signal(&queue.some);
	pthread_mutex_unlock(&queue.lock);
	return !closed;
}

/* What libnats' threads still bring is freed there. */
static void shut(void)
{
	pthread_mutex_lock(&queue.lock);
	queue.closed = true;
	pthread_mutex_unlock(&queue.lock);
}

static void op_free(struct dir_op *op)
{
	natsMsg_Destroy(op->msg);
	hd_realm_drop(op->of.realm);
	free(op);
}

static void put(enum dir_op_kind kind, const struct dir_of *of,
		uint64_t since_ms, natsMsg *msg)
{
	struct dir_op *op = calloc(1, sizeof(*op));

	if (op == NULL) {
		natsMsg_Destroy(msg);
		return;
	}
	op->kind = kind;
	op->since_ms = since_ms;
	op->msg = msg;
	if (of != NULL)
		op->of = *of;
	dir_hold(op->of.realm);
	if (!add(op))
		op_free(op);
}

void dir_op_put(enum dir_op_kind kind, const struct dir_of *of, natsMsg *msg)
{
	put(kind, of, 0, msg);
}

void dir_op_login(const struct dir_of *of, uint64_t age_ms)
{
	put(DIR_HERE, of, dir_now_ms() - age_ms, NULL);
}

/* Returns all of it: a list. */
static struct dir_op *take(unsigned wait_ms)
{
	struct timespec until;
	struct dir_op *first;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)wait_ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&queue.lock);
	if (queue.first == NULL && wait_ms > 0)
		pthread_cond_timedwait(&queue.some, &queue.lock, &until);
	first = queue.first;
	queue.first = NULL;
	queue.end = &queue.first;
	pthread_mutex_unlock(&queue.lock);
	return first;
}

static bool is_stopping(void)
{
	bool stop;

	pthread_mutex_lock(&queue.lock);
	stop = queue.stop;
	pthread_mutex_unlock(&queue.lock);
	return stop;
}

/* ---- work ---- */

static void seen(void)
{
	static unsigned workers;

	if (++workers == hd_workers())
		dir_here_seen();
}

static void run(const struct dir_op *op)
{
	if (op->kind == DIR_HERE)
		dir_here_came(&op->of, dir_now_ms() - op->since_ms);
	else if (op->kind == DIR_GONE)
		dir_here_left(&op->of);
	else if (op->kind == DIR_ASK)
		dir_ask(&op->of);
	else if (op->kind == DIR_MSG && dir.inbox != NULL)
		dir_requests_msg(op->msg);
	else if (op->kind == DIR_AGAIN)
		dir.prepare = dir.changed = true;
	else if (op->kind == DIR_SEEN)
		seen();
}

static void run_all(struct dir_op *op)
{
	struct dir_op *next;

	for (; op != NULL; op = next) {
		next = op->next;
		run(op);
		op_free(op);
	}
}

static bool is_connected(void)
{
	return dir.nc != NULL &&
	       natsConnection_Status(dir.nc) == NATS_CONN_STATUS_CONNECTED;
}

static void look_at_connection(void)
{
	if (!dir.ready || is_connected())
		return;
	dir.ready = false;
	dir_error("the connection to the server is lost");
}

static void tick(void)
{
	static uint64_t lease_ms;
	uint64_t now_ms = dir_now_ms();

	dir_requests_late(now_ms);
	if (!dir.ready)
		return;
	dir_here_sync(now_ms);
	dir_relays_late(now_ms);
	if (now_ms - lease_ms < DIR_LEASE_MS)
		return;
	lease_ms = now_ms;
	dir_lease_put();
}

/* When it cannot be reached, a second is waited. */
static void connect_if_due(void)
{
	static uint64_t next_ms;
	struct hd_error err = { "" };
	bool due;

	pthread_mutex_lock(&dir.lock);
	look_at_connection();
	due = (!dir.ready || dir.prepare) && dir_now_ms() >= next_ms;
	pthread_mutex_unlock(&dir.lock);
	if (!due || dir_connect(&err) == 0)
		return;
	next_ms = dir_now_ms() + RETRY_MS;
	pthread_mutex_lock(&dir.lock);
	dir.ready = false;
	dir_error("%s", err.text);
	pthread_mutex_unlock(&dir.lock);
}

/* Who has left with the relay is deleted, and the lease. libnats loses answers
 * that come while it ends. */
static void say_goodbye(void)
{
	uint64_t until_ms = dir_now_ms() + CLOSE_MS;

	pthread_mutex_lock(&dir.lock);
	run_all(take(0));
	if (dir.ready)
		dir_lease_end();
	pthread_mutex_unlock(&dir.lock);
	while (dir.ready && dir.requests != NULL && dir_now_ms() < until_ms) {
		struct dir_op *ops = take(GOODBYE_MS);

		pthread_mutex_lock(&dir.lock);
		run_all(ops);
		look_at_connection();
		pthread_mutex_unlock(&dir.lock);
	}
}

/* libnats, once it has had TLS, frees OpenSSL's list of compressions when the
 * process ends, and OpenSSL frees it again (libnats 3.4, src/nats.c,
 * _finalCleanup()): so that there is none to free, it is kept here. */
static void close_library(void)
{
	static STACK_OF(SSL_COMP) *volatile kept;

	nats_CloseAndWait(CLOSE_MS);
	kept = SSL_COMP_set0_compression_methods(NULL);
	(void)kept;
}

static void end(void)
{
	say_goodbye();
	shut();
	dir_disconnect();
	run_all(take(0));
	dir_here_free();
	dir_requests_free();
	close_library();
}

static void *thread_main(void *unused)
{
	(void)unused;
	nats_Open(-1);
	while (!is_stopping()) {
		struct dir_op *ops;

		connect_if_due();
		ops = take(TICK_MS);
		pthread_mutex_lock(&dir.lock);
		run_all(ops);
		tick();
		pthread_mutex_unlock(&dir.lock);
	}
	end();
	return NULL;
}

/* ---- begin and end ---- */

static void set_names(void)
{
	uint8_t raw[(DIR_INSTANCE_BYTES - 1) / 2];

	randombytes_buf(raw, sizeof(raw));
	if (dir.instance[0] == '\0') /* no process before this one has said */
		sodium_bin2hex(dir.instance, sizeof(dir.instance), raw,
			       sizeof(raw));
	dir_name_token(dir.conf->name, dir.token);
	snprintf(dir.keys, sizeof(dir.keys), "%s_keys", dir.conf->region);
	snprintf(dir.leases, sizeof(dir.leases), "%s_leases",
		 dir.conf->region);
}

static void set_runs(bool runs)
{
	pthread_mutex_lock(&queue.lock);
	queue.runs = runs;
	pthread_mutex_unlock(&queue.lock);
}

/* Workers run already, and show what there is. */
static int take_conf(struct hd_module *mod)
{
	int r;

	pthread_mutex_lock(&dir.lock);
	dir.mod = mod;
	r = dir_conf_take(mod);
	if (r == 0)
		set_names();
	pthread_mutex_unlock(&dir.lock);
	return r;
}

int dir_thread_start(struct hd_module *mod, struct hd_error *err)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int r;

	if (take_conf(mod) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue.some, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all); /* libnats' threads have that, too */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&queue.thread, NULL, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	set_runs(r == 0);
	if (r != 0)
		shut(); /* what waits would wait for ever */
	return r == 0 ? 0 : hd_error_set(err, -r, "no thread: %s", strerror(r));
}

void dir_thread_stop(void)
{
	if (!queue.runs)
		return;
	pthread_mutex_lock(&queue.lock);
	queue.stop = true;
	pthread_cond_signal(&queue.some);
	pthread_mutex_unlock(&queue.lock);
	pthread_join(queue.thread, NULL);
	set_runs(false);
	pthread_mutex_lock(&dir.lock);
	dir_conf_drop();
	pthread_mutex_unlock(&dir.lock);
}
