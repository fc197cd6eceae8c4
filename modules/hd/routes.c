/* SPDX-License-Identifier: MIT */
/* modules/hd/routes.c - the upgrade, and the relay's proof, which is the first
 * frame. Context: a worker. */
#include <errno.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/hd.h"

#define TEXT "text/plain; charset=utf-8"

static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\n"
				"Upgrade: HD\r\n"
				"Connection: Upgrade\r\n"
				"\r\n";

static void hello(struct hd_stream *s, const uint8_t *binding)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_HELLO_BYTES];
	uint8_t message[HDP_SIGNED_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_RELAY_HELLO, HDP_HELLO_BYTES);

	*p++ = HDP_VERSION;
	*p++ = 0;
	memcpy(p, hdp_relay->key.identity, HD_KEY_BYTES);
	hdp_signed_put(message, HDP_LABEL_RELAY, binding,
		       hdp_relay->key.identity);
	crypto_sign_detached(p + HD_KEY_BYTES, NULL, message, sizeof(message),
			     hdp_relay->key.secret);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

static bool proxy_says_so(struct hd_request *req)
{
	return hd_request_header(req, "X-Forwarded-For") != NULL ||
	       hd_request_header(req, "Forwarded") != NULL ||
	       hd_request_header(req, "Via") != NULL;
}

/* Returns why this connection can prove nobody; NULL: it can. */
static const char *unprovable(struct hd_request *req, struct hd_stream *s,
			      struct hdp_state *d, uint8_t *binding)
{
	if (!hd_stream_is_tls(s) || proxy_says_so(req))
		return "HD needs TLS between the client and the relay itself, "
		       "and a proxy has ended it, or there was none: pass TLS "
		       "through, or connect without the proxy\n";
	if (hdp_binding(s, d, binding) < 0)
		return "HD needs TLS 1.3\n";
	return NULL;
}

static int refuse(struct hd_request *req, int status, const char *why)
{
	hd_reply(req, status, TEXT, why, strlen(why));
	return -EACCES;
}

static int upgrade(struct hd_module *mod, struct hd_request *req,
		   struct hd_stream *s, void *state)
{
	uint8_t binding[HDP_BINDING_BYTES];
	const char *why = unprovable(req, s, state, binding);

	if (why != NULL) {
		hd_count(&hdp_metrics(mod, s)->refused_proxy, 1);
		return refuse(req, 403, why);
	}
	if (!hd_worker_serving(hd_request_worker(req)))
		return refuse(req, 503, "this relay is about to stop\n");
	hd_stream_append(s, HD_LANE_CONTROL, switching, sizeof(switching) - 1);
	hello(s, binding);
	return 0;
}

static void answer_no_upgrade(struct hd_module *mod, struct hd_request *req)
{
	static const char text[] =
		"HD requires connection upgrade, by HTTP/1.1 over TLS 1.3\n";

	(void)mod;
	hd_reply_header(req, "Upgrade", "HD");
	hd_reply(req, 426, TEXT, text, sizeof(text) - 1);
}

static const struct hd_route routes[] = {
	{ .path = "/hd",
	  .methods = HD_HTTP_GET,
	  .token = "HD",
	  .upgrade = upgrade,
	  .proto = &hdp_proto },
	{ .path = "/hd", .methods = HD_HTTP_GET, .answer = answer_no_upgrade },
};

int hdp_routes_add(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < HD_ARRAY_N(routes); i++)
		r = hd_route_add(mod, &routes[i], err);
	return r;
}
