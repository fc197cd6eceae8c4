/* SPDX-License-Identifier: MIT */
/* t/unit/derp_wire.c - the encoders of hyper-derp/derp.h against the bytes of
 * doc/reference/protocol-derp.md. */
#include "t/unit/derp_help.h"

static struct hd_key key_of(uint8_t byte)
{
	struct hd_key key;

	memset(key.b, byte, sizeof(key.b));
	return key;
}

static void server_key(void **state)
{
	uint8_t out[DERP_SERVER_KEY_BYTES];
	struct hd_key key;

	(void)state;
	hex(SERVER_PUBLIC, key.b);
	assert_ptr_equal(derp_server_key_put(out, &key), out + sizeof(out));
	assert_hex(out, sizeof(out),
		   "01 00000028 444552 50f09f9491 " SERVER_PUBLIC);
}

static void packets(void **state)
{
	struct hd_key sender = key_of(0xaa), receiver = key_of(0xbb);
	uint8_t out[DERP_PACKET_HEAD_BYTES + 2], *end;

	(void)state;
	end = derp_packet_head_put(out, DERP_SEND_PACKET, &receiver, 2);
	memcpy(end, "hi", 2);
	assert_hex(out, sizeof(out), "04 00000022 bb.. 6869");
	derp_packet_head_put(out, DERP_RECV_PACKET, &sender, 2);
	assert_hex(out, sizeof(out), "05 00000022 aa.. 6869");
}

static void largest_packet_has_length_65568(void **state)
{
	struct hd_key key = key_of(0xaa);
	uint8_t out[DERP_PACKET_HEAD_BYTES];

	(void)state;
	derp_packet_head_put(out, DERP_RECV_PACKET, &key,
			     DERP_PACKET_MAX_BYTES);
	assert_hex(out, sizeof(out), "05 00010020 aa..");
}

static void small_frames(void **state)
{
	static const uint8_t ping[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct hd_key receiver = key_of(0xbb);
	uint8_t out[64];

	(void)state;
	assert_hex(out,
		   (size_t)(derp_header_put(out, DERP_KEEP_ALIVE, 0) - out),
		   "06 00000000");
	assert_hex(out, (size_t)(derp_note_preferred_put(out, true) - out),
		   "07 00000001 01");
	assert_hex(out,
		   (size_t)(derp_peer_gone_put(out, &receiver,
					       DERP_GONE_NOT_HERE) -
			    out),
		   "08 00000021 bb.. 01");
	assert_hex(out, (size_t)(derp_ping_put(out, DERP_PING, ping) - out),
		   "12 00000008 0102030405060708");
	assert_hex(out, (size_t)(derp_ping_put(out, DERP_PONG, ping) - out),
		   "13 00000008 0102030405060708");
	assert_hex(out, (size_t)(derp_restarting_put(out, 1000, 30000) - out),
		   "15 00000008 000003e8 00007530");
}

static void header_is_read_back(void **state)
{
	static const uint8_t bytes[] = { 0x7f, 0xff, 0xff, 0xff, 0xfe };
	struct derp_header h = derp_header_get(bytes);

	(void)state;
	assert_int_equal(h.type, 0x7f);
	assert_int_equal(h.len_bytes, 0xfffffffe);
}

static void disco_has_62_bytes_and_its_magic(void **state)
{
	uint8_t packet[62] = { 0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac };

	(void)state;
	assert_true(derp_looks_disco(packet, 62));
	assert_false(derp_looks_disco(packet, 61));
	packet[5]++;
	assert_false(derp_looks_disco(packet, 62));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_key),
		cmocka_unit_test(packets),
		cmocka_unit_test(largest_packet_has_length_65568),
		cmocka_unit_test(small_frames),
		cmocka_unit_test(header_is_read_back),
		cmocka_unit_test(disco_has_62_bytes_and_its_magic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
