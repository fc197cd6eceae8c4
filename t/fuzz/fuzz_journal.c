/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_journal.c - any bytes as a file of policy's accounts, and as the
 * body of a frame whose hash is right. What was read is the same when it has
 * been written as a whole file and read again. */
#include "modules/policy/account.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEAD = 8, FRAME = 12 };

static void again(const struct ledger *l)
{
	struct ledger *copy = ledger_new();
	struct journal j = { 0 };
	size_t good;

	if (ledger_whole(l, &j) < 0 || ledger_read(copy, j.v, j.n, &good) < 0 ||
	    good != j.n || copy->n != l->n)
		abort();
	for (const struct account *a = l->first; a != NULL; a = a->next) {
		const struct account *b =
			ledger_account(copy, a->tenant->name, &a->key, "",
				       SIZE_MAX);

		if (memcmp(&a->sum, &b->sum, sizeof(a->sum)) != 0)
			abort();
	}
	journal_free(&j);
	ledger_free(&copy);
}

static void read_it(const uint8_t *data, size_t n)
{
	struct ledger *l = ledger_new();
	size_t good;

	if (ledger_read(l, data, n, &good) == 0)
		again(l);
	if (good > n)
		abort();
	journal_is_torn(data + good, n - good);
	ledger_free(&l);
}

/* libFuzzer finds no hash by itself. */
static void read_body(const uint8_t *data, size_t n)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t *file = malloc(HEAD + FRAME + n);
	struct journal j = { 0 };

	journal_head(&j);
	memcpy(file, j.v, HEAD);
	journal_free(&j);
	for (unsigned i = 0; i < 4; i++)
		file[HEAD + i] = (uint8_t)(n >> (8 * i));
	crypto_shorthash(file + HEAD + 4, data, n, key);
	memcpy(file + HEAD + FRAME, data, n);
	read_it(file, HEAD + FRAME + n);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	read_it(data, n);
	if (n > 0)
		read_body(data, n);
	return 0;
}
