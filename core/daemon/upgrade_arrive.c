/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_arrive.c - the new process receives what the old one has
 * written down: a part that comes ahead, or the last, which says what has
 * become of all parts. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/secret.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/daemon/upgrade.h"
#include "core/tls/tls_snap.h"

enum {
	SNAPSHOT_MS = 60000, /* the old one kills us long before */
	STREAMS_MAX = 16 << 20,
	MODULE_FDS_MAX = 1 << 20,
};

struct arriving {
	struct hd_take *t;
	uint8_t *secrets;
	size_t secrets_bytes; /* there will be */
	size_t first_fd, n_fds, end_fd; /* indices of descriptors */
	enum hd_upgrade_type type;
};

static int map_snapshot(struct hd_take *t, int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat st;

	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || fstat(fd, &st) < 0 ||
	    st.st_size <= 0)
		return -EBADMSG;
	t->snapshot_bytes = (size_t)st.st_size;
	void *p = mmap(NULL, t->snapshot_bytes, PROT_READ, MAP_PRIVATE, fd, 0);

	close(fd);
	t->snapshot = p;
	return p == MAP_FAILED ? -errno : 0;
}

/* Room for so many streams. What is known of none: refused, no descriptor. */
static int grow(struct hd_take *t, size_t n, size_t n_module_fds)
{
	size_t all = n + n_module_fds + 1;
	int *fds = realloc(t->fds, all * sizeof(*fds));

	t->fds = fds != NULL ? fds : t->fds;
	uint8_t *refused = realloc(t->refused, n + 1);

	t->refused = refused != NULL ? refused : t->refused;
	struct hd_taken *taken = realloc(t->taken, (n + 1) * sizeof(*taken));

	t->taken = taken != NULL ? taken : t->taken;
	if (fds == NULL || refused == NULL || taken == NULL)
		return -ENOMEM;
	for (size_t i = t->n; i < all; i++)
		fds[i] = -1;
	memset(refused + t->n, 1, n + 1 - t->n);
	memset(taken + t->n, 0, (n + 1 - t->n) * sizeof(*taken));
	t->n = n;
	t->n_module_fds = n_module_fds;
	return 0;
}

/* How many streams there are then: a part says its own, the last one all. */
static int count(const struct hd_take *t, const struct hd_upgrade_message *m,
		 uint64_t *ret)
{
	if (m->n > STREAMS_MAX)
		return -EBADMSG;
	*ret = m->type == HD_UP_AHEAD ? t->n + m->n : m->n;
	return *ret >= t->n && *ret <= STREAMS_MAX ? 0 : -EBADMSG;
}

static int begin(struct arriving *a, const struct hd_upgrade_message *m)
{
	struct hd_take *t = a->t;
	struct hd_up_more more;
	uint64_t n;

	if (t->snapshot != NULL || m->n_fds != 1 || m->len != sizeof(more) ||
	    count(t, m, &n) < 0)
		return -EBADMSG;
	memcpy(&more, m->data, sizeof(more));
	if (more.secrets_bytes > (n + 1) * HD_TLS_SECRET_BYTES ||
	    more.module_fds > MODULE_FDS_MAX)
		return -EBADMSG;
	a->type = m->type;
	a->first_fd = t->n;
	a->secrets_bytes = (size_t)more.secrets_bytes;
	a->secrets = hd_secret_alloc(a->secrets_bytes + 1);
	t->secrets = a->secrets;
	t->secrets_bytes = 0;
	if (a->secrets == NULL ||
	    grow(t, (size_t)n, (size_t)more.module_fds) < 0)
		return -ENOMEM;
	a->end_fd = t->n + t->n_module_fds;
	return map_snapshot(t, m->fds[0]);
}

static int take_secrets(struct arriving *a, const struct hd_upgrade_message *m)
{
	struct hd_take *t = a->t;

	if (m->len > a->secrets_bytes - t->secrets_bytes)
		return -EBADMSG;
	memcpy(a->secrets + t->secrets_bytes, m->data, m->len);
	t->secrets_bytes += m->len;
	explicit_bzero(m->data, m->len);
	return 0;
}

static int take_message(struct arriving *a, const struct hd_upgrade_message *m)
{
	struct hd_take *t = a->t;
	size_t at = a->first_fd + a->n_fds;

	if (m->type == HD_UP_SNAPSHOT || m->type == HD_UP_AHEAD)
		return begin(a, m);
	if (t->snapshot == NULL)
		return -EBADMSG;
	if (m->type == HD_UP_SECRETS)
		return take_secrets(a, m);
	if (m->type != HD_UP_DESCRIPTORS || m->n_fds > a->end_fd - at)
		return -EBADMSG;
	memcpy(t->fds + at, m->fds, m->n_fds * sizeof(int));
	a->n_fds += m->n_fds;
	return 0;
}

int hd_arrive(struct hd_take *t, int fd, uint8_t *data)
{
	uint64_t until_ms = hd_clock_ms() + SNAPSHOT_MS;
	struct arriving a = { .t = t };

	for (;;) {
		struct hd_upgrade_message m = { .data = data };
		int r = hd_upgrade_receive(fd, until_ms, &m);

		if (r == 0 && m.type == HD_UP_END)
			break;
		if (r == 0)
			r = take_message(&a, &m);
		t->missing = a.end_fd - a.first_fd - a.n_fds;
		if (r < 0)
			return r;
	}
	return t->snapshot != NULL && a.first_fd + a.n_fds == a.end_fd &&
			       t->secrets_bytes == a.secrets_bytes
		       ? (int)a.type
		       : -EBADMSG;
}

void hd_arrived_free(struct hd_take *t)
{
	munmap((void *)t->snapshot, t->snapshot_bytes);
	hd_secret_free((void *)t->secrets);
	t->snapshot = t->secrets = NULL;
	t->snapshot_bytes = t->secrets_bytes = 0;
}
