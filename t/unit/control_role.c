/* SPDX-License-Identifier: MIT */
/* t/unit/control_role.c - who may what on the control socket. */
#include "core/control/control.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void roles(void **state)
{
	const struct hd_role_rules rules = { .group = 50 };
	const struct hd_role_rules open = { .group = (gid_t)-1,
					    .others_read = true };
	const gid_t in[] = { 1, 50 }, out[] = { 1, 51 }, none[] = { -1u };
	enum hd_role role;
	uid_t other = geteuid() + 12345;

	(void)state;
	assert_int_equal(hd_role_decide(0, out, 2, &rules, &role), 0);
	assert_int_equal(role, HD_ROLE_ADMIN);
	assert_int_equal(hd_role_decide(geteuid(), out, 2, &rules, &role), 0);
	assert_int_equal(role, HD_ROLE_ADMIN);
	assert_int_equal(hd_role_decide(other, in, 2, &rules, &role), 0);
	assert_int_equal(role, HD_ROLE_OPERATE);
	assert_int_equal(hd_role_decide(other, out, 2, &rules, &role), -EACCES);
	assert_int_equal(hd_role_decide(other, none, 1, &open, &role), 0);
	assert_int_equal(role, HD_ROLE_READ);
}

static void kernel_says_who(void **state)
{
	const struct hd_role_rules rules = { .group = (gid_t)-1 };
	struct hd_who who;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(hd_role_of(fds[0], &rules, &who), 0);
	assert_int_equal(who.uid, geteuid());
	assert_int_equal(who.pid, getpid());
	assert_int_equal(who.role, HD_ROLE_ADMIN);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles),
		cmocka_unit_test(kernel_says_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
