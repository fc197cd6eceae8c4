/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_pass.c - what the XDP program leaves to user space, and the
 * little that it drops. */
#include "t/unit/wg_xdp_help.h"

static int confirm(void **state)
{
	struct wg_path p4 = alice_to_bob4(), p6 = alice_to_bob6();

	(void)state;
	return wg_xdp_put(xdp, &p4) && wg_xdp_put(xdp, &p6) ? 0 : -1;
}

static int forget(void **state)
{
	struct wg_path p4 = alice_to_bob4(), p6 = alice_to_bob6();

	(void)state;
	wg_xdp_remove(xdp, &p4);
	wg_xdp_remove(xdp, &p6);
	return 0;
}

static void other_port(void **state)
{
	struct frame_spec s = alice4();

	(void)state;
	s.to_port = PORT + 1;
	not_ours(&s);
}

static void fragments(void **state)
{
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.fragment = 0x2000; /* the first */
	not_ours(&s);
	s.fragment = 0x2001;
	not_ours(&s);
	s.fragment = 0x0010; /* the last */
	not_ours(&s);
	s.fragment = 0x4000; /* don't: none */
	struct frame in, out;
	frame_make(&in, &s);
	assert_int_equal(run_frame(&in, &out), XDP_TX);
	s6.next_header = 44;
	not_ours(&s6);
}

static void options_and_extensions(void **state)
{
	static const uint8_t headers[] = { 0, 43, 60, 51, 59, 6 };
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.options = true;
	not_ours(&s);
	for (size_t i = 0; i < sizeof(headers); i++) {
		s6.next_header = headers[i];
		if (headers[i] != 0)
			not_ours(&s6);
	}
}

static void handshakes(void **state)
{
	static const size_t size[] = { 0, 148, 92, 64 };
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	for (unsigned type = 1; type <= 3; type++) {
		s.type = s6.type = type;
		s.len_bytes = s6.len_bytes = size[type];
		passes(&s, pass_handshake);
		passes(&s6, pass_handshake);
	}
}

static void wrong_sizes_and_types(void **state)
{
	static const struct {
		uint32_t type;
		size_t len;
	} wrong[] = { { 1, 147 }, { 1, 149 }, { 2, 91 },     { 2, 96 },
		      { 3, 63 },  { 3, 65 },  { 4, 31 },     { 4, 16 },
		      { 0, 96 },  { 5, 96 },  { 0x104, 96 }, { 4u << 24, 96 } };
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++) {
		s.type = s6.type = wrong[i].type;
		s.len_bytes = s6.len_bytes = wrong[i].len;
		drops(&s, not_wg_shaped);
		drops(&s6, not_wg_shaped);
	}
	s.len_bytes = 0;
	drops(&s, not_wg_shaped);
	/* On the way through a router to somebody else's relay. */
	s.len_bytes = 96;
	s.to = "203.0.113.7";
	passes(&s, pass_odd);
}

static void lengths_that_disagree(void **state)
{
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.udp_len_off = s6.udp_len_off = 1;
	passes(&s, pass_odd);
	passes(&s6, pass_odd);
	s.udp_len_off = s6.udp_len_off = -8 - 96; /* less than its header */
	passes(&s, pass_odd);
	passes(&s6, pass_odd);
	s.udp_len_off = s6.udp_len_off = 0;
	s.ip_len_off = s6.ip_len_off = -4;
	passes(&s, pass_odd);
	passes(&s6, pass_odd);
	s.ip_len_off = s6.ip_len_off = 0;
	s.trailer_bytes = s6.trailer_bytes = 6;
	passes(&s, pass_odd);
	passes(&s6, pass_odd);
}

static void cut_short(void **state)
{
	struct frame_spec s[] = { alice4(), alice6() };
	struct frame in, out;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(s); i++) {
		frame_make(&in, &s[i]);
		for (size_t n = in.n - 1; n >= 14; n--) {
			in.n = n;
			assert_int_equal(run_frame(&in, &out), XDP_PASS);
		}
	}
}

