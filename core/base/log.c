/* SPDX-License-Identifier: MIT */
/* core/base/log.c - lines from every thread, written by one.
 *
 *   hd_log_write() -> fill (256 KiB) ~~ swap ~~> drain -> stderr or the file
 *
 * The lock is held for one memcpy or one swap, never for a write: a worker
 * does not wait for a disk. A full buffer drops lines and later says how many.
 * Lines gather for GATHER_MS before the thread is run, unless one is a notice
 * or worse: a thread that wakes for each costs a login a twentieth of its CPU
 * time.
 * Context: any thread, unless log.h says otherwise. */
#include "core/base/log.h"
#include "core/base/log_format.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { GATHER_MS = 5 }; /* shorter than a person or a test notices */
enum { REOPEN = 255 }; /* a record's level: from here on the new file */

struct buffer {
	size_t len;
	char data[HD_LOG_BUFFER_BYTES];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct buffer *fill, *drain; /* fill: under the lock */
	uint64_t lost, lost_logged;
	bool running, stop, ended;
	bool urgent; /* what is in fill goes out at once */
	/* the writing thread's, and after it has ended the main thread's */
	int fd;
	enum hd_log_style style;
	const char *path; /* NULL: stderr */
} logger = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.fd = STDERR_FILENO,
};
static struct buffer buffers[2]; /* [0] begins with what came before open */
static int log_level = HD_LOG_INFO;

static void write_all(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(logger.fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return; /* nowhere to complain to */
		p += r;
		n -= (size_t)r;
	}
}

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void write_record(const struct hd_log_record *rec, const char *text)
{
	char line[HD_LOG_OUT_MAX_BYTES];

	write_all(line, hd_log_line(line, logger.style, rec, text));
}

static void write_now(enum hd_log_level level, const char *text, size_t len)
{
	struct hd_log_record rec = { .time_ms = wall_ms(),
				     .level = (uint8_t)level,
				     .len_bytes = (uint16_t)len };

	write_record(&rec, text);
}

static int open_file(const char *path)
{
	int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY,
		     0640);

	return fd < 0 ? -errno : fd;
}

static void do_reopen(void)
{
	char text[HD_LOG_LINE_MAX_BYTES];

	if (logger.path == NULL)
		return;
	int fd = open_file(logger.path);
	if (fd >= 0) {
		close(logger.fd);
		logger.fd = fd;
		return;
	}
	int n = snprintf(text, sizeof(text),
			 "cannot reopen the log file, the old one stays: "
			 "path=%.512s error=\"%s\"",
			 logger.path, strerror(-fd));
	write_now(HD_LOG_ERROR, text, (size_t)n);
}

/* Lines go out by the many: one write() for up to 64 KiB of them. */
static void write_buffer(struct buffer *b)
{
	static char out[64 * 1024];
	size_t n = 0;

	for (size_t at = 0; at < b->len;) {
		struct hd_log_record rec;

		memcpy(&rec, b->data + at, sizeof(rec));
		at += sizeof(rec);
		if (rec.level == REOPEN) {
			write_all(out, n);
			n = 0;
			do_reopen();
			continue;
		}
		if (n + HD_LOG_OUT_MAX_BYTES > sizeof(out)) {
			write_all(out, n);
			n = 0;
		}
		n += hd_log_line(out + n, logger.style, &rec, b->data + at);
		at += rec.len_bytes;
	}
	write_all(out, n);
	b->len = 0;
}

static void write_lost(uint64_t lost)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "log lines were lost, the log target is too slow: "
			 "lost=%" PRIu64,
			 lost);

	write_now(HD_LOG_WARN, text, (size_t)n);
}

/* Whether stderr is the stream that systemd connected to the journal. */
static bool stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	struct stat st;
	char want[64];

	if (env == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return strcmp(env, want) == 0;
}

static struct buffer *swap_buffers(void)
{
	struct buffer *full = logger.fill;

	logger.fill = logger.drain;
	logger.drain = full;
	return full;
}

/* Until there are lines, and no more come with them. Under the lock. */
static void wait_for_lines(void)
{
	struct timespec until;

	while (logger.fill->len == 0 && !logger.stop)
		pthread_cond_wait(&logger.wake, &logger.lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!logger.urgent && !logger.stop)
		if (pthread_cond_clockwait(&logger.wake, &logger.lock,
					   CLOCK_MONOTONIC, &until) != 0)
			break;
	logger.urgent = false;
}

static void *log_thread(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "hd-log");
	pthread_mutex_lock(&logger.lock);
	for (;;) {
		wait_for_lines();
		struct buffer *full = swap_buffers();
		bool stop = logger.stop && full->len == 0;
		uint64_t lost = logger.lost - logger.lost_logged;

		logger.lost_logged = logger.lost;
		pthread_mutex_unlock(&logger.lock);
		write_buffer(full);
		if (lost > 0)
			write_lost(lost);
		if (stop)
			return NULL;
		pthread_mutex_lock(&logger.lock);
	}
}

int hd_log_open(const char *target, enum hd_log_format format,
		enum hd_log_level level, struct hd_error *err)
{
	static const char *remedy =
		"the folder must exist and be writable; or log to stderr";
	int fd = STDERR_FILENO;

