/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_peers.c - what libhd says of groups and intents, and takes of
 * them: an endpoint without a relay. Bytes are those of protocol-hd.md. */
#include "t/unit/libhd_alone.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <string.h>

/* protocol-hd.md, "Test vectors" */
#define IDENTITY "hd19xkt4c2phn90pv3wr22dxngtcumpu5ndp0lp9jyhjj7fxg5kdhts00qluj"
#define ADDRESS                                                                \
	"nodekey:"                                                             \
	"5730800ab340fcb18ce5111eda9d705f91388b41e4544cbd103ba5942db2233e"

struct seen {
	unsigned members, visitors, paths;
	enum libhd_path path;
	bool lets_in;
};

static void on_member(struct libhd *h, struct libhd_peer *peer, void *user)
{
	struct seen *seen = user;

	(void)h;
	assert_null(libhd_peer_key(peer));
	seen->members++;
}

static bool on_visitor(struct libhd *h, const struct libhd_address *from,
		       void *user)
{
	struct seen *seen = user;

	(void)h, (void)from;
	seen->visitors++;
	return seen->lets_in;
}

static void on_path(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_path path, void *user)
{
	struct seen *seen = user;

	(void)h, (void)peer;
	seen->paths++;
	seen->path = path;
}

static struct libhd *endpoint(struct seen *seen)
{
	const struct libhd_events events = { .size = sizeof(events),
					     .member = on_member,
					     .visitor = on_visitor,
					     .path = on_path };

	return alone_new(&events, seen);
}

/* What it has sent since the last time. */
#define SENT(h, text)                                                          \
	do {                                                                   \
		assert_int_equal((h)->out.n, sizeof(text) - 1);                \
		assert_memory_equal(hdl_buf_front(&(h)->out), text,            \
				    sizeof(text) - 1);                         \
		hdl_buf_free(&(h)->out);                                       \
	} while (0)
#define GETS(h, text)                                                          \
	assert_int_equal(hdl_frames(h, (const uint8_t *)(text),                \
				    sizeof(text) - 1),                         \
			 sizeof(text) - 1)

/* ---- addresses ---- */

static void addresses_are_those_of_the_specification(void **state)
{
	struct libhd_address address, same;
	char text[LIBHD_ADDRESS_TEXT_BYTES];
	struct libhd_key key;

	(void)state;
	assert_int_equal(libhd_key_parse(IDENTITY, &key), 0);
	assert_int_equal(libhd_key_address(&key, &address), 0);
	assert_string_equal(libhd_address_text(&address, text), ADDRESS);
	assert_int_equal(strlen(ADDRESS) + 1, sizeof(text));
	assert_int_equal(libhd_address_parse(ADDRESS, &same), 0);
	assert_memory_equal(&same, &address, sizeof(same));
	assert_int_equal(libhd_address_parse(ADDRESS "0", &same), -EINVAL);
	assert_int_equal(libhd_address_parse(&ADDRESS[1], &same), -EINVAL);
	assert_int_equal(libhd_address_parse(IDENTITY, &same), -EINVAL);
	memset(&key, 0, sizeof(key));
	assert_int_equal(libhd_key_address(&key, &address), -EINVAL);
}

static void one_peer_has_one_address(void **state)
{
	struct libhd *h = endpoint(&(struct seen){ 0 });
	struct libhd_address address;
	struct libhd_peer *a, *b;
	struct libhd_key key;

	(void)state;
	assert_int_equal(libhd_key_parse(IDENTITY, &key), 0);
	assert_int_equal(libhd_address_parse(ADDRESS, &address), 0);
	assert_int_equal(libhd_allow_address(h, &address, &a), 0);
	assert_null(libhd_peer_key(a));
	assert_int_equal(libhd_allow(h, &key, &b), 0);
	assert_ptr_equal(a, b);
	assert_memory_equal(libhd_peer_key(a), &key, sizeof(key));
	assert_int_equal(libhd_allow_address(h, &address, &b), 0);
	assert_ptr_equal(a, b);
	assert_non_null(libhd_peer_key(a));
	libhd_free(&h);
}

/* ---- groups ---- */

