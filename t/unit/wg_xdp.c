/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp.c - what the XDP program forwards, and how it leaves. */
#include "t/unit/wg_xdp_help.h"

static struct wg_path alice_to_carol4(void)
{
	return path("192.0.2.10", "192.0.2.1", "198.51.100.1", "198.51.100.30");
}

static struct wg_path alice_to_carol6(void)
{
	return path("2001:db8::10", "2001:db8::1", "2001:db8:1::1",
		    "2001:db8:1::30");
}

static void headers_are(const struct frame *out, const struct wg_path *p,
			const uint8_t *dmac)
{
	char text[HD_ADDR_TEXT_BYTES];
	bool is_v6 = p->to.sa.sa_family == AF_INET6;
	const void *to =
		is_v6 ? (const void *)&p->to.in6.sin6_addr : &p->to.in.sin_addr;
	const void *from = is_v6 ? (const void *)&p->out.in6.sin6_addr
				 : &p->out.in.sin_addr;

	assert_memory_equal(out->b, dmac, 6);
	inet_ntop(p->to.sa.sa_family, to, text, sizeof(text));
	assert_true(frame_addr_is(out, false, text));
	inet_ntop(p->to.sa.sa_family, from, text, sizeof(text));
	assert_true(frame_addr_is(out, true, text));
	assert_int_equal(frame_get16(out, out->udp), PORT);
	assert_int_equal(frame_get16(out, out->udp + 2), 2002);
	assert_int_equal(out->b[out->ip + (is_v6 ? 7 : 8)], 64); /* TTL */
}

static void forwards(const struct frame_spec *spec, const struct wg_path *p,
		     uint32_t verdict)
{
	static const uint8_t bob[6] = { 0x02, 0, 0, 0, 0, 0x20 };
	static const uint8_t carol[6] = { 0x02, 0, 0, 0, 0, 0x30 };
	struct frame in, out = { .n = 0 };
	struct wg_path_use use;

	assert_true(wg_xdp_put(xdp, p));
	frame_make(&in, spec);
	assert_int_equal(run_frame(&in, &out), verdict);
	assert_int_equal(out.n, in.n);
	frame_parse(&out);
	headers_are(&out, p, verdict == XDP_TX ? bob : carol);
	assert_true(frame_ip_sum_ok(&out));
	if (spec->no_checksum)
		assert_int_equal(frame_get16(&out, out.udp + 6), 0);
	else
		assert_true(frame_udp_sum_ok(&out));
	/* tags, TOS, flow label, identification, message: untouched */
	assert_memory_equal(out.b + 12, in.b + 12, in.ip - 12 + 2);
	assert_memory_equal(out.b + out.udp + 8, in.b + in.udp + 8,
			    in.n - in.udp - 8);
	assert_true(wg_xdp_read(xdp, p, &use));
	assert_int_equal(use.sum.packets, 1);
	assert_int_equal(use.sum.bytes, spec->len_bytes);
	assert_int_equal(use.counter, spec->counter);
	assert_true(use.idle_ms < 60000);
	assert_true(wg_xdp_read(xdp, p, &use));
	assert_int_equal(use.sum.packets, 0);
	wg_xdp_remove(xdp, p);
	passes(spec, pass_no_peer);
}

static void ipv4_on_one_interface(void **state)
{
	struct wg_path p = alice_to_bob4();
	struct frame_spec s = alice4();

	(void)state;
	forwards(&s, &p, XDP_TX);
	s.no_checksum = true;
	forwards(&s, &p, XDP_TX);
	s.len_bytes = 32; /* a keepalive */
	forwards(&s, &p, XDP_TX);
	s.len_bytes = 1441; /* odd */
	s.no_checksum = false;
	forwards(&s, &p, XDP_TX);
}

static void ipv4_to_another_interface(void **state)
{
	struct wg_path p = alice_to_carol4();
	struct frame_spec s = alice4();

	(void)state;
	forwards(&s, &p, XDP_REDIRECT);
}

static void ipv6_on_one_interface(void **state)
{
	struct wg_path p = alice_to_bob6();
	struct frame_spec s = alice6();

	(void)state;
	forwards(&s, &p, XDP_TX);
	s.len_bytes = 1412;
	forwards(&s, &p, XDP_TX);
}

static void ipv6_to_another_interface(void **state)
{
	struct wg_path p = alice_to_carol6();
	struct frame_spec s = alice6();

	(void)state;
	forwards(&s, &p, XDP_REDIRECT);
}