	hd_assert(!logger.running);
	bool file = target != NULL && strcmp(target, "stderr") != 0;
	if (file && (fd = open_file(target)) < 0)
		return hd_error_set(err, fd, "log target %s: %s; %s", target,
				    strerror(-fd), remedy);
	logger.fd = fd;
	logger.path = file ? strdup(target) : NULL;
	logger.style = format == HD_LOG_JSON	      ? HD_LOG_STYLE_JSON
		       : !file && stderr_is_journal() ? HD_LOG_STYLE_JOURNAL
						      : HD_LOG_STYLE_TEXT;
	logger.fill = &buffers[0];
	logger.drain = &buffers[1];
	if (!file)
		buffers[0].len = 0; /* stderr has these lines already */
	logger.stop = false;
	hd_log_level_set(level);
	int r = pthread_create(&logger.thread, NULL, log_thread, NULL);
	if (r != 0)
		return hd_error_set(err, -r, "cannot start the log thread: %s",
				    strerror(r));
	pthread_mutex_lock(&logger.lock);
	logger.running = true;
	pthread_mutex_unlock(&logger.lock);
	return 0;
}

void hd_log_close(void)
{
	struct timespec until;

	pthread_mutex_lock(&logger.lock);
	bool was = logger.running;
	logger.running = false;
	logger.ended = true;
	logger.stop = true;
	pthread_cond_signal(&logger.wake);
	pthread_mutex_unlock(&logger.lock);
	if (!was)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	if (pthread_timedjoin_np(logger.thread, NULL, &until) != 0)
		return; /* stuck in write(): exit() ends it */
	if (logger.path != NULL)
		close(logger.fd);
	free((char *)logger.path);
	logger.path = NULL;
	logger.fd = STDERR_FILENO;
	logger.style = HD_LOG_STYLE_TEXT;
}

void hd_log_level_set(enum hd_log_level level)
{
	__atomic_store_n(&log_level, (int)level, __ATOMIC_RELAXED);
}

bool hd_log_on(enum hd_log_level level)
{
	return (int)level <= __atomic_load_n(&log_level, __ATOMIC_RELAXED);
}

uint64_t hd_log_lost(void)
{
	pthread_mutex_lock(&logger.lock);
	uint64_t lost = logger.lost;
	pthread_mutex_unlock(&logger.lock);
	return lost;
}

/* Returns whether it fitted. Under the lock. */
static bool append(struct buffer *b, const struct hd_log_record *rec,
		   const char *text, size_t max_bytes)
{
	if (b->len + sizeof(*rec) + rec->len_bytes > max_bytes)
		return false;
	memcpy(b->data + b->len, rec, sizeof(*rec));
	memcpy(b->data + b->len + sizeof(*rec), text, rec->len_bytes);
	b->len += sizeof(*rec) + rec->len_bytes;
	return true;
}

/* A notice or worse is wanted now: it may be the last one. So is a buffer that
 * is filling. Under the lock, with a line just put into fill. */
static void wake_writer(enum hd_log_level level, bool first)
{
	bool urgent = level <= HD_LOG_NOTICE ||
		      logger.fill->len > HD_LOG_BUFFER_BYTES / 2;

	if (first || (urgent && !logger.urgent))
		pthread_cond_signal(&logger.wake);
	logger.urgent |= urgent;
}

/* Before the log is open stderr gets the line now, and the log file later:
 * warnings about the configuration belong there too. */
static void put_early(const struct hd_log_record *rec, const char *text)
{
	write_record(rec, text);
	if (!logger.ended)
		append(&buffers[0], rec, text, HD_LOG_BUFFER_BYTES / 2);
}

static void put(enum hd_log_level level, const char *text, size_t len)
{
	struct hd_log_record rec = { .time_ms = wall_ms(),
				     .level = (uint8_t)level,
				     .len_bytes = (uint16_t)len };

	pthread_mutex_lock(&logger.lock);
	if (!logger.running) {
		put_early(&rec, text);
	} else {
		bool first = logger.fill->len == 0;

		if (!append(logger.fill, &rec, text, HD_LOG_BUFFER_BYTES))
			logger.lost++;
		else
			wake_writer(level, first);
	}
	pthread_mutex_unlock(&logger.lock);
}

/* As a record, so that it has its place among the lines. A full buffer comes
 * from a target that does not take lines: then there is nothing to rotate. */
void hd_log_reopen(void)
{
	struct hd_log_record rec = { .level = REOPEN };

	pthread_mutex_lock(&logger.lock);
	if (logger.running &&
	    append(logger.fill, &rec, "", HD_LOG_BUFFER_BYTES))
		wake_writer(HD_LOG_NOTICE, true);
	pthread_mutex_unlock(&logger.lock);
}

void hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	char text[HD_LOG_LINE_MAX_BYTES];
	va_list ap;

	if (!hd_log_on(level))
		return;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(level, text, HD_MIN((size_t)n, sizeof(text) - 1));
}

/* The buffers are written without the lock: the holder may be who failed. */
void hd_assert_fail(const char *what, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "bug: assertion failed: %s at=%s:%d", what, file,
			 line);

	if (pthread_mutex_trylock(&logger.lock) == 0 && logger.running)
		write_buffer(logger.fill);
	write_now(HD_LOG_ERROR, text, HD_MIN((size_t)n, sizeof(text) - 1));
	abort();
}
