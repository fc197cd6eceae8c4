/* SPDX-License-Identifier: MIT */
/* hyper-derp/whole.h - all bytes of a read or a write: the loops around
 * read(2), write(2) and pwrite(2), which may take a part or be interrupted; and
 * all of the standard descriptors. Inline, so that programs without the core
 * have them too. They block as the descriptor does; any thread. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_read_whole - up to n bytes into buf, fewer only where the file ends.
 * Returns how many; negative errno, and buf may hold a part. */
static inline ssize_t hd_read_whole(int fd, void *buf, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, (char *)buf + have, n - have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	return (ssize_t)have;
}

/* hd_write_whole - all n bytes of buf. Returns 0; negative errno, and the file
 * may have a part. */
static inline int hd_write_whole(int fd, const void *buf, size_t n)
{
	for (const char *p = (const char *)buf; n > 0;) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/* hd_pwrite_whole - the same from a place in the file on; -ENOSPC it takes
 * nothing more, and says no reason. */
static inline int hd_pwrite_whole(int fd, const void *buf, size_t n, off_t at)
{
	for (const char *p = (const char *)buf; n > 0;) {
		ssize_t r = pwrite(fd, p, n, at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ENOSPC;
		p += r;
		n -= (size_t)r;
		at += r;
	}
	return 0;
}

/* hd_stdio_whole - for the beginning of main(): 0, 1 and 2 are something, so
 * that no socket or file gets one of these numbers, and with it what is meant
 * for standard output. One that is closed stays so for whom it matters: to read
 * or to write it is -EBADF. Returns 0; negative errno. */
static inline int hd_stdio_whole(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	return 0;
}

#ifdef __cplusplus
}
#endif
