/* SPDX-License-Identifier: MIT */
/* t/unit/hd_xdp_program.c - what bpf/hd_udp.bpf.c takes, and what it leaves to
 * the kernel, which then drops what it takes from no card. No queue has a
 * socket here, so that all pass: the counters say which. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <hyper-derp/hd.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bpf/hd_udp.h"
#include "bpf/hd_udp.skel.h"
#include "t/unit/unit.h"
#include "t/unit/wg_xdp_frame.h"

enum { PORT = 3479 };

static struct hd_udp_bpf *bpf;
static const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 }; /* frame_make()'s */

static void local(const char *text, uint64_t until_ns)
{
	uint8_t key[16] = { [10] = 0xff, 0xff };

	if (inet_pton(AF_INET, text, key + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, key), 1);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(bpf->maps.hd_locals),
					     key, &until_ns, BPF_ANY),
			 0);
}

static int up(void **state)
{
	(void)state;
	bpf = hd_udp_bpf__open();
	if (bpf == NULL)
		return -1;
	bpf->rodata->relay_port = htons(PORT);
	bpf->rodata->interface = if_nametoindex("lo");
	bpf->rodata->first_byte = HDP_UDP_PACKET;
	bpf->rodata->last_byte = HDP_UDP_CONTROL;
	if (hd_udp_bpf__load(bpf) < 0)
		return -1;
	memcpy((void *)bpf->bss->hd_mac, mac, sizeof(mac));
	local("192.0.2.1", UINT64_MAX);
	local("192.0.2.9", UINT64_MAX);
	local("127.0.0.1", UINT64_MAX);
	local("2001:db8::1", UINT64_MAX);
	local("2001:db8::9", UINT64_MAX);
	local("192.0.2.3", 0); /* not hd.udp's */
	return 0;
}

static int down(void **state)
{
	(void)state;
	hd_udp_bpf__destroy(bpf);
	return 0;
}

static struct hd_udp_stats stats(void)
{
	struct hd_udp_stats each[512], sum = { 0 };
	uint32_t zero = 0;

	assert_in_range(libbpf_num_possible_cpus(), 1, HD_ARRAY_N(each));
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(bpf->maps.hd_udp_numbers),
				    &zero, each),
		0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.taken += each[i].taken;
		sum.passed_odd += each[i].passed_odd;
		sum.passed_lapsed += each[i].passed_lapsed;
	}
	return sum;
}

static void run(struct frame *f)
{
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b,
		    .data_size_in = (uint32_t)f->n, .data_out = out,
		    .data_size_out = sizeof(out));
	int fd = bpf_program__fd(bpf->progs.hd_udp);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	assert_int_equal(opts.retval, XDP_PASS);
}

static struct frame_spec spec_of(const char *from, const char *to)
{
	return (struct frame_spec){ .from = from,
				    .to = to,
				    .from_port = 1001,
				    .to_port = PORT,
				    .type = HDP_UDP_PACKET,
				    .len_bytes = 96 };
}

enum verdict { TAKEN, ODD, LAPSED };

static enum verdict verdict_of(struct frame *f)
{
	struct hd_udp_stats before = stats(), after;

	run(f);
	after = stats();
	assert_int_equal(after.taken + after.passed_odd + after.passed_lapsed,
			 before.taken + before.passed_odd +
				 before.passed_lapsed + 1);
	if (after.taken > before.taken)
		return TAKEN;
	return after.passed_odd > before.passed_odd ? ODD : LAPSED;
}

static enum verdict verdict(const char *from, const char *to)
{
	struct frame_spec spec = spec_of(from, to);
	struct frame f;

	frame_make(&f, &spec);
	return verdict_of(&f);
}

static void plain_ones(void **state)
{
	(void)state;
	assert_int_equal(verdict("198.51.100.7", "192.0.2.1"), TAKEN);
	assert_int_equal(verdict("10.0.0.7", "192.0.2.1"), TAKEN);
	assert_int_equal(verdict("223.255.255.1", "192.0.2.1"), TAKEN);
	assert_int_equal(verdict("2001:db8:1::7", "2001:db8::1"), TAKEN);
	assert_int_equal(verdict("64:ff9b::c000:207", "2001:db8::1"), TAKEN);
}

