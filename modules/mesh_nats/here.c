/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/here.c - the keys that are here, and what the directory
 * knows of them. One request of a key is under way at a time; when it has
 * ended, what the key is by then decides about the next.
 *
 *            --put--> asking --revision--> published
 *   here ---'                                 | leaves
 *   gone, forgotten <--any answer-- asking <--delete, by the revision
 *
 * Who has the key by then has written another revision, so nothing is deleted
 * that is another relay's. Context: the thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ASKING_MAX = 1000, /* at once */
	/* The bucket forgets after a day. What else has removed an entry, as an
	 * operator or a backup, is made good after so long. */
	AGAIN_MS = 3600 * 1000,
	RETRY_MS = 1000,
};

struct here {
	struct hd_key key;
	bool here, asking;
	bool inherited; /* another process's; not seen here yet: left alone */
	uint64_t revision; /* 0: it is not known there */
	uint64_t put_ms, retry_ms;
	UT_hash_handle hh;
};

static struct here *all;
static unsigned n_asking;
static struct here *at; /* the next that is looked at; NULL: the first */

static void subject_of(const struct hd_key *key, char ret[DIR_SUBJECT_BYTES])
{
	char hex[2 * HD_KEY_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), key->b, HD_KEY_BYTES);
	snprintf(ret, DIR_SUBJECT_BYTES, "$KV.%s.%s", dir.keys, hex);
}

static void forget(struct here *h)
{
	if (at == h)
		at = h->hh.next;
	dir.n_published -= h->revision != 0;
	HASH_DEL(all, h);
	free(h);
	dir.n_here = HASH_COUNT(all);
}

static void set_revision(struct here *h, uint64_t revision)
{
	dir.n_published += (revision != 0) - (h->revision != 0);
	h->revision = revision;
}

static void ask(struct here *h)
{
	char subject[DIR_SUBJECT_BYTES];
	char value[DIR_NAME_BYTES + DIR_INSTANCE_BYTES];
	struct dir_send what = { .kind = h->here ? DIR_R_PUT : DIR_R_DEL,
				 .key = &h->key,
				 .subject = subject };

	subject_of(&h->key, subject);
	snprintf(value, sizeof(value), "%s %s", dir.conf->name, dir.instance);
	if (h->here) {
		what.data = value;
	} else {
		what.op = "DEL";
		what.revision = h->revision;
	}
	if (dir_send(&what) < 0)
		return;
	h->asking = true;
	n_asking++;
	__atomic_add_fetch(h->here ? &dir.puts : &dir.deletes, 1,
			   __ATOMIC_RELAXED);
}

/* Does the directory have what is so? */
static bool is_settled(const struct here *h, uint64_t now_ms)
{
	if (h->asking || h->inherited || now_ms < h->retry_ms)
		return true;
	return h->here && h->revision != 0 && now_ms - h->put_ms < AGAIN_MS;
}

static void settle(struct here *h, uint64_t now_ms)
{
	if (!h->here && h->revision == 0 && !h->asking)
		forget(h);
	else if (!is_settled(h, now_ms) && n_asking < ASKING_MAX &&
		 dir_is_up())
		ask(h);
}

static struct here *find(const struct hd_key *key)
{
	struct here *h = NULL;

	HASH_FIND(hh, all, key, sizeof(*key), h);
	return h;
}

/* Returns NULL: no memory. */
static struct here *find_or_add(const struct hd_key *key)
{
	struct here *h = find(key);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->key = *key;
	HASH_ADD(hh, all, key, sizeof(h->key), h);
	dir.n_here = HASH_COUNT(all);
	return h;
}

void dir_here(const struct hd_key *key, bool here)
{
	struct here *h = here ? find_or_add(key) : find(key);

	if (h == NULL)
		return;
	h->here = here;
	h->inherited = false;
	settle(h, dir_now_ms());
}

/* Of a key that has left it is deleted. */
void dir_here_late(const struct hd_key *key, uint64_t revision)
{
	struct here *h = find_or_add(key);

	if (h == NULL)
		return;
	if (revision > h->revision) {
		set_revision(h, revision);
		h->put_ms = dir_now_ms();
	}
	settle(h, dir_now_ms());
}

static void put_answered(struct here *h, const struct dir_answer *a)
{
	char why[128];
	uint64_t revision = dir_revision(a, why);

	if (revision != 0) {
		set_revision(h, revision);
		h->put_ms = dir_now_ms();
		return;
	}
	__atomic_add_fetch(&dir.failures, 1, __ATOMIC_RELAXED);
	if (strcmp(a->status, "503") != 0) /* nobody leads it: said already */
		dir_error("a key is not published: %s", why);
	h->retry_ms = dir_now_ms() + RETRY_MS;
}

/* Without an answer it is tried again; any other says that it is deleted, or
 * another relay's. */
void dir_here_answered(const struct dir_request *r, const struct dir_answer *a)
{
	struct here *h = find(&r->key);

	if (h == NULL || !h->asking)
		return;
	h->asking = false;
	n_asking--;
	if (r->kind == DIR_R_PUT)
		put_answered(h, a);
	else if (h->revision != r->revision)
		; /* a put has been done meanwhile */
	else if (a->msg != NULL && a->status[0] == '\0')
		set_revision(h, 0);
	else
		h->retry_ms = dir_now_ms() + RETRY_MS;
	settle(h, dir_now_ms());
}

void dir_here_sync(uint64_t now_ms)
{
	unsigned n = HASH_COUNT(all);

	for (n = n < ASKING_MAX ? n : ASKING_MAX; n > 0; n--) {
		struct here *h = at != NULL ? at : all;

		if (h == NULL)
			return;
		at = h->hh.next;
		settle(h, now_ms);
	}
}

void dir_here_forget(void)
{
	for (struct here *h = all; h != NULL; h = h->hh.next) {
		set_revision(h, 0);
		h->retry_ms = 0;
	}
}

void dir_here_free(void)
{
	while (all != NULL)
		forget(all);
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

/* When it is seen here it is put once more: the other process may have done so
 * after it wrote this. */
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
	set_revision(h, revision);
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
		settle(h, now_ms);
	}
}
