/* SPDX-License-Identifier: MIT */
/* tools/hdcat/inbox.c - see inbox.h. */
#include "tools/hdcat/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PART ".part"
#define UNFINISHED S_ISVTX

int inbox_open(struct inbox *in, const char *path)
{
	in->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return in->dir < 0 ? -errno : 0;
}

void inbox_close(struct inbox *in)
{
	if (in->dir >= 0)
		close(in->dir);
	in->dir = -1;
}

const char *inbox_error(int r)
{
	switch (r) {
	case -EEXIST:
		return "is there already, and is different (--force replaces "
		       "it)";
	case -ENOTUNIQ:
		return "its .part is in the way, and is not hdcat's";
	case -ELOOP:
	case -ENOTDIR:
		return "something on its way is no directory";
	case -EBUSY:
		return "another transfer writes to it";
	case -EISDIR:
		return "a directory has its name";
	default:
		return strerror(-r);
	}
}

/* ---- the way to a file ---- */

struct place { /* zeroed is not closed: -1 */
	int dir;
	char base[NAME_MAX + 1], part[NAME_MAX + 1];
};

static void place_close(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
}

/* One step down. @make  if it is missing, ours until its turn comes. */
static int step(int dir, const char *name, bool make)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd >= 0 || errno != ENOENT || !make)
		return fd >= 0 ? fd : -errno;
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, flags);
	if (fd < 0)
		return -errno;
	(void)fchmod(fd, 0700 | UNFINISHED);
	return fd;
}

/* @name  up to its last component. */
static int walk(const struct inbox *in, const char *name, const char *last,
		bool make)
{
	int dir = fcntl(in->dir, F_DUPFD_CLOEXEC, 0), next;
	char v[NAME_MAX + 1];

	if (dir < 0)
		return -errno;
	while (name < last) {
		size_t n = strcspn(name, "/");

		memcpy(v, name, n);
		v[n] = '\0';
		name += n + 1;
		next = step(dir, v, make);
		close(dir);
		if (next < 0)
			return next;
		dir = next;
	}
	return dir;
}

/* @ret  given: release with place_close(), also after a failure */
static int place_find(const struct inbox *in, const char *name, bool make,
		      struct place *ret)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash != NULL ? slash + 1 : name;
	size_t n = strlen(last);

	ret->dir = -1;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(ret->base, last, n + 1);
	memcpy(ret->part, last, n + 1);
	if (n + strlen(PART) <= NAME_MAX)
		strcpy(ret->part + n, PART);
	else
		ret->part[0] = '\0';
	ret->dir = walk(in, name, last, make);
	return ret->dir < 0 ? ret->dir : 0;
}

/* ---- what is there ---- */

