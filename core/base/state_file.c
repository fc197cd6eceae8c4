/* SPDX-License-Identifier: MIT */
/* core/base/state_file.c - whole small files under state_dir. A file is
 * replaced or untouched, never half written: temporary file, fsync, rename,
 * fsync of the folder. Context: main and helper threads; it blocks. */
#include <hyper-derp/state_file.h>
#include <hyper-derp/whole.h>
#include "core/base/dry.h"
#include "core/base/state_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock; /* one temporary file at a time */
	int fd;
	char *path;
	uid_t uid; /* -1: as it comes */
	gid_t gid;
} dir = { .lock = PTHREAD_MUTEX_INITIALIZER,
	  .fd = -1,
	  .uid = (uid_t)-1,
	  .gid = (gid_t)-1 };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int make_dirs(char *path)
{
	for (char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		int r = mkdir(path, 0755) < 0 ? errno : 0;
		*p = '/';
		if (r != 0 && r != EEXIST)
			return -r;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int hd_state_dir_open(const char *path, struct hd_error *err)
{
	char *copy = strdup(path);
	int r = copy == NULL ? -ENOMEM : make_dirs(copy);
	int fd = -1;

	if (r == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		free(copy);
		return hd_error_set(err, r,
				    "state_dir %s: %s; make the folder, owned "
				    "by the relay's user, or set state_dir",
				    path, strerror(-r));
	}
	hd_state_dir_close();
	dir.fd = fd;
	dir.path = copy;
	return 0;
}

void hd_state_dir_look(const char *path)
{
	hd_state_dir_close();
	dir.path = strdup(path);
	dir.fd = dir.path == NULL
			 ? -1
			 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Of a trial that nobody has told where the state is. */
static bool is_blind(void)
{
	return hd_dry && dir.fd < 0;
}

int hd_state_dir_owner(uid_t uid, gid_t gid, struct hd_error *err)
{
	if (fchown(dir.fd, uid, gid) < 0)
		return hd_error_set(err, -errno,
				    "state_dir %s: cannot give it to user %u: "
				    "%s",
				    dir.path, (unsigned)uid, strerror(errno));
	dir.uid = uid;
	dir.gid = gid;
	return 0;
}

void hd_state_dir_close(void)
{
	dir.uid = (uid_t)-1;
	dir.gid = (gid_t)-1;
	close_fd(&dir.fd);
	free(dir.path);
	dir.path = NULL;
}

const char *hd_state_dir(void)
{
	return dir.path;
}

struct location { /* a file's name in an open folder */
	int fd;
	bool own; /* fd is to be closed */
	const char *name, *path; /* path: as messages call it */
	char buf[PATH_MAX];
};

static void location_close(struct location *at)
{
	if (at->own)
		close_fd(&at->fd);
}

static bool is_name(const char *name)
{
	return *name != '\0' && *name != '.' && strchr(name, '/') == NULL &&
	       strlen(name) <= NAME_MAX - 8; /* .NAME.keep */
}

static int bad_name(const char *name, struct hd_error *err)
{
	return hd_error_set(err, -EINVAL,
			    "\"%.200s\" is not a state file's name", name);
}

/* An absolute path: the folder is opened for this one time. */
static int locate_path(const char *path, struct location *at,
		       struct hd_error *err)
{
	const char *name = strrchr(path, '/') + 1;

	if (!is_name(name) || strlen(path) >= sizeof(at->buf))
		return bad_name(path, err);
	snprintf(at->buf, sizeof(at->buf), "%.*s",
		 (int)HD_MAX(name - path - 1, 1), path);
	at->name = name;
	at->path = path;
	if (is_blind())
		return 0;
	at->fd = open(at->buf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at->fd < 0)
		return hd_error_set(err, -EIO,
				    "%.200s: cannot open its folder: %s; make "
				    "it, owned by the relay's user",
				    path, strerror(errno));
	at->own = true;
	return 0;
}

static int locate(const char *name, struct location *at, struct hd_error *err)
{
	*at = (struct location){ .fd = -1 };
	if (name[0] == '/')
		return locate_path(name, at, err);
	if (dir.fd < 0 && !hd_dry)
		return hd_error_set(err, -ENOENT, "%s: state_dir is not set",
				    name);
	if (!is_name(name))
		return bad_name(name, err);
	snprintf(at->buf, sizeof(at->buf), "%s/%s",
		 dir.path != NULL ? dir.path : "", name);
	at->fd = dir.fd;
	at->name = name;
	at->path = at->buf;
	return 0;
}

static int location_error(struct hd_error *err, int code,
			  const struct location *at)
{
	return hd_error_set(err, code, "%.400s: %s", at->path,
			    code == -EFBIG ? "longer than it may be"
					   : strerror(-code));
}

int hd_state_file_read(const char *name, void *buf, size_t size,
		       struct hd_error *err)
{
	HD_AUTO(location_close) struct location at = { .fd = -1 };
	HD_AUTO(close_fd) int fd = -1;
	uint8_t more;
	int r = locate(name, &at, err);

	if (r < 0)
		return r;
	if (is_blind())
		return location_error(err, -ENOENT, &at);
	fd = openat(at.fd, at.name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return location_error(err, -errno, &at);
	ssize_t n = hd_read_whole(fd, buf, size);
	if (n >= 0 && hd_read_whole(fd, &more, 1) > 0)
		n = -EFBIG;
	return n < 0 ? location_error(err, (int)n, &at) : (int)n;
}

/* @at's file has a second name then. None yet, or a file system without second
 * names: nothing is kept, and it is no reason to write nothing. */
static void keep_copy(const struct location *at)
{
	char tmp[NAME_MAX + 16], copy[NAME_MAX + 16];

	snprintf(tmp, sizeof(tmp), ".%s.keep", at->name);
	snprintf(copy, sizeof(copy), "%s.before", at->name);
	unlinkat(at->fd, tmp, 0);
	if (linkat(at->fd, at->name, at->fd, tmp, 0) < 0 ||
	    renameat(at->fd, tmp, at->fd, copy) < 0)
		unlinkat(at->fd, copy, 0); /* an older one would mislead */
	unlinkat(at->fd, tmp, 0); /* both names of one file: it is left */
}

static int replace(const struct location *at, const char *tmp, bool keeps,
		   const void *buf, size_t len)
{
	HD_AUTO(close_fd) int fd = -1;

	fd = openat(at->fd, tmp,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	int r = fchmod(fd, 0600) < 0 ? -errno : hd_write_whole(fd, buf, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	/* after the privileges are gone it is a no-op for one's own file */
	if (r == 0 && dir.uid != (uid_t)-1 && fchown(fd, dir.uid, dir.gid) < 0)
		r = -errno;
	if (r == 0 && keeps)
		keep_copy(at);
	if (r == 0 && renameat(at->fd, tmp, at->fd, at->name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(at->fd, tmp, 0);
		return r;
	}
	return fsync(at->fd) < 0 ? -errno : 0;
}

static int write_file(const char *name, bool keeps, const void *buf, size_t len,
		      struct hd_error *err)
{
	HD_AUTO(location_close) struct location at = { .fd = -1 };
	char tmp[NAME_MAX + 1];
	int r = locate(name, &at, err);

	if (r < 0 || hd_dry)
		return r;
	snprintf(tmp, sizeof(tmp), ".%s.new", at.name);
	pthread_mutex_lock(&dir.lock);
	r = replace(&at, tmp, keeps, buf, len);
	pthread_mutex_unlock(&dir.lock);
	return r < 0 ? location_error(err, r, &at) : 0;
}

int hd_state_file_write(const char *name, const void *buf, size_t len,
			struct hd_error *err)
{
	return write_file(name, false, buf, len, err);
}

int hd_state_file_update(const char *name, const void *buf, size_t len,
			 struct hd_error *err)
{
	return write_file(name, true, buf, len, err);
}

const char *hd_state_file_path(const char *name, char *buf, size_t size)
{
	bool inside = name[0] != '/' && dir.path != NULL;

	snprintf(buf, size, "%s%s%s", inside ? dir.path : "",
		 inside ? "/" : "", name);
	return buf;
}
