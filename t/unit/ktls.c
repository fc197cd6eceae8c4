/* SPDX-License-Identifier: MIT */
/* t/unit/ktls.c - a stream whose records the kernel makes, in a process that
 * has it from another one: without a socket, and what the kernel says of it. */
#include <errno.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_snap.h"
#include "t/unit/unit.h"

/* ---- whose records are they? ---- */

static bool has_tls, seals;

int getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	(void)fd;
	errno = ENOPROTOOPT;
	if (!has_tls)
		return -1;
	if (level == IPPROTO_TCP && name == TCP_ULP) {
		*n = sizeof("tls");
		memcpy(value, "tls", *n);
		return 0;
	}
	errno = EBUSY; /* as it says without a key */
	return name == TLS_TX && seals ? 0 : -1;
}

static bool fits(uint8_t kernel, bool tls_there, bool tls_seals)
{
	struct hd_tls *t = hd_tls_new_adopted();
	bool r;

	t->ready = true;
	t->kernel = kernel;
	has_tls = tls_there;
	seals = tls_seals;
	r = hd_tls_fits(t, 0);
	has_tls = seals = false;
	hd_tls_free(&t);
	return r;
}

static void a_socket_fits_its_connection(void **state)
{
	(void)state;
	assert_true(fits(0, false, false));
	assert_false(fits(0, true, true));
	assert_false(fits(HD_KTLS_TX, false, false));
	assert_false(fits(HD_KTLS_TX, true, false));
	assert_true(fits(HD_KTLS_TX, true, true));
	assert_false(fits(HD_KTLS_RX, false, false));
	assert_false(fits(HD_KTLS_RX, true, true));
	assert_true(fits(HD_KTLS_RX, true, false));
	assert_true(fits(HD_KTLS_TX | HD_KTLS_RX, true, true));
}

/* It has no such cipher: records stay ours, on a socket with its TLS. */
static void what_the_kernel_did_not_take_is_ours(void **state)
{
	(void)state;
	assert_true(fits(0, true, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_fits_its_connection),
		cmocka_unit_test(what_the_kernel_did_not_take_is_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
