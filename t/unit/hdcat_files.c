/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat_files.c - records, names and the directory that files are
 * received into; bytes are those of doc/reference/protocol-hdcat.md. */
#include "tools/hdcat/files.h"
#include "tools/hdcat/inbox.h"
#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t offer_bytes[] = {
	1,    0,    0,	  24 + 2,		     /* OFFER, its length */
	0,					     /* a file */
	0x01, 0xed,				     /* 0755 */
	0,    0,    0,	  7,			     /* nanoseconds */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* -1 s */
	0,    0,    0,	  1,	0,    0,    0,	  2, /* its size */
	'a',  '/',  'b',
};

static struct records_out out;

static void offers_are_read_and_written(void **state)
{
	char name[NAME_BYTES + 1];
	struct record r;
	struct offer o;

	(void)state;
	assert_int_equal(record_parse(offer_bytes, sizeof(offer_bytes), &r),
			 sizeof(offer_bytes));
	assert_int_equal(offer_parse(&r, name, &o), 0);
	assert_int_equal(o.mode, 0755);
	assert_int_equal(o.mtime_ns, 7);
	assert_int_equal(o.mtime_s, -1);
	assert_true(o.size == 0x100000002);
	assert_string_equal(o.name, "a/b");
	assert_int_equal(record_parse(offer_bytes, 10, &r), 0);
	memset(&out, 0, sizeof(out));
	record_offer(&out, &o);
	assert_int_equal(out.n, sizeof(offer_bytes));
	assert_memory_equal(out.v, offer_bytes, sizeof(offer_bytes));
}

static void bad_records_are_refused(void **state)
{
	static const uint8_t bad[][RECORD_HEAD_BYTES] = {
		{ 0, 0, 0, 0 },	     { 8, 0, 0, 0 },  { 15, 0, 0, 0 },
		{ 20, 0, 0, 0 },     { 255, 0, 0, 0 }, { 2, 0, 0, 7 },
		{ 4, 0, 0, 0 },	     { 4, 1, 0, 1 },  { 3, 0, 0, 1 },
		{ 5, 0, 0, 33 },     { 16, 0, 0, 44 }, { 1, 0, 0, 23 },
		{ 1, 0, 0x20, 0x17 },
	};
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(record_parse(bad[i], sizeof(bad[i]), &r),
				 -EPROTO);
}

