/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_mesh.c - what another relay says to the mesh module, on the fake
 * core.
 *
 * Input: 1 byte where it arrives, 1 byte how it is split, then the bytes. The
 * same bytes in one piece must have the same effect. */
#include <stdlib.h>
#include "t/unit/mesh_help.h"

enum where { BEFORE_ANSWER, BEFORE_INFO, LOGGED_IN, WHERE_N };

struct effect {
	bool closing, link_open;
	unsigned added, taken, realm;
	enum mesh_state state;
	size_t out_n;
	char error[256];
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fake.quiet = true;
	hd_realm("hd");
	return 0;
}

static struct hd_stream *connect_at(enum where where)
{
	struct hd_stream *s;

	if (where == LOGGED_IN)
		return mesh_login();
	s = mesh_connect();
	if (where == BEFORE_INFO)
		mesh_answer(s);
	return s;
}

static void feed_split(struct hd_stream *s, unsigned seed, const uint8_t *p,
		       size_t n)
{
	for (size_t at = 0; at < n && !s->closing;) {
		size_t piece;

		seed = seed * 1103515245 + 12345;
		piece = HD_MIN(n - at, 1 + (size_t)(seed >> 16 & 63));
		fake_feed(s, p + at, piece);
		at += piece;
	}
}

/* @seed  0: in one piece */
static struct effect effect_of(enum where where, unsigned seed,
			       const uint8_t *p, size_t n)
{
	struct effect e = { 0 };
	struct hd_stream *s;

	hd_assert(mesh_up(NULL) == 0);
	s = connect_at(where);
	if (seed == 0)
		fake_feed(s, p, n);
	else
		feed_split(s, seed, p, n);
	e.closing = s->closing;
	e.link_open = mesh_fake.link_open;
	e.added = mesh_fake.added;
	e.taken = mesh_fake.taken;
	e.realm = mesh_fake.realm;
	e.out_n = s->out.n;
	e.state = mesh_the_link()->state;
	strcpy(e.error, mesh_the_link()->error);
	mesh_end(&s, HD_CLOSE_PEER);
	mesh_down(NULL);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct effect whole, split;

	if (n < 2)
		return 0;
	whole = effect_of(p[0] % WHERE_N, 0, p + 2, n - 2);
	split = effect_of(p[0] % WHERE_N, 1u + p[1], p + 2, n - 2);
	hd_assert(whole.closing == split.closing);
	hd_assert(whole.link_open == split.link_open);
	hd_assert(whole.added == split.added && whole.taken == split.taken);
	hd_assert(whole.realm == split.realm);
	hd_assert(whole.state == split.state && whole.out_n == split.out_n);
	hd_assert(strcmp(whole.error, split.error) == 0);
	return 0;
}
