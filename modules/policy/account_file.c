/* SPDX-License-Identifier: MIT */
/* modules/policy/account_file.c - a month's file, state_dir/accounting.2026-11,
 * is opened and read. Only one relay writes: while another one has the lock, as
 * when it ends and we begin, the ledger adds up and is merged later.
 * Context: the main thread. */
#include "modules/policy/account.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "accounting.lock"

/* ---- months ---- */

unsigned account_month_now(void)
{
	time_t t = time(NULL);
	struct tm tm = { .tm_year = 70 };

	gmtime_r(&t, &tm);
	return 12u * (unsigned)(tm.tm_year + 1900) + (unsigned)tm.tm_mon;
}

const char *account_month_text(unsigned month, char ret[16])
{
	snprintf(ret, 16, "%04u-%02u", month / 12 % 10000, month % 12 + 1);
	return ret;
}

bool account_month_parse(const char *text, unsigned *ret)
{
	unsigned year, month;
	int n = 0;

	if (strlen(text) != 7 ||
	    sscanf(text, "%4u-%2u%n", &year, &month, &n) != 2 || n != 7 ||
	    month < 1 || month > 12)
		return false;
	*ret = 12 * year + month - 1;
	return true;
}

/* ---- the lock: a relay that ends and one that begins ---- */

static int lock_fd = -1;

int account_lock(struct hd_error *err)
{
	char path[512];
	int fd, e;

	if (lock_fd >= 0)
		return 0;
	hd_state_file_path(LOCK_NAME, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return hd_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		lock_fd = fd;
		return 0;
	}
	e = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return hd_error_set(err, e, "%s: %s", path,
			    e == -EBUSY ? "another relay has these files"
					: strerror(-e));
}

void account_unlock(void)
{
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}

void account_lock_pack(struct hd_pack *to)
{
	if (lock_fd >= 0)
		hd_pack_fd(to, "lock", lock_fd);
}

static bool is_lock(int fd)
{
	char path[512];
	struct stat have, want;

	hd_state_file_path(LOCK_NAME, path, sizeof(path));
	return fstat(fd, &have) == 0 && stat(path, &want) == 0 &&
	       have.st_dev == want.st_dev && have.st_ino == want.st_ino;
}

void account_lock_unpack(const struct hd_unpack *from)
{
	int fd = hd_unpack_fd(from, "lock");

	if (fd < 0)
		return;
	if (lock_fd < 0 && is_lock(fd))
		lock_fd = fd;
	else
		close(fd);
}

/* ---- life ---- */

struct account_book *account_book_new(unsigned month)
{
	struct account_book *b = calloc(1, sizeof(*b));
	char text[16];

	if (b == NULL)
		return NULL;
	b->month = month;
	b->fd = b->wake_fd = -1;
	b->job.new_fd = -1;
	snprintf(b->name, sizeof(b->name), "accounting.%s",
		 account_month_text(month, text));
	hd_state_file_path(b->name, b->path, sizeof(b->path));
	b->ledger = ledger_new();
	if (b->ledger == NULL)
		account_book_free(&b);
	return b;
}

void account_book_free(struct account_book **book)
{
	struct account_book *b = hd_steal(book);

	if (b == NULL)
		return;
	if (b->fd >= 0)
		close(b->fd);
	if (b->job.new_fd >= 0)
		close(b->job.new_fd);
	journal_free(&b->job.bytes);
	ledger_free(&b->ledger);
	free(b);
}

bool account_book_saved(const struct account_book *b)
{
	return b->job.bytes.n == 0 && b->ledger->unsaved == NULL;
}

int account_book_error(struct hd_error *err, const struct account_book *b,
		       int e)
{
	return hd_error_set(err, e, "%s: %s", b->path, strerror(-e));
}

/* ---- the file is read ---- */

