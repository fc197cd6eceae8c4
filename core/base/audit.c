/* SPDX-License-Identifier: MIT */
/* core/base/audit.c - the audit log: lines from every thread, written by one.
 *
 *   hd_audit() -> fill ~~ swap, when all of drain is written ~~> drain -> file
 *
 * As in log.c the lock is never held for a write. Unlike there, lines wait
 * while the file cannot be written (a full disk), and are tried again each
 * second; only a full buffer loses lines, and the file and the log then say
 * how many. audit_file.c sees to it that the file has whole lines only.
 * Context: any thread, unless audit.h says otherwise. */
#include "core/base/audit.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/base/audit_file.h"
#include "core/base/json_text.h"

enum { RETRY_MS = 1000 };

struct buffer {
	size_t len, at; /* at: written so far, whole lines */
	char data[HD_AUDIT_BUFFER_BYTES];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct buffer *fill, *drain; /* fill: under the lock */
	uint64_t lost; /* under the lock */
	bool running, stop, reopen; /* under the lock */
	/* the writing thread's */
	int fd;
	char *path;
	bool failing;
	uint64_t lost_logged, lost_written;
} audit = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };
static struct buffer buffers[2];

/* ---- the file ---- */

static int open_again(bool asked)
{
	int fd;

	if (!asked && hd_audit_fd_is_at(audit.fd, audit.path))
		return 0;
	fd = hd_audit_fd_open(audit.path);
	if (fd < 0)
		return fd;
	if (!asked)
		hd_log_warn("audit: the file was removed or renamed, a new one "
			    "is written: file=%s",
			    audit.path);
	close(audit.fd);
	audit.fd = fd;
	return 0;
}

/* ---- lines ---- */

static const char *time_text(char *buf, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03ldZ", ts.tv_nsec / 1000000);
	return buf;
}

/* {"time":...,"what":...} and the members of @json, on one line: a newline in
 * JSON is only ever space between values. */
static void make_line(struct hd_json *j, const char *what, const char *json)
{
	char now[40];
	size_t n = strlen(json);

	j->limit = HD_AUDIT_LINE_MAX_BYTES;
	hd_json_open(j, NULL, '{');
	hd_json_string(j, "time", time_text(now, sizeof(now)));
	hd_json_string(j, "what", what);
	if (n > 2) {
		hd_json_put(j, ",", 1);
		hd_json_put(j, json + 1, n - 2);
	}
	hd_json_close(j);
	for (size_t i = 0; i < j->len; i++)
		if (j->text[i] == '\n')
			j->text[i] = ' ';
	hd_json_put(j, "\n", 1);
}

static void put(const struct hd_json *j)
{
	pthread_mutex_lock(&audit.lock);
	struct buffer *b = audit.fill;

	if (!audit.running) {
		pthread_mutex_unlock(&audit.lock);
		return;
	}
	if (j->error != 0 || b->len + j->len > sizeof(b->data)) {
		audit.lost++;
	} else {
		memcpy(b->data + b->len, j->text, j->len);
		b->len += j->len;
	}
	pthread_cond_signal(&audit.wake);
	pthread_mutex_unlock(&audit.lock);
}

void hd_audit(const char *what, const char *json)
{
	struct hd_json j = { 0 };

	if (!__atomic_load_n(&audit.running, __ATOMIC_RELAXED))
		return;
	make_line(&j, what, json != NULL ? json : "{}");
	put(&j);
	hd_json_free(&j);
}

/* ---- the thread ---- */

/* Into the file: so many lines are missing here. */
static int write_lost(uint64_t lost)
{
	struct hd_json j = { 0 };
	char count[48];
	size_t whole;
	int r = 0;

	if (lost == audit.lost_written)
		return 0;
	snprintf(count, sizeof(count), "{\"lines\":%" PRIu64 "}",
		 lost - audit.lost_written);
	make_line(&j, "audit.lost", count);
	if (j.error == 0)
		r = hd_audit_fd_write(audit.fd, j.text, j.len, &whole);
	hd_json_free(&j);
	if (r == 0)
		audit.lost_written = lost;
	return r;
}

static int write_buffer(struct buffer *b)
{
	size_t whole;
	int r = hd_audit_fd_write(audit.fd, b->data + b->at, b->len - b->at,
				  &whole);

	b->at += whole;
	if (b->at == b->len)
		b->at = b->len = 0;
	return r;
}

static void say(int r, uint64_t lost)
{
	if (r < 0 && !audit.failing)
		hd_log_write(HD_LOG_ERROR,
			     "audit: cannot write, lines wait and it is tried "
			     "again each second: file=%s error=\"%s\"",
			     audit.path, strerror(-r));
	else if (r == 0 && audit.failing)
		hd_log_write(HD_LOG_NOTICE,
			     "audit: it is written again: file=%s", audit.path);
	audit.failing = r < 0;
	if (lost != audit.lost_logged)
		hd_log_warn("audit: lines were lost: file=%s lost=%" PRIu64,
			    audit.path, lost);
	audit.lost_logged = lost;
}

