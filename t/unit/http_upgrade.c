/* SPDX-License-Identifier: MIT */
/* t/unit/http_upgrade.c - how a connection gets another protocol. */
#include "core/loop/hooks.h"
#include "core/stream/stream_head.h"
#include "core/stream/ws.h"
#include "t/unit/http_case.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* RFC 6455, 1.3 */
#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define WS_VERSION "Sec-WebSocket-Version: 13\r\n"
#define WS_PROTOCOL "Sec-WebSocket-Protocol: other, derp\r\n"

static void upgrades(void **state)
{
	static const char *const heads[] = {
		"GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\n",
		"GET /derp HTTP/1.1\r\n" HOST UP "derp\r\n\r\n",
		"GET /derp HTTP/1.1\r\n" HOST "Upgrade: foo, DERP\r\n"
		"Connection: keep-alive, Upgrade\r\n\r\n",
		"GET http://relay.example/derp HTTP/1.1\r\n" HOST UP
		"DERP\r\n\r\n",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(heads); i++) {
		snprintf(text, sizeof(text), "%sframes", heads[i]);
		assert_int_equal(send_request(text), strlen(heads[i]));
		assert_ptr_equal(f.proto, &derp_proto);
		assert_ptr_equal(f.s.mod, &derp);
		assert_string_equal(f.out, "HTTP/1.1 101 by derp\r\n\r\n");
		assert_false(f.closed);
		assert_null(f.ws);
	}
}

/* RFC 9110, 7.8. Without a plain route on the path the answer is 426. */
static void http10_is_not_upgraded(void **state)
{
	static const char *const heads[] = {
		"GET /derp HTTP/1.0\r\n" UP "DERP\r\n\r\n",
		"GET /derp HTTP/1.0\r\n" HOST UP "DERP\r\n\r\n",
		"GET /derp HTTP/1.0\r\n" UP "DERP\r\n"
		"Derp-Fast-Start: 1\r\n\r\n",
		"GET /derp HTTP/1.0\r\n" UP
		"websocket\r\n" WS_KEY WS_VERSION WS_PROTOCOL "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(heads); i++) {
		assert_int_equal(send_request(heads[i]), strlen(heads[i]));
		assert_status("HTTP/1.1 426 ");
		assert_out("\r\nConnection: Upgrade\r\n");
		assert_null(f.proto);
		assert_null(f.ws);
		assert_true(f.closed);
	}
}

static void fast_start_gets_no_answer(void **state)
{
	(void)state;
	send_request("GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n"
		     "Derp-Fast-Start: 1\r\n\r\nframes");
	assert_ptr_equal(f.proto, &derp_proto);
	assert_int_equal(f.out_len, 0);
	assert_false(f.closed);
}

static void a_refused_upgrade_is_closed(void **state)
{
	static const char text[] =
		"GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\nframes";

	(void)state;
	refuse_with = 503;
	assert_int_equal(send_request(text), sizeof(text) - 1);
	assert_status("HTTP/1.1 503 ");
	assert_out("\r\nConnection: close\r\n");
	assert_true(f.closed);
	assert_int_equal(f.why, HD_CLOSE_DENIED);
}

static void websocket(void **state)
{
	static const char head[] =
		"GET /derp HTTP/1.1\r\n" HOST UP
		"WebSocket\r\n" WS_KEY WS_VERSION WS_PROTOCOL "\r\n";

	(void)state;
	assert_int_equal(send_request(head), sizeof(head) - 1);
	assert_ptr_equal(f.proto, &ws_proto);
	assert_string_equal(f.out, "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: websocket\r\n"
				   "Connection: Upgrade\r\n" WS_ACCEPT
				   "Sec-WebSocket-Protocol: derp\r\n\r\n"
				   "frame");
	assert_int_equal(f.raw_len, f.out_len - 5);
	assert_false(f.closed);
}

