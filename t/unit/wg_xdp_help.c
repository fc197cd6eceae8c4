/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_help.c - see wg_xdp_help.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>
#include "t/unit/wg_xdp_help.h"

struct wg_xdp *xdp;
uint32_t eth0, eth1;

union hd_addr addr(const char *ip, uint16_t port)
{
	union hd_addr a = { .in = { .sin_family = AF_INET,
				    .sin_port = htons(port) } };

	if (inet_pton(AF_INET, ip, &a.in.sin_addr) == 1)
		return a;
	a.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
				       .sin6_port = htons(port) };
	inet_pton(AF_INET6, ip, &a.in6.sin6_addr);
	return a;
}

struct wg_path path(const char *from, const char *in, const char *out,
		    const char *to)
{
	return (struct wg_path){ .index = htole32(INDEX),
				 .from = addr(from, 1001),
				 .in = addr(in, 0),
				 .out = addr(out, 0),
				 .to = addr(to, 2002) };
}

struct frame_spec alice4(void)
{
	return (struct frame_spec){ .from = "192.0.2.10",
				    .to = "192.0.2.1",
				    .from_port = 1001,
				    .to_port = PORT,
				    .type = 4,
				    .index = INDEX,
				    .counter = 7,
				    .len_bytes = 96,
				    .tos = 0x2a };
}

struct frame_spec alice6(void)
{
	struct frame_spec s = alice4();

	s.from = "2001:db8::10";
	s.to = "2001:db8::1";
	return s;
}

struct wg_path alice_to_bob4(void)
{
	return path("192.0.2.10", "192.0.2.1", "192.0.2.1", "192.0.2.20");
}

struct wg_path alice_to_bob6(void)
{
	return path("2001:db8::10", "2001:db8::1", "2001:db8::1",
		    "2001:db8::20");
}

uint32_t run_frame(const struct frame *in, struct frame *out)
{
	struct xdp_md ctx = { .data_end = (uint32_t)in->n,
			      .ingress_ifindex = eth0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->b,
		    .data_size_in = (uint32_t)in->n, .data_out = out->b,
		    .data_size_out = sizeof(out->b), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	int fd = bpf_program__fd(xdp->bpf->progs.wg_relay);

	wg_xdp_renew(xdp);
	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	out->n = opts.data_size_out;
	return opts.retval;
}

uint64_t counter_at(size_t offset)
{
	struct wg_relay_stats stats;

	wg_xdp_stats(xdp, &stats);
	return *(__u64 *)((char *)&stats + offset);
}

/* The verdict on the frame, which stays as it was, and the counter it moves. */
void left_alone(const struct frame_spec *spec, uint32_t verdict, size_t counter,
		int line)
{
	struct frame in, out;
	uint64_t before = counter_at(counter);

	frame_make(&in, spec);
	uint32_t got = run_frame(&in, &out);
	_assert_int_equal(got, verdict, __FILE__, line);
	_assert_int_equal(out.n, in.n, __FILE__, line);
	_assert_memory_equal(out.b, in.b, in.n, __FILE__, line);
	_assert_int_equal(counter_at(counter), before + 1, __FILE__, line);
}
/* Not even looked at: nobody's port, a fragment, an option. */
void not_ours(const struct frame_spec *spec)
{
	uint64_t before = counter_at(COUNTER(rx_packets));
	struct frame in, out;

	frame_make(&in, spec);
	assert_int_equal(run_frame(&in, &out), XDP_PASS);
	assert_memory_equal(out.b, in.b, in.n);
	assert_int_equal(counter_at(COUNTER(rx_packets)), before);
}

void tags_of(uint32_t tags)
{
	struct wg_relay_egress e = { .ifindex = eth0, .tags = tags };

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(xdp->bpf->maps.wg_egress),
				    &eth0, &e, BPF_ANY),
		0);
}

static const char net[] =
	"set -e; PATH=$PATH:/usr/sbin:/sbin; "
	"ip link set lo up; "
	"for i in 0 1; do"
	" ip link add eth$i address 02:00:00:00:00:e$i type veth peer far$i;"
	" ip link set eth$i up; ip link set far$i up; done; "
	"ip addr add 192.0.2.1/24 dev eth0; "
	"ip addr add 2001:db8::1/64 dev eth0 nodad; "
	"ip link set eth1 mtu 1280; "
	"ip addr add 198.51.100.1/24 dev eth1; "
	"ip addr add 2001:db8:1::1/64 dev eth1 nodad; "
	"neigh() { ip neigh add $2 lladdr 02:00:00:00:00:$1 dev $3; }; "
	"for i in 10 20; do neigh $i 192.0.2.$i eth0;"
	" neigh $i 2001:db8::$i eth0; done; "
	"neigh 30 198.51.100.30 eth1; neigh 30 2001:db8:1::30 eth1; "
	"echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding; "
	"echo 1 >/proc/sys/net/ipv6/conf/lo/forwarding";

int xdp_up(void **state)
{
	struct wg_xdp_conf conf = { .mode = WG_XDP_SKB,
				    .port = PORT,
				    .interfaces = "eth0, eth1",
				    .paths_max = 4 };
	struct hd_error err;

	(void)state;
	if (wg_xdp_open(&conf, &xdp, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

int xdp_down(void **state)
{
	(void)state;
	wg_xdp_close(&xdp);
	return 0;
}

static int skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 0;
}

void next_tick(void)
{
	struct timespec was, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &was);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (was.tv_sec == now.tv_sec && was.tv_nsec == now.tv_nsec);
}

int xdp_main(const char *name, const struct CMUnitTest *tests, size_t n,
	     CMFixtureFunction setup, CMFixtureFunction teardown)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_insn nothing[] = { { .code = 0xb7, .imm = XDP_PASS },
				      { .code = 0x95 } };

	if (geteuid() != 0)
		return skip_all("XDP programs need root");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return skip_all("this machine allows no network namespace");
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, NULL, "MIT", nothing, 2,
			       &opts);
	if (fd < 0)
		return skip_all("this kernel, or container, has no bpf()");
	close(fd);
	if (system(net) != 0)
		return skip_all("no ip(8), no veth or no IPv6 to make a "
				"network with");
	/* libxdp pins there; not having it costs the tests of its dispatcher */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		print_message("no bpf file system here\n");
	eth0 = if_nametoindex("eth0");
	eth1 = if_nametoindex("eth1");
	return _cmocka_run_group_tests(name, tests, n, setup, teardown);
}
