/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_records.c - opening records. The first byte: suite, provider, and
 * whether what follows is taken as received or is sealed first, so that the
 * fuzzer reaches padding, alerts and messages. Sealed: a byte for the kind of
 * record, two for the content's length, the content; then two for how much
 * arrives. */
#include "core/tls/records.h"
#include "t/records/dice.h"
#include "t/records/forge.h"
#include "t/records/provider.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define ALL_BYTES (1 << 20)
static uint8_t wire[ALL_BYTES];
static size_t wire_n;
static struct hd_cipher_cache cache;

static void take(struct dice *d, uint8_t *to, size_t n)
{
	size_t have = n < d->n ? n : d->n;

	memset(to, 0, n);
	memcpy(to, d->p, have);
	d->p += have;
	d->n -= have;
}

static void send_sealed(struct dice *d, struct forge *f)
{
	static const uint8_t types[] = { 23, 23, 21, 22, 22, 20, 0, 255 };
	static uint8_t inner[FORGE_INNER_MAX_BYTES];
	uint8_t kind = (uint8_t)dice(d, 256);
	size_t n = dice_bits(d) % 16700, padding = 0;

	if (kind & 8) /* mostly small ones */
		n %= 16;
	if (kind & 16)
		padding = dice_bits(d) % 300;
	take(d, inner, n);
	if (kind & 32 && n >= 5) /* a KeyUpdate, about */
		memcpy(inner, (uint8_t[]){ 24, 0, 0, 1 }, 4);
	inner[n] = types[kind & 7];
	memset(inner + n + 1, 0, padding);
	wire_n += forge_seal(f, inner, n + 1 + padding, wire + wire_n);
	if (inner[n] == 22 && n == 5 && inner[0] == 24)
		forge_update(f);
}

/* Opens what has arrived, from memory that ends where it ends. Returns how
 * opening ended. */
static int arrive(struct hd_records *r, size_t n)
{
	static uint8_t out[2 * HD_RECORD_MAX_BYTES];
	uint8_t *in = malloc(n > 0 ? n : 1);
	size_t used, at = 0;
	int got;

	hd_assert(in != NULL);
	memcpy(in, wire, n);
	do {
		size_t size = HD_RECORD_MAX_BYTES + n % HD_RECORD_MAX_BYTES;

		got = hd_records_open(r, &cache, in + at, n - at, &used, out,
				      size);
		hd_assert(used <= n - at && got <= (int)size);
		hd_assert(got <= 0 || used > 0);
		at += used;
	} while (got > 0);
	free(in);
	hd_assert(got == 0 || got == -EPIPE || got == -ECONNRESET ||
		  got == -EPROTO);
	hd_assert((got == -EPROTO) == (r->alert != 0));
	hd_assert(got != 0 || n - at < HD_RECORD_MAX_BYTES);
	memmove(wire, wire + at, wire_n - at);
	wire_n -= at;
	return got;
}

static void answer(struct hd_records *r, struct forge *f)
{
	static uint8_t record[HD_RECORD_MAX_BYTES], content[100];
	uint8_t type;
	int n;

	if (hd_records_update_due(r)) {
		n = hd_records_update(r, &cache, record);
		hd_assert(n > 0 && forge_open(f, record, (size_t)n, content,
					      &type) == HD_KEY_UPDATE_BYTES);
		forge_update(f);
	}
	memcpy(record + HD_RECORD_HEAD_BYTES, "pong", 4);
	n = hd_records_seal(r, &cache, HD_RECORD_DATA, record, 4);
	hd_assert(n > 0 &&
		  forge_open(f, record, (size_t)n, content, &type) == 4);
	hd_assert(type == HD_RECORD_DATA && memcmp(content, "pong", 4) == 0);
}

static struct hd_records server(uint16_t suite, struct forge *up,
				struct forge *down)
{
	struct hd_records r = { .suite = hd_tls_suite_find(suite) };
	char hex[97] = { 0 };

	hd_assert(r.suite != NULL);
	memset(hex, 'a', 2u * r.suite->hash_bytes);
	forge_init(up, suite, hex);
	forge_init(down, suite, hex);
	memcpy(r.rx.secret, up->secret, sizeof(r.rx.secret));
	memcpy(r.tx.secret, up->secret, sizeof(r.tx.secret));
	hd_assert(hd_tls_keys_derive(&r.rx, r.suite) == 0 &&
		  hd_tls_keys_derive(&r.tx, r.suite) == 0);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dice d = { .p = data, .n = n };
	uint8_t mode = (uint8_t)dice(&d, 256);
	struct forge up, down;
	struct hd_records r;
	int end = 0;

	provider_pick(mode & 32);
	r = server((uint16_t)(0x1301 + mode % 3), &up, &down);
	wire_n = 0;
	while (end == 0 && d.n > 0 && wire_n < ALL_BYTES / 2) {
		if (mode & 128) {
			send_sealed(&d, &up);
		} else {
			size_t take_n = dice_bits(&d) % 4096;

			take_n = HD_MIN(take_n, d.n);
			take(&d, wire + wire_n, take_n);
			wire_n += take_n;
		}
		end = arrive(&r,
			     mode & 64 ? wire_n : dice_bits(&d) % (wire_n + 1));
	}
	if (end == 0)
		end = arrive(&r, wire_n);
	if (end == 0)
		answer(&r, &down);
	else
		hd_assert(arrive(&r, wire_n) == end);
	hd_records_uncache(&r);
	hd_assert(cache.n_busy == 0);
	forge_free(&up);
	forge_free(&down);
	return 0;
}
