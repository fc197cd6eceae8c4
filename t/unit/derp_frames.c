/* SPDX-License-Identifier: MIT */
/* t/unit/derp_frames.c - what an admitted client sends. Bytes are those
 * of doc/reference/protocol-derp.md. */
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"

static void assert_open(void)
{
	assert_false(alice->closing);
}

static void assert_closed(void)
{
	assert_true(alice->closing);
	assert_in_range(alice->why, HD_CLOSE_OWN(DERP_REASON_FRAME_LENGTH),
			HD_CLOSE_OWN(DERP_REASON_FRAME_PRIVILEGED));
	assert_int_equal(alice->out.n, 0);
}

/* ---- packets ---- */

static void packet_is_sent(void **state)
{
	(void)state;
	feed(alice, "04 00000022 bb.. 6869");
	assert_int_equal(fake.n_sent, 1);
	assert_hex(fake.sent[0].dst.b, 32, "bb..");
	assert_int_equal(fake.sent[0].len_bytes, 2);
	assert_memory_equal(fake.sent[0].head, "hi", 2);
	assert_false(fake.sent[0].urgent);
	assert_int_equal(fake_metric("hyper_derp_derp_packets_received_total",
				     "kind=\"other\""),
			 1);
	assert_int_equal(
		fake_metric("hyper_derp_derp_packet_bytes_received_total",
			    "kind=\"other\""),
		2);
}

static void empty_packet_is_sent(void **state)
{
	(void)state;
	feed(alice, "04 00000020 bb..");
	assert_int_equal(fake.n_sent, 1);
	assert_int_equal(fake.sent[0].len_bytes, 0);
}

static void disco_is_urgent(void **state)
{
	uint8_t frame[5 + 32 + 62] = { 0 };

	(void)state;
	hex("04 0000005e bb.. 5453f09f92ac", frame);
	fake_feed(alice, frame, sizeof(frame));
	assert_int_equal(fake.n_sent, 1);
	assert_true(fake.sent[0].urgent);
	assert_int_equal(fake_metric("hyper_derp_derp_packets_received_total",
				     "kind=\"disco\""),
			 1);
}

static void largest_packet_is_sent(void **state)
{
	static uint8_t frame[5 + 32 + 65536];

	(void)state;
	hex("04 00010020 bb..", frame);
	fake_feed(alice, frame, sizeof(frame));
	assert_int_equal(fake.n_sent, 1);
	assert_int_equal(fake.sent[0].len_bytes, 65536);
	assert_open();
}

static void packet_too_long_is_judged_by_its_header(void **state)
{
	(void)state;
	feed(alice, "04 00010021");
	assert_closed();
	assert_int_equal(fake_metric("hyper_derp_derp_frames_refused_total",
				     "reason=\"length\""),
			 1);
}

static void packet_too_short_closes(void **state)
{
	(void)state;
	feed(alice, "04 0000001f");
	assert_closed();
}

static void packets_come_in_any_pieces(void **state)
{
	uint8_t bytes[1024];
	size_t n = hex("04 00000022 bb.. 6869"
		       "7f 00000003 010203"
		       "04 00000020 cc.."
		       "12 00000008 0102030405060708"
		       "04 00000021 dd.. 21",
		       bytes);

	(void)state;
	for (size_t piece = 1; piece <= n; piece++) {
		fake.n_sent = 0;
		fake_out_clear(alice);
		for (size_t at = 0; at < n; at += piece)
			fake_feed(alice, bytes + at, HD_MIN(piece, n - at));
		assert_int_equal(fake.n_sent, 3);
		assert_hex(fake.sent[0].dst.b, 32, "bb..");
		assert_hex(fake.sent[1].dst.b, 32, "cc..");
		assert_hex(fake.sent[2].dst.b, 32, "dd..");
		assert_hex(alice->out.v, alice->out.n,
			   "13 00000008 0102030405060708");
		assert_int_equal(alice->in.n, 0);
	}
	assert_open();
}

static void asks_for_the_whole_frame(void **state)
{
	(void)state;
	feed(alice, "04 00010020 bb");
	assert_int_equal(alice->want, 5 + 32 + 65536);
	assert_int_equal(fake.n_sent, 0);
}

/* ---- small frames ---- */

static void ping_is_echoed(void **state)
{
	(void)state;
	feed(alice, "12 00000008 0102030405060708");
	assert_hex(alice->lane[HD_LANE_URGENT].v, alice->lane[HD_LANE_URGENT].n,
		   "13 00000008 0102030405060708");
	assert_int_equal(fake_metric("hyper_derp_derp_pings_total", NULL), 1);
}

static void pong_has_the_first_8_bytes(void **state)
{
	static uint8_t frame[5 + 1000];

	(void)state;
	hex("12 000003e8 0102030405060708 ff", frame);
	fake_feed(alice, frame, sizeof(frame));
	assert_hex(alice->out.v, alice->out.n, "13 00000008 0102030405060708");
	assert_open();
}

static void ping_of_7_bytes_closes(void **state)
{
	(void)state;
	feed(alice, "12 00000007");
	assert_closed();
}

static void ping_of_1001_bytes_closes(void **state)
{
	(void)state;
	feed(alice, "12 000003e9");
	assert_closed();
}

