/* SPDX-License-Identifier: MIT */
/* t/records/long.c - one connection per suite, many records and a KeyUpdate
 * every thousand in both directions. HD_RECORDS: how many records in all
 * (default 200,000; `bootstrap check --long` takes 10 million). */
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/tls/tls_conn.h"
#include "t/records/crypto.h"
#include "t/records/ends.h"

#define RECORDS 200000
#define UPDATE_EVERY 1000
#define BATCH 50
#define MESSAGE_BYTES 64

static uint64_t records_wanted(void)
{
	const char *text = getenv("HD_RECORDS");

	return (text != NULL ? strtoull(text, NULL, 0) : RECORDS) / 3;
}

static void fill(uint8_t message[static MESSAGE_BYTES], uint64_t number)
{
	for (size_t i = 0; i < MESSAGE_BYTES; i++)
		message[i] = (uint8_t)(number >> (8 * (i % 8)));
}

static void check(const uint8_t *p, size_t n, uint64_t first)
{
	uint8_t want[MESSAGE_BYTES];

	MUST(n % MESSAGE_BYTES == 0);
	for (size_t at = 0; at < n; at += MESSAGE_BYTES, first++) {
		fill(want, first);
		MUST(memcmp(p + at, want, MESSAGE_BYTES) == 0);
	}
}

static void up(struct ends *e, uint64_t number)
{
	uint8_t message[MESSAGE_BYTES];

	for (uint64_t i = number; i < number + BATCH; i++) {
		fill(message, i);
		MUST(SSL_write(e->client, message, MESSAGE_BYTES) ==
		     MESSAGE_BYTES);
	}
	ends_flush(e);
	ends_up(e, e->up.n, 0);
	MUST(e->status == 0 && e->got.n == BATCH * MESSAGE_BYTES);
	check(e->got.p, e->got.n, number);
	e->got.n = 0;
}

static void down(struct ends *e, uint64_t number)
{
	uint8_t message[MESSAGE_BYTES];
	struct hd_queue q = { 0 };

	for (uint64_t i = number; i < number + BATCH; i++) {
		fill(message, i);
		ends_queue(e, &q, message, MESSAGE_BYTES);
	}
	ends_send(e, &q);
	ends_down(e, e->down.n);
	for (uint64_t i = number; i < number + BATCH; i++) {
		MUST(SSL_read(e->client, message, MESSAGE_BYTES) ==
		     MESSAGE_BYTES);
		check(message, MESSAGE_BYTES, i);
	}
}

/* The client's, which asks for ours; it goes with the next batches. */
static void update(struct ends *e)
{
	MUST(SSL_key_update(e->client, SSL_KEY_UPDATE_REQUESTED) == 1);
	MUST(SSL_do_handshake(e->client) == 1);
}

static void many(const char *suite)
{
	struct ends *e = ends_new(suite, true);
	uint64_t wanted = records_wanted();
	uint64_t updates = 0;

	ends_shake(e);
	for (uint64_t n = 0; 2 * n < wanted; n += BATCH) {
		if (n % UPDATE_EVERY == 0) {
			update(e);
			updates++;
		}
		up(e, n);
		down(e, n);
		MUST(e->server->records->rx.seq <= UPDATE_EVERY);
		MUST(e->server->records->tx.seq <= UPDATE_EVERY);
	}
	print_message("# %s: %llu records, %llu KeyUpdates each way\n", suite,
		      (unsigned long long)wanted, (unsigned long long)updates);
	ends_free(&e);
}

static void aes_128(void **state)
{
	(void)state;
	many("TLS_AES_128_GCM_SHA256");
}

static void aes_256(void **state)
{
	(void)state;
	many("TLS_AES_256_GCM_SHA384");
}

static void chacha20(void **state)
{
	(void)state;
	many("TLS_CHACHA20_POLY1305_SHA256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_128),
		cmocka_unit_test(aes_256),
		cmocka_unit_test(chacha20),
	};
	int failed;

	ends_set_up();
	failed = crypto_run(tests, HD_ARRAY_N(tests), false);
	ends_tear_down();
	return failed;
}
