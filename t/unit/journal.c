/* SPDX-License-Identifier: MIT */
/* t/unit/journal.c - policy's accounts as bytes: a file that is cut off at any
 * byte has all that was written before. */
#include "modules/policy/account.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

static const struct account_counts one = { { 1, 2, 3, 4, 5 } };

/* ---- files that are cut off ---- */

enum { KEYS = 3, ROUNDS = 20 };

/* Each round is a write of its own. @ret_end  where each ends */
static void write_rounds(struct journal *j, size_t ret_end[ROUNDS])
{
	struct ledger *l = ledger_new();

	journal_head(j);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct hd_key key = key_of((uint8_t)(i % KEYS));
		char name[16];

		snprintf(name, sizeof(name), "name %u", i);
		ledger_add(l,
			   ledger_account(l, i % 2 ? "a" : "", &key, name, 99),
			   &one);
		assert_int_equal(ledger_journal(l, j), 0);
		ret_end[i] = j->n;
	}
	ledger_free(&l);
}

static uint64_t total(const struct ledger *l, enum account_what what)
{
	uint64_t sum = 0, by_tenant = 0;

	for (const struct account *a = l->first; a != NULL; a = a->next)
		sum += a->sum.n[what];
	for (const struct account_tenant *t = l->tenants; t != NULL;
	     t = t->next)
		by_tenant += t->sum.n[what];
	assert_int_equal(sum, by_tenant);
	return sum;
}

/* Each has its own, with several in each place of the table. */
static void thousands_of_tenants(void **state)
{
	enum { N = 3 * LEDGER_TENANT_PLACES };
	struct ledger *l = ledger_new();
	const struct hd_key key = key_of(1);
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 2 * N; i++) {
		snprintf(name, sizeof(name), "t%u", i % N);
		ledger_add(l, ledger_account(l, name, &key, "", 2 * N), &one);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_non_null(ledger_tenant(l, name));
		assert_int_equal(ledger_tenant(l, name)->n, 1);
		assert_int_equal(ledger_tenant(l, name)->sum.n[ACCOUNT_DROPS],
				 2 * one.n[ACCOUNT_DROPS]);
	}
	assert_null(ledger_tenant(l, "t"));
	assert_int_equal(total(l, ACCOUNT_DROPS), 2 * N * one.n[ACCOUNT_DROPS]);
	ledger_free(&l);
}

static void cut_at_every_byte(void **state)
{
	struct journal j = { 0 };
	size_t end[ROUNDS], good;

	(void)state;
	write_rounds(&j, end);
	for (size_t n = 0; n <= j.n; n++) {
		struct ledger *l = ledger_new();
		uint8_t *copy = malloc(n + 1);
		unsigned whole = 0;

		memcpy(copy, j.v, n); /* sanitizers see a look beyond it */
		while (whole < ROUNDS && end[whole] <= n)
			whole++;
		assert_int_equal(ledger_read(l, copy, n, &good), 0);
		assert_int_equal(total(l, ACCOUNT_DROPS),
				 whole * one.n[ACCOUNT_DROPS]);
		assert_true(good <= n);
		if (whole > 0)
			assert_int_equal(good, end[whole - 1]);
		assert_true(journal_is_torn(copy + good, n - good));
		free(copy);
		ledger_free(&l);
	}
	journal_free(&j);
}

static void changed_at_every_byte(void **state)
{
	struct journal j = { 0 };
	size_t end[ROUNDS], good;

	(void)state;
	write_rounds(&j, end);
	for (size_t i = 0; i < j.n; i++) {
		struct ledger *l = ledger_new();
		unsigned whole = 0;
		int r;

		j.v[i] ^= 0x41;
		r = ledger_read(l, j.v, j.n, &good);
		while (whole < ROUNDS && end[whole] <= i)
			whole++;
		if (i < 8) {
			assert_int_equal(r, -EPROTO);
		} else {
			assert_int_equal(total(l, ACCOUNT_DROPS),
					 whole * one.n[ACCOUNT_DROPS]);
			assert_int_equal(
				whole == ROUNDS - 1,
				journal_is_torn(j.v + good, j.n - good));
		}
		j.v[i] ^= 0x41;
		ledger_free(&l);
	}
	journal_free(&j);
}