/* Whether an open file is still called so. */
static bool is_part(const struct place *p, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(p->dir, p->part, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static bool is_ours(const struct place *p, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_nlink == 1 && st.st_uid == geteuid() &&
	       (st.st_mode & 07777) == (0600 | UNFINISHED) && is_part(p, fd);
}

/* Returns the fd, locked; -ENOENT there is none. */
static int part_open(const struct place *p)
{
	int fd, r = 0;

	if (p->part[0] == '\0')
		return -ENAMETOOLONG;
	fd = openat(p->dir, p->part,
		    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == EISDIR ? -ENOTUNIQ : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (!is_ours(p, fd))
		r = -ENOTUNIQ;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* Something has the name. Returns the fd if it may be the same file; -ENOENT if
 * it may be replaced, else why not. */
static int whole_open(const struct inbox *in, const struct place *p,
		      const struct stat *st, uint64_t size)
{
	int fd;

	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != size)
		return in->force ? -ENOENT : -EEXIST;
	fd = openat(p->dir, p->base,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return in->force ? -ENOENT : -errno;
}

static int look(const struct inbox *in, const struct place *p,
		const struct offer *o, bool *ret_whole)
{
	struct stat st;
	int r = -ENOENT;

	if (fstatat(p->dir, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = whole_open(in, p, &st, o->size);
	else if (errno != ENOENT)
		return -errno;
	*ret_whole = r >= 0;
	if (r == -ENOENT)
		r = part_open(p);
	return r == -ENOTUNIQ && in->force ? -ENOENT : r;
}

int inbox_find(const struct inbox *in, const struct offer *o, int *ret_fd,
	       bool *ret_whole)
{
	struct place p;
	int r = place_find(in, o->name, false, &p);

	*ret_fd = -1;
	*ret_whole = false;
	if (r == 0)
		r = look(in, &p, o, ret_whole);
	place_close(&p);
	if (r >= 0)
		*ret_fd = r;
	return r == -ENOENT || r >= 0 ? 0 : r;
}

/* ---- writing ---- */

static int part_new(const struct place *p)
{
	int fd = openat(p->dir, p->part,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600), r = 0;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600 | UNFINISHED) < 0) {
		r = -errno;
		(void)unlinkat(p->dir, p->part, 0);
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	}
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int inbox_part(const struct inbox *in, const struct offer *o, int *ret_fd)
{
	struct place p;
	int r = place_find(in, o->name, true, &p);

	*ret_fd = -1;
	if (r == 0)
		r = part_open(&p);
	if (r == -ENOTUNIQ && in->force && unlinkat(p.dir, p.part, 0) == 0)
		r = -ENOENT;
	if (r == -ENOENT)
		r = part_new(&p);
	place_close(&p);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

/* In one step, and nothing is replaced: not all file systems can do both. */
static int rename_new(const struct place *p)
{
	if (renameat2(p->dir, p->part, p->dir, p->base, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(p->dir, p->part, p->dir, p->base, 0) < 0)
		return -errno;
	return unlinkat(p->dir, p->part, 0) == 0 ? 0 : -errno;
}

static int rename_over(const struct place *p)
{
	return renameat(p->dir, p->part, p->dir, p->base) == 0 ? 0 : -errno;
}

static void times_set(int fd, const struct offer *o)
{
	const struct timespec t[2] = {
		{ .tv_nsec = UTIME_NOW },
		{ .tv_sec = o->mtime_s, .tv_nsec = o->mtime_ns },
	};

	(void)futimens(fd, t);
}

/* The mark goes last: if we are killed before, inbox_whole() takes it off. */
int inbox_finish(const struct inbox *in, const struct offer *o, int fd)
{
	struct place p;
	int r = place_find(in, o->name, false, &p);

	times_set(fd, o);
	if (r == 0 && !is_part(&p, fd)) /* FAT has no sticky bit */
		r = -ENOTUNIQ;
	if (r == 0)
		r = in->force ? rename_over(&p) : rename_new(&p);
	place_close(&p);
	if (r == 0 && fchmod(fd, o->mode) < 0)
		r = -errno;
	return r;
}

int inbox_whole(const struct inbox *in, const struct offer *o)
{
	struct place p;
	struct stat st;
	int r = place_find(in, o->name, false, &p), fd = -1;

	if (r == 0)
		fd = openat(p.dir, p.base,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 07777) == (0600 | UNFINISHED))
		r = fchmod(fd, o->mode) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	place_close(&p);
	return r;
}

void inbox_drop(const struct inbox *in, const struct offer *o)
{
	struct place p;

	if (place_find(in, o->name, false, &p) == 0)
		(void)unlinkat(p.dir, p.part, 0);
	place_close(&p);
}

int inbox_dir(const struct inbox *in, const struct offer *o)
{
	struct place p;
	struct stat st;
	int r = place_find(in, o->name, true, &p), fd = -1;

	if (r == 0)
		fd = step(p.dir, p.base, true);
	place_close(&p);
	if (r < 0 || fd < 0)
		return r < 0 ? r : fd;
	if (fstat(fd, &st) == 0 && (st.st_mode & UNFINISHED) != 0 &&
	    (st.st_mode & 0777) == 0700 && st.st_uid == geteuid()) {
		times_set(fd, o);
		r = fchmod(fd, o->mode) < 0 ? -errno : 0;
	}
	close(fd);
	return r;
}
