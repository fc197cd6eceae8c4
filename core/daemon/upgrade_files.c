/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_files.c - certificates and keys that the relay's user may
 * not read: the old process had read them before it dropped its privileges, and
 * still has what was in them. Main thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/daemon/daemon.h"
#include "core/daemon/upgrade.h"
#include "core/net/listener.h"
#include "core/tls/tls.h"
#include "core/tls/tls_pem.h"

enum { ANSWER_MS = 5000, FILE_MAX_BYTES = 4 << 20 };

/* ---- the old process ---- */

/* Only what it serves. */
static int write_file(const struct hd_daemon *d, const char *path, BIO *to)
{
	int r = d->tls != NULL ? hd_tls_store_file(d->tls, path, to) : -ENOENT;

	for (const struct hd_listener *l = hd_listens_first();
	     l != NULL && r == -ENOENT; l = l->next)
		if (l->tls_store != NULL)
			r = hd_tls_store_file(l->tls_store, path, to);
	return r;
}

static int send_file(int fd, uint8_t *p, size_t n)
{
	int r = 0;

	for (size_t at = 0; at < n && r == 0; at += HD_UP_DATA_BYTES) {
		const struct hd_upgrade_message m = {
			.type = HD_UP_FILE,
			.n = n,
			.len = (uint32_t)HD_MIN(n - at,
						(size_t)HD_UP_DATA_BYTES),
			.data = p + at,
		};

		r = hd_upgrade_send(fd, &m);
	}
	return r;
}

int hd_files_give(const struct hd_daemon *d, int fd,
		  const struct hd_upgrade_message *m)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *path = strndup((const char *)m->data, m->len);
	char *p = NULL;
	long n = 0;

	if (bio != NULL && path != NULL && write_file(d, path, bio) == 0)
		n = BIO_get_mem_data(bio, &p);
	free(path);
	int r = n > 0 ? send_file(fd, (uint8_t *)p, (size_t)n)
		      : hd_upgrade_say(fd, HD_UP_FILE, 0);

	BIO_free(bio);
	return r;
}

/* ---- the new one ---- */

static struct {
	int fd;
	uint8_t *data; /* secret memory */
} asks;

/* Returns how many bytes there are in all; 0: it is not known; -errno. */
static int64_t take_part(BIO *to)
{
	struct hd_upgrade_message m = { .data = asks.data };
	int r = hd_upgrade_receive(asks.fd, hd_clock_ms() + ANSWER_MS, &m);

	if (r < 0)
		return r;
	bool good = m.type == HD_UP_FILE && m.n_fds == 0 &&
		    m.n <= FILE_MAX_BYTES &&
		    (m.len == 0 ||
		     BIO_write(to, asks.data, (int)m.len) == (int)m.len);

	explicit_bzero(asks.data, m.len);
	return good ? (int64_t)m.n : -EBADMSG;
}

static int from_old(const char *path, BIO *to)
{
	const struct hd_upgrade_message m = {
		.type = HD_UP_FILE,
		.data = (uint8_t *)path,
		.len = (uint32_t)strlen(path),
	};
	int64_t n = hd_upgrade_send(asks.fd, &m);

	if (n < 0)
		return (int)n;
	do {
		n = take_part(to);
	} while (n > 0 && BIO_ctrl_pending(to) < (size_t)n);
	if (n <= 0)
		return n < 0 ? (int)n : -ENOENT;
	hd_log_write(HD_LOG_NOTICE,
		     "upgrade: this user may not read a file, so the process "
		     "before this one has given it: path=%s (a reload cannot "
		     "read it)",
		     path);
	return 0;
}

void hd_files_ask(int fd, uint8_t *data)
{
	asks.fd = fd;
	asks.data = data;
	hd_pem_elsewhere = from_old;
}

void hd_files_asked(void)
{
	hd_pem_elsewhere = NULL;
}
