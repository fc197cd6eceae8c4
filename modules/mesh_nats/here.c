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
	hd_realm_drop(h->of.realm);
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

struct here *here_find(const struct dir_of *of)
{
	struct here *h = NULL;

	HASH_FIND(hh, all, of, sizeof(*of), h);
	return h;
}

/* Returns NULL: no memory. */
static struct here *find_or_add(const struct dir_of *of)
{
	struct here *h = here_find(of);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->of = *of;
	HASH_ADD(hh, all, of, sizeof(h->of), h);
	if (h->hh.tbl == NULL) {
		free(h);
		return NULL;
	}
	dir_hold(of->realm);
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
void dir_here_came(const struct dir_of *of, uint64_t age_ms)
{
	struct here *h = find_or_add(of);
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

void dir_here_left(const struct dir_of *of)
{
	struct here *h = here_find(of);

	if (h == NULL)
		return;
	h->here = h->inherited = false;
	here_settle(h, dir_now_ms());
}

/* Of a key that has left it is deleted. */
void dir_here_late(const struct dir_of *of, uint64_t revision)
{
	struct here *h = find_or_add(of);

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

/* ---- another process: 32 key, 8 revision, and in the image of realms a text
 * with its NUL ---- */

enum { HEAD_BYTES = HD_KEY_BYTES + sizeof(uint64_t) };

static bool is_in(const struct here *h, bool realms)
{
	return h->revision != 0 && (h->of.realm != 0) == realms;
}

static uint8_t *write_one(uint8_t *to, const struct here *h)
{
	struct hd_realm_text realm;
	size_t n;

	memcpy(to, &h->of.key, HD_KEY_BYTES);
	memcpy(to + HD_KEY_BYTES, &h->revision, sizeof(h->revision));
	if (h->of.realm == 0)
		return to + HEAD_BYTES;
	realm = hd_realm_text(h->of.realm);
	n = strlen(realm.s) + 1;
	memcpy(to + HEAD_BYTES, realm.s, n);
	return to + HEAD_BYTES + n;
}

uint8_t *dir_here_image(bool realms, size_t *ret_bytes)
{
	size_t each = HEAD_BYTES + (realms ? HD_REALM_TEXT_BYTES : 0), n = 0;
	uint8_t *v, *to;

	for (const struct here *h = all; h != NULL; h = h->hh.next)
		n += is_in(h, realms);
	to = v = malloc(n * each + 1);
	for (const struct here *h = all; v != NULL && h != NULL;
	     h = h->hh.next)
		if (is_in(h, realms))
			to = write_one(to, h);
	*ret_bytes = v != NULL ? (size_t)(to - v) : 0;
	return v;
}

/* When it is seen here it is read and put once more: the other process may have
 * done so after it wrote this. */
static int inherit(const struct dir_of *of, const uint8_t *p)
{
	uint64_t revision;
	struct here *h;

	memcpy(&revision, p + HD_KEY_BYTES, sizeof(revision));
	h = revision != 0 ? find_or_add(of) : NULL;
	if (h == NULL)
		return revision != 0 ? -ENOMEM : -EBADMSG;
	h->here = h->inherited = true;
	here_set_revision(h, revision);
	return 0;
}

/* A realm that no module has here any more is left out: what the directory has
 * of it ends by itself. */
static int inherit_in(struct dir_of *of, const uint8_t *p, size_t len_bytes)
{
	int r = hd_realm_hold((const char *)p + HEAD_BYTES, len_bytes, true,
			      &of->realm);

	if (r < 0)
		return r == -EINVAL ? -EBADMSG : 0;
	r = inherit(of, p);
	hd_realm_drop(of->realm);
	return r;
}

/* Returns the bytes used; negative errno. */
static int64_t read_one(bool realms, const uint8_t *p, size_t n)
{
	struct dir_of of = { .realm = 0 };
	size_t len = 0;
	int r;

	if (n < HEAD_BYTES)
		return -EBADMSG;
	memcpy(&of.key, p, sizeof(of.key));
	if (realms) {
		len = strnlen((const char *)p + HEAD_BYTES, n - HEAD_BYTES);
		if (len == n - HEAD_BYTES)
			return -EBADMSG;
	}
	r = realms ? inherit_in(&of, p, len) : inherit(&of, p);
	return r < 0 ? r : (int64_t)(HEAD_BYTES + len + realms);
}

int dir_here_inherit(bool realms, const uint8_t *p, size_t n)
{
	int64_t used;

	for (; n > 0; p += used, n -= (size_t)used) {
		used = read_one(realms, p, n);
		if (used < 0)
			return (int)used;
	}
	return 0;
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