static void to_others(void **state)
{
	(void)state;
	assert_int_equal(verdict("198.51.100.7", "192.0.2.2"), LAPSED);
	assert_int_equal(verdict("198.51.100.7", "192.0.2.3"), LAPSED);
	assert_int_equal(verdict("2001:db8:1::7", "2001:db8::2"), LAPSED);
}

/* An answer to these would reach what only this host may ask. */
static void martians(void **state)
{
	static const char *const v4[] = {
		"0.0.0.0",   "0.1.2.3",	  "127.0.0.1",	     "127.9.9.9",
		"224.0.0.1", "239.1.2.3", "255.255.255.255", "240.0.0.1",
	};
	static const char *const v6[] = {
		"::",	   "::1",     "::ffff:127.0.0.1", "::127.0.0.1",
		"ff02::1", "fe80::1", "febf::1",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(v4); i++)
		assert_int_equal(verdict(v4[i], "192.0.2.1"), ODD);
	for (size_t i = 0; i < HD_ARRAY_N(v6); i++)
		assert_int_equal(verdict(v6[i], "2001:db8::1"), ODD);
	assert_int_equal(verdict("198.51.100.7", "127.0.0.1"), ODD);
	/* not IPv4 at all */
	assert_int_equal(verdict("2001:db8:1::7", "::ffff:192.0.2.1"), ODD);
}

static void from_ourselves(void **state)
{
	(void)state;
	assert_int_equal(verdict("192.0.2.1", "192.0.2.1"), ODD);
	assert_int_equal(verdict("192.0.2.9", "192.0.2.1"), ODD);
	assert_int_equal(verdict("2001:db8::9", "2001:db8::1"), ODD);
	assert_int_equal(verdict("192.0.2.3", "192.0.2.1"), ODD);
}

static void other_hosts_frames(void **state)
{
	struct frame_spec spec = spec_of("198.51.100.7", "192.0.2.1");
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(mac); i++) {
		frame_make(&f, &spec);
		f.b[i] ^= 1;
		assert_int_equal(verdict_of(&f), ODD);
	}
	memset(f.b, 0xff, sizeof(mac));
	assert_int_equal(verdict_of(&f), ODD);
}

static void first_bytes(void **state)
{
	struct frame_spec spec = spec_of("198.51.100.7", "192.0.2.1");
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bool hd = i >= HDP_UDP_PACKET && i <= HDP_UDP_CONTROL;

		spec.type = i;
		frame_make(&f, &spec);
		assert_int_equal(verdict_of(&f), hd ? TAKEN : ODD);
	}
}

/* Another interface's: a port of a bond runs the program of the bond. */
static void other_interfaces(void **state)
{
	(void)state;
	hd_udp_bpf__destroy(bpf);
	bpf = hd_udp_bpf__open();
	assert_non_null(bpf);
	bpf->rodata->relay_port = htons(PORT);
	bpf->rodata->interface = 77;
	bpf->rodata->last_byte = 255;
	assert_int_equal(hd_udp_bpf__load(bpf), 0);
	memcpy((void *)bpf->bss->hd_mac, mac, sizeof(mac));
	local("192.0.2.1", UINT64_MAX);
	assert_int_equal(verdict("198.51.100.7", "192.0.2.1"), ODD);
}

int main(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_insn nothing[] = { { .code = 0xb7, .imm = XDP_PASS },
				      { .code = 0x95 } };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_ones),
		cmocka_unit_test(to_others),
		cmocka_unit_test(martians),
		cmocka_unit_test(from_ourselves),
		cmocka_unit_test(other_hosts_frames),
		cmocka_unit_test(first_bytes),
		cmocka_unit_test(other_interfaces),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, NULL, "MIT", nothing, 2,
			       &opts);

	if (fd < 0) {
		printf("1..0 # SKIP no rights for, or no bpf() here\n");
		return 0;
	}
	close(fd);
	return cmocka_run_group_tests(tests, up, down);
}
