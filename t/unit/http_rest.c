/* SPDX-License-Identifier: MIT */
/* t/unit/http_rest.c - requests that no route has, and the route that wants
 * them. */
#include "t/unit/http_case.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool wants_served; /* what wants() says of paths that have a route */
static unsigned asked;
static char bytes[20000]; /* what was sent, and is the rest's now */

static size_t rest_data(struct hd_module *mod, struct hd_stream *s, void *state,
			uint8_t *p, size_t n)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_proto rest_proto = { .name = "rest", .data = rest_data };

static bool wants(struct hd_module *mod, struct hd_request *req, bool served)
{
	assert_ptr_equal(mod, &other);
	assert_int_equal(hd_request_path(req)[0], '/');
	asked++;
	return !served || wants_served;
}

static const struct hd_route rest = {
	.rest = true,
	.wants = wants,
	.proto = &rest_proto,
};

static int set_up_rest(void **state)
{
	struct hd_error err;
	int r = set_up(state);

	asked = 0;
	wants_served = false;
	if (r == 0)
		r = hd_route_add(&other, &rest, &err);
	hd_route_kind.publish();
	return r;
}

static int tear_down_rest(void **state)
{
	drop_routes(&other);
	return tear_down(state);
}

/* On a new stream. Returns the bytes used. */
static size_t ask(unsigned only, const char *text)
{
	size_t n = strlen(text);

	assert_true(n < sizeof(bytes));
	memcpy(bytes, text, n + 1);
	fake_stream_free(&f);
	fake_stream_init(&f);
	f.only = only;
	return hd_http_proto.data(NULL, &f.s, NULL, (uint8_t *)bytes, n);
}

/* The rest has it, as it was. */
static void is_rest(const char *text)
{
	assert_int_equal(ask(0, text), 0);
	assert_ptr_equal(f.proto, &rest_proto);
	assert_string_equal(bytes, text);
	assert_int_equal(f.out_len, 0);
	assert_false(f.closed);
}

static void is_ours(const char *text, const char *status)
{
	ask(0, text);
	assert_null(f.proto);
	assert_status(status);
}

static void it_gets_what_it_was(void **state)
{
	(void)state;
	is_rest("GET /x?a=%41 HTTP/1.1\r\nhOST:  relay\r\nA:\tb \r\n\r\n");
	is_rest("BREW /x HTTP/1.0\r\n\r\n");
	is_rest("POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	is_rest("POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
		"GET / HTTP/1.1\r\n" HOST "\r\n");
	is_rest("\r\nGET /x HTTP/1.1\r\n" HOST UP "websocket\r\n\r\n");
	assert_int_equal(asked, 5);
}

static void what_is_served_is_not(void **state)
{
	(void)state;
	is_ours("GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
	assert_int_equal(asked, 1);
	is_ours("DELETE / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ");
	is_ours("CONNECT /x HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ");
	ask(HD_PAGES_ACME, "GET /x HTTP/1.1\r\n" HOST "\r\n");
	assert_status("HTTP/1.1 404 ");
	wants_served = true;
	is_rest("DELETE / HTTP/1.1\r\n" HOST "\r\n");
	asked = 0; /* clients log in there: nobody is asked */
	ask(0, "GET /derp HTTP/1.1\r\n" HOST "\r\n");
	assert_null(f.proto);
	assert_int_equal(asked, 0);
}

static void what_comes_before_is_answered(void **state)
{
	static const char first[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
	static const char both[] = "GET / HTTP/1.1\r\n" HOST "\r\n"
				   "GET /x HTTP/1.1\r\n" HOST "\r\n";

	const size_t n = sizeof(first) - 1;

	(void)state;
	assert_int_equal(ask(0, both), n);
	assert_status("HTTP/1.1 200 ");
	assert_ptr_equal(f.proto, &rest_proto);
	assert_string_equal(bytes + n, both + n);
}

static void a_large_head(void **state)
{
	char text[16000];
	int n = snprintf(text, sizeof(text), "GET /x HTTP/1.1\r\nX: ");

	(void)state;
	memset(text + n, 'x', sizeof(text) - 1 - (size_t)n);
	text[sizeof(text) - 1] = '\0';
	is_rest(text); /* its end is not there yet */
	memcpy(text, "GET /derp HTTP/1.1\r\nX: ", 23);
	is_ours(text, "HTTP/1.0 431 ");
	memset(text, 'x', sizeof(text) - 1); /* no path can be seen */
	memcpy(text, "GET /x", 6);
	is_ours(text, "HTTP/1.0 431 ");
}

static void routes_that_are_wrong(void **state)
{
	struct hd_route wrong = rest;
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_route_add(&derp, &rest, &err), -EEXIST);
	assert_non_null(strstr(err.text, "for the rest"));
	wrong.path = "/x";
	assert_int_equal(hd_route_add(&derp, &wrong, &err), -EINVAL);
	wrong = rest;
	wrong.proto = NULL;
	assert_int_equal(hd_route_add(&derp, &wrong, &err), -EINVAL);
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, set_up_rest, tear_down_rest)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_gets_what_it_was),
		TEST(what_is_served_is_not),
		TEST(what_comes_before_is_answered),
		TEST(a_large_head),
		TEST(routes_that_are_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
