/* SPDX-License-Identifier: MIT */
/* t/unit/audit.c - the audit log: whole lines of JSON, and what happens when
 * the file is moved, removed, or the disk is full. */
#include "core/base/audit.h"
#include "core/base/clock.h"
#include "core/control/control.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/hd-audit-XXXXXX";
static char path[64], old[64];

static int make_dir(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/audit", dir);
	snprintf(old, sizeof(old), "%s/audit.1", dir);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(old);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void begin(void)
{
	struct hd_error err = { "" };

	assert_int_equal(hd_audit_open(path, &err), 0);
}

/* Whether somebody writes it, and the last line may be half of one. */
static bool is_written;

/* The lines of a file, each of which must be an object; those of @what.
 * @ret_sum  the sum of their members "lines" and "more" */
static unsigned lines_of(const char *name, const char *what, uint64_t *ret_sum)
{
	static char line[HD_AUDIT_LINE_MAX_BYTES + 2];
	FILE *f = fopen(name, "r");
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		const char *is;

		if (is_written && strchr(line, '\n') == NULL) {
			json_decref(o);
			break;
		}
		assert_true(json_is_object(o));
		assert_int_equal(
			strlen(json_string_value(json_object_get(o, "time"))),
			strlen("2026-11-29T13:00:00.000Z"));
		is = json_string_value(json_object_get(o, "what"));
		if (strcmp(is, what) == 0) {
			n++;
			if (ret_sum != NULL)
				*ret_sum += (uint64_t)json_integer_value(
						    json_object_get(o,
								    "lines")) +
					    (uint64_t)json_integer_value(
						    json_object_get(o, "more"));
		}
		json_decref(o);
	}
	fclose(f);
	return n;
}

/* hd_audit_close() waits for a second only, and machines stall. */
static void wait_for_lines(const char *what, uint64_t n)
{
	uint64_t is = 0, sum;

	is_written = true;
	for (; is < n; usleep(1000)) {
		struct stat st;

		sum = 0;
		if (stat(path, &st) == 0)
			is = lines_of(path, what, &sum) + sum;
	}
	is_written = false;
}

static void wait_for_line(const char *what)
{
	wait_for_lines(what, 1);
}

static void a_line_is_an_object(void **state)
{
	static char line[1000];
	FILE *f;

	(void)state;
	begin();
	hd_audit("m.event", "{\"key\":\"a\",\n\"n\":1}");
	hd_audit("m.nothing", NULL);
	wait_for_line("m.nothing");
	hd_audit_close();
	assert_int_equal(lines_of(path, "m.event", NULL), 1);
	assert_int_equal(lines_of(path, "m.nothing", NULL), 1);
	f = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_non_null(
		strstr(line, "\"what\":\"m.event\",\"key\":\"a\", \"n\":1}\n"));
}

static void without_a_file_nothing_happens(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(hd_audit_open(NULL, &err), 0);
	assert_null(hd_audit_file());
	hd_audit("m.event", NULL);
	hd_audit_reopen();
	hd_audit_close();
	assert_int_equal(access(path, F_OK), -1);
}

static void a_bad_file_names_the_remedy(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(hd_audit_open("/nowhere/x/audit", &err), -ENOENT);
	assert_non_null(strstr(err.text, "audit.file /nowhere/x/audit: "));
	assert_non_null(strstr(err.text, "must exist"));
}

static void a_rotated_file_is_left(void **state)
{
	(void)state;
	begin();
	hd_audit("m.first", NULL);
	wait_for_line("m.first");
	assert_int_equal(rename(path, old), 0);
	hd_audit_reopen();
	while (access(path, F_OK) < 0)
		usleep(1000);
	hd_audit("m.second", NULL);
	wait_for_line("m.second");
	hd_audit_close();
	assert_int_equal(lines_of(old, "m.first", NULL), 1);
	assert_int_equal(lines_of(old, "m.second", NULL), 0);
	assert_int_equal(lines_of(path, "m.second", NULL), 1);
}

