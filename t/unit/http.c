/* SPDX-License-Identifier: MIT */
/* t/unit/http.c - from request to route, and what goes back. */
#include "t/unit/http_case.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void a_taken_route_names_its_owner(void **state)
{
	struct hd_route longer = upgrade_route;
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_route_add(&other, &page_route, &err), -EEXIST);
	assert_non_null(strstr(err.text, "derp"));
	longer.token = "dErP";
	assert_int_equal(hd_route_add(&other, &longer, &err), -EEXIST);
	longer.token = "HD";
	assert_int_equal(hd_route_add(&other, &longer, &err), 0);
	longer.proto = NULL;
	longer.token = "HD2";
	assert_int_equal(hd_route_add(&other, &longer, &err), -EINVAL);
	drop_routes(&other);
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
	hd_http_proto.data(NULL, &f.s, NULL, (uint8_t *)text,
			   strlen(text));
	assert_status("HTTP/1.1 200 ");
	f.out_len = 0;
	hd_http_proto.data(NULL, &f.s, NULL, (uint8_t *)root,
			   strlen(root));
	assert_status("HTTP/1.1 404 ");
}

static void ask_at(unsigned only, const char *request)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "\r\n",
			 request);

	fake_stream_free(&f);
	fake_stream_init(&f);
	f.only = only;
	hd_http_proto.data(NULL, &f.s, NULL, (uint8_t *)text, (size_t)n);
}

static void some_listeners_are_for_some_pages(void **state)
{
	static const struct {
		unsigned only;
		const char *request, *status;
	} rows[] = {
		{ 0, "GET /generate_204", "HTTP/1.1 204 " },
		{ HD_PAGES_CAPTIVE_PORTAL, "GET /generate_204",
		  "HTTP/1.1 204 " },
		{ HD_PAGES_CAPTIVE_PORTAL, "DELETE /generate_204",
		  "HTTP/1.1 405 " },
		{ HD_PAGES_CAPTIVE_PORTAL | HD_PAGES_ACME, "GET /generate_204",
		  "HTTP/1.1 204 " },
		{ HD_PAGES_ACME, "GET /generate_204", "HTTP/1.1 404 " },
		{ HD_PAGES_CAPTIVE_PORTAL, "GET /", "HTTP/1.1 404 " },
		{ HD_PAGES_CAPTIVE_PORTAL, "GET /derp", "HTTP/1.1 404 " },
		{ HD_PAGES_CAPTIVE_PORTAL,
		  "GET /derp HTTP/1.1\r\nConnection: upgrade\r\n"
		  "Upgrade: DERP\r\nX:",
		  "HTTP/1.1 404 " },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		ask_at(rows[i].only, rows[i].request);
		assert_status(rows[i].status);
	}
}

static void a_route_may_have_all_below_it(void **state)
{
	struct hd_route wrong = page_route;
	struct hd_error err;

	(void)state;
	ask_at(0, "GET /below/a/b?c=d");
	assert_status("HTTP/1.1 200 ");
	assert_out("\r\nX-Path: /below/a/b\r\n");
	ask_at(HD_PAGES_ACME, "GET /below/");
	assert_out("\r\nX-Path: /below/\r\n");
	ask_at(0, "GET /below/not"); /* the whole path comes first */
	assert_status("HTTP/1.1 204 ");
	ask_at(0, "POST /below/x");
	assert_status("HTTP/1.1 405 ");
	ask_at(0, "GET /below");
	assert_status("HTTP/1.1 404 ");
	ask_at(0, "GET /xbelow/");
	assert_status("HTTP/1.1 404 ");
	wrong.path = "/elsewhere";
	wrong.below = true;
	assert_int_equal(hd_route_add(&other, &wrong, &err), -EINVAL);
	assert_non_null(strstr(err.text, "does not end with /"));
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
		TEST(some_listeners_are_for_some_pages),
		TEST(a_route_may_have_all_below_it),
		TEST(a_header_cannot_be_split),
		TEST(a_silent_route_is_a_500),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
