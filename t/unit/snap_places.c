/* SPDX-License-Identifier: MIT */
/* t/unit/snap_places.c - snapshots: arrays whose places go by name, so that two
 * versions with one more of them understand each other. */
#include "core/base/snap_format.h"
#include "core/stream/stream_snap_fields.h"
#include "t/unit/unit.h"
#include <errno.h>

struct thing {
	uint8_t before;
	uint32_t places[3];
};

enum { TAG = HD_SNAP_SKIP | 5 };

static const char *const names[] = { "one", "two", "three" };

static const struct hd_snap_field fields[] = {
	HD_SNAP_NUMBER(struct thing, before, 1),
	HD_SNAP_PLACES(struct thing, places, TAG, names),
};

/* @ret_passed  how many were passed over */
static int read_thing(const struct hd_snap *s, struct thing *ret,
		      unsigned *ret_passed)
{
	struct hd_snap_in in = { s->v, s->n };
	struct hd_snap_item item;
	struct hd_error err;
	uint64_t seen = 0;
	int r;

	*ret = (struct thing){ 0 };
	*ret_passed = 0;
	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = hd_snap_fill(&item, fields, HD_ARRAY_N(fields), ret, &seen);
		if (r == 0 && hd_snap_unknown(&item, "a thing", &err) == 0)
			(*ret_passed)++;
		if (r < 0)
			return r;
	}
	return r == 0 && hd_snap_whole(fields, HD_ARRAY_N(fields), seen)
		       ? 0
		       : -EBADMSG;
}

static void they_come_back(void **state)
{
	const struct thing thing = { 7, { 11, 0, UINT32_MAX } };
	struct hd_snap s = { 0 };
	struct thing got;
	unsigned passed;

	(void)state;
	hd_snap_struct(&s, fields, HD_ARRAY_N(fields), &thing);
	assert_int_equal(read_thing(&s, &got, &passed), 0);
	assert_int_equal(passed, 0);
	assert_int_equal(got.before, 7);
	assert_memory_equal(got.places, thing.places, sizeof(got.places));
	hd_snap_free(&s);
}

/* What it has more is passed over, what it has not is 0; the order is another
 * one. */
static void those_of_another_version_are_understood(void **state)
{
	static const char *const others[] = { "three", "new", "one", "newer" };
	const struct other {
		uint32_t places[4];
	} other = { { 3, 99, 1, 0 } };
	const struct hd_snap_field field =
		HD_SNAP_PLACES(struct other, places, TAG, others);
	struct hd_snap s = { 0 };
	struct thing got;
	unsigned passed;

	(void)state;
	hd_snap_number(&s, 1, 7);
	hd_snap_struct(&s, &field, 1, &other);
	assert_int_equal(read_thing(&s, &got, &passed), 0);
	assert_int_equal(passed, 1);
	assert_int_equal(got.places[0], 1);
	assert_int_equal(got.places[1], 0);
	assert_int_equal(got.places[2], 3);
	hd_snap_free(&s);
}

static int read_place(const char *name, uint64_t value, unsigned times)
{
	struct hd_snap s = { 0 };
	struct thing got;
	unsigned passed;

	hd_snap_number(&s, 1, 7);
	while (times-- > 0)
		hd_snap_place(&s, TAG, name, value);
	int r = read_thing(&s, &got, &passed);

	hd_snap_free(&s);
	return r;
}

static void broken_ones_are_refused(void **state)
{
	(void)state;
	assert_int_equal(read_place("two", UINT32_MAX, 1), 0);
	assert_int_equal(read_place("two", (uint64_t)1 << 32, 1), -EBADMSG);
	assert_int_equal(read_place("two", 1, 2), -EBADMSG);
	assert_int_equal(read_place("", 1, 1), -EBADMSG);
}

static void each_has_one(const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_non_null(v[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(v[i], v[j]);
	}
}

static void those_of_a_stream_have_names(void **state)
{
	(void)state;
	each_has_one(hd_deadline_names, HD_ARRAY_N(hd_deadline_names));
	each_has_one(hd_drop_names, HD_ARRAY_N(hd_drop_names));
	each_has_one(hd_queue_names, HD_ARRAY_N(hd_queue_names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_come_back),
		cmocka_unit_test(those_of_another_version_are_understood),
		cmocka_unit_test(broken_ones_are_refused),
		cmocka_unit_test(those_of_a_stream_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
