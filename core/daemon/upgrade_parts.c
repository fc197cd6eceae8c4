/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_parts.c - what the old process's main thread does for
 * connections that go ahead: it sends what the workers have written down, part
 * by part. See upgrade_ahead.h. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/base/snap_format.h"
#include "core/daemon/upgrade_ahead.h"
#include "core/loop/worker.h"
#include "core/tls/tls_snap.h"

enum { TAKEN_MS = 20000 }; /* nobody waits for it but this thread */

struct hd_ahead_part { /* what the new process has been given */
	struct hd_ahead_part *next;
	void *plain; /* mapped */
	size_t plain_n, first, end; /* indices */
	struct hd_snap *secrets; /* of each worker */
};

static void secrets_free(struct hd_snap **secrets)
{
	for (unsigned i = 0; *secrets != NULL && i < hd_workers(); i++)
		hd_secret_free((*secrets)[i].v);
	free(*secrets);
	*secrets = NULL;
}

static int secrets_new(struct hd_snap **ret)
{
	struct hd_snap *v = calloc(hd_workers(), sizeof(*v));
	int r = v != NULL ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && i < hd_workers(); i++) {
		v[i].fixed = true;
		/* and one more, the key of what modules have packed */
		v[i].size = (HD_AHEAD_SLICE + 1) * HD_TLS_SECRET_BYTES;
		v[i].v = hd_secret_alloc(v[i].size);
		if (v[i].v == NULL)
			r = -ENOMEM;
	}
	if (r < 0)
		secrets_free(&v);
	*ret = v;
	return r;
}

static int grow(struct hd_ahead *a)
{
	size_t size = a->g->n + (size_t)hd_workers() * HD_AHEAD_SLICE;

	if (size <= a->size)
		return 0;
	size = HD_MAX(size, 2 * a->size);
	struct hd_ahead_image *v = realloc(a->v, size * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	a->v = v;
	a->size = size;
	return 0;
}

/* The next part. */
static int make(struct hd_ahead *a)
{
	int r = grow(a);

	if (r == 0)
		r = secrets_new(&a->secrets);
	if (r < 0)
		return r;
	a->more = false;
	for (unsigned i = 0; i < hd_workers(); i++)
		a->plains[i].n = 0;
	hd_workers_run_all(hd_ahead_slice, a);
	a->n = a->g->n;
	if (a->g->fds.secrets > 0)
		hd_snap_bytes(&a->secrets[0], HD_SNAP_PACK_KEY, a->g->key,
			      HD_PACK_KEY_BYTES);
	/* kept until GO: the room that was not needed is not */
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct hd_snap *s = &a->secrets[i];

		s->size = s->n;
		hd_secret_shrink(s->v, s->n);
	}
	/* a part has no descriptors but those of its streams */
	a->failed |= a->g->fds.n > 0;
	return a->failed ? -ENOMEM : 0;
}

/* Where each of its streams is, in what all workers have written. */
static void find_images(struct hd_ahead *a, const struct hd_ahead_part *p,
			size_t head_n)
{
	for (size_t i = p->first; i < p->end; i++) {
		struct hd_ahead_image *im = &a->v[i];

		im->plain = (const uint8_t *)p->plain + head_n + im->at;
		for (unsigned w = 0; w < im->worker; w++)
			im->plain += a->plains[w].n;
		im->secret = p->secrets[im->worker].v + im->secret_at;
	}
}

/* Returns its descriptor; -errno. */
static int to_memory(struct hd_ahead *a, struct hd_ahead_part *p)
{
	struct hd_snap all = { 0 };

	hd_give_head(&all);
	size_t head_n = all.n;

	for (unsigned i = 0; i < hd_workers(); i++)
		hd_snap_append(&all, &a->plains[i]);
	int fd = all.failed ? -ENOMEM : hd_hand_memory(&all);

	p->plain_n = all.n;
	hd_snap_free(&all);
	if (fd < 0)
		return fd;
	/* before 6.7 no sealed memory can be shared, not even to read it */
	void *plain = mmap(NULL, p->plain_n, PROT_READ, MAP_PRIVATE, fd, 0);

	if (plain == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	p->plain = plain;
	find_images(a, p, head_n);
	return fd;
}

static int send_secrets(const struct hd_ahead_part *p, int to)
{
	int r = 0;

	for (unsigned i = 0; i < hd_workers() && r == 0; i++)
		r = hd_upgrade_send_bytes(to, HD_UP_SECRETS, p->secrets[i].v,
					  p->secrets[i].n);
	return r;
}

/* A stream that has ended since has no descriptor, and the number may be a
 * number of nothing: @spare  goes in its place. */
static int send_fds(const struct hd_ahead *a, const struct hd_ahead_part *p,
		    int to, int spare)
{
	struct hd_upgrade_message m = { .type = HD_UP_DESCRIPTORS };
	int r = 0;

	for (size_t i = p->first; i < p->end && r == 0; i += m.n_fds) {
		m.n_fds = (uint32_t)HD_MIN(p->end - i, (size_t)HD_UP_FDS);
		for (uint32_t j = 0; j < m.n_fds; j++)
			m.fds[j] = a->v[i + j].fd;
		while ((r = hd_upgrade_send(to, &m)) == -EBADF)
			for (uint32_t j = 0; j < m.n_fds; j++)
				if (fcntl(m.fds[j], F_GETFD) < 0)
					m.fds[j] = spare;
	}
	return r;
}

static int send_head(const struct hd_ahead_part *p, int to, int memory)
{
	struct hd_up_more more = { 0 };
	struct hd_upgrade_message m = {
		.type = HD_UP_AHEAD,
		.n = p->end - p->first,
		.data = (uint8_t *)&more,
		.len = sizeof(more),
		.n_fds = 1,
		.fds = { memory },
	};

	for (unsigned i = 0; i < hd_workers(); i++)
		more.secrets_bytes += p->secrets[i].n;
	return hd_upgrade_send(to, &m);
}

static int send_part(struct hd_ahead *a, struct hd_ahead_part *p, int to)
{
	int memory = to_memory(a, p);

	if (memory < 0)
		return memory;
	int r = send_head(p, to, memory);

	if (r == 0)
		r = send_secrets(p, to);
	if (r == 0)
		r = send_fds(a, p, to, memory);
	close(memory);
	return r == 0 ? hd_upgrade_say(to, HD_UP_END, 0) : r;
}

static struct hd_ahead_part *keep_part(struct hd_ahead *a, size_t first)
{
	struct hd_ahead_part *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->first = first;
	p->end = a->n;
	p->secrets = hd_steal(&a->secrets);
	p->next = a->parts;
	a->parts = p;
	return p;
}

size_t hd_ahead_n(const struct hd_ahead *a)
{
	return a != NULL ? a->n : 0;
}

unsigned hd_ahead_same(const struct hd_ahead *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < hd_ahead_n(a); i++)
		n += a->since[i] == HD_AHEAD_SAME;
	return n;
}

