/* SPDX-License-Identifier: MIT */
/* t/unit/http.c - from request to route, and what goes back. */
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include "core/http.h"
#include "core/ws.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST "Host: relay.example\r\n"
#define UP "Connection: Upgrade\r\nUpgrade: "
/* RFC 6455, 1.3 */
#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define WS_VERSION "Sec-WebSocket-Version: 13\r\n"
#define WS_PROTOCOL "Sec-WebSocket-Protocol: other, derp\r\n"

static struct hd_module derp = { .name = "derp" };
static struct hd_module other = { .name = "other" };
static struct fake_stream f;
static int refuse_with; /* upgrade() replies and refuses */
static bool silent; /* answer() forgets to reply */

static size_t send_request(const char *text)
{
	static uint8_t buf[65536];
	size_t n = strlen(text);

	fake_stream_free(&f);
	fake_stream_init(&f);
	memcpy(buf, text, n);
	return hd_http_proto.data(&f.s, NULL, buf, n);
}

static void assert_out(const char *part)
{
	if (strstr(f.out, part) == NULL)
		fail_msg("no '%s' in: %s", part, f.out);
}

static void assert_no_out(const char *part)
{
	if (strstr(f.out, part) != NULL)
		fail_msg("'%s' in: %s", part, f.out);
}

static void assert_status(const char *line)
{
	if (strncmp(f.out, line, strlen(line)) != 0)
		fail_msg("not '%s': %s", line, f.out);
}

/* ---- routes ---- */

static size_t proto_data(struct hd_stream *s, void *state, uint8_t *p, size_t n)
{
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_proto derp_proto = { .name = "derp",
					    .data = proto_data };
static const struct hd_proto ws_proto = { .name = "derp-ws",
					  .data = proto_data };

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
		hd_stream_append(s, HD_CONTROL, "HTTP/1.1 101 by derp\r\n\r\n",
				 24);
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
	hd_stream_append(s, HD_CONTROL, "frame", 5);
	return 0;
}

static const struct hd_route page = { .path = "/",
				      .methods = HD_GET,
				      .answer = answer_page };
static const struct hd_route upgrade = { .path = "/derp",
					 .methods = HD_GET,
					 .token = "DERP",
					 .upgrade = upgrade_derp,
					 .proto = &derp_proto };

