/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_ws_message.c - WebSocket's messages against wslay: the same bytes
 * in one piece, in pieces of the first byte's size, and through wslay's own
 * assembler must give the same messages, as far as wslay goes. */
#include "core/base/utf8.h"
#include "core/loop/worker.h"
#include "core/stream/stream_worker.h"
#include "core/stream/ws.h"
#include "t/unit/fake_stream.h"
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define LIMIT_BYTES 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct heard { /* kind, length and bytes of each message */
	uint8_t bytes[1 << 17];
	size_t n;
};

static struct heard *now; /* who hears */

static void hear(unsigned kind, const uint8_t *p, size_t n)
{
	uint32_t len = (uint32_t)n;

	if (now->n + 5 + n > sizeof(now->bytes))
		return;
	now->bytes[now->n++] = (uint8_t)kind;
	memcpy(now->bytes + now->n, &len, 4);
	now->n += 4;
	if (n > 0)
		memcpy(now->bytes + now->n, p, n);
	now->n += n;
}

static bool same(const struct heard *a, const struct heard *b, size_t n)
{
	return a->n >= n && b->n >= n && memcmp(a->bytes, b->bytes, n) == 0;
}

/* ---- ours ---- */

static void on_message(struct hd_module *mod, struct hd_stream *s, void *state,
		       const struct hd_ws_message *m)
{
	(void)mod;
	(void)s;
	(void)state;
	hd_assert(m->len_bytes <= LIMIT_BYTES);
	hd_assert(m->kind == HD_WS_BINARY ||
		  hd_utf8_valid(m->data, m->len_bytes));
	hear(m->kind, m->data, m->len_bytes);
}

static const struct hd_proto proto = { .name = "fuzz", .message = on_message };

static void ours(struct fake_stream *f, const uint8_t *p, size_t n,
		 size_t piece, struct heard *to)
{
	static struct hd_worker worker;
	static struct hd_streams streams;
	const struct hd_ws_options options = { .messages = true,
					       .limit_bytes = LIMIT_BYTES,
					       .timeout_ms = 1 };

	now = to;
	to->n = 0;
	worker.streams = &streams;
	fake_stream_init(f);
	f->s.worker = &worker;
	f->s.proto = &proto;
	f->s.ws = hd_ws_new(&options);
	hd_assert(f->s.ws != NULL);
	for (size_t at = 0; at < n && !f->closed; at += piece) {
		size_t part = HD_MIN(piece, n - at);
		uint8_t *copy = malloc(part);

		hd_assert(copy != NULL);
		memcpy(copy, p + at, part);
		size_t used = hd_ws_take(&f->s, f->s.ws, copy, part);

		hd_assert(used == part || f->closed);
		free(copy);
	}
	hd_ws_drop_part(&f->s);
	hd_assert(streams.part_bytes == 0);
	hd_ws_free(&f->s.ws);
	hd_chunk_pool_free(&streams.pool);
}

/* ---- wslay's ---- */

struct input {
	const uint8_t *p;
	size_t n;
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t n,
		       int flags, void *arg)
{
	struct input *in = arg;
	size_t take = HD_MIN(n, in->n);

	(void)flags;
	if (take == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, in->p, take);
	in->p += take;
	in->n -= take;
	return (ssize_t)take;
}

static void on_msg(wslay_event_context_ptr ctx,
		   const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	(void)ctx;
	(void)arg;
	if (!wslay_is_ctrl_frame(m->opcode))
		hear(m->opcode, m->msg, m->msg_length);
}

static void theirs(const uint8_t *p, size_t n, struct heard *to)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.on_msg_recv_callback = on_msg,
	};
	struct input in = { p, n };
	wslay_event_context_ptr ctx;

	now = to;
	to->n = 0;
	hd_assert(wslay_event_context_server_init(&ctx, &callbacks, &in) == 0);
	wslay_event_config_set_max_recv_msg_length(ctx, LIMIT_BYTES);
	while (in.n > 0 && wslay_event_get_read_enabled(ctx) &&
	       wslay_event_recv(ctx) == 0)
		;
	wslay_event_context_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct fake_stream whole, parts;
	static struct heard a, b, c;

	if (n < 2)
		return 0;
	ours(&whole, data + 1, n - 1, n - 1, &a);
	ours(&parts, data + 1, n - 1, 1 + data[0] % 32, &b);
	hd_assert(whole.closed == parts.closed && whole.why == parts.why);
	hd_assert(a.n == b.n && same(&a, &b, a.n));
	hd_assert(whole.out_len == parts.out_len &&
		  memcmp(whole.out, parts.out, whole.out_len) == 0);
	theirs(data + 1, n - 1, &c);
	/* wslay may end sooner or later at what is wrong, not elsewhere */
	hd_assert(same(&a, &c, HD_MIN(a.n, c.n)));
	hd_assert(whole.closed || a.n == c.n);
	return 0;
}
