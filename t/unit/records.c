/* SPDX-License-Identifier: MIT */
/* t/unit/records.c - TLS 1.3's record layer. The trace is RFC 8448, section 3
 * ("Simple 1-RTT Handshake"): traffic secrets, keys and records as printed
 * there; the rules are RFC 8446, sections 4.6.3, 5 and 6. */
#include "t/unit/unit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "t/records/crypto.h"
#include "t/unit/record_ends.h"

static const char server_data[] =
	"17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30e"
	"faf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e1"
	"67c2955d";
static const char client_alert[] =
	"1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";

static void assert_hex(const uint8_t *got, const char *want)
{
	uint8_t bytes[256];

	assert_memory_equal(got, bytes, hex(want, bytes, sizeof(bytes)));
}

static void keys_come_from_secrets(void **state)
{
	struct hd_records r = server();

	(void)state;
	assert_hex(r.rx.key, client_key);
	assert_hex(r.rx.iv, client_iv);
	assert_hex(r.tx.key, server_key);
	assert_hex(r.tx.iv, server_iv);
}

static void the_traces_records_open(void **state)
{
	struct hd_records r = server();

	(void)state;
	wire.n = hex(client_data, wire.bytes, sizeof(wire.bytes));
	wire.n += hex(client_alert, wire.bytes + wire.n, 100);
	assert_data(take(&r));
	assert_int_equal(take(&r), -EPIPE); /* close_notify */
	assert_int_equal(take(&r), -EPIPE);
	hd_records_uncache(&r);
}

static void the_traces_record_is_sealed(void **state)
{
	struct hd_records r = server();
	uint8_t data[DATA_BYTES];

	(void)state;
	for (int i = 0; i < DATA_BYTES; i++)
		data[i] = (uint8_t)i;
	r.tx.seq = 1; /* the trace's server sent a ticket first */
	send_as(&r, HD_RECORD_DATA, data, sizeof(data));
	assert_hex(wire.bytes, server_data);
	hd_records_uncache(&r);
}

static void records_may_be_cut_anywhere(void **state)
{
	uint8_t all[100];
	size_t n = hex(client_data, all, sizeof(all));

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		struct hd_records r = server();
		size_t used;

		assert_int_equal(hd_records_open(&r, &cache, all, cut, &used,
						 plain, sizeof(plain)),
				 0);
		assert_int_equal(used, 0);
		memcpy(wire.bytes, all, n);
		wire.n = n;
		assert_data(take(&r));
		hd_records_uncache(&r);
	}
}

static void padding_is_taken_off(void **state)
{
	struct hd_records s = server(), c = client();
	uint8_t inner[1000] = { 'h', 'i', HD_RECORD_DATA };

	(void)state;
	send_inner(&c, inner, sizeof(inner));
	assert_int_equal(take(&s), 2);
	assert_memory_equal(plain, "hi", 2);
	inner[0] = HD_RECORD_DATA; /* an empty one, padded */
	inner[1] = inner[2] = 0;
	send_inner(&c, inner, sizeof(inner));
	send_as(&c, HD_RECORD_DATA, "", 0); /* an empty one, not padded */
	send_as(&c, HD_RECORD_DATA, "x", 1);
	assert_int_equal(take(&s), 1);
	memset(inner, 0, sizeof(inner)); /* nothing but padding */
	send_inner(&c, inner, sizeof(inner));
	hd_records_uncache(&c);
	assert_refused(&s, HD_ALERT_UNEXPECTED_MESSAGE);
}

static void sizes_up_to_a_full_record(void **state)
{
	static const size_t sizes[] = { 1, 2, 1400, 16383, 16384 };
	static uint8_t data[HD_RECORD_PLAIN_MAX_BYTES];
	struct hd_records s = server(), c = client();

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(sizes); i++) {
		randombytes_buf(data, sizes[i]);
		send_as(&c, HD_RECORD_DATA, data, sizes[i]);
		assert_int_equal(take(&s), sizes[i]);
		assert_memory_equal(plain, data, sizes[i]);
	}
	hd_records_uncache(&s);
	hd_records_uncache(&c);
}

static void key_updates_both_ways(void **state)
{
	static const uint8_t asked[] = { 24, 0, 0, 1, 1 };
	struct hd_records s = server(), c = client();

	(void)state;
	for (int round = 0; round < 3; round++) {
		send_as(&c, HD_RECORD_HANDSHAKE, asked, sizeof(asked));
		hd_tls_keys_update(&c.tx, c.suite);
		hd_cipher_put(&c.tx_cipher);
		send_as(&c, HD_RECORD_DATA, "after", 5);
		assert_int_equal(take(&s), 5);
		assert_true(hd_records_update_due(&s));
		wire.n = (size_t)hd_records_update(&s, &cache, wire.bytes);
		assert_false(hd_records_update_due(&s));
		send_as(&s, HD_RECORD_DATA, "answer", 6);
		assert_int_equal(take(&c), 6);
		assert_false(hd_records_update_due(&c)); /* not requested */
	}
	hd_records_uncache(&s);
	hd_records_uncache(&c);
}