static void ping_burst_costs_pongs_only(void **state)
{
	(void)state;
	alice->lane_full[HD_LANE_URGENT] = true;
	feed(alice, "12 00000008 0102030405060708");
	assert_int_equal(alice->out.n, 0);
	assert_open();
}

static uint64_t clients_at_home(void)
{
	return fake_metric("hyper_derp_derp_clients_home", NULL);
}

static void note_preferred_is_counted_once(void **state)
{
	(void)state;
	feed(alice, "07 00000001 01 07 00000001 02");
	assert_int_equal(clients_at_home(), 1);
	feed(alice, "07 00000001 00 07 00000001 00");
	assert_int_equal(clients_at_home(), 0);
	feed(alice, "07 00000001 01"); /* derp_alice_down looks for 0 */
	assert_open();
}

static void note_preferred_of_0_bytes_closes(void **state)
{
	(void)state;
	feed(alice, "07 00000000");
	assert_closed();
}

static void note_preferred_of_2_bytes_closes(void **state)
{
	(void)state;
	feed(alice, "07 00000002");
	assert_closed();
}

/* ---- what a client may not do ---- */

static void watch_conns_closes(void **state)
{
	(void)state;
	feed(alice, "10 00000000");
	assert_closed();
	assert_int_equal(fake_metric("hyper_derp_derp_frames_refused_total",
				     "reason=\"privileged\""),
			 1);
}

static void close_peer_closes_the_asker(void **state)
{
	(void)state;
	feed(alice, "11 00000020 bb..");
	assert_closed();
}

static void forward_packet_closes(void **state)
{
	(void)state;
	feed(alice, "0a 00000040");
	assert_closed();
	assert_int_equal(fake.n_sent, 0);
}

static void nothing_is_read_after_the_close(void **state)
{
	(void)state;
	feed(alice, "10 00000000 04 00000022 bb.. 6869");
	assert_closed();
	assert_int_equal(fake.n_sent, 0);
}

/* ---- frames that are skipped ---- */

/* The predecessor took a PeerGone from a client as "that peer has left". */
static void frames_of_a_relay_have_no_effect(void **state)
{
	(void)state;
	feed(alice, "01 00000028 444552 50f09f9491 cc.."
		    "02 00000038 aa.. 00000000000000000000000000000000"
		    "   0000000000000000"
		    "03 00000002 0000"
		    "05 00000022 aa.. 6869"
		    "06 00000000"
		    "08 00000021 bb.. 00"
		    "09 00000033 bb.. 000000000000000000000000000000000000 01"
		    "13 00000008 0102030405060708"
		    "14 00000001 21"
		    "15 00000008 0000000000000000"
		    "00 00000000 ff 00000001 00");
	assert_open();
	assert_int_equal(alice->out.n, 0);
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(alice->in.n, 0);
	assert_int_equal(
		fake_metric("hyper_derp_derp_frames_unknown_total", NULL), 12);
	feed(alice, "04 00000022 bb.. 6869");
	assert_int_equal(fake.n_sent, 1);
}

static void relay_frames_of_wrong_length_are_skipped_too(void **state)
{
	(void)state;
	feed(alice, "08 00000001 00 06 00000003 000000");
	assert_open();
	assert_int_equal(alice->in.n, 0);
}

static void unknown_frame_of_4_gib_is_not_kept(void **state)
{
	static uint8_t block[1 << 20];
	uint64_t left = 0xffffffffull;

	(void)state;
	feed(alice, "7f ffffffff");
	while (left > 0) {
		size_t n = (size_t)HD_MIN(left, (uint64_t)sizeof(block));

		/* straight to the module: the fake would copy all of it */
		assert_int_equal(alice->proto->data(&fake.module, alice,
						    alice->state, block, n),
				 n);
		left -= n;
	}
	feed(alice, "04 00000022 bb.. 6869");
	assert_int_equal(fake.n_sent, 1);
}

/* ---- duplicates ---- */

static void every_frame_makes_active(void **state)
{
	static const char *const frames[] = {
		"04 00000020 bb..", "12 00000008 0102030405060708",
		"07 00000001 00",   "7f 00000000",
		"06 00000000",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(frames); i++) {
		unsigned before = alice->peer.active;

		feed(alice, frames[i]);
		assert_true(alice->peer.active > before);
	}
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, derp_alice_up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packet_is_sent),
		TEST(empty_packet_is_sent),
		TEST(disco_is_urgent),
		TEST(largest_packet_is_sent),
		TEST(packet_too_long_is_judged_by_its_header),
		TEST(packet_too_short_closes),
		TEST(packets_come_in_any_pieces),
		TEST(asks_for_the_whole_frame),
		TEST(ping_is_echoed),
		TEST(pong_has_the_first_8_bytes),
		TEST(ping_of_7_bytes_closes),
		TEST(ping_of_1001_bytes_closes),
		TEST(ping_burst_costs_pongs_only),
		TEST(note_preferred_is_counted_once),
		TEST(note_preferred_of_0_bytes_closes),
		TEST(note_preferred_of_2_bytes_closes),
		TEST(watch_conns_closes),
		TEST(close_peer_closes_the_asker),
		TEST(forward_packet_closes),
		TEST(nothing_is_read_after_the_close),
		TEST(frames_of_a_relay_have_no_effect),
		TEST(relay_frames_of_wrong_length_are_skipped_too),
		TEST(unknown_frame_of_4_gib_is_not_kept),
		TEST(every_frame_makes_active),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
