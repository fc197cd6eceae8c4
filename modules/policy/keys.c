/* SPDX-License-Identifier: MIT */
/* modules/policy/keys.c - a list of keys, in memory: 36 bytes and the name of
 * each, by key. It is a mapping of its own, which an allocator would keep when
 * the list goes. keys_file.c reads its text. A list of tokens is one of their
 * hashes. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "modules/policy/policy.h"
#include "modules/policy/terms.h"

#define NODEKEY "nodekey:"
#define BLANKS " \t"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum { NAME_MAX_BYTES = 63 };

/* ---- a line ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *policy_key_parse(const char *text, struct hd_key *ret)
{
	if (strncmp(text, NODEKEY, strlen(NODEKEY)) == 0)
		text += strlen(NODEKEY);
	for (unsigned i = 0; i < HD_KEY_BYTES; i++, text += 2) {
		int high = digit(text[0]);
		int low = high < 0 ? -1 : digit(text[1]);

		if (low < 0)
			return NULL;
		ret->b[i] = (uint8_t)(high << 4 | low);
	}
	return text;
}

size_t policy_key_text(const struct hd_key *key,
		       char ret[POLICY_KEY_TEXT_BYTES])
{
	for (unsigned i = 0; i < HD_KEY_BYTES; i++)
		sprintf(ret + 2 * i, "%02x", key->b[i]);
	return POLICY_KEY_TEXT_BYTES - 1;
}

struct line {
	const char *v;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next one, without blanks before and behind; false: there is none. */
static bool next_line(const char **text, struct line *ret)
{
	const char *p = *text;

	if (p == NULL)
		return false;
	ret->v = p + strspn(p, BLANKS);
	p = strchrnul(ret->v, '\n');
	*text = *p == '\n' ? p + 1 : NULL;
	ret->n = (size_t)(p - ret->v);
	while (ret->n > 0 &&
	       (is_blank(ret->v[ret->n - 1]) || ret->v[ret->n - 1] == '\r'))
		ret->n--;
	return true;
}

static bool is_skipped(const struct line *line)
{
	return line->n == 0 || line->v[0] == '#';
}

/* What a line begins with. */
struct kind {
	const char *(*take)(const char *text, struct hd_key *ret);
	const char *what, *form;
};

static const struct kind keys_kind = {
	.take = policy_key_parse,
	.what = "key",
	.form = "a line is a key of 64 hexadecimal digits (with or without "
		"nodekey:), a blank, and a name",
};

/* Up to a blank or the end of the line. */
static const char *take_token(const char *text, struct hd_key *ret)
{
	size_t n = strcspn(text, BLANKS "\r\n");

	return policy_token_hash(text, n, ret) == 0 ? text + n : NULL;
}

static const struct kind tokens_kind = {
	.take = take_token,
	.what = "token",
	.form = "a line is a token of 16 to 512 printable ASCII characters, a "
		"blank, and a name; `openssl rand -hex 32` makes one",
};

struct reader {
	const char *path;
	const struct kind *kind;
	unsigned line;
	struct policy_keys *to;
	size_t names_bytes;
};

static int refuse(const struct reader *r, struct hd_error *err,
		  const char *what)
{
	return hd_error_set(err, -EINVAL,
			    "%s:%u: %s; %s", r->path, r->line, what,
			    r->kind->form);
}

/* A carriage return within it, or what would change a terminal's colours. */
static bool has_control(const char *p, size_t n)
{
	while (n > 0 && ((unsigned char)*p >= ' ' || *p == '\t') && *p != 0x7f)
		p++, n--;
	return n > 0;
}

/* There is room: a line has one key at most, and its name fits behind those
 * before it. */
static int take_line(struct reader *r, const struct line *line,
		     struct hd_error *err)
{
	struct policy_keys *to = r->to;
	struct policy_key *k = &to->v[to->n];
	const char *name = r->kind->take(line->v, &k->key);
	const char *end = line->v + line->n;
	char none[16];

	snprintf(none, sizeof(none), "no %s", r->kind->what);
	if (name == NULL)
		return refuse(r, err, none);
	if (name < end && !is_blank(*name))
		return refuse(r, err, "the key is too long");
	name += strspn(name, BLANKS);
	size_t n = name < end ? (size_t)(end - name) : 0;

	if (has_control(name, n))
		return refuse(r, err, "the name has a control character");
	if (n > NAME_MAX_BYTES)
		return refuse(r, err, "the name is longer than 63 bytes");
	k->name = (uint32_t)r->names_bytes;
	memcpy(to->names + r->names_bytes, name, n);
	to->names[r->names_bytes + n] = '\0';
	r->names_bytes += n + 1;
	to->n++;
	return 0;
}

/* ---- all lines ---- */

/* In the order of the file where the keys are the same. */
static int by_key(const void *a, const void *b)
{
	const struct policy_key *x = a, *y = b;
	int r = memcmp(&x->key, &y->key, HD_KEY_BYTES);

	return r != 0 ? r : (x->name > y->name) - (x->name < y->name);
}