static void nobody_knows_it(void **state)
{
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.index++;
	passes(&s, pass_no_peer);
	s = alice4();
	s.from_port++;
	passes(&s, pass_no_peer);
	s = alice4();
	s.from = "192.0.2.11";
	passes(&s, pass_no_peer);
	s6.from = "2001:db8::11";
	passes(&s6, pass_no_peer);
	s = alice4();
	s.to = "192.0.2.2"; /* the session is with another address */
	passes(&s, pass_no_peer);
}

static void end_of_its_life(void **state)
{
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.ttl = s6.ttl = 1;
	passes(&s, pass_odd);
	passes(&s6, pass_odd);
}

/* A sender on this machine, whose card would have added it. */
static void checksum_to_come(void **state)
{
	struct frame_spec s = alice4(), s6 = alice6();

	(void)state;
	s.partial_checksum = s6.partial_checksum = true;
	passes(&s, pass_checksum);
	passes(&s6, pass_checksum);
	s6.partial_checksum = false;
	s6.no_checksum = true;
	passes(&s6, pass_checksum);
}

static void neighbour_not_known(void **state)
{
	struct wg_path p =
		path("192.0.2.10", "192.0.2.1", "192.0.2.1", "192.0.2.99");
	struct frame_spec s = alice4();

	(void)state;
	assert_true(wg_xdp_put(xdp, &p));
	passes(&s, pass_no_mac);
	p = path("192.0.2.10", "192.0.2.1", "192.0.2.1", "203.0.113.1");
	assert_true(wg_xdp_put(xdp, &p));
	passes(&s, pass_no_route);
}

static void too_big_for_the_way_out(void **state)
{
	struct wg_path p4 = path("192.0.2.10", "192.0.2.1", "198.51.100.1",
				 "198.51.100.30");
	struct wg_path p6 = path("2001:db8::10", "2001:db8::1", "2001:db8:1::1",
				 "2001:db8:1::30");
	struct frame_spec s = alice4(), s6 = alice6();
	struct frame in, out;

	(void)state;
	assert_true(wg_xdp_put(xdp, &p4) && wg_xdp_put(xdp, &p6));
	s.len_bytes = 1280 - 28;
	s6.len_bytes = 1280 - 48;
	frame_make(&in, &s);
	assert_int_equal(run_frame(&in, &out), XDP_REDIRECT);
	frame_make(&in, &s6);
	assert_int_equal(run_frame(&in, &out), XDP_REDIRECT);
	s.len_bytes++;
	s6.len_bytes++;
	passes(&s, pass_too_big);
	passes(&s6, pass_too_big);
}

static void forwarding_is_off(void **state)
{
	struct frame_spec s = alice4();

	(void)state;
	assert_int_equal(
		system("echo 0 >/proc/sys/net/ipv4/conf/lo/forwarding"), 0);
	next_tick();
	passes(&s, pass_no_forwarding);
	assert_int_equal(
		system("echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding"), 0);
}

static void blocked_addresses(void **state)
{
	union hd_addr alice = addr("192.0.2.10", 0);
	union hd_addr other6 = addr("2001:db8::77", 0); /* her /64 */
	struct frame_spec s = alice4(), s6 = alice6(), data = alice4();
	struct frame in, out;

	(void)state;
	s.type = s6.type = 1;
	s.len_bytes = s6.len_bytes = 148;
	wg_xdp_block(xdp, &alice, 60000);
	wg_xdp_block(xdp, &alice, 70000);
	drops(&s, drop_blocklisted);
	passes(&s6, pass_handshake);
	wg_xdp_block(xdp, &other6, 60000);
	drops(&s6, drop_blocklisted);
	s.type = 2; /* an answer */
	s.len_bytes = 92;
	passes(&s, pass_handshake);
	s.type = 1;
	s.len_bytes = 148;
	frame_make(&in, &data); /* what is confirmed goes on */
	assert_int_equal(run_frame(&in, &out), XDP_TX);
	s.to = "203.0.113.7";
	passes(&s, pass_handshake);
	s.to = "192.0.2.1";
	wg_xdp_block(xdp, &alice, 0);
	wg_xdp_block(xdp, &other6, 0);
	assert_int_equal(xdp->bpf->bss->block_count, 0);
	passes(&s, pass_handshake);
}