/* Returns 0, and *ret is the caller's. */
static int read_all(int fd, uint8_t **ret, size_t *ret_n)
{
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = malloc((size_t)st.st_size + 1);
	if (*ret == NULL)
		return -ENOMEM;
	while (n < (size_t)st.st_size) {
		ssize_t r =
			pread(fd, *ret + n, (size_t)st.st_size - n, (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			int e = r < 0 ? -errno : -EIO;

			free(*ret);
			return e;
		}
		n += (size_t)r;
	}
	*ret_n = n;
	return 0;
}

/* @ret_torn  bytes of a frame that was not written to its end
 * Returns 0; 1 it is damaged: only what stands before that is read. */
static int read_ledger(int fd, struct ledger *l, size_t *ret_good,
		       size_t *ret_torn)
{
	uint8_t *data = NULL;
	size_t n = 0;
	int e = read_all(fd, &data, &n);

	if (e < 0)
		return e;
	e = ledger_read(l, data, n, ret_good);
	*ret_torn = n - *ret_good;
	if (e == -EPROTO ||
	    (e == 0 && !journal_is_torn(data + *ret_good, *ret_torn)))
		e = 1;
	free(data);
	return e;
}

int account_file_read(const char *path, struct ledger **ret,
		      struct hd_error *err)
{
	struct ledger *l = ledger_new();
	size_t good, torn;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int e = fd < 0 ? -errno : l == NULL ? -ENOMEM : 0;

	if (e == 0)
		e = read_ledger(fd, l, &good, &torn);
	if (fd >= 0)
		close(fd);
	*ret = e >= 0 ? hd_steal(&l) : NULL;
	ledger_free(&l);
	return e < 0 ? hd_error_set(err, e, "%s: %s", path, strerror(-e)) : 0;
}

/* ---- the file is opened ---- */

/* Until the new one is in its place the file stays, too: on a disk that is full
 * the next try finds it again. */
static int keep_bad(const char *path, const char *bad)
{
	if (unlink(bad) < 0 && errno != ENOENT)
		return -errno;
	if (link(path, bad) == 0)
		return 0;
	/* a file system without links */
	return rename(path, bad) < 0 ? -errno : 0;
}

/* What cannot be read stays, for whoever wants to look at it. */
static int start_anew(struct account_book *b, struct ledger *l,
		      struct hd_error *err)
{
	struct journal j = { 0 };
	char bad[520];
	int fd, e = ledger_whole(l, &j);

	snprintf(bad, sizeof(bad), "%s.bad", b->path);
	if (e == 0)
		e = keep_bad(b->path, bad);
	fd = e == 0 ? account_file_replace(b->path, &j) : e;
	if (fd >= 0) {
		close(b->fd);
		b->fd = fd;
		b->good = j.n;
		hd_log_error("accounting: %s is damaged: what comes after "
			     "the damage is not counted; it is kept as %s",
			     b->path, bad);
	}
	journal_free(&j);
	return fd < 0 ? account_book_error(err, b, fd) : 0;
}

/* What has been counted meanwhile comes behind what the file has. */
static int take_ledger(struct account_book *b, struct ledger **l)
{
	struct ledger *old = b->ledger;

	if (ledger_merge(*l, old) < 0)
		return -ENOMEM;
	b->ledger = hd_steal(l);
	ledger_free(&old);
	return 0;
}

static int load(struct account_book *b, struct ledger **l, struct hd_error *err)
{
	size_t good = 0, torn = 0;
	int e = *l == NULL ? -ENOMEM : read_ledger(b->fd, *l, &good, &torn);

	b->good = good;
	if (e == 0 && torn > 0)
		hd_log_warn("accounting: %s ends within a record, as after a "
			    "crash: its last %zu bytes are left out, at most "
			    "what was counted in the last second before it",
			    b->path, torn);
	if (e == 0 && torn > 0 && ftruncate(b->fd, (off_t)good) < 0)
		e = -errno;
	if (e == 1 && (e = start_anew(b, *l, err)) < 0)
		return e;
	if (e == 0)
		e = take_ledger(b, l);
	return e < 0 ? account_book_error(err, b, e) : 0;
}

int account_book_open(struct account_book *b, struct hd_error *err)
{
	struct ledger *l = ledger_new();
	int e = account_lock(err);

	if (e == 0) {
		b->fd = open(b->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			     0600);
		e = b->fd < 0 ? account_book_error(err, b, -errno)
			      : load(b, &l, err);
	}
	if (e < 0 && b->fd >= 0) {
		close(b->fd);
		b->fd = -1;
	}
	ledger_free(&l);
	return e;
}
