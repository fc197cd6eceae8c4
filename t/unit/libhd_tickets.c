/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_tickets.c - tickets that name several relays. */
#include "t/unit/libhd_relays.h"

/* As a listener gave it before tickets had several relays: protocol-hd.md. */
#define TICKET_1                                                               \
	"hdticket1qyszzg3rysjjvfeg9y4zktpd9chnqvfjxv6r2d3h8qun5weu85lr7sz" \
	"pgfp5g32xgayyjjjtf3x5un6s29f9x4z42et4sk26tdw96hjlvpskycmyv4nxw6r" \
	"fdf4kcmtwdaex2mrp0yhx27rpd4cxcef6xvengvqm38seh"

static void a_ticket_has_them_all(void **state)
{
	char text[LIBHD_TICKET_TEXT_BYTES];
	struct libhd *h = endpoint(3, false);
	struct libhd_ticket t, same;

	(void)state;
	assert_int_equal(libhd_ticket_new(h, &t), -ENOTCONN);
	h->relay->has_key = true;
	h->relay->key.v[0] = 1;
	assert_int_equal(libhd_ticket_new(h, &t), 0);
	assert_int_equal(libhd_ticket_parse(libhd_ticket_text(&t, text), &same),
			 0);
	assert_memory_equal(&same, &t, sizeof(t));
	assert_int_equal(same.n_relays, 3);
	assert_string_equal(same.relays[0].name, "one.example:443");
	assert_string_equal(same.relays[1].name, "[2001:db8::2]:3340");
	assert_int_equal(same.relays[0].key.v[0], 1);
	assert_int_equal(same.relays[1].key.v[0], 2);
	assert_false(same.relays[2].has_key);
	libhd_free(&h);
}

static void the_longest_ticket_fits(void **state)
{
	char text[LIBHD_TICKET_TEXT_BYTES];
	struct libhd_ticket t = { .n_relays = LIBHD_RELAYS_MAX }, same;

	(void)state;
	for (unsigned i = 0; i < LIBHD_RELAYS_MAX; i++) {
		t.relays[i].has_key = true;
		memset(t.relays[i].name, 'a', HDL_HOST_BYTES - 1);
		memcpy(t.relays[i].name + HDL_HOST_BYTES - 1, ":65535", 7);
	}
	assert_int_equal(libhd_ticket_parse(libhd_ticket_text(&t, text), &same),
			 0);
	assert_memory_equal(&same, &t, sizeof(t));
}

static void a_ticket_of_one_is_as_it_was(void **state)
{
	struct libhd_ticket t;
	char text[LIBHD_TICKET_TEXT_BYTES];

	(void)state;
	assert_int_equal(libhd_ticket_parse(TICKET_1, &t), 0);
	assert_int_equal(t.n_relays, 1);
	assert_true(t.relays[0].has_key);
	assert_string_equal(t.relays[0].name, "relay.example:3340");
	assert_string_equal(libhd_ticket_text(&t, text), TICKET_1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_has_them_all),
		cmocka_unit_test(the_longest_ticket_fits),
		cmocka_unit_test(a_ticket_of_one_is_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
