/* SPDX-License-Identifier: MIT */
/* t/fuzz/feed.c - see feed.h. */
#include "t/fuzz/feed.h"
#include <string.h>

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

void feed_both(struct hd_stream *(*connect_at)(int where), int where,
	       unsigned seed, const uint8_t *p, size_t n)
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