static void names_lead_down(void **state)
{
	static const char *const good[] = { "a", "a/b", "...", ".a", "a..",
					    "\n\x1b[31m", "\xff", "a b/c" };
	static const char *const bad[] = { "",	  "/",	  "/a",	 "a/",
					   "a//b", ".",	  "..",	 "a/..",
					   "../a", "a/./b", "a/../b" };
	char deep[2 * NAME_DEPTH_MAX + 2], longest[257];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(name_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(name_valid(bad[i], strlen(bad[i])));
	assert_false(name_valid("a\0b", 3));
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 == 0 ? 'a' : '/';
	assert_true(name_valid(deep, 2 * NAME_DEPTH_MAX - 1));
	assert_false(name_valid(deep, 2 * NAME_DEPTH_MAX + 1));
	memset(longest, 'a', sizeof(longest));
	assert_true(name_valid(longest, 255));
	assert_false(name_valid(longest, 256));
}

static void what_is_shown_is_harmless(void **state)
{
	static const char *const cases[][2] = {
		{ "a b", "a b" },
		{ "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
		{ "\x1b[31m\n\x7f", "\\x1b[31m\\x0a\\x7f" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* CSI, of one character */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" }, /* right to left */
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* longer than it need be */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* half a pair */
		{ "\xff\xe2\x82", "\\xff\\xe2\\x82" },
		{ "\\x0a", "\\x5cx0a" },
	};
	char v[SHOWN_BYTES], text[600];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			shown(cases[i][0], strlen(cases[i][0]), v),
			cases[i][1]);
	memset(text, '\n', sizeof(text));
	assert_true(strlen(shown(text, sizeof(text), v)) < SHOWN_BYTES);
	assert_non_null(strstr(v, "..."));
	assert_string_equal(shown_bytes(999, v), "999 B");
	assert_string_equal(shown_bytes(1000, v), "1.0 kB");
	assert_string_equal(shown_bytes(999999, v), "1.0 MB");
	assert_string_equal(shown_bytes(UINT64_MAX, v), "18.4 EB");
}

/* ---- the directory ---- */

static struct inbox box = { .dir = -1 };
static char top[] = "/tmp/hdcat-unit-XXXXXX", at[sizeof(top) + 8];

static int box_open(void **state)
{
	(void)state;
	strcpy(top + sizeof(top) - 7, "XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	strcpy(at, top);
	strcat(at, "/in");
	box.force = false;
	return mkdir(at, 0700) < 0 ? -1 : inbox_open(&box, at);
}

static int box_close(void **state)
{
	char command[sizeof(top) + 32];

	(void)state;
	inbox_close(&box);
	snprintf(command, sizeof(command), "rm -r '%s'", top);
	return system(command);
}

static void put_file(const char *name, const char *text)
{
	int fd = openat(box.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void file_is(const char *name, const char *text, mode_t mode)
{
	int fd = openat(box.dir, name, O_RDONLY | O_NOFOLLOW);
	char v[64] = "";
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, v, sizeof(v) - 1), strlen(text));
	assert_string_equal(v, text);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	close(fd);
}

static const struct offer one = { .mode = 0640, .size = 4, .mtime_s = 1000,
				  .name = "d/one" };

/* Returns what became of it. */
static int receive(const struct offer *o, const char *text)
{
	int fd, r = inbox_part(&box, o, &fd);

	if (r < 0)
		return r;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	r = inbox_finish(&box, o, fd);
	close(fd);
	return r;
}

static void a_file_and_its_directory(void **state)
{
	const struct offer d = { .is_dir = true, .mode = 0555, .mtime_s = 5,
				 .name = "d" };
	struct stat st;

	(void)state;
	assert_int_equal(receive(&one, "text"), 0);
	file_is("d/one", "text", 0640);
	assert_int_equal(fstatat(box.dir, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01700);
	assert_int_equal(inbox_dir(&box, &d), 0);
	assert_int_equal(fstatat(box.dir, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(st.st_mtime, 5);
	assert_int_equal(fstatat(box.dir, "d/one", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(fchmodat(box.dir, "d", 0700, 0), 0);
	assert_int_equal(inbox_dir(&box, &d), 0);
	assert_int_equal(fstatat(box.dir, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700); /* it was there */
}

static void nothing_is_replaced(void **state)
{
	const struct offer o = { .mode = 0600, .size = 4, .name = "f" };
	bool whole;
	int fd;

	(void)state;
	put_file("f", "mine!");
	assert_int_equal(inbox_find(&box, &o, &fd, &whole), -EEXIST);
	assert_int_equal(receive(&o, "text"), -EEXIST);
	file_is("f", "mine!", 0644);
	inbox_drop(&box, &o);
	box.force = true;
	assert_int_equal(inbox_find(&box, &o, &fd, &whole), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(receive(&o, "text"), 0);
	file_is("f", "text", 0600);
	assert_int_equal(inbox_find(&box, &o, &fd, &whole), 0);
	assert_true(fd >= 0 && whole);
	close(fd);
}

static void a_part_of_others_is_left_alone(void **state)
{
	const struct offer o = { .mode = 0600, .size = 4, .name = "f" };
	bool whole;
	int fd;

	(void)state;
	put_file("f.part", "mine");
	assert_int_equal(inbox_find(&box, &o, &fd, &whole), -ENOTUNIQ);
	assert_int_equal(receive(&o, "text"), -ENOTUNIQ);
	file_is("f.part", "mine", 0644);
	assert_int_equal(unlinkat(box.dir, "f.part", 0), 0);
	assert_int_equal(symlinkat("../out", box.dir, "f.part"), 0);
	assert_int_equal(receive(&o, "text"), -ENOTUNIQ);
	assert_int_equal(faccessat(box.dir, "../out", F_OK, 0), -1);
	box.force = true; /* the link goes, not what it leads to */
	assert_int_equal(receive(&o, "text"), 0);
	file_is("f", "text", 0600);
	assert_int_equal(faccessat(box.dir, "../out", F_OK, 0), -1);
}

/* Two transfers with --force: one sends f, the other one f.part. */
static void a_part_that_is_another_now_gets_no_name(void **state)
{
	const struct offer f = { .mode = 0600, .size = 4, .name = "f" };
	const struct offer g = { .mode = 0600, .size = 5, .name = "f.part" };
	int fd;

	(void)state;
	box.force = true;
	assert_int_equal(inbox_part(&box, &f, &fd), 0);
	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(receive(&g, "other"), 0);
	assert_int_equal(inbox_finish(&box, &f, fd), -ENOTUNIQ);
	close(fd);
	assert_int_equal(faccessat(box.dir, "f", F_OK, 0), -1);
	file_is("f.part", "other", 0600);
}

static void links_lead_nowhere(void **state)
{
	const struct offer dir = { .is_dir = true, .mode = 0777, .name = "d" };
	struct stat st;
	bool whole;
	int fd;

	(void)state;
	assert_int_equal(symlinkat("..", box.dir, "d"), 0);
	assert_true(inbox_find(&box, &one, &fd, &whole) < 0);
	assert_true(receive(&one, "text") < 0);
	assert_true(inbox_dir(&box, &dir) < 0);
	assert_int_equal(faccessat(box.dir, "../one", F_OK, 0), -1);
	assert_int_equal(faccessat(box.dir, "../one.part", F_OK, 0), -1);
	assert_int_equal(stat(top, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(unlinkat(box.dir, "d", 0), 0);
	put_file("victim", "mine");
	assert_int_equal(mkdirat(box.dir, "d", 0700), 0);
	assert_int_equal(symlinkat("../victim", box.dir, "d/one"), 0);
	assert_int_equal(receive(&one, "text"), -EEXIST);
	box.force = true;
	assert_int_equal(receive(&one, "text"), 0);
	file_is("victim", "mine", 0644);
	file_is("d/one", "text", 0640);
}

static void one_writes_at_a_time(void **state)
{
	bool whole;
	int a, b;

	(void)state;
	assert_int_equal(inbox_part(&box, &one, &a), 0);
	assert_int_equal(inbox_part(&box, &one, &b), -EBUSY);
	assert_int_equal(inbox_find(&box, &one, &b, &whole), -EBUSY);
	close(a);
	assert_int_equal(inbox_find(&box, &one, &b, &whole), 0);
	assert_true(b >= 0 && !whole);
	close(b);
}

#define box_test(f) cmocka_unit_test_setup_teardown(f, box_open, box_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_are_read_and_written),
		cmocka_unit_test(bad_records_are_refused),
		cmocka_unit_test(names_lead_down),
		cmocka_unit_test(what_is_shown_is_harmless),
		box_test(a_file_and_its_directory),
		box_test(nothing_is_replaced),
		box_test(a_part_of_others_is_left_alone),
		box_test(a_part_that_is_another_now_gets_no_name),
		box_test(links_lead_nowhere),
		box_test(one_writes_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