static void groups_are_told_on_each_connection(void **state)
{
	static const char longest[] = "123456789012345678901234567890123456789"
				      "012345678901234567890123";
	struct libhd *h = endpoint(&(struct seen){ 0 });

	(void)state;
	assert_int_equal(libhd_allow_group(h, "ops"), 0);
	assert_int_equal(libhd_allow_group(h, "ops"), 0);
	assert_int_equal(libhd_allow_group(h, ""), -EINVAL);
	assert_int_equal(strlen(longest), HDP_WORD_MAX_BYTES);
	alone_enrolled(h, 10);
	SENT(h, "\x1e\0\0\x03ops");
	assert_int_equal(libhd_allow_group(h, "dev"), 0);
	SENT(h, "\x1e\0\0\x03""dev");
	GETS(h, "\x1e\0\0\x04\0dev");
	assert_int_equal(libhd_allow_group(h, longest), 0);
	assert_int_equal(libhd_allow_group(h, "4"), 0);
	assert_int_equal(libhd_allow_group(h, "5"), -ENOSPC);
	hdl_buf_free(&h->out);
	libhd_forbid_group(h, "5");
	libhd_forbid_group(h, "");
	libhd_forbid_group(h, "ops");
	SENT(h, "\x1f\0\0\x03ops");
	assert_int_equal(libhd_allow_group(h, "5"), 0);
	libhd_forbid_group(h, longest);
	libhd_forbid_group(h, "4");
	hdl_lost(h, 0, "gone");
	alone_enrolled(h, 10);
	SENT(h, "\x1e\0\0\x01" "5" "\x1e\0\0\x03" "dev");
	libhd_free(&h);
}

static void packets_to_a_group(void **state)
{
	static const uint8_t big[LIBHD_GROUP_PACKET_MAX_BYTES + 1];
	struct libhd *h = endpoint(&(struct seen){ 0 });

	(void)state;
	assert_int_equal(libhd_send_group(h, "ops", "x", 1), -EACCES);
	h->welcome.has_credential = true;
	assert_int_equal(libhd_send_group(h, "ops", "x", 1), -ENOTCONN);
	alone_enrolled(h, 10);
	assert_int_equal(libhd_send_group(h, "ops", "hello", 5), 0);
	SENT(h, "\x07\0\0\x09\x03opshello");
	assert_int_equal(libhd_send_group(h, "ops", NULL, 0), 0);
	SENT(h, "\x07\0\0\x04\x03ops");
	assert_int_equal(libhd_send_group(h, "", "x", 1), -EINVAL);
	assert_int_equal(libhd_send_group(h, "ops", big, sizeof(big)),
			 -EMSGSIZE);
	assert_int_equal(libhd_send_group(h, "ops", big, sizeof(big) - 1), 0);
	libhd_free(&h);
}

static int contact(struct libhd *h, uint32_t handle, uint8_t who, uint8_t flags)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_CONTACT_BYTES] = { 0 }, *p;

	p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);
	hdp_put_u32(p, handle);
	p[4] = who;
	p[4 + HD_KEY_BYTES] = flags;
	return hdl_frames(h, frame, sizeof(frame));
}

#define WHOLE (HDP_HEADER_BYTES + HDP_CONTACT_BYTES)

static void members_are_peers_as_many_as_may_be(void **state)
{
	struct seen seen = { 0 };
	struct libhd *h = endpoint(&seen);

	(void)state;
	alone_enrolled(h, 3);
	assert_int_equal(contact(h, 0x100, 1, HDP_CONTACT_BY_GROUP), WHOLE);
	SENT(h, "\x19\0\0\x04\0\0\x01\0"); /* we allow no group */
	assert_int_equal(libhd_allow_group(h, "ops"), 0);
	hdl_buf_free(&h->out);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(contact(h, 0x100u + i, i,
					 HDP_CONTACT_BY_GROUP),
				 WHOLE);
	assert_int_equal(h->out.n, 0);
	assert_int_equal(seen.members, 3);
	assert_int_equal(contact(h, 0x104, 4, HDP_CONTACT_BY_GROUP), WHOLE);
	SENT(h, "\x19\0\0\x04\0\0\x01\x04");
	assert_int_equal(contact(h, 0x101, 5, 0), WHOLE); /* nobody asked */
	SENT(h, "\x19\0\0\x04\0\0\x01\x01");
	assert_int_equal(contact(h, 0x102, 1, 0), -EPROTO);
	assert_int_equal(seen.members, 3);
	libhd_free(&h);
}

/* It may say what it likes of how many there can be. */
static void a_relay_names_no_more_than_has_handles(void **state)
{
	uint8_t frame[WHOLE] = { 0 };
	struct seen seen = { 0 };
	struct libhd *h = endpoint(&seen);
	uint8_t *p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);

	(void)state;
	alone_enrolled(h, UINT32_MAX);
	assert_int_equal(libhd_allow_group(h, "ops"), 0);
	p[4 + HD_KEY_BYTES] = HDP_CONTACT_BY_GROUP;
	for (uint32_t i = 1; i <= 70000; i++) {
		hdp_put_u32(p, i);
		hdp_put_u32(p + 4, i);
		assert_int_equal(hdl_frames(h, frame, sizeof(frame)), WHOLE);
	}
	assert_int_equal(h->n_peers, 65535);
	assert_int_equal(seen.members, 65535);
	libhd_free(&h);
}

