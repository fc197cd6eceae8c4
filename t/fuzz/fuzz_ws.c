/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_ws.c - WebSocket frames in pieces: the same bytes in one piece
 * and in pieces of the first byte's size must give the same payload. */
#include "core/stream/ws.h"
#include "t/unit/fake_stream.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Returns the payload bytes; they are moved to the front of p. */
static size_t unwrap(struct fake_stream *f, uint8_t *p, size_t n, size_t piece)
{
	struct hd_ws *ws = hd_ws_new(&(struct hd_ws_options){ 0 });
	size_t out = 0;

	hd_assert(ws != NULL);
	fake_stream_init(f);
	for (size_t at = 0; at < n; at += piece) {
		size_t part = HD_MIN(piece, n - at);
		uint8_t *copy = malloc(part);
		size_t r;

		hd_assert(copy != NULL);
		memcpy(copy, p + at, part);
		r = hd_ws_unwrap(&f->s, ws, copy, part);
		hd_assert(r <= part);
		memcpy(p + out, copy, r);
		out += r;
		free(copy);
		hd_ws_settle(&f->s, ws);
		if (f->closed)
			break;
	}
	hd_ws_free(&ws);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct fake_stream whole, parts;
	uint8_t *a, *b;
	size_t a_n, b_n;

	if (n < 2)
		return 0;
	a = malloc(n - 1);
	b = malloc(n - 1);
	hd_assert(a != NULL && b != NULL);
	memcpy(a, data + 1, n - 1);
	memcpy(b, data + 1, n - 1);
	a_n = unwrap(&whole, a, n - 1, n - 1);
	b_n = unwrap(&parts, b, n - 1, 1 + data[0] % 32);
	hd_assert(whole.closed == parts.closed && whole.why == parts.why);
	hd_assert(a_n == b_n && memcmp(a, b, a_n) == 0);
	hd_assert(whole.out_len == parts.out_len &&
		  memcmp(whole.out, parts.out, whole.out_len) == 0);
	free(a);
	free(b);
	return 0;
}
