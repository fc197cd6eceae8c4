/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hdcat_files.c - a sender that says anything, to the receiver's
 * own code, which writes into a directory that is made anew. Beside it lies
 * something that must stay as it is.
 *
 * Input: what the sender says after the first line. Streams and the endpoint
 * are stood in for by what is here. */
#include "t/unit/fake_conn.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- what hdcat has elsewhere ---- */

static const uint8_t *input;
static size_t left;

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t n)
{
	(void)s;
	n = HD_MIN(n, left);
	memcpy(data, input, n);
	input += n;
	left -= n;
	return (ssize_t)n;
}

/* What is said back is a sequence of whole records. */
ssize_t libhd_stream_write(struct libhd_stream *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	struct record r;

	(void)s;
	for (size_t at = 0; at < n;) {
		ssize_t had = record_parse(p + at, n - at, &r);

		hd_assert(had > 0);
		hd_assert(r.type == RECORD_BYE || r.type >= RECORD_WANT);
		at += (size_t)had;
	}
	return (ssize_t)n;
}

/* ---- the directory ---- */

static char top[] = "/tmp/hd-fuzz-XXXXXX", in[sizeof(top) + 3];
static int base = -1; /* top */

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *f)
{
	(void)st, (void)flag;
	return f->level == 0 ? 0 : remove(path);
}

/* Directories may have any mode: who is root is not held up by that. */
static void clean(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void bye(void)
{
	clean();
	(void)rmdir(top);
}

static void set_up(void)
{
	int fd;

	if (base < 0) {
		hd_assert(mkdtemp(top) != NULL);
		(void)snprintf(in, sizeof(in), "%s/in", top);
		base = open(top, O_RDONLY | O_DIRECTORY);
		(void)atexit(bye);
	}
	clean();
	hd_assert(mkdir(in, 0700) == 0);
	hd_assert(symlinkat("..", base, "in/l") == 0);
	fd = openat(base, "a", O_WRONLY | O_CREAT, 0600);
	hd_assert(fd >= 0 && write(fd, "as it is", 8) == 8 && close(fd) == 0);
}

/* Nothing else is here, and it is as it was. */
static void check(void)
{
	struct stat st;

	hd_assert(fstatat(base, "a", &st, 0) == 0 && st.st_size == 8 &&
		  (st.st_mode & 07777) == 0600);
	hd_assert(faccessat(base, "a.part", F_OK, 0) < 0);
	hd_assert(faccessat(base, "b", F_OK, 0) < 0);
	hd_assert(faccessat(base, "b.part", F_OK, 0) < 0);
	hd_assert(fstat(base, &st) == 0 && st.st_nlink == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct hdcat c;
	static struct conn k;

	set_up();
	c = (struct hdcat){ .status = STATUS_RUNNING };
	c.inbox.force = n % 2 == 1;
	hd_assert(inbox_open(&c.inbox, in) == 0);
	k = (struct conn){ .c = &c };
	c.conns = &k;
	input = p;
	left = n;
	gone = false;
	inflow_begin(&k);
	while (!gone && k.again)
		inflow_run(&k);
	inflow_free(&k);
	inbox_close(&c.inbox);
	check();
	return 0;
}
