/* SPDX-License-Identifier: MIT */
/* t/unit/derp_routes.c - what the module answers in HTTP. */
#include "t/unit/derp_help.h"

static struct hd_request req;
static struct hd_stream *s;

static int setup(void **state)
{
	memset(&req, 0, sizeof(req));
	return derp_up(state);
}

static int teardown(void **state)
{
	fake_stream_free(&s);
	return derp_down(state);
}

static void upgrade(const char *token)
{
	const struct hd_route *route = fake_route("/derp", token);

	assert_non_null(route);
	assert_int_equal(route->methods, route->websocket != HD_WS_MODE_NONE
						 ? HD_HTTP_GET
						 : /* RFC 6455, 4.1 */
						 HD_HTTP_GET | HD_HTTP_POST);
	s = fake_stream_new(route->proto);
	assert_int_equal(route->upgrade(&fake.module, &req, s, s->state), 0);
}

static void get(const char *path)
{
	const struct hd_route *route = fake_route(path, NULL);

	assert_non_null(route);
	route->answer(&fake.module, &req);
	assert_true(req.status != 0);
}

#define SERVER_KEY_FRAME "01 00000028 444552 50f09f9491 " SERVER_PUBLIC

static void upgrade_answers_101_then_server_key(void **state)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: DERP\r\n"
				   "Connection: Upgrade\r\n"
				   "Derp-Version: 2\r\n"
				   "Derp-Public-Key: " SERVER_PUBLIC "\r\n"
				   "\r\n";

	(void)state;
	upgrade("derp");
	assert_true(s->out.n > strlen(head));
	assert_memory_equal(s->out.v, head, strlen(head));
	assert_hex(s->out.v + strlen(head), s->out.n - strlen(head),
		   SERVER_KEY_FRAME);
	assert_int_equal(s->lane[HD_LANE_CONTROL].n, s->out.n);
}

static void fast_start_answers_server_key_alone(void **state)
{
	(void)state;
	fake_request_header(&req, "Derp-Fast-Start", "1");
	upgrade("DERP");
	assert_hex(s->out.v, s->out.n, SERVER_KEY_FRAME);
}

static void fast_start_must_be_1(void **state)
{
	(void)state;
	fake_request_header(&req, "Derp-Fast-Start", "0");
	upgrade("DERP");
	assert_memory_equal(s->out.v, "HTTP/1.1 101", 12);
}

static void websocket_gets_server_key(void **state)
{
	const struct hd_route *route = fake_route("/derp", "websocket");

	(void)state;
	assert_string_equal(route->subprotocols[0], "derp");
	assert_null(route->subprotocols[1]);
	assert_true(route->subprotocol_needed);
	assert_int_equal(route->websocket, HD_WS_MODE_BYTES);
	upgrade("websocket");
	assert_hex(s->out.v, s->out.n, SERVER_KEY_FRAME);
	assert_int_equal(fake_metric("hyper_derp_derp_upgrades_total",
				     "transport=\"websocket\""),
			 1);
}

static void no_upgrade_is_426(void **state)
{
	(void)state;
	assert_int_equal(fake_route("/derp", NULL)->methods,
			 HD_HTTP_GET | HD_HTTP_POST);
	get("/derp");
	assert_int_equal(req.status, 426);
	assert_string_equal(fake_replied(&req, "Upgrade"), "DERP");
}

static void probe(void **state)
{
	(void)state;
	get("/derp/probe");
	assert_int_equal(req.status, 200);
	assert_string_equal(fake_replied(&req, "Access-Control-Allow-Origin"),
			    "*");
	assert_int_equal(req.body_len, 0);
	assert_int_equal(fake_route("/derp/probe", NULL)->methods,
			 HD_HTTP_GET | HD_HTTP_HEAD);
}

static void latency_check_follows_serving(void **state)
{
	(void)state;
	get("/derp/latency-check");
	assert_int_equal(req.status, 200);
	assert_string_equal(fake_replied(&req, "Access-Control-Allow-Origin"),
			    "*");
	memset(&req, 0, sizeof(req));
	fake.worker.serving = false;
	get("/derp/latency-check");
	assert_int_equal(req.status, 503);
}

static void generate_204(void **state)
{
	(void)state;
	get("/generate_204");
	assert_int_equal(req.status, 204);
	assert_string_equal(fake_replied(&req, "Cache-Control"),
			    "no-cache, no-store, must-revalidate, "
			    "no-transform, max-age=0");
	assert_null(fake_replied(&req, "X-Tailscale-Response"));
}

#define DIGITS64                                                               \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void challenge_is_echoed(void **state)
{
	static const char *const good[] = { "ts_derp1a.example.com", "A-z:9._",
					    DIGITS64 };
	char want[128];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(good); i++) {
		memset(&req, 0, sizeof(req));
		fake_request_header(&req, "X-Tailscale-Challenge", good[i]);
		get("/generate_204");
		snprintf(want, sizeof(want), "response %s", good[i]);
		assert_string_equal(fake_replied(&req, "X-Tailscale-Response"),
				    want);
	}
}

static void bad_challenge_is_not_echoed(void **state)
{
	static const char *const bad[] = {
		"", "a b", "a/b", "a\r\nX: y", "\xc3\xa9", DIGITS64 "0"
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++) {
		memset(&req, 0, sizeof(req));
		fake_request_header(&req, "X-Tailscale-Challenge", bad[i]);
		get("/generate_204");
		assert_int_equal(req.status, 204);
		assert_null(fake_replied(&req, "X-Tailscale-Response"));
	}
}

static void assert_replied(const char *name, const char *value)
{
	const char *given = fake_replied(&req, name);

	assert_non_null(given);
	assert_string_equal(given, value);
}

static void pages(void **state)
{
	(void)state;
	get("/robots.txt");
	assert_int_equal(req.status, 200);
	assert_string_equal(req.body, "User-agent: *\nDisallow: /\n");
	assert_replied("X-Content-Type-Options", "nosniff");
	memset(&req, 0, sizeof(req));
	get("/");
	assert_int_equal(req.status, 200);
	assert_non_null(strstr(req.body, "DERP"));
	assert_replied("X-Content-Type-Options", "nosniff");
	assert_replied("Strict-Transport-Security", "max-age=63072000");
	assert_replied("Content-Security-Policy",
		       "default-src 'none'; base-uri 'none'; "
		       "form-action 'none'; frame-ancestors 'none'");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(upgrade_answers_101_then_server_key),
		TEST(fast_start_answers_server_key_alone),
		TEST(fast_start_must_be_1),
		TEST(websocket_gets_server_key),
		TEST(no_upgrade_is_426),
		TEST(probe),
		TEST(latency_check_follows_serving),
		TEST(generate_204),
		TEST(challenge_is_echoed),
		TEST(bad_challenge_is_not_echoed),
		TEST(pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