static int await_taken(int fd, struct hd_error *err)
{
	uint8_t data[HD_UP_DATA_BYTES];
	struct hd_upgrade_message m = { .data = data };
	int r = hd_upgrade_receive(fd, hd_clock_ms() + TAKEN_MS, &m);

	if (r < 0)
		return hd_hand_failed("the new process does not get on", r,
				      err);
	while (m.n_fds > 0)
		close(m.fds[--m.n_fds]);
	if (m.type == HD_UP_FAILED)
		return hd_error_set(err, -ECANCELED,
				    "the new process says: %.*s", (int)m.len,
				    (char *)data);
	return m.type == HD_UP_TAKEN
		       ? 0
		       : hd_hand_failed("the new process", -EBADMSG, err);
}

static int failed(int r, struct hd_error *err)
{
	return hd_hand_failed("connections cannot go ahead", r, err);
}

static int late(const struct hd_ahead *a, struct hd_error *err)
{
	return hd_error_set(err, -ETIMEDOUT,
			    "the new process takes connections too slowly: "
			    "%zu of them, and there are more",
			    a->n);
}

/* One part is made while the new process takes the one before. */
static int send_parts(struct hd_ahead *a, int to, struct hd_error *err)
{
	bool waits = false;
	int r;

	do {
		size_t first = a->n;

		r = make(a);
		if (r < 0)
			return failed(r, err);
		if (waits && (r = await_taken(to, err)) < 0)
			return r;
		struct hd_ahead_part *p = keep_part(a, first);

		r = p != NULL ? send_part(a, p, to) : -ENOMEM;
		if (r < 0)
			return failed(r, err);
		if (a->more && hd_upgrade_is_late())
			return late(a, err);
		waits = true;
	} while (a->more);
	return await_taken(to, err);
}

static struct hd_ahead *ahead_new(struct hd_give *g)
{
	struct hd_ahead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->g = g;
	a->slot = calloc(hd_workers(), sizeof(*a->slot));
	a->plains = calloc(hd_workers(), sizeof(*a->plains));
	if (a->slot == NULL || a->plains == NULL)
		hd_ahead_free(&a);
	return a;
}

int hd_ahead_send(struct hd_give *g, int fd, struct hd_error *err)
{
	if (g->ahead_goes == HD_AHEAD_NONE)
		return 0;
	g->ahead = ahead_new(g);
	if (g->ahead == NULL || hd_give_key(g) < 0)
		return failed(-ENOMEM, err);
	int r = send_parts(g->ahead, fd, err);

	if (r < 0)
		return r;
	g->ahead->since = malloc(g->ahead->n + 1);
	if (g->ahead->since == NULL)
		return failed(-ENOMEM, err);
	memset(g->ahead->since, HD_AHEAD_GONE, g->ahead->n + 1);
	return 0;
}

void hd_ahead_free(struct hd_ahead **ahead)
{
	struct hd_ahead *a = hd_steal(ahead);
	struct hd_ahead_part *next;

	if (a == NULL)
		return;
	for (struct hd_ahead_part *p = a->parts; p != NULL; p = next) {
		next = p->next;
		if (p->plain != NULL)
			munmap(p->plain, p->plain_n);
		secrets_free(&p->secrets);
		free(p);
	}
	for (unsigned i = 0; a->plains != NULL && i < hd_workers(); i++)
		hd_snap_free(&a->plains[i]);
	secrets_free(&a->secrets);
	free(a->plains);
	free(a->slot);
	free(a->since);
	free(a->v);
	free(a);
}
