/* SPDX-License-Identifier: MIT */
/* core/base/audit_file.c - a file of whole lines. */
#include "core/base/audit_file.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A machine that lost its power may have left a line without its end: the next
 * one must not be part of it. */
static void end_last_line(int fd)
{
	struct stat st;
	char last;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    pread(fd, &last, 1, st.st_size - 1) != 1 || last == '\n')
		return;
	if (write(fd, "\n", 1) != 1)
		hd_log_warn("audit: a line has no end: error=\"%s\"",
			    strerror(errno));
}

int hd_audit_fd_open(const char *path)
{
	int fd = open(path,
		      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY |
			      O_NONBLOCK,
		      0640);

	if (fd < 0)
		return -errno;
	end_last_line(fd);
	return fd;
}

bool hd_audit_fd_is_at(int fd, const char *path)
{
	struct stat is, was;

	return stat(path, &is) == 0 && fstat(fd, &was) == 0 &&
	       is.st_ino == was.st_ino && is.st_dev == was.st_dev;
}

/* Of @n bytes at @p, which came into the file. */
static size_t whole_lines(int fd, const char *p, size_t n)
{
	const char *end = n > 0 ? memrchr(p, '\n', n) : NULL;
	size_t whole = end != NULL ? (size_t)(end - p) + 1 : 0;
	struct stat st;

	if (whole < n && fstat(fd, &st) == 0 &&
	    ftruncate(fd, st.st_size - (off_t)(n - whole)) < 0)
		hd_log_warn("audit: a line is cut short: error=\"%s\"",
			    strerror(errno));
	return whole;
}

int hd_audit_fd_write(int fd, const char *lines, size_t n, size_t *ret_whole)
{
	size_t done = 0;
	int r = 0;

	while (done < n && r == 0) {
		ssize_t k = write(fd, lines + done, n - done);

		if (k > 0)
			done += (size_t)k;
		else if (k == 0 || errno != EINTR)
			r = k == 0 ? -EIO : -errno;
	}
	*ret_whole = whole_lines(fd, lines, done);
	return r;
}
