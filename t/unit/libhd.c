/* SPDX-License-Identifier: MIT */
/* t/unit/libhd.c - keys, proofs and tickets of libhd against the vectors of
 * doc/reference/protocol-hd.md; frames that a relay should not send. */
#include "libhd/inner.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT "hd19xkt4c2phn90pv3wr22dxngtcumpu5ndp0lp9jyhjj7fxg5kdhts00qluj"
#define RELAY "hd1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xxuqtpeudk"
#define INVITATION "hdinvite1vpskycmyv4nxw6rfdf4kcmtwdac8zunnw36hvacaw76jr"
#define CREDENTIAL                                                             \
	"hdcred1qxs2rg4r5jj6dfag4x42ht9d46hmpvdjkw6ttd4hhzum4wauhklt7q206"     \
	"zvue4ra0zfal60vy3q5ajcdnd2zqge245cdj8zxt03ne0n9csqqqqqqddyayqqqq"     \
	"qqqqqqqqqqqqqqqqqqq7sjqqqqqqqsxd3shqar0wqzxzcmdv5qt6h8fjk22qux8p"     \
	"te7v4e87h8350r57xa0dekrjanwk9nnnglej553z9xgad7rfr4j2l3z37qr5t55r"     \
	"stjr4f5jkgzxk44k53c50zfq5uzmkrd"

static struct libhd_identity *made(uint8_t first)
{
	struct libhd_identity *id;
	uint8_t seed[LIBHD_SEED_BYTES];

	for (unsigned i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(first + i);
	assert_int_equal(libhd_identity_from_seed(seed, &id), 0);
	return id;
}

static struct libhd *endpoint(const char *invitation, const char *credential)
{
	struct libhd_identity *id = made(0x20);
	struct libhd_conf conf = {
		.size = sizeof(conf),
		.identity = id,
		.relay = "relay.example:3340",
		.invitation = invitation,
		.credential = credential,
	};
	struct libhd *h;

	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), 0);
	libhd_identity_free(&id);
	for (unsigned i = 0; i < sizeof(h->binding); i++)
		h->binding[i] = (uint8_t)(0x40 + i);
	return h;
}

static void keys_are_those_of_the_specification(void **state)
{
	struct libhd_identity *id = made(0x20);
	char text[LIBHD_KEY_TEXT_BYTES];
	struct libhd_key key;

	(void)state;
	assert_string_equal(libhd_key_text(libhd_identity_key(id), text),
			    CLIENT);
	assert_int_equal(libhd_key_parse(CLIENT, &key), 0);
	assert_memory_equal(&key, libhd_identity_key(id), sizeof(key));
	assert_int_equal(libhd_key_parse(INVITATION, &key), -EINVAL);
	libhd_identity_free(&id);
	assert_null(id);
}

static void proofs_are_those_of_the_specification(void **state)
{
	static const uint8_t invitation[] = {
		0x01, 0x00, 0x28, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
		0x67, 0xa6, 0xc2, 0x01, 0xb2, 0x68, 0xb4, 0x4c, 0x1f, 0x41,
		0x8f, 0x0a, 0xcd, 0xa0, 0x2a, 0x1e, 0xee, 0xa4, 0xd2, 0xee,
		0x99, 0x16, 0x84, 0xf9, 0x34, 0xaa, 0x40, 0xda, 0x89, 0x7f,
		0xcd, 0xa6, 0xdb,
	};
	static const uint8_t credential[] = { 0x02, 0x00, 0xcc, 0x00, 0x8a };
	static const uint8_t signature[] = { 0x6e, 0xc8, 0x8e, 0x13 };
	struct libhd *h = endpoint(INVITATION, CREDENTIAL);
	uint8_t got[HDP_PROOFS_MAX_BYTES];
	struct libhd_key relay;

	(void)state;
	assert_int_equal(libhd_key_parse(RELAY, &relay), 0);
	assert_int_equal(hdl_proofs_put(h, relay.v, got),
			 3 + 8 + 32 + 3 + 0xcc);
	assert_memory_equal(got, invitation, sizeof(invitation));
	assert_memory_equal(got + 3 + 8 + 32, credential, sizeof(credential));
	assert_memory_equal(got + 3 + 8 + 32 + 5 + 0x8a, signature,
			    sizeof(signature));
	libhd_free(&h);
}

static void what_is_mistyped_is_refused(void **state)
{
	struct libhd_identity *id = made(1);
	struct libhd_conf conf = { .size = sizeof(conf),
				   .identity = id,
				   .relay = "relay.example" };
	struct libhd *h;

	(void)state;
	conf.invitation = CLIENT;
	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), -EINVAL);
	conf.invitation = NULL;
	conf.credential = INVITATION;
	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), -EINVAL);
	conf.credential = NULL;
	conf.relay = NULL;
	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), -EINVAL);
	conf.relay = "relay.example";
	conf.ca_file = "/nonexistent";
	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), -ENOENT);
	libhd_identity_free(&id);
}

