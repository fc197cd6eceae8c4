/* SPDX-License-Identifier: MIT */
/* modules/policy/keys.c - a file of keys, in memory: 36 bytes and the name of
 * each, by key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "modules/policy/policy.h"

#define NODEKEY "nodekey:"
#define BLANKS " \t"

enum { FILE_MAX_BYTES = 256 << 20, NAME_MAX_BYTES = 63 };

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

/* Blanks before and behind go. */
static char *stripped(char *line)
{
	size_t n;

	line += strspn(line, BLANKS);
	n = strlen(line);
	while (n > 0 && strchr(BLANKS "\r", line[n - 1]) != NULL)
		line[--n] = '\0';
	return line;
}

struct reader {
	const char *path;
	unsigned line;
	struct policy_keys *to;
	size_t names_bytes;
};

static int refuse(const struct reader *r, struct hd_error *err,
		  const char *what)
{
	return hd_error_set(err, -EINVAL,
			    "%s:%u: %s; a line is a key of 64 hexadecimal "
			    "digits (with or without nodekey:), a blank, and a "
			    "name",
			    r->path, r->line, what);
}

/* There is room: a line has one key at most, and its name fits behind those
 * before it. */
static int take_line(struct reader *r, char *line, struct hd_error *err)
{
	struct policy_keys *to = r->to;
	struct policy_key *k = &to->v[to->n];
	const char *name;
	size_t n;

	line = stripped(line);
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	name = policy_key_parse(line, &k->key);
	if (name == NULL)
		return refuse(r, err, "no key");
	if (*name != '\0' && strchr(BLANKS, *name) == NULL)
		return refuse(r, err, "the key is too long");
	name += strspn(name, BLANKS);
	n = strlen(name);
	if (n > NAME_MAX_BYTES)
		return refuse(r, err, "the name is longer than 63 bytes");
	k->name = (uint32_t)r->names_bytes;
	memcpy(to->names + r->names_bytes, name, n + 1);
	r->names_bytes += n + 1;
	to->n++;
	return 0;
}

/* ---- all lines ---- */

static int by_key(const void *a, const void *b)
{
	return memcmp(&((const struct policy_key *)a)->key,
		      &((const struct policy_key *)b)->key, HD_KEY_BYTES);
}

size_t policy_count_lines(const char *text)
{
	size_t n = 1;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

static int take_lines(struct reader *r, char *text, struct hd_error *err)
{
	int e = 0;

	for (char *next = text; e == 0 && next != NULL; r->line++) {
		char *line = next;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		e = take_line(r, line, err);
	}
	return e;
}

/* What the digits of the file took is given back. */
static void settle(struct policy_keys *keys, size_t names_bytes)
{
	char *names = realloc(keys->names, names_bytes + 1);

	keys->names = names != NULL ? names : keys->names;
	qsort(keys->v, keys->n, sizeof(*keys->v), by_key);
}

int policy_keys_parse(const char *path, char *text, struct policy_keys *ret,
		      struct hd_error *err)
{
	struct reader r = { .path = path, .line = 1, .to = ret };
	int e;

	*ret = (struct policy_keys){ .n = 0 };
	ret->v = malloc(policy_count_lines(text) * sizeof(*ret->v));
	ret->names = malloc(strlen(text) + 1);
	e = ret->v == NULL || ret->names == NULL
		    ? hd_error_set(err, -ENOMEM, "out of memory")
		    : take_lines(&r, text, err);
	if (e < 0)
		policy_keys_free(ret);
	else
		settle(ret, r.names_bytes);
	return e;
}

void policy_keys_free(struct policy_keys *keys)
{
	free(keys->v);
	free(keys->names);
	*keys = (struct policy_keys){ .n = 0 };
}

const char *policy_keys_find(const struct policy_keys *keys,
			     const struct hd_key *key)
{
	const struct policy_key want = { .key = *key };
	const struct policy_key *k =
		keys->n == 0
			? NULL
			: bsearch(&want, keys->v, keys->n, sizeof(*k), by_key);

	return k != NULL ? keys->names + k->name : NULL;
}

/* ---- the file ---- */

static int read_all(int fd, char *text, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, text + have, n - have);

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	text[have] = '\0';
	return strlen(text) == have ? 0 : -EILSEQ; /* a NUL within */
}

/* Returns NULL with errno. */
static char *text_of(int fd)
{
	struct stat st;
	char *text;
	int e;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	e = text != NULL ? read_all(fd, text, (size_t)st.st_size) : -ENOMEM;
	if (e < 0) {
		free(text);
		errno = -e;
		return NULL;
	}
	return text;
}

int policy_keys_read(const char *path, struct policy_keys *ret,
		     struct hd_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = fd >= 0 ? text_of(fd) : NULL;
	int e = -errno;

	*ret = (struct policy_keys){ .n = 0 };
	e = text != NULL ? policy_keys_parse(path, text, ret, err)
			 : hd_error_set(err, e,
					"%s: %s; write a file with a key a "
					"line that the relay's user can read",
					path, strerror(-e));
	free(text);
	if (fd >= 0)
		close(fd);
	return e;
}