static void websocket_refusals(void **state)
{
	static const struct {
		const char *headers, *status;
	} cases[] = {
		{ WS_KEY WS_VERSION, "HTTP/1.1 426 " },
		{ WS_KEY WS_VERSION "Sec-WebSocket-Protocol: derper\r\n",
		  "HTTP/1.1 426 " },
		{ WS_KEY WS_PROTOCOL, "HTTP/1.1 426 " },
		{ WS_KEY WS_PROTOCOL "Sec-WebSocket-Version: 8\r\n",
		  "HTTP/1.1 426 " },
		{ WS_VERSION WS_PROTOCOL, "HTTP/1.1 400 " },
		{ WS_VERSION WS_PROTOCOL "Sec-WebSocket-Key: short\r\n",
		  "HTTP/1.1 400 " },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		snprintf(text, sizeof(text),
			 "GET /derp HTTP/1.1\r\n" HOST UP "websocket\r\n%s\r\n",
			 cases[i].headers);
		send_request(text);
		assert_status(cases[i].status);
		assert_null(f.ws);
		assert_null(f.proto);
	}
	refuse_with = 503; /* too late for HTTP: the 101 is out */
	send_request("GET /derp HTTP/1.1\r\n" HOST UP
		     "websocket\r\n" WS_KEY WS_VERSION WS_PROTOCOL "\r\n");
	assert_status("HTTP/1.1 101 ");
	assert_no_out("503");
	assert_true(f.closed);
}

/* ---- messages, and several subprotocols ---- */

static void on_message(struct hd_module *mod, struct hd_stream *s, void *state,
		       const struct hd_ws_message *message)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)message;
}

static int accept_origin(struct hd_module *mod, struct hd_request *req)
{
	const char *origin = hd_request_header(req, "Origin");

	(void)mod;
	if (origin == NULL)
		return -EPERM; /* without a reply: 403 */
	if (strcmp(origin, "https://a.example") == 0)
		return 0;
	hd_reply(req, 401, NULL, NULL, 0);
	return -EPERM;
}

static const struct hd_proto messages = { .name = "messages",
					  .message = on_message };
static const char *const names[] = { "v2", "v1", NULL };
static struct hd_route rooms = { .path = "/rooms",
				 .methods = HD_HTTP_GET,
				 .token = "websocket",
				 .websocket = HD_WS_MODE_MESSAGES,
				 .accept = accept_origin,
				 .subprotocols = names,
				 .ping_ms = 30000,
				 .proto = &messages };

static void knock(const char *headers)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "GET /rooms HTTP/1.1\r\n" HOST UP "websocket\r\n" WS_KEY
			 WS_VERSION "%s\r\n",
		 headers);
	send_request(text);
}

#define ORIGIN "Origin: https://a.example\r\n"
#define OFFER "Sec-WebSocket-Protocol: "

