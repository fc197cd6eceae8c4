/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/here.c - the keys that are here. Context: the thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/mesh_nats/here.h"

enum {
	SYNC_MAX = 1000, /* in a turn */
	FRESH_MS = 5000, /* a login is not older than what a clock says */
};

static struct here *all;
static struct here *at; /* the next that is looked at; NULL: the first */

void here_forget(struct here *h)
{
	if (at == h)
		at = h->hh.next;
	here_set_revision(h, 0);
	here_set_elsewhere(h, false);
	HASH_DEL(all, h);
	free(h);
	dir.n_here = HASH_COUNT(all);
}

void here_set_revision(struct here *h, uint64_t revision)
{
	dir.n_published += (revision != 0) - (h->revision != 0);
	h->revision = revision;
}

void here_set_elsewhere(struct here *h, bool elsewhere)
{
	dir.n_elsewhere += elsewhere - h->elsewhere;
	h->elsewhere = elsewhere;
}

struct here *here_find(const struct hd_key *key)
{
	struct here *h = NULL;

	HASH_FIND(hh, all, key, sizeof(*key), h);
	return h;
}

/* Returns NULL: no memory. */
static struct here *find_or_add(const struct hd_key *key)
{
	struct here *h = here_find(key);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->key = *key;
	HASH_ADD(hh, all, key, sizeof(h->key), h);
	if (h->hh.tbl == NULL) {
		free(h);
		return NULL;
	}
	dir.n_here = HASH_COUNT(all);
	return h;
}

uint64_t here_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One that another process has published, and that is here, has not logged in
 * now. One that comes while the directory is away may have gone on to another
 * relay by the time that it is back. */
void dir_here_came(const struct hd_key *key, uint64_t age_ms)
{
	struct here *h = find_or_add(key);
	uint64_t now_ms = dir_now_ms();

	if (h == NULL)
		return;
	if (!h->inherited) {
		h->login_ms = here_wall_ms() - age_ms;
		h->fresh_until_ms = age_ms < FRESH_MS && dir_is_up()
					    ? now_ms + FRESH_MS
					    : 0;
		h->retry_ms = 0;
		here_set_elsewhere(h, false);
	}
	h->here = true;
	h->inherited = false;
	here_settle(h, now_ms);
}

void dir_here_left(const struct hd_key *key)
{
	struct here *h = here_find(key);

	if (h == NULL)
		return;
	h->here = h->inherited = false;
	here_settle(h, dir_now_ms());
}

/* Of a key that has left it is deleted. */
void dir_here_late(const struct hd_key *key, uint64_t revision)
{
	struct here *h = find_or_add(key);

	if (h == NULL)
		return;
	if (revision > h->revision) {
		here_set_revision(h, revision);
		h->told_ms = 0;
	}
	here_settle(h, dir_now_ms());
}

void dir_here_sync(uint64_t now_ms)
{
	unsigned n = HASH_COUNT(all);

	for (n = n < SYNC_MAX ? n : SYNC_MAX; n > 0; n--) {
		struct here *h = at != NULL ? at : all;

		if (h == NULL)
			return;
		at = h->hh.next;
		here_settle(h, now_ms);
	}
}

void dir_here_forget(void)
{
	for (struct here *h = all; h != NULL; h = h->hh.next) {
		here_set_revision(h, 0);
		here_set_elsewhere(h, false);
		h->retry_ms = 0;
	}
}

void dir_here_free(void)
{
	while (all != NULL)
		here_forget(all);
}

/* ---- another process ---- */

uint8_t *dir_here_image(size_t *ret_bytes)
{
	uint8_t *v = malloc((size_t)dir.n_published * DIR_PUBLISHED_BYTES + 1);
	uint8_t *to = v;

	for (const struct here *h = all; v != NULL && h != NULL;
	     h = h->hh.next) {
		if (h->revision == 0)
			continue;
		memcpy(to, &h->key, HD_KEY_BYTES);
		memcpy(to + HD_KEY_BYTES, &h->revision, sizeof(h->revision));
		to += DIR_PUBLISHED_BYTES;
	}
	*ret_bytes = v != NULL ? (size_t)(to - v) : 0;
	return v;
}

/* When it is seen here it is read and put once more: the other process may have
 * done so after it wrote this. */
static int inherit(const uint8_t *p)
{
	struct hd_key key;
	uint64_t revision;

	memcpy(&key, p, sizeof(key));
	memcpy(&revision, p + HD_KEY_BYTES, sizeof(revision));
	struct here *h = revision != 0 ? find_or_add(&key) : NULL;

	if (h == NULL)
		return revision != 0 ? -ENOMEM : -EBADMSG;
	h->here = h->inherited = true;
	here_set_revision(h, revision);
	return 0;
}

int dir_here_inherit(const uint8_t *p, size_t n)
{
	int r = n % DIR_PUBLISHED_BYTES == 0 ? 0 : -EBADMSG;

	for (; r == 0 && n > 0; n -= DIR_PUBLISHED_BYTES) {
		r = inherit(p);
		p += DIR_PUBLISHED_BYTES;
	}
	return r;
}

void dir_here_seen(void)
{
	uint64_t now_ms = dir_now_ms();
	struct here *h, *next;

	HASH_ITER (hh, all, h, next) {
		if (!h->inherited)
			continue;
		h->inherited = h->here = false;
		here_settle(h, now_ms);
	}
}
