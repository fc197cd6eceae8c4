/* SPDX-License-Identifier: MIT */
/* t/unit/httpc.c - the tools' HTTP client against answers good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/lib/httpc.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection whose other end has said this, and hung up. */
static struct conn *conn_saying(const char *text, size_t n)
{
	struct conn *c = calloc(1, sizeof(*c));
	int fd[2];

	assert_non_null(c);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(write(fd[1], text, n), n);
	close(fd[1]);
	c->fd = fd[0];
	conn_deadline(c, 5000);
	return c;
}

static int read_head(const char *text, struct httpc_head *ret_head)
{
	struct conn *c = conn_saying(text, strlen(text));
	struct hd_error err;
	int rc = httpc_read_head(c, ret_head, &err);

	conn_close(&c);
	return rc;
}

static void head_and_headers(void **state)
{
	struct httpc_head head;
	char value[16];

	(void)state;
	assert_int_equal(read_head("HTTP/1.1 101 Switching Protocols\r\n"
				   "derp-VERSION:\t2\r\n"
				   "Derp-Versions: 3\r\n"
				   "Long: 0123456789012345678\r\n\r\n",
				   &head),
			 0);
	assert_int_equal(head.status, 101);
	assert_true(httpc_header(&head, "Derp-Version", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(httpc_header(&head, "Long", value, sizeof(value)));
	assert_string_equal(value, "012345678901234");
	assert_false(httpc_header(&head, "Upgrade", value, sizeof(value)));
}

static void bytes_behind_the_head_stay(void **state)
{
	const char text[] = "HTTP/1.0 200 OK\r\n\r\n\x01\x00rest";
	struct conn *c = conn_saying(text, sizeof(text) - 1);
	struct httpc_head head;
	struct hd_error err;
	char rest[6];

	(void)state;
	assert_int_equal(httpc_read_head(c, &head, &err), 0);
	assert_int_equal(conn_read(c, rest, sizeof(rest), &err), 0);
	assert_memory_equal(rest, "\x01\x00rest", sizeof(rest));
	assert_int_equal(conn_read(c, rest, 1, &err), -ECONNRESET);
	conn_close(&c);
}

static void other_protocols_are_named(void **state)
{
	const char ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";
	struct conn *c = conn_saying(ssh, sizeof(ssh) - 1);
	struct httpc_head head;
	struct hd_error err;

	(void)state;
	assert_int_equal(httpc_read_head(c, &head, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "SSH-2.0-OpenSSH_9.2"));
	conn_close(&c);
}

static void bad_heads_are_refused(void **state)
{
	struct httpc_head head;

	(void)state;
	assert_int_equal(read_head("", &head), -ECONNRESET);
	assert_int_equal(read_head("HTTP/1.1 200 OK\r\n", &head), -ECONNRESET);
	assert_int_equal(read_head("HTTP/1.1 two\r\n\r\n", &head), -EBADMSG);
	assert_int_equal(read_head("HTTP/2 200\r\n\r\n", &head), -EBADMSG);
}

static void endless_head_is_refused(void **state)
{
	static char text[HTTPC_HEAD_BYTES * 2];
	struct conn *c;
	struct httpc_head head;
	struct hd_error err;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "HTTP/1.1 200 ", 13);
	c = conn_saying(text, sizeof(text));
	assert_int_equal(httpc_read_head(c, &head, &err), -EBADMSG);
	conn_close(&c);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct conn *c = conn_saying("", 0);
	struct httpc_head head;
	struct hd_error err;
	int fd[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	close(c->fd);
	c->fd = fd[0];
	conn_deadline(c, 20);
	assert_int_equal(httpc_read_head(c, &head, &err), -ETIMEDOUT);
	conn_close(&c);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_and_headers),
		cmocka_unit_test(bytes_behind_the_head_stay),
		cmocka_unit_test(other_protocols_are_named),
		cmocka_unit_test(bad_heads_are_refused),
		cmocka_unit_test(endless_head_is_refused),
		cmocka_unit_test(silence_ends_at_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