static void the_servers_order_counts(void **state)
{
	static const struct {
		const char *headers, *chosen;
	} cases[] = {
		{ OFFER "v1\r\n", "v1" },
		{ OFFER "v1, v2\r\n", "v2" },
		{ OFFER "v1\r\n" OFFER "x,v2 ,y\r\n", "v2" },
		{ OFFER "V2, v1\r\n", "v1" }, /* compared as it is */
		{ OFFER "v3\r\n", NULL },
		{ "", NULL },
	};
	char text[512];

	(void)state;
	assert_int_equal(hd_route_add(&derp, &rooms, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		snprintf(text, sizeof(text), ORIGIN "%s", cases[i].headers);
		knock(text);
		assert_status("HTTP/1.1 101 ");
		assert_true(f.ws->messages);
		assert_int_equal(f.ws->in.limit_bytes,
				 HD_WS_MESSAGE_DEFAULT_BYTES);
		assert_int_equal(f.ws->ping_ms, 30000);
		assert_string_equal(f.ws->subprotocol,
				    cases[i].chosen ? cases[i].chosen : "");
		if (cases[i].chosen == NULL) {
			assert_no_out("Sec-WebSocket-Protocol");
			continue;
		}
		snprintf(text, sizeof(text),
			 "\r\nSec-WebSocket-Protocol: %s\r\n",
			 cases[i].chosen);
		assert_out(text);
	}
}

static void one_is_needed(void **state)
{
	struct hd_route strict = rooms;

	(void)state;
	strict.subprotocol_needed = true;
	assert_int_equal(hd_route_add(&derp, &strict, NULL), 0);
	knock(ORIGIN);
	assert_status("HTTP/1.1 426 ");
	knock(ORIGIN OFFER "v3\r\n");
	assert_status("HTTP/1.1 426 ");
	knock(ORIGIN OFFER "v1\r\n");
	assert_status("HTTP/1.1 101 ");
}

static void refused_before_the_101(void **state)
{
	(void)state;
	assert_int_equal(hd_route_add(&derp, &rooms, NULL), 0);
	knock("");
	assert_status("HTTP/1.1 403 ");
	assert_null(f.ws);
	assert_true(f.closed);
	knock("Origin: https://b.example\r\n");
	assert_status("HTTP/1.1 401 ");
	assert_null(f.proto);
}

static void routes_that_cannot_be(void **state)
{
	static const char *const bad[] = { "v1", "a b", NULL };
	static const char *const empty[] = { "", NULL };
	const struct hd_route good = rooms;
	struct hd_route r[6] = { good, good, good, good, good, good };

	(void)state;
	r[0].subprotocols = bad;
	r[1].subprotocols = empty;
	r[2].subprotocols = NULL;
	r[2].subprotocol_needed = true;
	r[3].proto = &derp_proto; /* takes no messages */
	r[4].message_max_bytes = HD_WS_MESSAGE_MAX_BYTES + 1;
	r[5].websocket = HD_WS_MODE_BYTES; /* takes no bytes */
	for (size_t i = 0; i < HD_ARRAY_N(r); i++)
		if (hd_route_add(&derp, &r[i], NULL) != -EINVAL)
			fail_msg("route %zu was taken", i);
}

static void no_memory_for_the_new_protocol(void **state)
{
	static char text[] = "GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\n";
	size_t n = strlen(text);

	(void)state;
	fake_stream_init(&f);
	f.fail_switch = true;
	assert_int_equal(hd_http_proto.data(NULL, &f.s, NULL, (uint8_t *)text,
					    n),
			 n);
	assert_true(f.closed);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* What it said is kept where a module is asked who may log in. */
static void keeps_head(void **state)
{
	static struct hd_hooks hooks = { .admit = { .n = 1 } };
	const struct hd_stream *s = &f.s;

	(void)state;
	send_request("GET /derp?a=1&b=%41+%2b&c&a=2&%zz=1&d=%00&=e "
		     "HTTP/1.1\r\n" HOST "X-Team: blue\r\n"
		     "x-team: red\r\n" UP "DERP\r\n\r\n");
	assert_null(s->head);
	hooks_of_requests = &hooks;
	send_request("GET /derp?a=1&b=%41+%2b&c&a=2&%zz=1&d=%00&=e "
		     "HTTP/1.1\r\n" HOST "X-Team: blue\r\n"
		     "x-team: red\r\n" UP "DERP\r\n\r\n");
	hooks_of_requests = NULL;
	assert_non_null(s->head);
	assert_string_equal(hd_stream_head_header(s, "X-TEAM"), "blue");
	assert_null(hd_stream_head_header(s, "X-Tea"));
	assert_null(hd_stream_head_header(s, "a"));
	assert_string_equal(hd_stream_head_query(s, "a"), "1");
	assert_string_equal(hd_stream_head_query(s, "b"), "A +");
	assert_string_equal(hd_stream_head_query(s, "c"), "");
	assert_null(hd_stream_head_query(s, "d"));
	assert_null(hd_stream_head_query(s, ""));
	assert_null(hd_stream_head_query(s, "A"));
	assert_null(hd_stream_head_query(s, "X-Team"));
	hd_stream_head_drop(&f.s);
	assert_null(s->head);
	assert_null(hd_stream_head_query(s, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(upgrades),
		TEST(http10_is_not_upgraded),
		TEST(fast_start_gets_no_answer),
		TEST(a_refused_upgrade_is_closed),
		TEST(websocket),
		TEST(websocket_refusals),
		TEST(the_servers_order_counts),
		TEST(one_is_needed),
		TEST(refused_before_the_101),
		TEST(routes_that_cannot_be),
		TEST(no_memory_for_the_new_protocol),
		TEST(keeps_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
