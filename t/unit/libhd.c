/* SPDX-License-Identifier: MIT */
/* t/unit/libhd.c - keys, proofs and tickets of libhd against the vectors of
 * doc/reference/protocol-hd.md; frames that a relay should not send. */
#include "libhd/inner.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
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
	assert_int_equal(libhd_key_parse(RELAY, &h->relay), 0);
	h->has_relay = true;
	assert_int_equal(libhd_ticket_new(h, &t), 0);
	assert_int_equal(libhd_ticket_parse(libhd_ticket_text(&t, text), &same),
			 0);
	assert_memory_equal(&same, &t, sizeof(t));
	assert_string_equal(t.relay, "relay.example:3340");
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

static void an_identity_is_kept(void **state)
{
	char path[] = "/tmp/hd-libhd-XXXXXX";
	struct libhd_identity *id, *again;

	(void)state;
	assert_true(mkstemp(path) >= 0);
	assert_int_equal(libhd_identity_load(path, &id), -EINVAL);
	assert_int_equal(libhd_identity_new(&id), 0);
	assert_int_equal(libhd_identity_save(id, path), -EEXIST);
	unlink(path);
	assert_int_equal(libhd_identity_save(id, path), 0);
	assert_int_equal(libhd_identity_open(path, &again), 0);
	assert_memory_equal(again, id, sizeof(*id));
	libhd_identity_free(&id);
	libhd_identity_free(&again);
	unlink(path);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_specification),
		cmocka_unit_test(proofs_are_those_of_the_specification),
		cmocka_unit_test(what_is_mistyped_is_refused),
		cmocka_unit_test(relays_are_named),
		cmocka_unit_test(a_ticket_admits_who_has_it),
		cmocka_unit_test(an_identity_is_kept),
		cmocka_unit_test(wrong_frames_end_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