static void a_block_ends(void **state)
{
	union hd_addr alice = addr("192.0.2.10", 0);
	struct frame_spec s = alice4();

	(void)state;
	s.type = 1;
	s.len_bytes = 148;
	wg_xdp_block(xdp, &alice, 1);
	uint64_t end_ns = wg_xdp_now_ns() + 20000000;
	while (wg_xdp_now_ns() < end_ns)
		; /* the kernel's coarse clock ticks every 4 ms or 10 */
	passes(&s, pass_handshake);
	wg_xdp_blocks_sweep(xdp);
	assert_int_equal(xdp->bpf->bss->block_count, 0);
}

static void the_lease_is_over(void **state)
{
	struct frame_spec s = alice4();
	struct xdp_md ctx = { .ingress_ifindex = eth0 };
	struct frame in, out;

	(void)state;
	frame_make(&in, &s);
	ctx.data_end = (uint32_t)in.n;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.b,
		    .data_size_in = (uint32_t)in.n, .data_out = out.b,
		    .data_size_out = sizeof(out.b), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	uint64_t before = counter_at(COUNTER(pass_lapsed));
	xdp->bpf->bss->lease_ns = 1;
	assert_int_equal(
		bpf_prog_test_run_opts(
			bpf_program__fd(xdp->bpf->progs.wg_relay), &opts),
		0);
	assert_int_equal(opts.retval, XDP_PASS);
	assert_int_equal(counter_at(COUNTER(pass_lapsed)), before + 1);
}

static void what_cannot_be_entered(void **state)
{
	struct wg_path p = alice_to_bob4();
	struct wg_path_use use;

	(void)state;
	p.index++;
	p.to = addr("2001:db8::20", 2002); /* another protocol */
	assert_false(wg_xdp_put(xdp, &p));
	p = path("2001:db8::10", "2001:db8::1", "2001:db8::1", "fe80::1");
	p.index++;
	assert_false(wg_xdp_put(xdp, &p));
	p = alice_to_bob4();
	p.in.sa.sa_family = 0; /* not known yet */
	assert_false(wg_xdp_put(xdp, &p));
	p = alice_to_bob4();
	for (unsigned i = 1; i <= 2; i++) {
		p.index = i;
		assert_true(wg_xdp_put(xdp, &p));
	}
	p.index = 3; /* the map is full: paths_max */
	assert_false(wg_xdp_put(xdp, &p));
	assert_false(wg_xdp_read(xdp, &p, &use));
	for (p.index = 1; p.index <= 2; p.index++)
		wg_xdp_remove(xdp, &p);
}

static void one_that_moved_keeps_its_counts(void **state)
{
	struct wg_path p = alice_to_bob4();
	struct frame_spec s = alice4();
	struct wg_path_use use;
	struct frame in, out;

	(void)state;
	frame_make(&in, &s);
	assert_int_equal(run_frame(&in, &out), XDP_TX);
	p.to = addr("192.0.2.20", 3003);
	assert_true(wg_xdp_put(xdp, &p));
	assert_int_equal(run_frame(&in, &out), XDP_TX);
	frame_parse(&out);
	assert_int_equal(frame_get16(&out, out.udp + 2), 3003);
	assert_true(wg_xdp_read(xdp, &p, &use));
	assert_int_equal(use.sum.packets, 2);
}

#define with_sessions(f) cmocka_unit_test_setup_teardown(f, confirm, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_sessions(other_port),
		with_sessions(fragments),
		with_sessions(options_and_extensions),
		with_sessions(handshakes),
		with_sessions(wrong_sizes_and_types),
		with_sessions(lengths_that_disagree),
		with_sessions(cut_short),
		with_sessions(nobody_knows_it),
		with_sessions(end_of_its_life),
		with_sessions(checksum_to_come),
		with_sessions(neighbour_not_known),
		with_sessions(too_big_for_the_way_out),
		with_sessions(forwarding_is_off),
		with_sessions(blocked_addresses),
		with_sessions(a_block_ends),
		with_sessions(the_lease_is_over),
		with_sessions(what_cannot_be_entered),
		with_sessions(one_that_moved_keeps_its_counts),
	};
	return xdp_main("wg_xdp_pass", tests, HD_ARRAY_N(tests), xdp_up,
			xdp_down);
}
