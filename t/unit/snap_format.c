/* SPDX-License-Identifier: MIT */
/* t/unit/snap_format.c - snapshots: the list of tags does not change by
 * accident, and versions know who understands whom. */
#include "core/base/snap_format.h"
#include "t/unit/unit.h"

static uint32_t hash_text(uint32_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

#define TAG_TEXT(name, number, kind) #name " " #number " " #kind "\n"
#define TAG_NUMBER(name, number, kind) number,

/* Who changes the list raises HD_SNAP_FORMAT and says so in
 * doc/internals/upgrade.md; then this gets the new hash. */
static void the_list_is_that_of_its_version(void **state)
{
	(void)state;
	assert_int_equal(HD_SNAP_FORMAT, 8);
	assert_int_equal(hash_text(2166136261u, HD_SNAP_TAGS(TAG_TEXT)),
			 0x6396def7);
}

static bool fits(uint64_t format, uint64_t oldest)
{
	const struct hd_snap_version v = { format, oldest };

	return hd_snap_version_fits(&v);
}

static bool reads(uint64_t format, uint64_t oldest)
{
	const struct hd_snap_version v = { format, oldest };

	return hd_snap_version_reads(&v);
}

static void versions_understand_each_other_or_not(void **state)
{
	(void)state;
	assert_true(fits(HD_SNAP_FORMAT, HD_SNAP_FORMAT_OLDEST));
	assert_true(fits(HD_SNAP_FORMAT_OLDEST, 0));
	assert_false(fits(HD_SNAP_FORMAT_OLDEST - 1, 0));
	assert_true(fits(HD_SNAP_FORMAT + 9, HD_SNAP_FORMAT));
	assert_false(fits(HD_SNAP_FORMAT + 9, HD_SNAP_FORMAT + 1));
	assert_false(fits(HD_SNAP_FORMAT + 1, 0));
	assert_false(fits(0, 0));
}

/* What we write: 4 and older read nothing but their own. */
static void an_old_version_does_not_read_ours(void **state)
{
	(void)state;
	assert_true(reads(HD_SNAP_FORMAT, HD_SNAP_FORMAT_OLDEST));
	assert_true(reads(HD_SNAP_FORMAT, 0));
	assert_true(reads(5, 3));
	assert_false(reads(4, 0));
	assert_false(reads(HD_SNAP_FORMAT + 1, HD_SNAP_FORMAT + 1));
}

static void no_number_is_given_twice(void **state)
{
	static const uint16_t v[] = { HD_SNAP_TAGS(TAG_NUMBER) };

	(void)state;
	for (unsigned i = 1; i < HD_ARRAY_N(v); i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(v[i] | HD_SNAP_SKIP,
					     v[j] | HD_SNAP_SKIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_that_of_its_version),
		cmocka_unit_test(versions_understand_each_other_or_not),
		cmocka_unit_test(an_old_version_does_not_read_ours),
		cmocka_unit_test(no_number_is_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
