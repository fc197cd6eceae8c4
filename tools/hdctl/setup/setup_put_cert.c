/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_put_cert.c - its files: the group of the relay may
 * read them, nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hdctl/setup/setup.h"

#define GROUP "hyper-derp"

static gid_t relays_group(void)
{
	const struct group *g = getgrnam(GROUP);

	return g != NULL && geteuid() == 0 ? g->gr_gid : (gid_t)-1;
}

static int failed(const char *path)
{
	int e = errno;

	return hdctl_fail(e == EACCES || e == EPERM ? HDCTL_NOT_PERMITTED
						    : HDCTL_REFUSED,
			  "%s: %s", path, strerror(e));
}

static bool write_cert(FILE *f, const struct pem *p)
{
	bool good = PEM_write_X509(f, p->leaf) == 1;

	for (int i = 0; good && i < sk_X509_num(p->chain); i++)
		good = PEM_write_X509(f, sk_X509_value(p->chain, i)) == 1;
	return good;
}

static bool write_key(FILE *f, const struct pem *p)
{
	return PEM_write_PKCS8PrivateKey(f, p->key, NULL, NULL, 0, NULL,
					 NULL) == 1;
}

/* Under another name first: both are there before either gets its own. */
static int write_new(const char *path, const struct pem *p,
		     bool (*write)(FILE *f, const struct pem *p))
{
	char new[SETUP_PATH_BYTES + 320];
	FILE *f;
	int fd;

	(void)snprintf(new, sizeof(new), "%s.new", path);
	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		return failed(new);
	if (fchown(fd, (uid_t)-1, relays_group()) < 0 ||
	    fchmod(fd, 0640) < 0 || !write(f, p)) {
		fclose(f);
		return failed(new);
	}
	return fclose(f) == 0 ? HDCTL_OK : failed(new);
}

static int give_name(const char *path)
{
	char new[SETUP_PATH_BYTES + 320], old[SETUP_PATH_BYTES + 320];

	(void)snprintf(new, sizeof(new), "%s.new", path);
	(void)snprintf(old, sizeof(old), "%s.old", path);
	if (access(path, F_OK) == 0 && rename(path, old) < 0)
		return failed(old);
	return rename(new, path) == 0 ? HDCTL_OK : failed(path);
}

int setup_put_cert(struct setup *s)
{
	char folder[SETUP_PATH_BYTES + 8];
	int r;

	(void)snprintf(folder, sizeof(folder), "%s/tls", s->folder);
	if (mkdir(folder, 0750) < 0 && errno != EEXIST)
		return failed(folder);
	if (chown(folder, (uid_t)-1, relays_group()) < 0)
		return failed(folder);
	r = write_new(s->cert, &s->pem, write_cert);
	if (r == HDCTL_OK)
		r = write_new(s->key, &s->pem, write_key);
	if (r == HDCTL_OK)
		r = give_name(s->cert);
	return r == HDCTL_OK ? give_name(s->key) : r;
}

static void end(const char *path, bool good)
{
	char old[SETUP_PATH_BYTES + 320];

	(void)snprintf(old, sizeof(old), "%s.old", path);
	if (good)
		(void)unlink(old);
	else if (access(old, F_OK) == 0)
		(void)rename(old, path);
}

void setup_cert_end(const struct setup *s, bool good)
{
	if (!s->put_cert)
		return;
	end(s->cert, good);
	end(s->key, good);
}
