/* SPDX-License-Identifier: MIT */
/* t/unit/records_client.c - what a client's record layer passes over and what
 * it refuses: a server's tickets, RFC 8446, 4.6.1. */
#include "t/unit/unit.h"

#include <string.h>
#include "t/records/crypto.h"
#include "t/unit/record_ends.h"

#define TICKET 4
#define KEY_UPDATE 24

static const uint8_t hello[] = "hello";

static struct hd_records our_end(void)
{
	struct hd_records r = client();

	r.is_client = true;
	return r;
}

/* A ticket of len bytes behind its head, at p. Returns the bytes of both. */
static size_t ticket(uint8_t *p, size_t len)
{
	p[0] = TICKET;
	p[1] = (uint8_t)(len >> 16);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	memset(p + 4, 0xaa, len);
	return 4 + len;
}

static void both_end(struct hd_records *a, struct hd_records *b)
{
	hd_records_uncache(a);
	hd_records_uncache(b);
}

static void assert_hello(struct hd_records *from, struct hd_records *to)
{
	send_as(from, HD_RECORD_DATA, hello, sizeof(hello));
	assert_int_equal(take(to), sizeof(hello));
	assert_memory_equal(plain, hello, sizeof(hello));
}

static void tickets_are_passed_over(void **state)
{
	struct hd_records from = server(), to = our_end();
	uint8_t m[1000];
	size_t n = ticket(m, 200);

	(void)state;
	send_as(&from, HD_RECORD_HANDSHAKE, m, n);
	assert_int_equal(take(&to), 0);
	assert_hello(&from, &to);
	n += ticket(m + n, 0); /* two in one record, one of them empty */
	n += ticket(m + n, 300);
	send_as(&from, HD_RECORD_HANDSHAKE, m, n);
	assert_int_equal(take(&to), 0);
	assert_hello(&from, &to);
	both_end(&from, &to);
}

static void one_in_many_records_is_passed_over(void **state)
{
	struct hd_records from = server(), to = our_end();
	uint8_t m[64];
	size_t n = ticket(m, 20);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		send_as(&from, HD_RECORD_HANDSHAKE, m + i, 1);
		assert_int_equal(take(&to), 0);
	}
	assert_hello(&from, &to);
	both_end(&from, &to);
}

static void a_key_update_may_follow_in_its_record(void **state)
{
	static const uint8_t update[] = { KEY_UPDATE, 0, 0, 1, 1 };
	struct hd_records from = server(), to = our_end();
	uint8_t m[64];
	size_t n = ticket(m, 20);

	(void)state;
	memcpy(m + n, update, sizeof(update));
	send_as(&from, HD_RECORD_HANDSHAKE, m, n + sizeof(update));
	assert_int_equal(take(&to), 0);
	assert_true(to.owes_update);
	assert_int_equal(hd_tls_keys_update(&from.tx, from.suite), 0);
	hd_cipher_put(&from.tx_cipher);
	assert_hello(&from, &to);
	both_end(&from, &to);
}

static void data_in_a_ticket_is_refused(void **state)
{
	struct hd_records from = server(), to = our_end();
	uint8_t m[64];

	(void)state;
	ticket(m, 20);
	send_as(&from, HD_RECORD_HANDSHAKE, m, 10);
	assert_int_equal(take(&to), 0);
	send_as(&from, HD_RECORD_DATA, hello, sizeof(hello));
	assert_refused(&to, HD_ALERT_UNEXPECTED_MESSAGE);
	both_end(&from, &to);
}

static void one_that_is_too_long_is_refused(void **state)
{
	static const uint8_t head[] = { TICKET, 0xff, 0xff, 0xff };
	struct hd_records from = server(), to = our_end();

	(void)state;
	send_as(&from, HD_RECORD_HANDSHAKE, head, sizeof(head));
	assert_refused(&to, HD_ALERT_DECODE_ERROR);
	both_end(&from, &to);
}

static void tickets_without_end_are_refused(void **state)
{
	struct hd_records from = server(), to = our_end();
	uint8_t m[64];
	size_t n = ticket(m, 20);

	(void)state;
	for (unsigned i = 0; i < HD_RECORDS_EMPTY_MAX; i++) {
		send_as(&from, HD_RECORD_HANDSHAKE, m, n);
		assert_int_equal(take(&to), 0);
	}
	send_as(&from, HD_RECORD_HANDSHAKE, m, n);
	assert_refused(&to, HD_ALERT_UNEXPECTED_MESSAGE);
	both_end(&from, &to);
}

static void a_server_takes_none(void **state)
{
	struct hd_records from = client(), to = server();
	uint8_t m[64];
	size_t n = ticket(m, 20);

	(void)state;
	send_as(&from, HD_RECORD_HANDSHAKE, m, n);
	assert_refused(&to, HD_ALERT_UNEXPECTED_MESSAGE);
	both_end(&from, &to);
}

static void other_messages_are_refused(void **state)
{
	static const uint8_t types[] = { 0, 1, 2, 5, 8, 11, 13, 15, 20, 254 };

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		const uint8_t m[] = { types[i], 0, 0, 1, 0 };
		struct hd_records from = server(), to = our_end();

		wire.n = 0;
		send_as(&from, HD_RECORD_HANDSHAKE, m, sizeof(m));
		assert_refused(&to, HD_ALERT_UNEXPECTED_MESSAGE);
		both_end(&from, &to);
	}
}

#define T(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tickets_are_passed_over),
		T(one_in_many_records_is_passed_over),
		T(a_key_update_may_follow_in_its_record),
		T(data_in_a_ticket_is_refused),
		T(one_that_is_too_long_is_refused),
		T(tickets_without_end_are_refused),
		T(a_server_takes_none),
		T(other_messages_are_refused),
	};
	int failed = crypto_run(tests, HD_ARRAY_N(tests), true);

	hd_cipher_cache_free(&cache);
	return failed;
}
