/* SPDX-License-Identifier: MIT */
/* t/unit/secret.c - secrets from files; what the kernel knows of their pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/secret.h"
#include <errno.h>
#include <hyper-derp/module.h>
#include <hyper-derp/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *file_with(const char *text, size_t len)
{
	static char path[] = "/tmp/hd-secret.XXXXXX";
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	return path;
}

static void a_secret_loses_its_line_end(void **state)
{
	const char *path = file_with("hush \t\r\n\n", 9);
	struct hd_secret secret = { NULL, 0 };
	struct hd_error err;

	(void)state;
	assert_int_equal(0, hd_secret_read(path, &secret, &err));
	assert_int_equal(secret.len_bytes, 4);
	assert_memory_equal(secret.v, "hush", 4);
	hd_secret_free((void *)secret.v);
	unlink(path);
}

static void unusable_files_are_refused(void **state)
{
	struct hd_secret secret = { NULL, 0 };
	struct hd_error err;
	char *big = calloc(1, 70000);
	const char *path = file_with(" \n", 2);

	(void)state;
	assert_int_equal(-ENODATA, hd_secret_read(path, &secret, &err));
	assert_non_null(strstr(err.text, "the file is empty"));
	unlink(path);
	assert_int_equal(-ENOENT, hd_secret_read(path, &secret, &err));
	assert_non_null(strstr(err.text, "No such file"));
	path = file_with(big, 70000);
	assert_int_equal(-EFBIG, hd_secret_read(path, &secret, &err));
	unlink(path);
	free(big);
	assert_int_equal(-EINVAL, hd_secret_read("/tmp", &secret, &err));
	assert_int_equal(-EINVAL, hd_secret_read("/dev/zero", &secret, &err));
	assert_null(secret.v);
}

/* VmFlags: dd do not dump, wf wipe on fork. Source: proc(5). */
static void pages_stay_out_of_core_dumps(void **state)
{
	unsigned char *p = hd_secret_alloc(100);
	unsigned long from = 0, to = 0;
	bool found = false;
	char line[512];
	FILE *smaps = fopen("/proc/self/smaps", "r");

	(void)state;
	assert_non_null(smaps);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	while (fgets(line, sizeof(line), smaps) != NULL) {
		unsigned long a, b;

		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			from = a;
			to = b;
			continue;
		}
		if (strncmp(line, "VmFlags:", 8) == 0 &&
		    (unsigned long)p >= from && (unsigned long)p < to) {
			found = true;
			assert_non_null(strstr(line, " dd"));
			assert_non_null(strstr(line, " wf"));
		}
	}
	fclose(smaps);
	assert_true(found);
	hd_secret_free(p);
	hd_secret_free(NULL);
}

static void the_process_is_not_dumpable(void **state)
{
	struct rlimit limit;

	(void)state;
	hd_process_protect(true);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	hd_process_protect(false);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(0, getrlimit(RLIMIT_CORE, &limit));
	assert_int_equal(limit.rlim_cur, 0);
	prctl(PR_SET_DUMPABLE, 1); /* for sanitizers */
}

static bool is_mapped(const void *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char v;

	return mincore((void *)((uintptr_t)p / page * page), 1, &v) == 0;
}

static void room_that_is_not_needed_is_given_back(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = hd_secret_alloc(4 * page);

	(void)state;
	memset(p, 7, 4 * page);
	assert_true(is_mapped(p + 4 * page - 1));
	hd_secret_shrink(p, page);
	assert_int_equal(p[page - 1], 7);
	assert_false(is_mapped(p + 3 * page));
	hd_secret_shrink(p, 2 * page);
	assert_int_equal(p[page - 1], 7);
	hd_secret_free(p);
	assert_false(is_mapped(p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_loses_its_line_end),
		cmocka_unit_test(unusable_files_are_refused),
		cmocka_unit_test(pages_stay_out_of_core_dumps),
		cmocka_unit_test(the_process_is_not_dumpable),
		cmocka_unit_test(room_that_is_not_needed_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
