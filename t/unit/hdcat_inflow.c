/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat_inflow.c - a receiver whose sender is gone: streams, the
 * endpoint and words are stood in for by what is here. */
#include "t/unit/fake_conn.h"
#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE_BYTES (1u << 30) /* a hole, that takes many turns to hash */

/* ---- what hdcat has elsewhere ---- */

static const uint8_t *input;
static size_t left;
static int broken; /* of the stream; 0: it is well */

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t n)
{
	(void)s;
	n = HD_MIN(n, left);
	memcpy(data, input, n);
	input += n;
	left -= n;
	return n > 0 ? (ssize_t)n : -EAGAIN;
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data, size_t n)
{
	(void)s, (void)data;
	return broken < 0 ? broken : (ssize_t)n;
}

/* ---- tests ---- */

static size_t offer_of(const char *name, uint64_t size, uint8_t *to)
{
	static struct records_out out;
	const struct offer o = { .mode = 0600, .size = size, .name = name };

	out.n = 0;
	record_offer(&out, &o);
	memcpy(to, out.v, out.n);
	return out.n;
}

static void nothing_is_hashed_for_who_is_gone(void **state)
{
	static struct conn k;
	char top[] = "/tmp/hdcat-unit-XXXXXX";
	struct hdcat c = { .status = STATUS_RUNNING, .conns = &k };
	uint8_t bytes[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(inbox_open(&c.inbox, top), 0);
	fd = openat(c.inbox.dir, "f", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LARGE_BYTES), 0);
	close(fd);
	k.c = &c;
	input = bytes;
	left = offer_of("f", LARGE_BYTES, bytes);
	inflow_begin(&k);
	assert_true(k.again); /* it looks at it */
	assert_false(gone);
	broken = -ECONNRESET;
	inflow_run(&k);
	assert_true(gone);
	assert_int_equal(unlinkat(c.inbox.dir, "f", 0), 0);
	inbox_close(&c.inbox);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_hashed_for_who_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
