/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_derp.c - frames to the derp module, on the fake core.
 *
 * Input: 1 byte where they arrive, from a client or from another relay, 1 byte
 * how they are split, then the bytes. The same bytes in one piece must have the
 * same effect. */
#include "modules/derp/derp.h"
#include "t/fuzz/feed.h"
#include "t/unit/derp_help.h"
#include <stdlib.h>

enum where { BEFORE_LOGIN, IN_CLIENT_INFO, ADMITTED, FROM_RELAY, WHERE_N };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fake.quiet = true;
	hd_realm("hd");
	return derp_up(NULL);
}

static struct hd_stream *connect_at(int where)
{
	struct hd_stream *s = derp_fast();
	struct hd_login login = { .key = { { 0xaa } },
				  .mesh = where == FROM_RELAY };
	struct derp_state *d = s->state;

	d->mesh = login.mesh;
	if (where == ADMITTED || where == FROM_RELAY) {
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

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum where where;

	if (n < 2)
		return 0;
	where = p[0] % WHERE_N;
	if (where == IN_CLIENT_INFO) {
		struct hd_stream *s = connect_at((int)where);

		feed_json(s, p + 2, n - 2);
		fake_stream_free(&s);
	} else {
		feed_both(connect_at, (int)where, p[1], p + 2, n - 2);
	}
	return 0;
}
