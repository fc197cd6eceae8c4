/* SPDX-License-Identifier: MIT */
/* t/unit/state_file.c - state files are whole or absent. */
#include <hyper-derp/state_file.h>
#include "core/base/state_file.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/hd-state-XXXXXX";
static char path[64];

static int open_dir(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a/b", base);
	return hd_state_dir_open(path, NULL);
}

static int remove_dir(void **state)
{
	char cmd[128];

	(void)state;
	hd_state_dir_close();
	snprintf(cmd, sizeof(cmd), "rm -r %s", base);
	return system(cmd);
}

static mode_t mode_of(const char *name)
{
	char file[128];
	struct stat st;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	assert_int_equal(stat(file, &st), 0);
	return st.st_mode & 07777;
}

static void folders_are_made(void **state)
{
	(void)state;
	assert_string_equal(hd_state_dir(), path);
	assert_int_equal(mode_of("."), 0700);
}

static void written_is_read(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(hd_state_file_write("key", "secret", 6, NULL), 0);
	assert_int_equal(mode_of("key"), 0600);
	assert_int_equal(hd_state_file_read("key", buf, sizeof(buf), NULL), 6);
	assert_memory_equal(buf, "secret", 6);
	assert_int_equal(hd_state_file_write("key", "x", 1, NULL), 0);
	assert_int_equal(hd_state_file_read("key", buf, sizeof(buf), NULL), 1);
}

static void length_must_fit(void **state)
{
	struct hd_error err;
	char buf[4];

	(void)state;
	assert_int_equal(hd_state_file_write("four", "1234", 4, NULL), 0);
	assert_int_equal(hd_state_file_read("four", buf, 4, NULL), 4);
	assert_int_equal(hd_state_file_read("four", buf, 3, &err), -EFBIG);
	assert_non_null(strstr(err.text, "four"));
}

static void missing_and_bad_names(void **state)
{
	struct hd_error err;
	char buf[4];

	(void)state;
	assert_int_equal(hd_state_file_read("none", buf, 4, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(hd_state_file_write("../x", buf, 4, &err), -EINVAL);
	assert_int_equal(hd_state_file_write("", buf, 4, &err), -EINVAL);
	assert_int_equal(hd_state_file_write(".hidden", buf, 4, &err), -EINVAL);
}

static void a_failed_write_leaves_the_old(void **state)
{
	char buf[4], tmp[128];

	(void)state;
	assert_int_equal(hd_state_file_write("keep", "old", 3, NULL), 0);
	snprintf(tmp, sizeof(tmp), "%s/.keep.new", path);
	assert_int_equal(mkdir(tmp, 0700), 0); /* in the way */
	assert_true(hd_state_file_write("keep", "new", 3, NULL) < 0);
	assert_int_equal(hd_state_file_read("keep", buf, 4, NULL), 3);
	assert_memory_equal(buf, "old", 3);
	rmdir(tmp);
}

static void assert_text(const char *name, const char *want)
{
	char buf[16] = "";

	assert_int_equal(hd_state_file_read(name, buf, 16, NULL), strlen(want));
	assert_string_equal(buf, want);
}

static void an_update_keeps_what_was(void **state)
{
	char buf[8], tmp[128], now[128];

	(void)state;
	assert_int_equal(hd_state_file_update("up", "one", 3, NULL), 0);
	assert_int_equal(hd_state_file_read("up.before", buf, 8, NULL),
			 -ENOENT);
	assert_int_equal(hd_state_file_update("up", "two", 3, NULL), 0);
	assert_text("up.before", "one");
	assert_int_equal(hd_state_file_update("up", "three", 5, NULL), 0);
	assert_text("up", "three");
	assert_text("up.before", "two");
	assert_int_equal(mode_of("up.before"), 0600);
	/* both names of one file, as after a kill between the two steps */
	snprintf(tmp, sizeof(tmp), "%s/up.before", path);
	assert_int_equal(unlink(tmp), 0);
	snprintf(now, sizeof(now), "%s/up", path);
	assert_int_equal(link(now, tmp), 0);
	assert_int_equal(hd_state_file_update("up", "four", 4, NULL), 0);
	assert_text("up.before", "three");
	snprintf(tmp, sizeof(tmp), "%s/.up.keep", path);
	assert_int_equal(access(tmp, F_OK), -1);
}

static void a_path_is_whole(void **state)
{
	char want[160], buf[160];

	(void)state;
	snprintf(want, sizeof(want), "%s/key", path);
	assert_string_equal(hd_state_file_path("key", buf, sizeof(buf)), want);
	assert_string_equal(hd_state_file_path("/a/key", buf, sizeof(buf)),
			    "/a/key");
}

static void an_absolute_path_is_a_file_elsewhere(void **state)
{
	struct hd_error err;
	char file[128], buf[8];

	(void)state;
	snprintf(file, sizeof(file), "%s/roster", base);
	assert_int_equal(hd_state_file_read(file, buf, 8, NULL), -ENOENT);
	assert_int_equal(hd_state_file_write(file, "peers", 5, NULL), 0);
	assert_int_equal(access(file, R_OK), 0);
	assert_int_equal(hd_state_file_read(file, buf, 8, NULL), 5);
	snprintf(file, sizeof(file), "%s/none/roster", base);
	assert_int_equal(hd_state_file_read(file, buf, 8, &err), -EIO);
	assert_non_null(strstr(err.text, "cannot open its folder"));
	assert_int_equal(hd_state_file_write(file, "x", 1, NULL), -EIO);
	snprintf(file, sizeof(file), "%s/", base);
	assert_int_equal(hd_state_file_write(file, "x", 1, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folders_are_made),
		cmocka_unit_test(written_is_read),
		cmocka_unit_test(length_must_fit),
		cmocka_unit_test(missing_and_bad_names),
		cmocka_unit_test(an_absolute_path_is_a_file_elsewhere),
		cmocka_unit_test(an_update_keeps_what_was),
		cmocka_unit_test(a_path_is_whole),
		cmocka_unit_test(a_failed_write_leaves_the_old),
	};

	return cmocka_run_group_tests(tests, open_dir, remove_dir);
}