/* Every sum that an incremental update can come across. */
static void checksums_of_many(void **state)
{
	struct wg_path p4 = alice_to_bob4(), p6 = alice_to_bob6();
	struct frame_spec s4 = alice4(), s6 = alice6();
	struct frame in, out;

	(void)state;
	assert_true(wg_xdp_put(xdp, &p4) && wg_xdp_put(xdp, &p6));
	for (unsigned i = 0; i < 20000; i++) {
		struct frame_spec *s = i % 2 ? &s4 : &s6;

		s->counter = i * UINT64_C(2654435761);
		s->len_bytes = 32 + i % 64;
		frame_make(&in, s);
		if (run_frame(&in, &out) != XDP_TX)
			continue; /* looks like a partial sum: see below */
		frame_parse(&out);
		assert_true(frame_ip_sum_ok(&out) && frame_udp_sum_ok(&out));
	}
	wg_xdp_remove(xdp, &p4);
	wg_xdp_remove(xdp, &p6);
}

static void damage_is_not_repaired(void **state)
{
	struct wg_path p = alice_to_bob4();
	struct frame_spec s = alice4();
	struct frame in, out;

	(void)state;
	assert_true(wg_xdp_put(xdp, &p));
	frame_make(&in, &s);
	in.b[in.n - 1] ^= 1;
	in.b[in.ip + 5] ^= 1;
	assert_int_equal(run_frame(&in, &out), XDP_TX);
	frame_parse(&out);
	assert_false(frame_ip_sum_ok(&out));
	assert_false(frame_udp_sum_ok(&out));
	wg_xdp_remove(xdp, &p);
}

static void vlan_tags_stay(void **state)
{
	struct wg_path p4 = alice_to_bob4(), p6 = alice_to_bob6();
	struct frame_spec s4 = alice4(), s6 = alice6();

	(void)state;
	s4.tags[0] = 0xe000; /* a priority, VID 0: no network of its own */
	forwards(&s4, &p4, XDP_TX);

	s4.tags[0] = s6.tags[0] = 0x6064; /* VID 100 */
	tags_of(0x1000 | 100);
	forwards(&s4, &p4, XDP_TX);
	forwards(&s6, &p6, XDP_TX);
	s4.tags[1] = s6.tags[1] = 200;
	s4.outer_proto = s6.outer_proto = 0x88a8;
	tags_of((0x1000u | 100) << 16 | 0x1000 | 200);
	forwards(&s4, &p4, XDP_TX);
	forwards(&s6, &p6, XDP_TX);
	tags_of(0);
}

static void another_vlan_is_passed_up(void **state)
{
	struct wg_path p = alice_to_bob4();
	struct frame_spec s = alice4();

	(void)state;
	assert_true(wg_xdp_put(xdp, &p));
	s.tags[0] = 100;
	passes(&s, pass_no_route); /* the route leaves untagged */
	tags_of(0x1000 | 101);
	passes(&s, pass_no_route);
	s.tags[0] = 0;
	passes(&s, pass_no_route);
	tags_of(0);
	s.tags[0] = s.tags[1] = s.tags[2] = 100;
	not_ours(&s);
	wg_xdp_remove(xdp, &p);
}

/* The program keeps routes for as long as its clock stands, 64 of them. */
static void each_peer_has_a_way_of_its_own(void **state)
{
	struct frame_spec s = alice4();
	struct frame in, out = { .n = 0 };

	(void)state;
	for (uint16_t i = 0; i < 2 * 128; i++) {
		struct wg_path p = i % 2 ? alice_to_bob4() : alice_to_carol4();

		s.from_port = (uint16_t)(5000 + i % 128);
		p.from.in.sin_port = htons(s.from_port);
		p.to.in.sin_port = htons((uint16_t)(6000 + i % 128));
		assert_true(wg_xdp_put(xdp, &p));
		frame_make(&in, &s);
		assert_int_equal(run_frame(&in, &out),
				 i % 2 ? XDP_TX : XDP_REDIRECT);
		frame_parse(&out);
		assert_int_equal(out.b[5], i % 2 ? 0x20 : 0x30);
		assert_int_equal(frame_get16(&out, out.udp + 2),
				 6000 + i % 128);
		wg_xdp_remove(xdp, &p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_on_one_interface),
		cmocka_unit_test(ipv4_to_another_interface),
		cmocka_unit_test(each_peer_has_a_way_of_its_own),
		cmocka_unit_test(ipv6_on_one_interface),
		cmocka_unit_test(ipv6_to_another_interface),
		cmocka_unit_test(checksums_of_many),
		cmocka_unit_test(damage_is_not_repaired),
		cmocka_unit_test(vlan_tags_stay),
		cmocka_unit_test(another_vlan_is_passed_up),
	};
	return xdp_main("wg_xdp", tests, HD_ARRAY_N(tests), xdp_up, xdp_down);
}