static void compaction_is_the_same(void **state)
{
	struct journal j = { 0 }, whole = { 0 };
	size_t end[ROUNDS], good;
	struct ledger *l = ledger_new(), *again = ledger_new();
	const struct hd_key key = key_of(1);

	(void)state;
	write_rounds(&j, end);
	assert_int_equal(ledger_read(l, j.v, j.n, &good), 0);
	/* not saved yet, so not in the whole, but behind it */
	ledger_add(l, ledger_account(l, "a", &key, "new", 99), &one);
	ledger_add(l, ledger_account(l, "b", &key, "b", 99), &one);
	assert_int_equal(ledger_whole(l, &whole), 0);
	assert_true(whole.n < j.n);
	assert_int_equal(ledger_journal(l, &whole), 0);
	assert_int_equal(ledger_read(again, whole.v, whole.n, &good), 0);
	assert_int_equal(good, whole.n);
	assert_int_equal(total(again, ACCOUNT_BYTES_IN), ROUNDS + 2);
	assert_string_equal(ledger_account(again, "a", &key, "", 99)->name,
			    "new");
	journal_free(&j);
	journal_free(&whole);
	ledger_free(&l);
	ledger_free(&again);
}

static void no_room_for_more_keys(void **state)
{
	struct ledger *l = ledger_new();
	struct journal j = { 0 };
	size_t good;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		const struct hd_key key = key_of((uint8_t)(i + 1));

		ledger_add(l, ledger_account(l, "a", &key, "x", 10), &one);
	}
	assert_int_equal(l->n, 11);
	journal_head(&j);
	assert_int_equal(ledger_journal(l, &j), 0);
	ledger_free(&l);
	l = ledger_new();
	assert_int_equal(ledger_read(l, j.v, j.n, &good), 0);
	assert_int_equal(total(l, ACCOUNT_PACKETS_IN),
			 200 * one.n[ACCOUNT_PACKETS_IN]);
	journal_free(&j);
	ledger_free(&l);
}

static void large_files_have_many_frames(void **state)
{
	enum { MANY = 5000 };
	struct ledger *l = ledger_new();
	struct journal j = { 0 };
	size_t good;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		struct hd_key key = { .b = { 0 } };

		memcpy(key.b, &(uint32_t){ i + 1 }, 4);
		ledger_add(l, ledger_account(l, "t", &key, "a name", MANY),
			   &one);
	}
	journal_head(&j);
	assert_int_equal(ledger_journal(l, &j), 0);
	assert_true(j.n > 3 * 65536);
	ledger_free(&l);
	l = ledger_new();
	assert_int_equal(ledger_read(l, j.v, j.n, &good), 0);
	assert_int_equal(good, j.n);
	assert_int_equal(l->n, MANY);
	assert_int_equal(total(l, ACCOUNT_DROPS), MANY * one.n[ACCOUNT_DROPS]);
	journal_free(&j);
	ledger_free(&l);
}

/* The bytes of journal.h, by hand; the hash by another program's SipHash. */
static void bytes_of_a_file(void **state)
{
	static const uint8_t file[] = {
		0x48, 0x44, 0x41, 0x43, 0x43, 0x54, 0x31, 0x0a, 0x2f, 0x00,
		0x00, 0x00, 0xe5, 0x46, 0x63, 0xb0, 0x6a, 0x01, 0x93, 0xe3,
		0x01, 0x00, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07,
		0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07,
		0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07,
		0x07, 0x07, 0x07, 0x07, 0x01, 0x74, 0x02, 0x61, 0x6c, 0x02,
		0x00, 0x81, 0x01, 0x02, 0x03, 0x04, 0x05
	};
	struct ledger *l = ledger_new();
	struct journal j = { 0 };
	const struct hd_key key = key_of(7);
	size_t good;

	(void)state;
	assert_int_equal(ledger_read(l, file, sizeof(file), &good), 0);
	assert_int_equal(good, sizeof(file));
	assert_int_equal(l->n, 1);
	assert_string_equal(l->first->name, "al");
	assert_string_equal(l->first->tenant->name, "t");
	assert_int_equal(l->first->sum.n[ACCOUNT_BYTES_IN], 129);
	assert_int_equal(l->first->sum.n[ACCOUNT_DROPS], 5);
	assert_memory_equal(&l->first->key, &key, sizeof(key));
	assert_int_equal(ledger_whole(l, &j), 0);
	assert_int_equal(j.n, sizeof(file));
	assert_memory_equal(j.v, file, j.n);
	journal_free(&j);
	ledger_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousands_of_tenants),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(changed_at_every_byte),
		cmocka_unit_test(compaction_is_the_same),
		cmocka_unit_test(no_room_for_more_keys),
		cmocka_unit_test(large_files_have_many_frames),
		cmocka_unit_test(bytes_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
