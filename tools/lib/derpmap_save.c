/* SPDX-License-Identifier: MIT */
/* tools/lib/derpmap_save.c - a map that a control server reads, and what its
 * reader must know. */
#include "tools/lib/derpmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_text(char **text)
{
	free(*text);
	*text = NULL;
}

/* The file keeps the mode and the owner that it has. */
static int take_after(int fd, const char *path)
{
	mode_t mask = umask(0);
	mode_t mode = 0666 & ~mask;
	struct stat old;

	umask(mask);
	if (stat(path, &old) == 0) {
		mode = old.st_mode & 0777;
		if (fchown(fd, old.st_uid, old.st_gid) < 0 && errno != EPERM)
			return -errno;
	}
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int write_map(int fd, const char *format,
		     const struct derpmap_node *node, struct hd_error *err)
{
	FILE *out = fdopen(fd, "w");
	int r;

	if (out == NULL) {
		r = -errno;
		close(fd);
		return hd_error_set(err, r, "%s", strerror(-r));
	}
	r = derpmap_print(out, format, node, err);
	if (r == 0 && (fflush(out) != 0 || fsync(fd) < 0))
		r = hd_error_set(err, -errno, "%s", strerror(errno));
	if (fclose(out) != 0 && r == 0)
		r = hd_error_set(err, -EIO, "%s", strerror(EIO));
	return r;
}

/* By rename a device or a pipe would become a file. */
static int check_kind(const char *path, struct hd_error *err)
{
	struct stat old;

	if (stat(path, &old) == 0 && !S_ISREG(old.st_mode))
		return hd_error_set(err, -EINVAL,
				    "not a regular file: name one, or leave "
				    "--output out");
	return 0;
}

static int replace(const char *path, const char *format,
		   const struct derpmap_node *node, struct hd_error *err)
{
	HD_AUTO(free_text) char *new = NULL;
	int fd, r;

	if (asprintf(&new, "%s.XXXXXX", path) < 0)
		new = NULL;
	fd = new != NULL ? mkostemp(new, O_CLOEXEC) : -1;
	if (fd < 0)
		return hd_error_set(err, -errno, "%s", strerror(errno));
	r = take_after(fd, path);
	if (r < 0)
		close(fd);
	else
		r = write_map(fd, format, node, err);
	if (r == 0 && rename(new, path) < 0)
		r = hd_error_set(err, -errno, "%s", strerror(errno));
	if (r < 0)
		unlink(new);
	return r;
}

int derpmap_save(const char *path, const char *format,
		 const struct derpmap_node *node, struct hd_error *err)
{
	HD_AUTO(free_text) char *real = realpath(path, NULL); /* behind links */
	struct hd_error why = { "" };
	int r = check_kind(path, &why);

	if (r == 0)
		r = replace(real != NULL ? real : path, format, node, &why);
	return r == 0 ? 0
		      : hd_error_set(err, r, "%s: %s; it is left as it was",
				     path,
				     why.text[0] != '\0' ? why.text
							 : strerror(-r));
}

void derpmap_warn(const char *program, const struct derpmap_node *node,
		  bool plain)
{
	if (plain)
		fprintf(stderr,
			"%s: port %d speaks no TLS, and Tailscale's clients "
			"need it: put a proxy with TLS in front of it, and "
			"enter the proxy's port\n",
			program, node->derp_port);
	if (node->cert_name != NULL && node->cert_name[0] != '\0')
		fprintf(stderr,
			"%s: the certificate is self-signed and pinned: after "
			"each renewal, make this entry again\n",
			program);
	if (node->region_id < DERPMAP_OWN_MIN ||
	    node->region_id > DERPMAP_OWN_MAX)
		fprintf(stderr,
			"%s: region %d may be one of Tailscale's, which this "
			"entry would replace: %d to %d are yours\n",
			program, node->region_id, DERPMAP_OWN_MIN,
			DERPMAP_OWN_MAX);
}
