/* SPDX-License-Identifier: MIT */
/* modules/policy/keys_file.c - the text of a file of keys or tokens, when it
 * rests: what is written while it is read could be half a list. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/whole.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "modules/policy/policy.h"

enum {
	FILE_MAX_BYTES = 256 << 20,
	TRIES = 5,
	PAUSE_NS = 2000000,
};

/* ---- which version of a file ---- */

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct policy_stamp stamp_of(const struct stat *st)
{
	return (struct policy_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.modified_ns = ns_of(&st->st_mtim),
		.changed_ns = ns_of(&st->st_ctim),
	};
}

struct policy_stamp policy_stamp_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? stamp_of(&st)
				    : (struct policy_stamp){ .ino = 0 };
}

bool policy_stamp_same(const struct policy_stamp *a,
		       const struct policy_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->modified_ns == b->modified_ns &&
	       a->changed_ns == b->changed_ns;
}

/* ---- its text ---- */

struct text { /* in a mapping of its own, which is gone when it is freed */
	char *v; /* ends with NUL */
	size_t n;
};

static void text_free(struct text *t)
{
	if (t->v == NULL)
		return;
	explicit_bzero(t->v, t->n); /* tokens are secrets */
	munmap(t->v, t->n + 1);
	t->v = NULL;
}

static int check_kind(const char *path, const struct stat *st,
		      struct hd_error *err)
{
	if (S_ISDIR(st->st_mode))
		return hd_error_set(err, -EISDIR,
				    "%s is a folder; name a file in it", path);
	if (!S_ISREG(st->st_mode))
		return hd_error_set(err, -EINVAL,
				    "%s is a device or a pipe; name a file",
				    path);
	if (st->st_size > FILE_MAX_BYTES)
		return hd_error_set(err, -EFBIG,
				    "%s has more than %d MiB; is it a list of "
				    "keys or tokens?",
				    path, FILE_MAX_BYTES >> 20);
	return 0;
}

static int check_no_nul(const char *path, const struct text *t,
			struct hd_error *err)
{
	if (strlen(t->v) == t->n)
		return 0;
	return hd_error_set(err, -EILSEQ,
			    "%s:%zu: a NUL byte; write the file as plain text "
			    "(UTF-8)",
			    path, policy_count_lines(t->v));
}

static int fail(const char *path, int e, struct hd_error *err)
{
	return hd_error_set(err, e,
			    "%s: %s; write a file with a key or a token a line "
			    "that the relay's user can read",
			    path, strerror(-e));
}

/* Returns 0; -EAGAIN it changes while it is read; -errno. */
static int read_text(const char *path, int fd, struct text *ret,
		     struct policy_stamp *stamp, struct hd_error *err)
{
	struct stat st, after;
	int e = fstat(fd, &st) < 0 ? fail(path, -errno, err)
				   : check_kind(path, &st, err);
	ssize_t n;

	if (e < 0)
		return e;
	*stamp = stamp_of(&st);
	ret->n = (size_t)st.st_size;
	ret->v = mmap(NULL, ret->n + 1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ret->v == MAP_FAILED) {
		ret->v = NULL;
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	n = hd_read_whole(fd, ret->v, ret->n);
	if (n < 0)
		return fail(path, (int)n, err);
	if (fstat(fd, &after) < 0)
		return fail(path, -errno, err);
	struct policy_stamp then = stamp_of(&after);

	if ((size_t)n == ret->n && policy_stamp_same(stamp, &then))
		return 0;
	return hd_error_set(err, -EAGAIN,
			    "%s is being written; write a new file and rename "
			    "it, then no reader sees half of one",
			    path);
}

static int open_text(const char *path, struct text *ret,
		     struct policy_stamp *stamp, struct hd_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int e = fd >= 0 ? read_text(path, fd, ret, stamp, err)
			: fail(path, -errno, err);

	if (fd >= 0)
		close(fd);
	return e;
}

typedef int parse_fn(const char *path, const char *text,
		     struct policy_keys *ret, struct hd_error *err);

static int read_list(const char *path, parse_fn *parse, struct policy_keys *ret,
		     struct hd_error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct text text = { .v = NULL };
	struct policy_stamp stamp = { .ino = 0 };
	int e;

	*ret = (struct policy_keys){ .n = 0 };
	for (unsigned i = 1;; i++) {
		e = open_text(path, &text, &stamp, err);
		if (e != -EAGAIN || i == TRIES)
			break;
		text_free(&text);
		nanosleep(&pause, NULL);
	}
	if (e == 0)
		e = check_no_nul(path, &text, err);
	if (e == 0)
		e = parse(path, text.v, ret, err);
	ret->stamp = stamp;
	text_free(&text);
	return e;
}

int policy_keys_read(const char *path, struct policy_keys *ret,
		     struct hd_error *err)
{
	return read_list(path, policy_keys_parse, ret, err);
}

int policy_tokens_read(const char *path, struct policy_keys *ret,
		       struct hd_error *err)
{
	return read_list(path, policy_tokens_parse, ret, err);
}