static int set_up(void **state)
{
	static const struct hd_route more[] = {
		{ .path = "/derp",
		  .methods = HD_GET,
		  .token = "websocket",
		  .subprotocol = "derp",
		  .websocket = HD_WS_BYTES,
		  .upgrade = upgrade_ws,
		  .proto = &ws_proto },
		{ .path = "/generate_204",
		  .methods = HD_GET | HD_POST,
		  .answer = answer_204 },
		{ .listener = "metrics",
		  .path = "/metrics",
		  .methods = HD_GET,
		  .answer = answer_page },
	};

	(void)state;
	refuse_with = 0;
	silent = false;
	fake_stream_init(&f);
	assert_int_equal(hd_route_add(&derp, &page, NULL), 0);
	assert_int_equal(hd_route_add(&derp, &upgrade, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(more); i++)
		assert_int_equal(hd_route_add(&derp, &more[i], NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hd_routes_free(NULL);
	fake_stream_free(&f);
	return 0;
}

/* ---- tests ---- */

static void a_taken_route_names_its_owner(void **state)
{
	struct hd_route longer = upgrade;
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_route_add(&other, &page, &err), -EEXIST);
	assert_non_null(strstr(err.text, "derp"));
	longer.token = "dErP";
	assert_int_equal(hd_route_add(&other, &longer, &err), -EEXIST);
	longer.token = "HD";
	assert_int_equal(hd_route_add(&other, &longer, &err), 0);
	longer.proto = NULL;
	longer.token = "HD2";
	assert_int_equal(hd_route_add(&other, &longer, &err), -EINVAL);
	hd_routes_free(&other);
	assert_non_null(hd_route_find(NULL, "/"));
	assert_null(hd_route_find("metrics", "/"));
	assert_null(hd_route_find(NULL, "/metrics"));
}

static void a_page(void **state)
{
	static const char text[] = "GET /?a=1 HTTP/1.1\r\n" HOST "\r\n";

	(void)state;
	assert_int_equal(send_request(text), sizeof(text) - 1);
	assert_status("HTTP/1.1 200 OK\r\n");
	assert_out("\r\nX-Query: a=1\r\n");
	assert_out("\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n");
	assert_out("\r\nDate: ");
	assert_out("\r\n\r\na page\n");
	assert_no_out("Connection:");
	assert_false(f.closed);
}

static void head_has_no_body(void **state)
{
	(void)state;
	send_request("HEAD / HTTP/1.1\r\n" HOST "\r\n");
	assert_status("HTTP/1.1 200 OK\r\n");
	assert_out("Content-Length: 7\r\n");
	assert_no_out("a page");
	assert_false(f.closed);
}

static void no_content_has_no_length(void **state)
{
	(void)state;
	send_request("GET /generate_204 HTTP/1.1\r\n" HOST "\r\n");
	assert_status("HTTP/1.1 204 No Content\r\n");
	assert_no_out("Content-Length");
}

static void pipelined_requests(void **state)
{
	static const char text[] = "GET /?a HTTP/1.1\r\n" HOST "\r\n"
				   "GET /?b HTTP/1.1\r\n" HOST "\r\n"
				   "GET /?c HTT";

	(void)state;
	assert_int_equal(send_request(text), sizeof(text) - 1 - 11);
	assert_out("X-Query: a\r\n");
	assert_out("X-Query: b\r\n");
	assert_no_out("X-Query: c\r\n");
	assert_false(f.closed);
}

static void statuses(void **state)
{
	static const struct {
		const char *text, *status, *part;
		bool closed;
	} cases[] = {
		{ "GET /no HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ", "", 0 },
		{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ", "",
		  0 },
		{ "POST / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ",
		  "\r\nAllow: GET, HEAD\r\n", 0 },
		{ "POST /generate_204 HTTP/1.1\r\n" HOST "\r\n",
		  "HTTP/1.1 204 ", "", 0 },
		{ "DELETE /generate_204 HTTP/1.1\r\n" HOST "\r\n",
		  "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD, POST\r\n", 0 },
		{ "POST /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\n",
		  "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n", 0 },
		{ "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ",
		  "\r\nAllow: GET, HEAD\r\n", 1 },
		{ "GET /derp HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 426 ",
		  "\r\nUpgrade: DERP, websocket\r\n", 0 },
		{ "GET /derp HTTP/1.1\r\n" HOST UP "h2c\r\n\r\n",
		  "HTTP/1.1 426 ", "", 0 },
		{ "GET / HTTP/1.1\r\n" HOST UP "h2c\r\n\r\n", "HTTP/1.1 200 ",
		  "", 0 },
		{ "GET /derp HTTP/1.1\r\n" HOST "Upgrade: DERP\r\n\r\n",
		  "HTTP/1.1 426 ", "", 0 },
		/* keep or close */
		{ "GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n",
		  "HTTP/1.1 200 ", "\r\nConnection: close\r\n", 1 },
		{ "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ",
		  "\r\nConnection: close\r\n", 1 },
		{ "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
		  "HTTP/1.1 200 ", "\r\nConnection: keep-alive\r\n", 0 },
		/* bodies */
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
		  "HTTP/1.1 200 ", "", 0 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nGET /",
		  "HTTP/1.1 200 ", "\r\nConnection: close\r\n", 1 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
		  "HTTP/1.1 400 ", "", 1 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
		  "HTTP/1.1 400 ", "", 1 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"
		  "Content-Length: 0\r\n\r\n",
		  "HTTP/1.1 400 ", "", 1 },
		{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		  "0\r\n\r\n",
		  "HTTP/1.1 501 ", "", 1 },
		{ "GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n"
		  "Content-Length: 1\r\n\r\nx",
		  "HTTP/1.1 400 ", "", 1 },
		/* hosts */
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Host", 1 },
		{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "HTTP/1.1 400 ", "",
		  1 },
		/* garbage */
		{ "\x05\x01\x02garbage", "HTTP/1.0 400 Bad Request\r\n",
		  "\r\nConnection: close\r\n", 1 },
		{ "GET / HTTP/2.0\r\n\r\n", "HTTP/1.0 505 ", "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		size_t used = send_request(cases[i].text);

		if (strncmp(f.out, cases[i].status, strlen(cases[i].status)) !=
			    0 ||
		    strstr(f.out, cases[i].part) == NULL ||
		    f.closed != cases[i].closed || f.proto != NULL ||
		    used != strlen(cases[i].text))
			fail_msg("%s\nused %zu closed %d\n%s", cases[i].text,
				 used, f.closed, f.out);
	}
}

static void an_oversize_head_gets_431(void **state)
{
	static char text[HD_HTTP_HEAD_MAX_BYTES + 2] = "GET / HTTP/1.1\r\nA: ";

	(void)state;
	memset(text + strlen(text), 'x', sizeof(text) - 1 - strlen(text));
	send_request(text);
	assert_status("HTTP/1.0 431 ");
	assert_true(f.closed);
}

static void tls_on_a_plain_port_gets_nothing(void **state)
{
	(void)state;
	assert_int_equal(send_request("\x16\x03\x01\x02"), 4);
	assert_int_equal(f.out_len, 0);
	assert_true(f.closed);
	assert_int_equal(f.why, HD_CLOSE_PROTOCOL);
}

static void named_listeners_have_routes_of_their_own(void **state)
{
	static char text[] = "GET /metrics HTTP/1.1\r\n" HOST "\r\n";
	static char root[] = "GET / HTTP/1.1\r\n" HOST "\r\n";

	(void)state;
	fake_stream_init(&f);
	f.listener = "metrics";
	hd_http_proto.data(&f.s, NULL, (uint8_t *)text, strlen(text));
	assert_status("HTTP/1.1 200 ");
	f.out_len = 0;
	hd_http_proto.data(&f.s, NULL, (uint8_t *)root, strlen(root));
	assert_status("HTTP/1.1 404 ");
}

static void upgrades(void **state)
{
	static const char *const heads[] = {
		"GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\n",
		"GET /derp HTTP/1.1\r\n" HOST UP "derp\r\n\r\n",
		"GET /derp HTTP/1.0\r\n" UP "DERP\r\n\r\n",
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

static void a_header_cannot_be_split(void **state)
{
	struct hd_request req = { .stream = &f.s,
				  .keep = true,
				  .head = { .path = "/" } };

	(void)state;
	fake_stream_init(&f);
	hd_reply_header(&req, "X-Response", "a\r\nX-Forged: b");
	hd_reply_header(&req, "X-Good", "c");
	hd_reply(&req, 200, NULL, NULL, 0);
	assert_out("\r\nX-Good: c\r\n");
	assert_out("\r\nContent-Length: 0\r\n");
	assert_no_out("Forged");
}

static void a_silent_route_is_a_500(void **state)
{
	(void)state;
	silent = true;
	send_request("GET / HTTP/1.1\r\n" HOST "\r\n");
	assert_status("HTTP/1.1 500 ");
	assert_true(f.closed);
}

static void no_memory_for_the_new_protocol(void **state)
{
	static char text[] = "GET /derp HTTP/1.1\r\n" HOST UP "DERP\r\n\r\n";
	size_t n = strlen(text);

	(void)state;
	fake_stream_init(&f);
	f.fail_switch = true;
	assert_int_equal(hd_http_proto.data(&f.s, NULL, (uint8_t *)text, n), n);
	assert_true(f.closed);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_taken_route_names_its_owner),
		TEST(a_page),
		TEST(head_has_no_body),
		TEST(no_content_has_no_length),
		TEST(pipelined_requests),
		TEST(statuses),
		TEST(an_oversize_head_gets_431),
		TEST(tls_on_a_plain_port_gets_nothing),
		TEST(named_listeners_have_routes_of_their_own),
		TEST(upgrades),
		TEST(fast_start_gets_no_answer),
		TEST(a_refused_upgrade_is_closed),
		TEST(websocket),
		TEST(websocket_refusals),
		TEST(a_header_cannot_be_split),
		TEST(a_silent_route_is_a_500),
		TEST(no_memory_for_the_new_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
