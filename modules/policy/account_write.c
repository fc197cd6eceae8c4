/* SPDX-License-Identifier: MIT */
/* modules/policy/account_write.c - what is counted goes to a month's file.
 *
 * One job at a time: bytes behind the good part of the file, or a whole file in
 * its place where it has grown long. A job that fails stays, and is done again
 * in a second, at the same place. So nothing is written twice, and what is cut
 * off is written over. Meanwhile the ledger adds up.
 * Context: the main thread; run_job() a helper thread. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/task.h>
#include <hyper-derp/whole.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "modules/policy/account.h"

enum {
	ACCOUNT_SIZE_BYTES = 120, /* about, in a whole file */
	LONG_BYTES = 1 << 20, /* a file may always be so long ... */
	LONG_TIMES = 4, /* ... and beyond that so many times what is in it */
	SYNC_MS = 30000,
};

/* ---- bytes are written ---- */

static int sync_folder(const char *path)
{
	char folder[512];
	const char *slash = strrchr(path, '/');
	int fd, e;

	snprintf(folder, sizeof(folder), "%.*s",
		 slash != NULL ? (int)(slash - path) : 1,
		 slash != NULL ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	e = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return e;
}

/* Returns the new file's descriptor. */
int account_file_replace(const char *path, const struct journal *j)
{
	char tmp[520];
	int fd, e;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	e = hd_pwrite_whole(fd, j->v, j->n, 0);
	if (e == 0 && (fsync(fd) < 0 || rename(tmp, path) < 0))
		e = -errno;
	if (e == 0) {
		sync_folder(path);
		return fd;
	}
	unlink(tmp);
	close(fd);
	return e;
}

static int run_job(struct account_job *job, const char *path)
{
	int e;

	if (job->whole) {
		job->new_fd = account_file_replace(path, &job->bytes);
		return HD_MIN(job->new_fd, 0);
	}
	e = hd_pwrite_whole(job->fd, job->bytes.v, job->bytes.n,
			    (off_t)job->at);
	if (e == 0 && job->sync && fdatasync(job->fd) < 0)
		e = -errno;
	return e;
}

static void finish(struct account_book *b, int error)
{
	uint64_t one = 1;
	int fd = b->wake_fd;

	b->job.error = error;
	atomic_store_explicit(&b->job.state, ACCOUNT_DONE,
			      memory_order_release);
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return; /* it is awake, or will be in a second */
}

static void work(struct hd_module *mod, void *book)
{
	struct account_book *b = book;

	(void)mod;
	finish(b, run_job(&b->job, b->path));
}

/* No helper thread has it any more. */
static void dropped(void *book)
{
	finish(book, -ECANCELED);
}

/* ---- jobs ---- */

/* Of one that is done. Returns 0; negative: it is to be done again. */
static int take_result(struct account_book *b, struct hd_error *err)
{
	struct account_job *job = &b->job;

	atomic_store_explicit(&job->state, ACCOUNT_IDLE, memory_order_relaxed);
	if (job->error == -ECANCELED)
		return 0;
	if (job->error < 0 && job->whole) { /* the old one is good, and grows */
		journal_free(&job->bytes);
		b->whole_from = 2 * b->good;
	}
	if (job->error < 0)
		return account_book_error(err, b, job->error);
	if (job->whole) {
		close(b->fd);
		b->fd = job->new_fd;
		job->new_fd = -1;
	}
	b->good = job->whole ? job->bytes.n : b->good + job->bytes.n;
	journal_free(&job->bytes);
	return 0;
}

static bool is_long(const struct account_book *b)
{
	return b->good >= b->whole_from &&
	       b->good > LONG_BYTES + (uint64_t)LONG_TIMES *
					      ACCOUNT_SIZE_BYTES *
					      b->ledger->n_ids;
}

/* The next one, if there is anything to write. Returns 0; -ENOMEM. */
static int make_job(struct account_book *b, struct hd_error *err)
{
	struct account_job *job = &b->job;
	uint64_t now = hd_now_ns() / 1000000;
	int e = 0;

	job->whole = is_long(b);
	job->fd = b->fd;
	job->at = b->good;
	job->sync = now - b->synced_ms >= SYNC_MS;
	if (job->whole) {
		e = ledger_whole(b->ledger, &job->bytes);
	} else if (b->ledger->unsaved != NULL) {
		if (b->good == 0)
			journal_head(&job->bytes);
		e = ledger_journal(b->ledger, &job->bytes);
		b->synced_ms = job->sync ? now : b->synced_ms;
	}
	if (e < 0)
		journal_free(&job->bytes);
	return e < 0 ? account_book_error(err, b, e) : 0;
}

/* ---- a step ---- */

/* Returns 0; 1 a helper thread is at it. */
static int ready(struct account_book *b, struct hd_error *err)
{
	int state = atomic_load_explicit(&b->job.state, memory_order_acquire);
	int e = 0;

	if (state == ACCOUNT_BUSY)
		return 1;
	if (state == ACCOUNT_DONE)
		e = take_result(b, err);
	if (e == 0 && b->fd < 0)
		e = account_book_open(b, err);
	if (e == 0 && b->job.bytes.n == 0)
		e = make_job(b, err);
	return e;
}

int account_book_tick(struct hd_module *mod, struct account_book *b,
		      struct hd_error *err)
{
	int e = ready(b, err);

	if (e != 0 || b->job.bytes.n == 0)
		return HD_MIN(e, 0);
	atomic_store_explicit(&b->job.state, ACCOUNT_BUSY,
			      memory_order_relaxed);
	hd_task(mod, NULL, work, NULL, b, dropped); /* or later, if it is not */
	return 0;
}

/* Neither the disk nor a file that has grown long is waited for. */
int account_book_flush(struct account_book *b, struct hd_error *err)
{
	uint64_t whole_from = b->whole_from, synced_ms = b->synced_ms;
	int e = 0;

	b->whole_from = UINT64_MAX;
	b->synced_ms = hd_now_ns() / 1000000;
	while (e == 0 && !account_book_saved(b)) {
		e = ready(b, err);
		if (e == 0 && b->job.bytes.n > 0)
			work(NULL, b);
	}
	b->whole_from = whole_from;
	b->synced_ms = synced_ms;
	return e;
}

int account_book_end(struct account_book *b, struct hd_error *err)
{
	int e = 0;

	while (e == 0 && !account_book_saved(b)) {
		e = ready(b, err);
		if (e == 0 && b->job.bytes.n > 0) {
			b->job.sync = true;
			work(NULL, b);
		}
	}
	if (e == 0 && atomic_load(&b->job.state) == ACCOUNT_DONE)
		e = take_result(b, err);
	return e;
}
