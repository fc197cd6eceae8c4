/* SPDX-License-Identifier: MIT */
/* libhd/identity_file.c - an identity as a file, which has the form of the
 * relay's own (modules/hd/keys.c): hdseed:<64 hex>. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/whole.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libhd/inner.h"

#define PREFIX "hdseed:"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)
#define HEX_BYTES (2 * LIBHD_SEED_BYTES)
#define LINE_BYTES (PREFIX_BYTES + HEX_BYTES + 1) /* with its newline */

/* A key that is cut or too long is not to be guessed at. */
static int seed_parse(const char *line, size_t n, uint8_t *seed)
{
	size_t got;

	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (n != PREFIX_BYTES + HEX_BYTES ||
	    memcmp(line, PREFIX, PREFIX_BYTES) != 0 ||
	    sodium_hex2bin(seed, LIBHD_SEED_BYTES, line + PREFIX_BYTES,
			   HEX_BYTES, NULL, &got, NULL) != 0 ||
	    got != LIBHD_SEED_BYTES)
		return -EINVAL;
	return 0;
}

static int load(int fd, struct libhd_identity **ret)
{
	char line[LINE_BYTES + 2];
	uint8_t seed[LIBHD_SEED_BYTES];
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return -EPERM;
	n = hd_read_whole(fd, line, sizeof(line));
	r = n < 0 ? (int)n : seed_parse(line, (size_t)n, seed);
	if (r == 0)
		r = libhd_identity_from_seed(seed, ret);
	sodium_memzero(line, sizeof(line));
	sodium_memzero(seed, sizeof(seed));
	return r;
}

int libhd_identity_load(const char *path, struct libhd_identity **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = load(fd, ret);
	close(fd);
	return r;
}

static int line_write(int fd, const struct libhd_identity *id)
{
	char line[LINE_BYTES + 1];
	int r;

	memcpy(line, PREFIX, PREFIX_BYTES);
	/* the first half of the secret is the seed */
	sodium_bin2hex(line + PREFIX_BYTES, HEX_BYTES + 1, id->secret,
		       LIBHD_SEED_BYTES);
	line[LINE_BYTES - 1] = '\n';
	r = hd_write_whole(fd, line, LINE_BYTES);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	sodium_memzero(line, sizeof(line));
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* Never in place of one that is there; not all file systems have links. */
static int name_it(const char *from, const char *path)
{
	if (link(from, path) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) < 0
		       ? -errno
		       : 0;
}

/* Under a name of its own first: nobody sees half a key, nor does a machine
 * that stops leave one. */
int libhd_identity_save(const struct libhd_identity *id, const char *path)
{
	char *part;
	int fd, r;

	if (asprintf(&part, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(part, O_CLOEXEC); /* 0600 */
	r = fd < 0 ? -errno : line_write(fd, id);
	if (r == 0)
		r = name_it(part, path);
	if (fd >= 0)
		(void)unlink(part);
	free(part);
	return r;
}

int libhd_identity_open(const char *path, struct libhd_identity **ret)
{
	int r = libhd_identity_load(path, ret);

	if (r != -ENOENT)
		return r;
	r = libhd_identity_new(ret);
	if (r < 0)
		return r;
	r = libhd_identity_save(*ret, path);
	if (r < 0)
		libhd_identity_free(ret);
	/* another process of ours has made one meanwhile: that is it */
	return r == -EEXIST ? libhd_identity_load(path, ret) : r;
}