size_t policy_count_lines(const char *text)
{
	size_t n = 1;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

static const char *without_mark(const char *text)
{
	return strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0
		       ? text + strlen(BYTE_ORDER_MARK)
		       : text;
}

static int take_lines(struct reader *r, const char *text, struct hd_error *err)
{
	struct line line;
	int e = 0;

	for (; e == 0 && next_line(&text, &line); r->line++)
		if (!is_skipped(&line))
			e = take_line(r, &line, err);
	return e;
}

/* ---- a key that is there twice ---- */

/* The first two lines of a key. */
static void lines_of(const struct kind *kind, const char *text,
		     const struct hd_key *key, unsigned ret[2])
{
	struct line line;
	struct hd_key other;
	unsigned at = 1, n = 0;

	ret[0] = ret[1] = 0;
	for (; n < 2 && next_line(&text, &line); at++)
		if (!is_skipped(&line) &&
		    kind->take(line.v, &other) != NULL &&
		    memcmp(&other, key, HD_KEY_BYTES) == 0)
			ret[n++] = at;
}

static void warn_of(const struct reader *r, const char *text,
		    const struct policy_key *k, const char *names)
{
	unsigned at[2];

	lines_of(r->kind, text, &k->key, at);
	hd_log_warn("%s:%u: the %s of line %u once more, with another name; "
		    "the first counts (%s): take the other line out",
		    r->path, at[1], r->kind->what, at[0], names + k->name);
}

/* One of each key stays, the first in the file. */
static void without_twins(struct policy_keys *keys, const struct reader *r,
			  const char *text)
{
	size_t n = 0;
	bool warned = false;

	for (size_t i = 0; i < keys->n; i++) {
		struct policy_key *k = &keys->v[i];
		const struct policy_key *last = n > 0 ? &keys->v[n - 1] : NULL;

		if (last == NULL ||
		    memcmp(&last->key, &k->key, HD_KEY_BYTES) != 0) {
			keys->v[n++] = *k;
		} else if (!warned && strcmp(keys->names + last->name,
					     keys->names + k->name) != 0) {
			warn_of(r, text, last, keys->names);
			warned = true;
		}
	}
	keys->n = n;
}

/* ---- memory ---- */

static int room_for(struct policy_keys *keys, const char *text)
{
	size_t v_bytes = policy_count_lines(text) * sizeof(*keys->v);
	size_t bytes = v_bytes + strlen(text) + 1;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	keys->v = p;
	keys->names = (char *)p + v_bytes;
	keys->bytes = bytes;
	return 0;
}

/* What the digits of the file took is given back. */
static void shrink(struct policy_keys *keys, size_t names_bytes)
{
	size_t v_bytes = keys->n * sizeof(*keys->v);
	size_t bytes = v_bytes + names_bytes;
	void *p;

	if (keys->n == 0) {
		policy_keys_free(keys);
		return;
	}
	keys->names =
		memmove((char *)keys->v + v_bytes, keys->names, names_bytes);
	p = mremap(keys->v, keys->bytes, bytes, 0);
	if (p != MAP_FAILED)
		keys->bytes = bytes;
}

static int parse(const struct kind *kind, const char *path, const char *text,
		 struct policy_keys *ret, struct hd_error *err)
{
	struct reader r = { .path = path, .kind = kind, .line = 1, .to = ret };
	int e;

	*ret = (struct policy_keys){ .n = 0 };
	text = without_mark(text);
	e = room_for(ret, text) < 0
		    ? hd_error_set(err, -ENOMEM, "out of memory")
		    : take_lines(&r, text, err);
	if (e < 0) {
		policy_keys_free(ret);
		return e;
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), by_key);
	without_twins(ret, &r, text);
	shrink(ret, r.names_bytes);
	return 0;
}

int policy_keys_parse(const char *path, const char *text,
		      struct policy_keys *ret, struct hd_error *err)
{
	return parse(&keys_kind, path, text, ret, err);
}

int policy_tokens_parse(const char *path, const char *text,
			struct policy_keys *ret, struct hd_error *err)
{
	return parse(&tokens_kind, path, text, ret, err);
}

void policy_keys_free(struct policy_keys *keys)
{
	if (keys->v != NULL)
		munmap(keys->v, keys->bytes);
	*keys = (struct policy_keys){ .n = 0 };
}

/* ---- asked ---- */

static int to_key(const void *key, const void *k)
{
	return memcmp(key, &((const struct policy_key *)k)->key, HD_KEY_BYTES);
}

const char *policy_keys_find(const struct policy_keys *keys,
			     const struct hd_key *key)
{
	const struct policy_key *k =
		keys->n == 0
			? NULL
			: bsearch(key, keys->v, keys->n, sizeof(*k), to_key);

	return k != NULL ? keys->names + k->name : NULL;
}
