/* SPDX-License-Identifier: MIT */
/* t/unit/http_case.c - see http_case.h. */
#include "t/unit/http_case.h"
#include "core/base/module_id.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>

struct hd_module derp = { .name = "derp" };
struct hd_module other = { .name = "other" };
struct fake_stream f;
int refuse_with;
bool silent;
const struct hd_hooks *hooks_of_requests;

size_t send_request(const char *text)
{
	static uint8_t buf[65536];
	size_t n = strlen(text);

	fake_stream_free(&f);
	fake_stream_init(&f);
	f.worker.hooks = hooks_of_requests;
	memcpy(buf, text, n);
	return hd_http_proto.data(NULL, &f.s, NULL, buf, n);
}

void assert_out(const char *part)
{
	if (strstr(f.out, part) == NULL)
		fail_msg("no '%s' in: %s", part, f.out);
}

void assert_no_out(const char *part)
{
	if (strstr(f.out, part) != NULL)
		fail_msg("'%s' in: %s", part, f.out);
}

void assert_status(const char *line)
{
	if (strncmp(f.out, line, strlen(line)) != 0)
		fail_msg("not '%s': %s", line, f.out);
}

static size_t proto_data(struct hd_module *mod, struct hd_stream *s,
			 void *state, uint8_t *p, size_t n)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_peer_ops peer_ops;
const struct hd_proto derp_proto = { .name = "derp",
				     .data = proto_data,
				     .peer = &peer_ops };
const struct hd_proto ws_proto = { .name = "derp-ws", .data = proto_data };

static void answer_page(struct hd_module *mod, struct hd_request *req)
{
	const char *query = hd_request_query(req);

	assert_ptr_equal(mod, &derp);
	if (silent)
		return;
	hd_reply_header(req, "X-Query", query != NULL ? query : "none");
	hd_reply(req, 200, "text/plain", "a page\n", 7);
	hd_reply(req, 500, NULL, NULL, 0); /* the first one stands */
}

static void answer_204(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	hd_reply(req, 204, NULL, NULL, 0);
}

static void answer_path(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	hd_reply_header(req, "X-Path", hd_request_path(req));
	hd_reply(req, 200, NULL, NULL, 0);
}

static int upgrade_derp(struct hd_module *mod, struct hd_request *req,
			struct hd_stream *s, void *state)
{
	assert_ptr_equal(mod, &derp);
	assert_ptr_equal(state, f.state);
	if (refuse_with != 0) {
		hd_reply(req, refuse_with, NULL, NULL, 0);
		return -EPERM;
	}
	if (hd_request_header(req, "Derp-Fast-Start") == NULL)
		hd_stream_append(s, HD_LANE_CONTROL,
				 "HTTP/1.1 101 by derp\r\n\r\n", 24);
	return 0;
}

static int upgrade_ws(struct hd_module *mod, struct hd_request *req,
		      struct hd_stream *s, void *state)
{
	(void)mod;
	(void)state;
	assert_non_null(f.ws);
	if (refuse_with != 0) {
		hd_reply(req, refuse_with, NULL, NULL, 0);
		return -EPERM;
	}
	hd_stream_append(s, HD_LANE_CONTROL, "frame", 5);
	return 0;
}

const struct hd_route page_route = { .path = "/",
				     .methods = HD_HTTP_GET,
				     .answer = answer_page };
const struct hd_route upgrade_route = { .path = "/derp",
					.methods = HD_HTTP_GET,
					.token = "DERP",
					.upgrade = upgrade_derp,
					.proto = &derp_proto };

static const char *const derp_names[] = { "derp", NULL };

int set_up(void **state)
{
	static const struct hd_route more[] = {
		{ .path = "/derp",
		  .methods = HD_HTTP_GET,
		  .token = "websocket",
		  .subprotocols = derp_names,
		  .subprotocol_needed = true,
		  .websocket = HD_WS_MODE_BYTES,
		  .upgrade = upgrade_ws,
		  .proto = &ws_proto },
		{ .path = "/generate_204",
		  .methods = HD_HTTP_GET | HD_HTTP_POST,
		  .pages = HD_PAGES_CAPTIVE_PORTAL,
		  .answer = answer_204 },
		{ .path = "/below/",
		  .below = true,
		  .methods = HD_HTTP_GET,
		  .pages = HD_PAGES_ACME,
		  .answer = answer_path },
		{ .path = "/below/not",
		  .methods = HD_HTTP_GET,
		  .answer = answer_204 },
		{ .listener = "metrics",
		  .path = "/metrics",
		  .methods = HD_HTTP_GET,
		  .answer = answer_page },
	};

	(void)state;
	refuse_with = 0;
	silent = false;
	fake_stream_init(&f);
	assert_int_equal(hd_route_add(&derp, &page_route, NULL), 0);
	assert_int_equal(hd_route_add(&derp, &upgrade_route, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(more); i++)
		assert_int_equal(hd_route_add(&derp, &more[i], NULL), 0);
	return 0;
}

void drop_routes(const struct hd_module *mod)
{
	hd_route_kind.withdraw(mod);
	hd_route_kind.reclaim();
}

int tear_down(void **state)
{
	(void)state;
	drop_routes(&derp);
	drop_routes(&other);
	fake_stream_free(&f);
	return 0;
}
