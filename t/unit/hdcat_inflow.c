/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat_inflow.c - a receiver whose sender is gone, says nothing, or has
 * more than fits: streams, the endpoint and words are stood in for by what is
 * here. */
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

static char top[] = "/tmp/hdcat-unit-XXXXXX";
static struct hdcat c;
static struct conn k;

/* A receiver with an empty folder, and a sender that has said nothing yet. */
static int set_up(void **state)
{
	(void)state;
	c = (struct hdcat){ .status = STATUS_RUNNING, .conns = &k,
			    .timeout_s = 30 };
	k = (struct conn){ .c = &c };
	gone = false;
	here = true;
	broken = 0;
	left = 0;
	clock_ms = 1000;
	endpoint = LIBHD_OPEN;
	strcpy(top + sizeof(top) - sizeof("XXXXXX"), "XXXXXX");
	return mkdtemp(top) != NULL ? inbox_open(&c.inbox, top) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (!gone)
		conn_reset(&k);
	(void)unlinkat(c.inbox.dir, "f", 0);
	inbox_close(&c.inbox);
	return rmdir(top);
}

static void there_is(const char *name, off_t size)
{
	int fd = openat(c.inbox.dir, name, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void nothing_is_hashed_for_who_is_gone(void **state)
{
	uint8_t bytes[64];

	(void)state;
	there_is("f", LARGE_BYTES);
	input = bytes;
	left = offer_of("f", LARGE_BYTES, bytes);
	inflow_begin(&k);
	assert_true(k.again); /* it looks at it */
	assert_false(gone);
	broken = -ECONNRESET;
	inflow_run(&k);
	assert_true(gone);
}

static bool is_gone_at(int64_t ms)
{
	clock_ms = ms;
	inflow_tick(&k);
	return gone;
}

static void who_says_nothing_loses_its_place(void **state)
{
	(void)state;
	inflow_begin(&k);
	assert_false(is_gone_at(1000 + 30000));
	assert_int_equal(k.deadline_ms, clock_ms + TICK_MS);
	assert_true(is_gone_at(1000 + 30001));
}

static void who_has_left_loses_its_place(void **state)
{
	(void)state;
	inflow_begin(&k);
	assert_false(is_gone_at(2000));
	here = false;
	assert_false(is_gone_at(2000 + GONE_MS));
	assert_true(is_gone_at(2001 + GONE_MS));
}

/* While the relay is away nobody can speak. */
static void nobody_is_given_up_without_the_relay(void **state)
{
	(void)state;
	inflow_begin(&k);
	here = false;
	endpoint = LIBHD_WAITING;
	assert_false(is_gone_at(500000));
	endpoint = LIBHD_OPEN;
	assert_false(is_gone_at(500000 + GONE_MS));
	here = true;
	assert_false(is_gone_at(500001 + GONE_MS));
}

static const struct arrival *offered(const char *name, uint64_t size)
{
	static uint8_t bytes[64];

	input = bytes;
	left = offer_of(name, size, bytes);
	conn_run(&k);
	return k.in->first;
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	c.max_size_bytes = 1000;
	inflow_begin(&k);
	assert_int_equal(offered("a", 600)->state, ARRIVAL_WANTED);
	(void)offered("b", 401);
	assert_int_equal(k.in->refused, 1);
	(void)offered("c", 400);
	(void)offered("d", 1);
	assert_int_equal(k.in->refused, 2);
	assert_int_equal(room_take(&k, 1000), 0);
	assert_int_equal(room_take(&k, 1), -EFBIG);
	assert_int_equal(c.taken_bytes, 1000);
}

static void no_disk_has_room_for_that(void **state)
{
	(void)state;
	inflow_begin(&k);
	assert_null(offered("a", (uint64_t)INT64_MAX));
	assert_int_equal(k.in->refused, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_hashed_for_who_is_gone),
		CASE(who_says_nothing_loses_its_place),
		CASE(who_has_left_loses_its_place),
		CASE(nobody_is_given_up_without_the_relay),
		CASE(what_does_not_fit_is_refused),
		CASE(no_disk_has_room_for_that),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
