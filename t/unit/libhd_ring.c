/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_ring.c - bytes of a stream, and the memory that they take. */
#include "libhd/ring.h"
#include "t/unit/unit.h"
#include <hyper-derp/base.h>
#include <string.h>

#define CHUNK HDL_RING_CHUNK_BYTES

#define PERIOD 65521 /* of what is put: a prime */

static uint8_t v[HDL_RING_BYTES + 4 * CHUNK], got[sizeof(v)];

static int fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(v); i++)
		v[i] = (uint8_t)(i % PERIOD * 2654435761u >> 24);
	return 0;
}

/* In pieces that end anywhere in a chunk, many times round. */
static void what_is_put_is_got(void **state)
{
	struct hdl_ring r = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		size_t n = 1 + i * 7919 % (3 * CHUNK);
		uint64_t from = r.from;

		n = HD_MIN(n, hdl_ring_room(&r));
		assert_int_equal(hdl_ring_put(&r, v + r.to % PERIOD, n), n);
		n = i % 100 == 0 ? sizeof(got) : n - n / 3;
		n = hdl_ring_get(&r, got, n);
		assert_int_equal(r.from, from + n);
		for (size_t at = 0; at < n; at += PERIOD)
			assert_memory_equal(got + at, v + from % PERIOD,
					    HD_MIN(n - at, (size_t)PERIOD));
	}
	hdl_ring_free(&r);
}

/* What QUIC has been given is at its place until that is done with. */
static void bytes_do_not_move(void **state)
{
	struct hdl_ring r = { 0 };
	struct iovec first[2], again[2];

	(void)state;
	r.from = r.to = 5 * CHUNK - 100; /* not at a chunk's beginning */
	assert_int_equal(hdl_ring_put(&r, v, 1000), 1000);
	assert_int_equal(hdl_ring_look(&r, r.from, first), 2);
	assert_int_equal(first[0].iov_len, 100);
	assert_int_equal(first[1].iov_len, 900);
	assert_int_equal(hdl_ring_put(&r, v + 1000, sizeof(v) - 1000),
			 HDL_RING_BYTES - 1000);
	assert_int_equal(hdl_ring_room(&r), 0);
	assert_int_equal(hdl_ring_put(&r, v, 1), 0);
	assert_int_equal(hdl_ring_look(&r, r.from, again), 2);
	assert_ptr_equal(again[0].iov_base, first[0].iov_base);
	assert_ptr_equal(again[1].iov_base, first[1].iov_base);
	hdl_ring_done(&r, r.from + 100);
	assert_int_equal(hdl_ring_room(&r), 100);
	assert_int_equal(hdl_ring_look(&r, r.from, again), 2);
	assert_ptr_equal(again[0].iov_base, first[1].iov_base);
	assert_int_equal(hdl_ring_get(&r, got, sizeof(got)),
			 HDL_RING_BYTES - 100);
	assert_memory_equal(got, v + 100, HDL_RING_BYTES - 100);
	hdl_ring_free(&r);
}

static unsigned chunks_of(const struct hdl_ring *r)
{
	return (unsigned)(r->top - r->from / CHUNK);
}

static void memory_goes_with_what_is_held(void **state)
{
	struct hdl_ring r = { 0 };

	(void)state;
	assert_int_equal(hdl_ring_put(&r, v, 1), 1);
	assert_int_equal(chunks_of(&r), 1);
	assert_false(hdl_ring_can_rest(&r));
	assert_int_equal(hdl_ring_put(&r, v, 20 * CHUNK), 20 * CHUNK);
	assert_int_equal(chunks_of(&r), 21);
	assert_int_equal(hdl_ring_get(&r, got, 20 * CHUNK), 20 * CHUNK);
	assert_int_equal(hdl_ring_get(&r, got, 1), 1);
	assert_in_range(chunks_of(&r), 1, 5);
	assert_true(hdl_ring_can_rest(&r));
	hdl_ring_rest(&r);
	assert_null(r.chunks);
	assert_int_equal(hdl_ring_put(&r, v, 2 * CHUNK), 2 * CHUNK);
	assert_int_equal(hdl_ring_get(&r, got, 2 * CHUNK), 2 * CHUNK);
	assert_memory_equal(got, v, 2 * CHUNK);
	hdl_ring_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_got),
		cmocka_unit_test(bytes_do_not_move),
		cmocka_unit_test(memory_goes_with_what_is_held),
	};
	return cmocka_run_group_tests(tests, fill, NULL);
}
