/* SPDX-License-Identifier: MIT */
/* modules/policy/revoked.c - keys that an operator has put out, for a time or
 * for good. The file has a line for each: the key, until when (seconds since
 * the epoch; 0: for good), and why. */
#include <errno.h>
#include <hyper-derp/state_file.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

#define FILE_NAME "policy.revoked"

enum {
	LINE_MAX_BYTES = 2 * HD_KEY_BYTES + 24 + POLICY_WHY_BYTES,
	FILE_MAX_BYTES = 16 << 20,
};

/* ---- made ---- */

static struct policy_revoked *revoked_new(size_t n)
{
	struct policy_revoked *r = calloc(1, sizeof(*r) + n * sizeof(*r->v));

	if (r != NULL)
		r->holders = 1;
	return r;
}

static bool is_over(const struct policy_revocation *x, time_t now)
{
	return x->until_s != 0 && x->until_s <= now;
}

/* Those that last, but not that of @key, and @add (or NULL) in its place. */
static struct policy_revoked *changed(const struct policy_revoked *old,
				      const struct hd_key *key,
				      const struct policy_revocation *add)
{
	struct policy_revoked *r = revoked_new(old->n + 1);
	time_t now = time(NULL);
	size_t i = 0;

	if (r == NULL)
		return NULL;
	for (; i < old->n && memcmp(&old->v[i].key, key, HD_KEY_BYTES) < 0; i++)
		if (!is_over(&old->v[i], now))
			r->v[r->n++] = old->v[i];
	if (add != NULL)
		r->v[r->n++] = *add;
	for (; i < old->n; i++)
		if (memcmp(&old->v[i].key, key, HD_KEY_BYTES) != 0 &&
		    !is_over(&old->v[i], now))
			r->v[r->n++] = old->v[i];
	return r;
}

struct policy_revoked *policy_revoked_with(const struct policy_revoked *old,
					   const struct policy_revocation *add)
{
	return changed(old, &add->key, add);
}

struct policy_revoked *policy_revoked_without(const struct policy_revoked *old,
					      const struct hd_key *key)
{
	return changed(old, key, NULL);
}

struct policy_revoked *policy_revoked_hold(struct policy_revoked *r)
{
	r->holders++;
	return r;
}

void policy_revoked_drop(struct policy_revoked **revoked)
{
	struct policy_revoked *r = hd_steal(revoked);

	if (r != NULL && --r->holders == 0)
		free(r);
}

/* ---- asked ---- */

static int by_key(const void *a, const void *b)
{
	return memcmp(&((const struct policy_revocation *)a)->key,
		      &((const struct policy_revocation *)b)->key,
		      HD_KEY_BYTES);
}

const struct policy_revocation *
policy_revoked_find(const struct policy_revoked *r, const struct hd_key *key,
		    time_t now)
{
	const struct policy_revocation want = { .key = *key };
	const struct policy_revocation *x =
		bsearch(&want, r->v, r->n, sizeof(*r->v), by_key);

	return x != NULL && !is_over(x, now) ? x : NULL;
}

/* ---- the file ---- */

static bool take_line(const char *line, struct policy_revocation *ret)
{
	const char *p = policy_key_parse(line, &ret->key);
	int n = 0;

	if (p == NULL || sscanf(p, " %" SCNd64 "%n", &ret->until_s, &n) != 1)
		return false;
	p += n;
	snprintf(ret->why, sizeof(ret->why), "%s", *p == ' ' ? p + 1 : p);
	return true;
}

static int take_text(char *text, struct policy_revoked *r, struct hd_error *err)
{
	char *save = NULL, path[256];

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (!take_line(line, &r->v[r->n++]))
			return hd_error_set(
				err, -EINVAL,
				"%s: line %zu is not a revocation; a line is a "
				"key, seconds since the epoch or 0, and why: "
				"take the line out",
				hd_state_file_path(FILE_NAME, path,
						   sizeof(path)),
				r->n);
	qsort(r->v, r->n, sizeof(*r->v), by_key);
	return 0;
}

int policy_revoked_load(struct policy_revoked **ret, struct hd_error *err)
{
	char *text = malloc(FILE_MAX_BYTES + 1);
	struct policy_revoked *r = NULL;
	int n = text == NULL ? -ENOMEM
			     : hd_state_file_read(FILE_NAME, text,
						  FILE_MAX_BYTES, err);

	n = n == -ENOENT ? 0 : n;
	if (n >= 0) {
		text[n] = '\0';
		if (strlen(text) != (size_t)n) {
			free(text);
			*ret = NULL;
			return hd_error_set(err, -EILSEQ,
					    FILE_NAME
					    " has a NUL byte: what "
					    "comes after it is not read; "
					    "take it from a copy, or remove "
					    "the byte");
		}
		r = revoked_new(policy_count_lines(text));
		n = r == NULL ? hd_error_set(err, -ENOMEM, "out of memory")
			      : take_text(text, r, err);
	}
	if (n < 0)
		policy_revoked_drop(&r);
	free(text);
	*ret = r;
	return n < 0 ? n : 0;
}

static size_t put_line(char *to, const struct policy_revocation *x)
{
	size_t n = policy_key_text(&x->key, to);

	return n +
	       (size_t)sprintf(to + n, " %" PRId64 " %s\n", x->until_s, x->why);
}

int policy_revoked_save(const struct policy_revoked *r, struct hd_error *err)
{
	char *text = malloc(r->n * LINE_MAX_BYTES + 1);
	size_t n = 0;
	int e;

	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->n; i++)
		n += put_line(text + n, &r->v[i]);
	e = n > FILE_MAX_BYTES
		    ? hd_error_set(err, -EFBIG,
				   "%zu keys are revoked, the most that fit; "
				   "let rules deny them: a rule with a file of "
				   "keys and `action: deny`",
				   r->n)
		    : hd_state_file_update(FILE_NAME, text, n, err);
	free(text);
	return e;
}