static void a_removed_file_comes_back(void **state)
{
	(void)state;
	begin();
	hd_audit("m.first", NULL);
	wait_for_line("m.first");
	assert_int_equal(unlink(path), 0);
	hd_audit("m.second", NULL);
	wait_for_line("m.second");
	hd_audit_close();
	assert_int_equal(lines_of(path, "m.second", NULL), 1);
}

static unsigned count_ends(void)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;

	for (int c; (c = fgetc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static void a_line_without_end_stays_alone(void **state)
{
	FILE *f = fopen(path, "w");
	char line[1000];

	(void)state;
	assert_true(fputs("{\"time\":\"2026-", f) >= 0);
	fclose(f);
	for (unsigned i = 0; i < 2; i++) {
		begin();
		hd_audit("m.next", NULL);
		while (count_ends() < i + 2)
			usleep(1000);
		hd_audit_close();
	}
	f = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "{\"time\":\"2026-\n");
	for (unsigned i = 0; i < 2; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		assert_non_null(strstr(line, "\"what\":\"m.next\"}\n"));
	}
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
}

static void who_may_not_cannot_fill_it(void **state)
{
	enum { AT_ONCE = 10000 };
	const struct hd_who who = { .uid = 12345 };
	uint64_t more = 0, second;
	unsigned n;

	(void)state;
	begin();
	for (unsigned i = 0; i < AT_ONCE; i++)
		hd_control_audit(&who, NULL, NULL, "not_permitted", "");
	second = hd_clock_ns() / 1000000000;
	while (hd_clock_ns() / 1000000000 == second)
		usleep(10000);
	hd_control_audit(&who, NULL, NULL, "not_permitted", "");
	wait_for_lines("command", AT_ONCE + 1);
	hd_audit_close();
	n = lines_of(path, "command", &more);
	assert_true(n > 20 && n < AT_ONCE / 2);
	assert_int_equal(n + more, AT_ONCE + 1);
}

/* No write goes beyond so many bytes of a file: as on a full disk, but for
 * this process only. */
static void let_grow(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void a_full_disk_keeps_lines_waiting(void **state)
{
	(void)state;
	begin();
	let_grow(100); /* a line, and a part of the next */
	for (unsigned i = 0; i < 10; i++)
		hd_audit("m.waits", "{\"n\":12345}");
	for (uint64_t n = 0; n == 0; usleep(1000)) {
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		n = (uint64_t)st.st_size;
	}
	hd_audit("m.later", NULL);
	let_grow(RLIM_INFINITY);
	wait_for_line("m.later");
	hd_audit_close();
	assert_int_equal(lines_of(path, "m.waits", NULL), 10);
	assert_int_equal(hd_audit_lost(), 0);
}

static void lost_lines_are_counted(void **state)
{
	enum { N = 4000 };
	static char big[1024];
	uint64_t lost = 0;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "{\"a\":\"", 6);
	memcpy(big + sizeof(big) - 3, "\"}", 3);
	begin();
	let_grow(0);
	for (unsigned i = 0; i < N; i++) /* 4 MB: more than the buffers have */
		hd_audit("m.many", big);
	assert_true(hd_audit_lost() > 0);
	let_grow(RLIM_INFINITY);
	wait_for_line("audit.lost");
	hd_audit_close();
	unsigned there = lines_of(path, "m.many", NULL);

	assert_true(there > 100);
	lines_of(path, "audit.lost", &lost);
	assert_int_equal(there + lost, N);
	assert_int_equal(lost, hd_audit_lost());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_line_is_an_object, remove_files),
		cmocka_unit_test_teardown(without_a_file_nothing_happens,
					  remove_files),
		cmocka_unit_test(a_bad_file_names_the_remedy),
		cmocka_unit_test_teardown(a_rotated_file_is_left, remove_files),
		cmocka_unit_test_teardown(a_removed_file_comes_back,
					  remove_files),
		cmocka_unit_test_teardown(a_line_without_end_stays_alone,
					  remove_files),
		cmocka_unit_test_teardown(who_may_not_cannot_fill_it,
					  remove_files),
		cmocka_unit_test_teardown(a_full_disk_keeps_lines_waiting,
					  remove_files),
		cmocka_unit_test_teardown(lost_lines_are_counted, remove_files),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
