/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_http.c - request heads, whole and cut, through routes that an
 * attacker can reach. The first byte says where to cut. */
#include "core/base/module_id.h"
#include "core/http/http.h"
#include "t/unit/fake_stream.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct hd_module mod = { .name = "fuzz" };

static size_t take_all(struct hd_module *m, struct hd_stream *s, void *state,
		       uint8_t *p, size_t n)
{
	(void)m;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_proto proto = { .name = "fuzz", .data = take_all };

/* What a client sent comes back: it must not end a line. */
static void answer(struct hd_module *m, struct hd_request *req)
{
	const char *challenge = hd_request_header(req, "X-Challenge");

	(void)m;
	if (challenge != NULL)
		hd_reply_header(req, "X-Response", challenge);
	hd_reply(req, 200, "text/plain", "ok", 2);
}

static int upgrade(struct hd_module *m, struct hd_request *req,
		   struct hd_stream *s, void *state)
{
	(void)m;
	(void)req;
	(void)s;
	(void)state;
	return 0;
}

static const char *const derp_names[] = { "derp", NULL };

static void add_routes(void)
{
	static const struct hd_route routes[] = {
		{ .path = "/",
		  .methods = HD_HTTP_GET | HD_HTTP_POST,
		  .answer = answer },
		{ .path = "/derp",
		  .methods = HD_HTTP_GET,
		  .token = "DERP",
		  .upgrade = upgrade,
		  .proto = &proto },
		{ .path = "/derp",
		  .methods = HD_HTTP_GET,
		  .token = "websocket",
		  .subprotocols = derp_names,
		  .subprotocol_needed = true,
		  .websocket = HD_WS_MODE_BYTES,
		  .proto = &proto },
	};

	for (size_t i = 0; i < HD_ARRAY_N(routes); i++)
		hd_assert(hd_route_add(&mod, &routes[i], NULL) == 0);
}

/* As a stream does it: what was not used is offered again with more.
 * Returns the bytes left over. */
static size_t feed(struct fake_stream *f, uint8_t *p, size_t kept, size_t n)
{
	size_t used;

	if (f->closed || f->proto != NULL)
		return 0;
	used = hd_http_proto.data(NULL, &f->s, NULL, p, kept + n);
	hd_assert(used <= kept + n);
	memmove(p, p + used, kept + n - used);
	return kept + n - used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool ready;
	static struct fake_stream f;
	size_t cut, kept;
	uint8_t *p;

	if (!ready)
		add_routes();
	ready = true;
	if (n < 2)
		return 0;
	cut = HD_MIN((size_t)data[0] * 4, n - 1);
	p = malloc(n); /* of its own, so that overruns are seen */
	hd_assert(p != NULL);
	fake_stream_init(&f);
	kept = 0;
	if (cut > 0) {
		memcpy(p, data + 1, cut);
		kept = feed(&f, p, 0, cut);
	}
	if (n - 1 > cut) {
		memcpy(p + kept, data + 1 + cut, n - 1 - cut);
		kept = feed(&f, p, kept, n - 1 - cut);
	}
	hd_assert(f.closed || kept < HD_HTTP_HEAD_MAX_BYTES + 2);
	fake_stream_free(&f);
	free(p);
	return 0;
}
