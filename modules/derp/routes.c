/* SPDX-License-Identifier: MIT */
/* modules/derp/routes.c - the HTTP side: both upgrades, and what clients and
 * captive-portal checks ask for in plain HTTP. */
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include "modules/derp/derp.h"
#include <errno.h>
#include <string.h>

#define DRAINING "this relay is about to stop"
#define CHALLENGE_MAX_BYTES 64
#define CHALLENGE_CHARS                                                        \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:"

static void reply_text(struct hd_request *req, int status, const char *type,
		       const char *text)
{
	hd_reply(req, status, type, text, strlen(text));
}

/* ---- upgrades ---- */

/* Without TLS no client of Tailscale comes to a relay: who speaks plainly is a
 * proxy that has ended TLS. Others leave a header, before TLS or in HTTP. */
static bool through_proxy(struct hd_request *req, const struct hd_stream *s)
{
	return !hd_stream_is_tls(s) || hd_stream_proxy(s) != NULL ||
	       hd_request_header(req, "X-Forwarded-For") != NULL ||
	       hd_request_header(req, "Forwarded") != NULL ||
	       hd_request_header(req, "Via") != NULL;
}

static void start(struct hd_request *req, struct hd_stream *s, void *state)
{
	struct derp_state *d = state;
	const char *ideal = hd_request_header(req, "Ideal-Node");
	uint8_t frame[DERP_SERVER_KEY_BYTES];

	d->not_ideal = ideal != NULL && *ideal != '\0';
	d->proxied = through_proxy(req, s);
	derp_server_key_put(frame, &derp_server->id.public_key);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

/* Before DERP begins: a client that has read one frame believes that this relay
 * lives, comes back at once and without end, and looks for no other. */
static int refuse_draining(struct hd_request *req)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_log_info("login refused: from=%s reason=\"" DRAINING "\"",
		    hd_addr_text(hd_request_addr(req), from));
	reply_text(req, 503, "text/plain; charset=utf-8", DRAINING "\n");
	return -ESHUTDOWN;
}

static int upgrade_derp(struct hd_module *mod, struct hd_request *req,
			struct hd_stream *s, void *state)
{
	const char *fast = hd_request_header(req, "Derp-Fast-Start");

	if (!hd_worker_serving(hd_request_worker(req)))
		return refuse_draining(req);
	if (fast == NULL || strcmp(fast, "1") != 0)
		hd_stream_append(s, HD_LANE_CONTROL, derp_server->switching,
				 derp_server->switching_len);
	start(req, s, state);
	hd_count(&derp_metrics(mod, s)->upgrades_tcp, 1);
	return 0;
}

static int accept_websocket(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	return hd_worker_serving(hd_request_worker(req)) ? 0
							 : refuse_draining(req);
}

static int upgrade_websocket(struct hd_module *mod, struct hd_request *req,
			     struct hd_stream *s, void *state)
{
	start(req, s, state);
	hd_count(&derp_metrics(mod, s)->upgrades_websocket, 1);
	return 0;
}

/* ---- pages ---- */

static void answer_no_upgrade(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	hd_reply_header(req, "Upgrade", "DERP");
	reply_text(req, 426, "text/plain; charset=utf-8",
		   "DERP requires connection upgrade, by HTTP/1.1; a proxy in "
		   "front must pass it on\n");
}

static void answer_probe(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	hd_reply_header(req, "Access-Control-Allow-Origin", "*");
	hd_reply(req, 200, NULL, NULL, 0);
}

/* A client must not choose a relay by its latency that then refuses it. */
static void answer_latency_check(struct hd_module *mod, struct hd_request *req)
{
	if (hd_worker_serving(hd_request_worker(req))) {
		answer_probe(mod, req);
		return;
	}
	hd_reply_header(req, "Access-Control-Allow-Origin", "*");
	reply_text(req, 503, "text/plain; charset=utf-8",
		   DRAINING "\n");
}

static bool challenge_ok(const char *challenge)
{
	size_t n = strlen(challenge);

	return n > 0 && n <= CHALLENGE_MAX_BYTES &&
	       strspn(challenge, CHALLENGE_CHARS) == n;
}

/* Captive-portal check: the echo proves that no portal has made the answer. */
static void answer_generate_204(struct hd_module *mod, struct hd_request *req)
{
	static const char prefix[] = "response ";
	const char *challenge = hd_request_header(req, "X-Tailscale-Challenge");
	char response[sizeof(prefix) + CHALLENGE_MAX_BYTES];

	(void)mod;
	if (challenge != NULL && challenge_ok(challenge)) {
		memcpy(response, prefix, sizeof(prefix));
		strcat(response, challenge);
		hd_reply_header(req, "X-Tailscale-Response", response);
	}
	hd_reply_header(req, "Cache-Control",
			"no-cache, no-store, must-revalidate, no-transform, "
			"max-age=0");
	hd_reply(req, 204, NULL, NULL, 0);
}

static void answer_robots(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	hd_reply_header(req, "X-Content-Type-Options", "nosniff");
	reply_text(req, 200, "text/plain; charset=utf-8",
		   "User-agent: *\nDisallow: /\n");
}

#define PAGE(at, fn)                                                           \
	{                                                                      \
		.path = (at), .methods = HD_HTTP_GET | HD_HTTP_HEAD,           \
		.answer = (fn)                                                 \
	}
/* Tailscale's Go client asks by GET, its Rust client (ts_derp 0.6) by POST. */
static const struct hd_route routes[] = {
	{ .path = "/derp",
	  .methods = HD_HTTP_GET | HD_HTTP_POST,
	  .token = "DERP",
	  .upgrade = upgrade_derp,
	  .proto = &derp_proto },
	{ .path = "/derp",
	  .methods = HD_HTTP_GET,
	  .token = "websocket",
	  .subprotocols = (const char *const[]){ "derp", NULL },
	  .subprotocol_needed = true,
	  .websocket = HD_WS_MODE_BYTES,
	  .accept = accept_websocket,
	  .upgrade = upgrade_websocket,
	  .proto = &derp_proto },
	{ .path = "/derp",
	  .methods = HD_HTTP_GET | HD_HTTP_POST,
	  .answer = answer_no_upgrade },
	PAGE("/derp/probe", answer_probe),
	PAGE("/derp/latency-check", answer_latency_check),
	{ .path = "/generate_204",
	  .methods = HD_HTTP_GET | HD_HTTP_HEAD,
	  .pages = HD_PAGES_CAPTIVE_PORTAL,
	  .answer = answer_generate_204 },
	PAGE("/robots.txt", answer_robots),
	PAGE("/", derp_answer_home),
};

int derp_routes_add(struct hd_module *mod, struct hd_error *err)
{
	for (size_t i = 0; i < HD_ARRAY_N(routes); i++) {
		int r = hd_route_add(mod, &routes[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}