static void relays_are_named(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} good[] = {
		{ "relay.example", "relay.example", "443" },
		{ "relay.example:3340", "relay.example", "3340" },
		{ "192.0.2.1:1", "192.0.2.1", "1" },
		{ "[2001:db8::1]:3340", "2001:db8::1", "3340" },
		{ "[2001:db8::1]", "2001:db8::1", "443" },
		{ "2001:db8::1", "2001:db8::1", "443" },
	};
	static const char *const bad[] = { "", ":1", "a:", "a:0", "a:65536",
					   "a:1x", "[::1", "[::1]x", "[]:1" };
	char host[HDL_HOST_BYTES], port[8];

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(good); i++) {
		assert_int_equal(hdl_relay_split(good[i].text, host, port), 0);
		assert_string_equal(host, good[i].host);
		assert_string_equal(port, good[i].port);
	}
	for (unsigned i = 0; i < HD_ARRAY_N(bad); i++)
		assert_int_equal(hdl_relay_split(bad[i], host, port), -EINVAL);
}

static void a_ticket_admits_who_has_it(void **state)
{
	struct libhd *h = endpoint(NULL, NULL);
	struct libhd_ticket t, same;
	char text[LIBHD_TICKET_TEXT_BYTES];
	uint8_t note[LIBHD_TICKET_NOTE_BYTES];
	struct libhd_key other = { { 9 } };

	(void)state;
	assert_int_equal(libhd_ticket_new(h, &t), -ENOTCONN);
	assert_int_equal(libhd_key_parse(RELAY, &h->relay->key), 0);
	h->relay->has_key = true;
	assert_int_equal(libhd_ticket_new(h, &t), 0);
	assert_int_equal(libhd_ticket_parse(libhd_ticket_text(&t, text), &same),
			 0);
	assert_memory_equal(&same, &t, sizeof(t));
	assert_int_equal(t.n_relays, 1);
	assert_string_equal(t.relays[0].name, "relay.example:3340");
	libhd_ticket_note(&same, &other, note);
	assert_true(libhd_ticket_admits(&t, &other, note, sizeof(note)));
	assert_false(libhd_ticket_admits(&t, &other, note, sizeof(note) - 1));
	assert_false(libhd_ticket_admits(&t, &t.listener, note, sizeof(note)));
	t.secret[0] ^= 1;
	assert_false(libhd_ticket_admits(&t, &other, note, sizeof(note)));
	text[20] = text[20] == 'q' ? 'p' : 'q';
	assert_int_equal(libhd_ticket_parse(text, &same), -EINVAL);
	libhd_free(&h);
}

/* A relay may say this only when, or as, it may not. */
static void wrong_frames_end_the_connection(void **state)
{
	static const struct {
		enum hdl_phase phase;
		const char *bytes;
		size_t n;
	} bad[] = {
		/* before Welcome */
		{ HDL_HELLO, "\x04\0\0\6\0\0\0\1\0\0", 10 },
		{ HDL_HELLO, "\x08\0\0\1\2", 5 },
		{ HDL_HELLO, "\x11\0\0\0", 4 },
		{ HDL_OPEN, "\x04\0\0\0", 4 },
		{ HDL_OPEN, "\x04\0\0\7\0\0\0\1\0\2x", 11 }, /* cut off */
		{ HDL_OPEN, "\x1a\0\0\1x", 5 },
		{ HDL_OPEN, "\x1c\0\0\1x", 5 },
		{ HDL_OPEN, "\x7f\xff\xff\xff", 4 },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(bad); i++) {
		struct libhd *h = endpoint(NULL, NULL);

		h->phase = bad[i].phase;
		assert_true(hdl_frames(h, (const uint8_t *)bad[i].bytes,
				       bad[i].n) < 0);
		assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
		assert_string_not_equal(libhd_error(h), "");
		libhd_free(&h);
	}
}

/* ---- a connection that breaks while frames are read ---- */

#define TWO_PACKETS "\x04\0\0\x0e\0\0\1\0\0\1x\0\0\1\0\0\1y"

struct seen {
	unsigned packets, states;
};

static void on_state(struct libhd *h, enum libhd_state state, void *user)
{
	struct seen *seen = user;

	(void)h, (void)state;
	seen->states++;
}

static void answer_packet(struct libhd *h, struct libhd_peer *from,
			  const void *data, size_t len_bytes, void *user)
{
	struct seen *seen = user;

	(void)h, (void)data, (void)len_bytes;
	seen->packets++;
	assert_int_equal(libhd_send(from, "back", 4), -EAGAIN);
}

