/* SPDX-License-Identifier: MIT */
/* t/unit/fake_stream.h - the stream functions that http and ws call, noting
 * what was asked of them. For programs that do not link the real ones. */
#pragma once
#include "core/loop/worker.h"
#include "core/stream/stream.h"

struct fake_stream {
	struct hd_stream s;
	struct hd_worker worker;
	struct hd_conf conf;
	union hd_addr named; /* the connection's, whatever requests say */
	const char *listener;
	unsigned only;
	char out[65536]; /* all lanes, in order; terminated */
	size_t out_len;
	size_t raw_len; /* of that, below WebSocket */
	bool closed;
	enum hd_close why;
	const struct hd_proto *proto; /* after a switch */
	struct hd_ws *ws;
	bool fail_append;
	bool fail_switch;
	uint64_t state[8];
	struct hd_chunk chunk; /* stands for what is reserved */
};

void fake_stream_init(struct fake_stream *f); /* keeps nothing */
void fake_stream_free(struct fake_stream *f); /* the WebSocket it took */
