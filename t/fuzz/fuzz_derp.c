/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_derp.c - frames to the derp module, on the fake core.
 *
 * Input: 1 byte where they arrive, 1 byte how they are split, then the bytes.
 * The same bytes in one piece must have the same effect. */
#include "t/unit/derp_help.h"
#include <stdlib.h>

enum where { BEFORE_LOGIN, IN_CLIENT_INFO, ADMITTED, WHERE_N };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fake.quiet = true;
	return derp_up(NULL);
}

static struct hd_stream *connect_at(enum where where)
{
	struct hd_stream *s = derp_fast();
	struct hd_login login = { .key = { { 0xaa } } };

	if (where == ADMITTED) {
		hd_relay_login(s, &login);
		fake_admit(s);
		fake_out_clear(s);
	}
	return s;
}

/* As text within a box that opens. */
static void feed_json(struct hd_stream *s, const uint8_t *p, size_t n)
{
	uint8_t *frame = malloc(n + 128);

	fake_feed(s, frame, derp_client_info((const char *)p, n, frame));
	free(frame);
}

static void feed_split(struct hd_stream *s, unsigned seed, const uint8_t *p,
		       size_t n)
{
	for (size_t at = 0; at < n && !s->closing && !s->logging_in;) {
		size_t piece;

		seed = seed * 1103515245 + 12345;
		piece = HD_MIN(n - at, 1 + (size_t)(seed >> 16 & 63));
		fake_feed(s, p + at, piece);
		at += piece;
	}
}

static void compare(const struct hd_stream *whole, unsigned whole_sent,
		    const struct hd_stream *split, unsigned split_sent)
{
	hd_assert(whole->closing == split->closing);
	hd_assert(whole->logging_in == split->logging_in);
	hd_assert(whole_sent == split_sent);
	hd_assert(whole->out.n == split->out.n);
	hd_assert(whole->out.n == 0 ||
		  memcmp(whole->out.v, split->out.v, split->out.n) == 0);
}

static void feed_both(enum where where, unsigned seed, const uint8_t *p,
		      size_t n)
{
	struct hd_stream *whole = connect_at(where), *split;
	unsigned whole_sent, split_sent;

	fake.n_sent = 0;
	fake_feed(whole, p, n);
	whole_sent = fake.n_sent;
	split = connect_at(where);
	fake.n_sent = 0;
	feed_split(split, seed, p, n);
	split_sent = fake.n_sent;
	compare(whole, whole_sent, split, split_sent);
	fake_close(whole, HD_CLOSE_PEER);
	fake_close(split, HD_CLOSE_PEER);
	fake_stream_free(&whole);
	fake_stream_free(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum where where;

	if (n < 2)
		return 0;
	where = p[0] % WHERE_N;
	if (where == IN_CLIENT_INFO) {
		struct hd_stream *s = connect_at(where);

		feed_json(s, p + 2, n - 2);
		fake_stream_free(&s);
	} else {
		feed_both(where, p[1], p + 2, n - 2);
	}
	return 0;
}