/* Open, with a TLS connection to which nothing can be written. */
static struct libhd *open_endpoint(struct seen *seen)
{
	struct libhd_identity *other = made(0x60);
	struct libhd *h = endpoint(NULL, NULL);

	h->events = (struct libhd_events){ .state = on_state,
					   .packet = answer_packet };
	h->user = seen;
	h->state = LIBHD_OPEN;
	h->phase = HDL_OPEN;
	h->packet_max = LIBHD_PACKET_MAX_BYTES;
	h->ssl = SSL_new(h->ssl_ctx);
	assert_non_null(h->ssl);
	assert_int_equal(libhd_allow(h, libhd_identity_key(other), NULL), 0);
	libhd_identity_free(&other);
	return h;
}

static void contact(struct libhd *h, uint32_t handle)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_CONTACT_BYTES] = { 0 }, *p;

	p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);
	hdp_put_u32(p, handle);
	memcpy(p + 4, h->by_address->address.v, HD_KEY_BYTES);
	assert_int_equal(hdl_frames(h, frame, sizeof(frame)), sizeof(frame));
}

static void fill(struct libhd *h)
{
	memset(hdl_buf_room(&h->out, HDL_OUT_MAX_BYTES), 0, HDL_OUT_MAX_BYTES);
	hdl_buf_add(&h->out, HDL_OUT_MAX_BYTES);
}

static void a_packet_may_be_answered_when_it_breaks(void **state)
{
	struct seen seen = { 0 };
	struct libhd *h = open_endpoint(&seen);

	(void)state;
	contact(h, 256);
	fill(h);
	memcpy(hdl_buf_room(&h->in, 18), TWO_PACKETS, 18);
	hdl_buf_add(&h->in, 18);
	assert_int_equal(hdl_frames(h, hdl_buf_front(&h->in), h->in.n), 18);
	assert_int_equal(seen.packets, 2);
	assert_int_equal(seen.states, 0); /* only from libhd_process() */
	assert_int_equal(h->in.n, 18);
	assert_int_equal(libhd_timeout_ms(h), 0);
	assert_int_equal(libhd_process(h), 0);
	assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
	assert_int_equal(seen.states, 1);
	libhd_free(&h);
}

static void a_relay_that_asks_and_reads_nothing_costs_little(void **state)
{
	static const uint8_t ping[] = { HDP_PING, 0, 0, 8, 1, 2,
					3, 4, 5, 6, 7, 8 };
	struct seen seen = { 0 };
	struct libhd *h = open_endpoint(&seen);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(hdl_frames(h, ping, sizeof(ping)),
				 sizeof(ping));
	assert_true(h->out.n < HDL_OUT_MAX_BYTES + 1024);
	libhd_free(&h);
}

/* Denied, for good, before RelayHello: from anybody in between. */
static void only_the_relay_says_no_for_good(void **state)
{
	static const uint8_t denied[] = { HDP_DENIED, 0, 0, 1, 4 };

	(void)state;
	for (unsigned proven = 0; proven < 3; proven++) {
		struct libhd *h = endpoint(NULL, NULL);

		h->phase = HDL_HELLO;
		h->verified = proven == 1;
		h->proven = proven == 2;
		assert_true(hdl_frames(h, denied, sizeof(denied)) < 0);
		assert_int_equal(libhd_state_of(h), proven == 0
							    ? LIBHD_WAITING
							    : LIBHD_FAILED);
		libhd_free(&h);
	}
}

/* A copy of the socket, as in a child, must not wake us for ever. */
static void a_child_with_the_socket_wakes_nobody(void **state)
{
	struct libhd *h = endpoint(NULL, NULL);
	struct pollfd p = { .fd = libhd_fd(h), .events = POLLIN };
	int fds[2], copy;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	copy = dup(fds[0]);
	assert_true(copy >= 0);
	close(fds[1]);
	h->fd = fds[0];
	hdl_wait_for(h, EPOLLIN);
	assert_int_equal(poll(&p, 1, 0), 1);
	hdl_disconnect(h);
	assert_int_equal(poll(&p, 1, 0), 0);
	close(copy);
	libhd_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_specification),
		cmocka_unit_test(proofs_are_those_of_the_specification),
		cmocka_unit_test(what_is_mistyped_is_refused),
		cmocka_unit_test(relays_are_named),
		cmocka_unit_test(a_ticket_admits_who_has_it),
		cmocka_unit_test(wrong_frames_end_the_connection),
		cmocka_unit_test(a_packet_may_be_answered_when_it_breaks),
		cmocka_unit_test(
			a_relay_that_asks_and_reads_nothing_costs_little),
		cmocka_unit_test(only_the_relay_says_no_for_good),
		cmocka_unit_test(a_child_with_the_socket_wakes_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