static void a_key_update_may_be_split(void **state)
{
	static const uint8_t update[] = { 24, 0, 0, 1, 0 };
	struct hd_records s = server(), c = client();

	(void)state;
	for (size_t i = 0; i < sizeof(update); i++)
		send_as(&c, HD_RECORD_HANDSHAKE, update + i, 1);
	hd_tls_keys_update(&c.tx, c.suite);
	hd_cipher_put(&c.tx_cipher);
	send_as(&c, HD_RECORD_DATA, "x", 1);
	assert_int_equal(take(&s), 1);
	assert_false(hd_records_update_due(&s));
	hd_records_uncache(&s);
	hd_records_uncache(&c);
}

static void alerts_end_it(void **state)
{
	struct hd_records s = server(), c = client();

	(void)state;
	send_as(&c, HD_RECORD_ALERT, "\x01\x5a", 2); /* user_canceled */
	send_as(&c, HD_RECORD_DATA, "x", 1);
	send_as(&c, HD_RECORD_ALERT, "\x02\x28", 2); /* handshake_failure */
	assert_int_equal(take(&s), 1); /* data before the end is given out */
	assert_int_equal(take(&s), -ECONNRESET);
	hd_records_uncache(&s);
	s = server();
	wire.n = 0;
	hd_records_uncache(&c);
	c = client();
	send_as(&c, HD_RECORD_ALERT, "\x02\x28", 2);
	assert_int_equal(take(&s), -ECONNRESET);
	hd_records_uncache(&s);
	hd_records_uncache(&c);
}

static void records_without_data_are_counted(void **state)
{
	struct hd_records s = server(), c = client();

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HD_RECORDS_EMPTY_MAX; i++)
			send_as(&c, HD_RECORD_DATA, "", 0);
		send_as(&c, HD_RECORD_DATA, "x", 1);
		assert_int_equal(take(&s), 1);
	}
	for (int i = 0; i <= HD_RECORDS_EMPTY_MAX; i++)
		send_as(&c, HD_RECORD_ALERT, "\x01\x5a", 2);
	hd_records_uncache(&c);
	assert_refused(&s, HD_ALERT_UNEXPECTED_MESSAGE);
}

static void our_key_is_updated_before_its_limit(void **state)
{
	struct hd_records s = server();

	(void)state;
	s.tx.seq = HD_RECORD_KEY_LIMIT - 2;
	assert_false(hd_records_update_due(&s));
	s.tx.seq++;
	assert_true(hd_records_update_due(&s));
	assert_true(hd_records_update(&s, &cache, wire.bytes) > 0);
	assert_int_equal(s.tx.seq, 0);
	hd_records_uncache(&s);
}

static void every_suite_goes_round(void **state)
{
	static const uint16_t ids[] = { 0x1301, 0x1302, 0x1303 };

	(void)state;
	assert_null(hd_tls_suite_find(0x1304));
	for (size_t i = 0; i < HD_ARRAY_N(ids); i++) {
		struct hd_records a = { .suite = hd_tls_suite_find(ids[i]) };

		randombytes_buf(a.tx.secret, sizeof(a.tx.secret));
		a.rx = a.tx;
		hd_tls_keys_derive(&a.tx, a.suite);
		hd_tls_keys_derive(&a.rx, a.suite);
		for (int n = 0; n < 300; n++) { /* the number's second byte */
			send_as(&a, HD_RECORD_DATA, &n, sizeof(n));
			assert_int_equal(take(&a), sizeof(n));
			hd_records_uncache(&a); /* keys are enough */
		}
	}
}

#define T(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(keys_come_from_secrets),
		T(the_traces_records_open),
		T(the_traces_record_is_sealed),
		T(records_may_be_cut_anywhere),
		T(padding_is_taken_off),
		T(sizes_up_to_a_full_record),
		T(key_updates_both_ways),
		T(a_key_update_may_be_split),
		T(alerts_end_it),
		T(records_without_data_are_counted),
		T(our_key_is_updated_before_its_limit),
		T(every_suite_goes_round),
	};
	int failed = crypto_run(tests, HD_ARRAY_N(tests), true);

	hd_cipher_cache_free(&cache);
	return failed;
}
