/* SPDX-License-Identifier: MIT */
/* t/unit/listener.c - binds that are refused, shared, dual-stack, inherited. */
#include "core/base/notify.h"
#include "core/net/listener.h"
#include "t/unit/unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static union hd_addr v4(const char *ip, unsigned port)
{
	union hd_addr a = { .in = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port) } };

	assert_int_equal(inet_pton(AF_INET, ip, &a.in.sin_addr), 1);
	return a;
}

static union hd_addr v6(const char *ip, unsigned port)
{
	union hd_addr a = { .in6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)port) } };

	assert_int_equal(inet_pton(AF_INET6, ip, &a.in6.sin6_addr), 1);
	return a;
}

struct opened {
	struct hd_listener *v;
	size_t n;
};

static int open_one(union hd_addr addr, unsigned workers, struct opened *ret,
		    struct hd_error *err)
{
	struct hd_listen_conf lc = { .name = "x",
				     .addr = addr,
				     .tls = true,
				     .file = "a.yaml",
				     .line = 7 };
	struct hd_conf conf = { .listen = &lc, .n_listen = 1 };

	return hd_listeners_open(&conf, workers, &ret->v, &ret->n, err);
}

static int connect_to(const union hd_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM, 0);
	int r = connect(fd, &addr->sa,
			addr->sa.sa_family == AF_INET ? sizeof(addr->in)
						      : sizeof(addr->in6));

	close(fd);
	return r;
}

static int skip_without_ipv6(void)
{
	union hd_addr a = v6("::1", 0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	int r = fd < 0 ? -1 : bind(fd, &a.sa, sizeof(a.in6));

	if (fd >= 0)
		close(fd);
	return r < 0;
}

static void each_worker_has_a_socket(void **state)
{
	struct opened o;

	(void)state;
	assert_int_equal(open_one(v4("127.0.0.1", 0), 3, &o, NULL), 0);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.v[0].n_fds, 3);
	assert_false(o.v[0].shared);
	assert_true(o.v[0].tls);
	assert_string_equal(o.v[0].name, "x");
	assert_int_not_equal(o.v[0].addr.in.sin_port, 0);
	assert_true(fcntl(o.v[0].fds[2], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(o.v[0].fds[2], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(connect_to(&o.v[0].addr), 0);
	hd_listeners_close(&o.v, &o.n);
	assert_null(o.v);
}

static void a_taken_port_is_refused(void **state)
{
	struct hd_error err;
	struct opened first, second;

	(void)state;
	assert_int_equal(open_one(v4("127.0.0.1", 0), 2, &first, NULL), 0);
	assert_int_equal(open_one(first.v[0].addr, 2, &second, &err),
			 -EADDRINUSE);
	assert_non_null(strstr(err.text, "bind: Address already in use"));
	assert_non_null(strstr(err.text, "127.0.0.1:"));
	assert_non_null(strstr(err.text, "a.yaml:7"));
	assert_non_null(strstr(err.text, "ss -ltnp"));
	assert_null(second.v);
	hd_listeners_close(&first.v, &first.n);
}

static void unspecified_is_dual_stack(void **state)
{
	struct opened o;

	(void)state;
	if (skip_without_ipv6())
		skip(); /* this machine has no IPv6 */
	assert_int_equal(open_one(v6("::", 0), 1, &o, NULL), 0);
	unsigned port = ntohs(o.v[0].addr.in6.sin6_port);
	union hd_addr a4 = v4("127.0.0.1", port), a6 = v6("::1", port);
	assert_int_equal(connect_to(&a4), 0);
	assert_int_equal(connect_to(&a6), 0);
	hd_listeners_close(&o.v, &o.n);
}

static void specific_v6_leaves_v4_alone(void **state)
{
	struct opened o6, o4;

	(void)state;
	if (skip_without_ipv6())
		skip(); /* this machine has no IPv6 */
	assert_int_equal(open_one(v6("::1", 0), 1, &o6, NULL), 0);
	unsigned port = ntohs(o6.v[0].addr.in6.sin6_port);
	assert_int_equal(open_one(v4("127.0.0.1", port), 1, &o4, NULL), 0);
	hd_listeners_close(&o6.v, &o6.n);
	hd_listeners_close(&o4.v, &o4.n);
}

static void an_address_of_others_is_explained(void **state)
{
	struct hd_error err;
	struct opened o;

	(void)state;
	assert_int_equal(open_one(v4("192.0.2.1", 0), 1, &o, &err),
			 -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "no interface has this address"));
}

static int inherit(int type, union hd_addr *addr, int at)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, type, 0);

	*addr = v4("127.0.0.1", 0);
	assert_int_equal(bind(fd, &addr->sa, sizeof(addr->in)), 0);
	assert_int_equal(getsockname(fd, &addr->sa, &len), 0);
	assert_int_equal(dup2(fd, at), at);
	if (fd != at)
		close(fd);
	return at;
}

/* In a child: the descriptors 3 and 4 are the test runner's here. */
static void inherited_child(void)
{
	union hd_addr tcp, udp;
	struct opened o;
	char pid[16];

	inherit(SOCK_STREAM, &tcp, 3);
	inherit(SOCK_DGRAM, &udp, 4);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(hd_listen_fds_init(), 2);
	assert_null(getenv("LISTEN_FDS"));
	assert_int_equal(hd_listen_fds(SOCK_STREAM, &udp), -1);
	assert_int_equal(hd_listen_fds(SOCK_DGRAM, &udp), 4);
	assert_int_equal(hd_listen_fds(SOCK_DGRAM, &udp), -1);
	assert_int_equal(open_one(tcp, 4, &o, NULL), 0);
	assert_true(o.v[0].shared);
	assert_int_equal(o.v[0].n_fds, 1);
	assert_int_equal(o.v[0].fds[0], 3);
	assert_int_equal(connect_to(&tcp), 0);
	hd_listeners_close(&o.v, &o.n);
}

static void inherited_sockets_are_used(void **state)
{
	(void)state;
	int save[2] = { fcntl(3, F_DUPFD_CLOEXEC, 10),
			fcntl(4, F_DUPFD_CLOEXEC, 10) };

	inherited_child();
	for (int i = 0; i < 2; i++) {
		close(3 + i);
		if (save[i] >= 0) {
			dup2(save[i], 3 + i);
			close(save[i]);
		}
	}
}

static void anothers_listen_pid_is_ignored(void **state)
{
	(void)state;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(hd_listen_fds_init(), 0);
	assert_null(getenv("LISTEN_PID"));
}

static void the_manager_is_told(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char got[64] = "", name[64];

	(void)state;
	int n = snprintf(name, sizeof(name), "@hd-notify-%d", (int)getpid());
	memcpy(a.sun_path, name, (size_t)n);
	a.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&a,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				 (size_t)n)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	hd_notify("READY=%d", 1);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_a_socket),
		cmocka_unit_test(a_taken_port_is_refused),
		cmocka_unit_test(unspecified_is_dual_stack),
		cmocka_unit_test(specific_v6_leaves_v4_alone),
		cmocka_unit_test(an_address_of_others_is_explained),
		cmocka_unit_test(inherited_sockets_are_used),
		cmocka_unit_test(anothers_listen_pid_is_ignored),
		cmocka_unit_test(the_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
