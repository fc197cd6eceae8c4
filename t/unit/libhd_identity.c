/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_identity.c - identities of libhd as files. */
#include "libhd/inner.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_identity_is_kept(void **state)
{
	char path[] = "/tmp/hd-libhd-XXXXXX";
	struct libhd_identity *id, *again;

	(void)state;
	assert_true(mkstemp(path) >= 0);
	assert_int_equal(libhd_identity_load(path, &id), -EINVAL);
	assert_int_equal(libhd_identity_new(&id), 0);
	assert_int_equal(libhd_identity_save(id, path), -EEXIST);
	unlink(path);
	assert_int_equal(libhd_identity_save(id, path), 0);
	assert_int_equal(libhd_identity_open(path, &again), 0);
	assert_memory_equal(again, id, sizeof(*id));
	libhd_identity_free(&id);
	libhd_identity_free(&again);
	unlink(path);
}

/* Several processes that begin at the same time have one key. */
static void an_identity_is_made_once(void **state)
{
	char dir[] = "/tmp/hd-libhd-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	for (unsigned i = 0; i < 100; i++) {
		struct libhd_identity *id;
		pid_t child;
		int how;

		unlink(path);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(libhd_identity_open(path, &id) != 0);
		assert_int_equal(libhd_identity_open(path, &id), 0);
		libhd_identity_free(&id);
		assert_int_equal(waitpid(child, &how, 0), child);
		assert_int_equal(how, 0);
	}
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* nothing is left over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_kept),
		cmocka_unit_test(an_identity_is_made_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