static void turn(bool reopen, uint64_t lost)
{
	int r = open_again(reopen);

	if (r == 0 && audit.drain->len > 0)
		r = write_buffer(audit.drain);
	if (r == 0)
		r = write_lost(lost);
	say(r, lost);
}

/* Under the lock: until there is something to do. */
static void wait_for_work(void)
{
	struct timespec until;

	if (audit.failing && !audit.stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RETRY_MS / 1000;
		while (!audit.stop && !audit.reopen &&
		       pthread_cond_timedwait(&audit.wake, &audit.lock,
					      &until) == 0)
			;
		return;
	}
	while (audit.fill->len == 0 && audit.drain->len == 0 && !audit.stop &&
	       !audit.reopen && audit.lost == audit.lost_logged)
		pthread_cond_wait(&audit.wake, &audit.lock);
}

static void *audit_thread(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "hd-audit");
	pthread_mutex_lock(&audit.lock);
	for (bool end = false; !end;) {
		wait_for_work();
		if (audit.drain->len == 0) {
			struct buffer *full = audit.fill;

			audit.fill = audit.drain;
			audit.drain = full;
		}
		bool reopen = audit.reopen, stop = audit.stop;
		uint64_t lost = audit.lost;

		audit.reopen = false;
		pthread_mutex_unlock(&audit.lock);
		turn(reopen, lost);
		pthread_mutex_lock(&audit.lock);
		end = stop && (audit.failing || (audit.fill->len == 0 &&
						 audit.drain->len == 0));
	}
	pthread_mutex_unlock(&audit.lock);
	return NULL;
}

/* ---- life ---- */

static int start_thread(struct hd_error *err)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&audit.wake, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&audit.thread, NULL, audit_thread, NULL);
	return r == 0 ? 0
		      : hd_error_set(err, -r, "cannot start a thread for the "
					      "audit log: %s",
				     strerror(r));
}

int hd_audit_open(const char *path, struct hd_error *err)
{
	int fd, r;

	hd_assert(!audit.running);
	if (path == NULL)
		return 0;
	fd = hd_audit_fd_open(path);
	if (fd < 0)
		return hd_error_set(err, fd,
				    "audit.file %s: %s; its folder must exist "
				    "and the relay's user must be able to "
				    "write there",
				    path, strerror(-fd));
	audit.fd = fd;
	audit.path = strdup(path);
	audit.fill = &buffers[0];
	audit.drain = &buffers[1];
	buffers[0].len = buffers[0].at = buffers[1].len = buffers[1].at = 0;
	audit.stop = audit.reopen = audit.failing = false;
	audit.lost = audit.lost_logged = audit.lost_written = 0;
	r = audit.path == NULL ? hd_error_set(err, -ENOMEM, "out of memory")
			       : start_thread(err);
	if (r < 0) {
		close(audit.fd);
		free(audit.path);
		audit.path = NULL;
		return r;
	}
	__atomic_store_n(&audit.running, true, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t lines_of(const struct buffer *b)
{
	uint64_t n = 0;

	for (size_t i = b->at; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

void hd_audit_close(void)
{
	struct timespec until;

	pthread_mutex_lock(&audit.lock);
	bool was = audit.running;
	__atomic_store_n(&audit.running, false, __ATOMIC_RELAXED);
	audit.stop = true;
	if (was)
		pthread_cond_signal(&audit.wake);
	pthread_mutex_unlock(&audit.lock);
	if (!was)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	if (pthread_timedjoin_np(audit.thread, NULL, &until) != 0) {
		hd_log_write(HD_LOG_ERROR,
			     "audit: the disk does not answer, the last lines "
			     "may be missing: file=%s",
			     audit.path);
		return; /* stuck in write(): exit() ends it */
	}
	uint64_t left = lines_of(audit.fill) + lines_of(audit.drain);

	if (left > 0)
		hd_log_write(HD_LOG_ERROR,
			     "audit: lines were lost at the end: file=%s "
			     "lost=%" PRIu64,
			     audit.path, left);
	close(audit.fd);
	free(audit.path);
	audit.path = NULL;
	pthread_cond_destroy(&audit.wake);
}

void hd_audit_reopen(void)
{
	pthread_mutex_lock(&audit.lock);
	audit.reopen = audit.running;
	if (audit.running)
		pthread_cond_signal(&audit.wake);
	pthread_mutex_unlock(&audit.lock);
}

void hd_logs_reopen(void)
{
	hd_log_reopen();
	hd_audit_reopen();
}

const char *hd_audit_file(void)
{
	return audit.running ? audit.path : NULL;
}

uint64_t hd_audit_lost(void)
{
	pthread_mutex_lock(&audit.lock);
	uint64_t lost = audit.lost;
	pthread_mutex_unlock(&audit.lock);
	return lost;
}