static void a_visitor_is_let_in_or_not(void **state)
{
	uint8_t frame[HDP_HEADER_BYTES + HD_KEY_BYTES] = { 0 };
	struct seen seen = { 0 };
	struct libhd *h = endpoint(&seen);

	(void)state;
	alone_enrolled(h, 3);
	hdp_header_put(frame, HDP_VISITOR, HD_KEY_BYTES)[0] = 9;
	assert_int_equal(hdl_frames(h, frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(h->n_peers, 0);
	seen.lets_in = true;
	assert_int_equal(hdl_frames(h, frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(seen.visitors, 2);
	assert_int_equal(h->n_peers, 1);
	assert_int_equal(libhd_peer_address(h->by_address)->v[0], 9);
	libhd_free(&h);
}

/* ---- intents ---- */

#define NUMBER "abcd"

static void who_asks_is_answered(void **state)
{
	struct seen seen = { 0 };
	struct libhd *h = endpoint(&seen);
	struct libhd_address who = { { 7 } };
	struct libhd_peer *peer;

	(void)state;
	alone_enrolled(h, 3);
	assert_int_equal(libhd_allow_address(h, &who, &peer), 0);
	assert_int_equal(contact(h, 0x100, 7, 0), WHOLE);
	hdl_buf_free(&h->out);
	assert_int_equal(libhd_peer_intent(peer), -ENODATA);
	GETS(h, "\x25\0\0\x09\0\0\x01\0" NUMBER "\x01");
	SENT(h, "\x26\0\0\x0a\0\0\x01\0" NUMBER "\x01\x03");
	assert_int_equal(libhd_peer_intent(peer), LIBHD_REQUIRE_DIRECT);
	GETS(h, "\x27\0\0\x09\0\0\x01\0" NUMBER "\x02");
	assert_int_equal(libhd_peer_path(peer), LIBHD_PATH_NONE);
	assert_int_equal(libhd_peer_set_intent(peer, (enum libhd_intent)4),
			 -EINVAL);
	assert_int_equal(libhd_peer_set_intent(peer, LIBHD_PREFER_DIRECT), 0);
	assert_int_equal(h->out.n, 0); /* it is not here yet */
	GETS(h, "\x25\0\0\x09\0\0\x01\0" NUMBER "\0");
	SENT(h, "\x26\0\0\x0a\0\0\x01\0" NUMBER "\0\0");
	GETS(h, "\x1c\0\0\x04\0\0\x01\0"); /* Allowed: it can be asked */
	assert_int_equal(h->out.n, 4 + HDP_PACKET_HEAD_BYTES + 3);
	assert_memory_equal(hdl_buf_front(&h->out), "\x23\0\0\x09\0\0\x01\0",
			    8);
	GETS(h, "\x24\0\0\x09\0\0\x01\0" NUMBER "\0");
	assert_int_equal(libhd_peer_path(peer), LIBHD_PATH_DIRECT);
	/* of a later version */
	GETS(h, "\x24\0\0\x09\0\0\x01\0" NUMBER "\x07");
	assert_int_equal(seen.paths, 2);
	GETS(h, "\x21\0\0\x05\0\0\x01\0\0"); /* gone */
	assert_int_equal(libhd_peer_path(peer), -ENODATA);
	assert_int_equal(libhd_peer_intent(peer), -ENODATA);
	libhd_free(&h);
}

static void wrong_frames_end_the_connection(void **state)
{
	static const struct {
		uint8_t v[16];
		size_t n;
	} wrong[] = {
		{ { HDP_ALLOW_GROUP, 0, 0, 1, 0 }, 5 },
		{ { HDP_VISITOR, 0, 0, 1, 0 }, 5 },
		{ { 0x25, 0, 0, 8 }, 12 },
		{ { 0x25, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 0, 4 }, 13 },
		{ { 0x24, 0, 0, 8 }, 12 },
		{ { 0x27, 0, 0, 10 }, 14 },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(wrong); i++) {
		struct libhd *h = endpoint(&(struct seen){ 0 });

		alone_enrolled(h, 3);
		assert_int_equal(hdl_frames(h, wrong[i].v, wrong[i].n),
				 -EPROTO);
		assert_int_equal(libhd_state_of(h), LIBHD_WAITING);
		libhd_free(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_those_of_the_specification),
		cmocka_unit_test(one_peer_has_one_address),
		cmocka_unit_test(groups_are_told_on_each_connection),
		cmocka_unit_test(packets_to_a_group),
		cmocka_unit_test(members_are_peers_as_many_as_may_be),
		cmocka_unit_test(a_relay_names_no_more_than_has_handles),
		cmocka_unit_test(a_visitor_is_let_in_or_not),
		cmocka_unit_test(who_asks_is_answered),
		cmocka_unit_test(wrong_frames_end_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
