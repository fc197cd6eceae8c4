/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_replace.c - a file's text becomes another, at once: a
 * new file takes its name. What the old one had beside its text, the new one
 * has: owner, mode, ACL, other extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/setup/setup.h"

/* Source: acl(5); attr(5) for the name. */
#define ACL "system.posix_acl_access"
enum { ATTRIBUTE_BYTES = 64 * 1024 }; /* the kernel's own bound */

static int failed(const char *path)
{
	int e = errno;

	return hdctl_fail(e == EACCES || e == EPERM ? HDCTL_NOT_PERMITTED
						    : HDCTL_REFUSED,
			  "%s: %s", path, strerror(e));
}

/* Without its ACL a file would be open to others than before; what else cannot
 * be copied, as a label of SELinux without the right to, the system gives. */
static bool copy_attribute(int fd, const char *from, const char *name,
			   char value[ATTRIBUTE_BYTES])
{
	ssize_t n = getxattr(from, name, value, ATTRIBUTE_BYTES);

	return (n >= 0 && fsetxattr(fd, name, value, (size_t)n, 0) == 0) ||
	       strcmp(name, ACL) != 0;
}

/* @from  NULL: it has none */
static bool copy_attributes(int fd, const char *from)
{
	char *names = malloc(2 * (size_t)ATTRIBUTE_BYTES);
	char *value = names != NULL ? names + ATTRIBUTE_BYTES : NULL;
	ssize_t n = names != NULL && from != NULL
			    ? listxattr(from, names, ATTRIBUTE_BYTES)
			    : 0;
	bool good = names != NULL;

	(void)fremovexattr(fd, ACL); /* the folder's default */
	for (char *p = names; good && n > 0 && p < names + n;
	     p += strlen(p) + 1)
		good = copy_attribute(fd, from, p, value);
	free(names);
	return good;
}

/* Owner before mode: nobody else reads it meanwhile. The ACL is last: it has
 * the bits of the group. */
static bool fill(FILE *f, const char *text, const struct stat *as,
		 const char *from)
{
	int fd = fileno(f);

	return fchown(fd, as->st_uid, as->st_gid) == 0 &&
	       fchmod(fd, as->st_mode & 07777) == 0 &&
	       copy_attributes(fd, from) && fputs(text, f) >= 0 &&
	       fflush(f) == 0 && fsync(fd) == 0;
}

static FILE *create(const char *path)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd >= 0 ? fdopen(fd, "w") : NULL;
}

/* Hidden: an include of all files of a folder must not read what is left when
 * somebody is killed. */
static void name_new(const char *path, char new[PATH_MAX + 8])
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;

	(void)snprintf(new, PATH_MAX + 8, "%.*s.%s.tmp", (int)folder, path,
		       path + folder);
}

static int replace(const char *path, const char *text, const struct stat *as,
		   const char *from)
{
	char real[PATH_MAX], new[PATH_MAX + 8];
	int e = 0;
	FILE *f;

	if (realpath(path, real) != NULL)
		path = real;
	name_new(path, new);
	f = create(new);
	if (f == NULL)
		return failed(new);
	if (!fill(f, text, as, from))
		e = errno;
	if (fclose(f) != 0 && e == 0)
		e = errno;
	if (e == 0 && rename(new, path) < 0)
		e = errno;
	if (e == 0)
		return HDCTL_OK;
	(void)unlink(new);
	errno = e;
	return failed(path);
}

int setup_replace_as(const char *path, const char *text, const struct stat *as)
{
	return replace(path, text, as, NULL);
}

int setup_replace(const char *path, const char *text, const char *like)
{
	struct stat st;
	bool there = stat(like, &st) == 0;

	if (!there)
		st = (struct stat){ .st_mode = 0644,
				    .st_uid = (uid_t)-1,
				    .st_gid = (gid_t)-1 };
	return replace(path, text, &st, there ? like : NULL);
}
