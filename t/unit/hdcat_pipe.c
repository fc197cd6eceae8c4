/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat_pipe.c - hdcat's input and output when the other end breaks off:
 * what had come before is put out, and then it has failed. */
#include "tools/hdcat/hdcat.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef fail /* cmocka's */
#define CAME_BYTES 200000u

static size_t left;

/* ---- in place of libhd and of the rest of hdcat ---- */

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t len_bytes)
{
	size_t n = len_bytes < left ? len_bytes : left;

	(void)s;
	memset(data, 'x', n);
	left -= n;
	return n > 0 ? (ssize_t)n : -ECONNRESET;
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data,
			   size_t len_bytes)
{
	(void)s, (void)data, (void)len_bytes;
	return -ECONNRESET;
}

void libhd_stream_end(struct libhd_stream *s)
{
	(void)s;
}

size_t libhd_stream_unsent_bytes(const struct libhd_stream *s)
{
	(void)s;
	return 1;
}

void end_turn(struct hdcat *c, struct pollfd *fds, unsigned n, int64_t until_ms)
{
	(void)c, (void)until_ms;
	(void)poll(fds, n, -1);
}

void fail(struct hdcat *c, enum status status, const char *fmt, ...)
{
	(void)fmt;
	c->status = status;
}

/* ---- with an input of so many bytes, which has not ended ---- */

static void what_came(size_t in)
{
	int out = dup(STDOUT_FILENO), from = dup(STDIN_FILENO), way[2];
	FILE *to = tmpfile();
	struct hdcat c = { .status = STATUS_RUNNING };
	struct stat st;

	assert_non_null(to);
	assert_int_equal(pipe(way), 0);
	assert_int_equal(write(way[1], "input", in), in);
	dup2(way[0], STDIN_FILENO);
	dup2(fileno(to), STDOUT_FILENO);
	left = CAME_BYTES;
	pipe_run(&c);
	dup2(out, STDOUT_FILENO);
	dup2(from, STDIN_FILENO);
	assert_int_equal(c.status, STATUS_BROKEN);
	assert_int_equal(fstat(fileno(to), &st), 0);
	assert_int_equal(st.st_size, CAME_BYTES);
	fclose(to);
	close(way[0]);
	close(way[1]);
	close(out);
	close(from);
}

static void with_nothing_to_say(void **state)
{
	(void)state;
	what_came(0);
}

static void with_something_to_say(void **state)
{
	(void)state;
	what_came(5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nothing_to_say),
		cmocka_unit_test(with_something_to_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
