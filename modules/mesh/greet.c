/* SPDX-License-Identifier: MIT */
/* modules/mesh/greet.c - from a connection to a login, as a client of DERP:
 *
 *   GET /derp --> 101, ServerKey --> ClientInfo --> ServerInfo --> WatchConns
 *
 * On demand (demand.c), in place of WatchConns, an empty packet to ourselves
 * and a Ping. Who does not know our mesh key closes at either of the first two.
 *
 * We log in with the relay's own key, as derper does: so the other side can
 * tell who we are, and whether it is talking to itself. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/offer.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HEAD_MAX_BYTES 8192
#define HEAD_END "\r\n\r\n"
#define STATUS_LINE "HTTP/1.1 101 "
#define STATUS_AT 9 /* of the number */

/* What a mesh client says of itself. derper ignores names it does not know.
 * Source: tailscale 1.102, derp/derp_client.go (struct ClientInfo); the field
 * hyperDerpRealms is ours: derp_realms.h. */
#define INFO_HEAD                                                              \
	"{\"version\":2,\"CanAckPings\":true,"                                 \
	"\"AppName\":\"hyper-derp-mesh\",\"hyperDerpRealms\":true,"            \
	"\"meshKey\":\""
#define INFO_TAIL "\"}"
#define INFO_BYTES                                                             \
	(sizeof(INFO_HEAD) - 1 + 2 * HD_KEY_BYTES + sizeof(INFO_TAIL) - 1)
#define INFO_PAYLOAD_BYTES                                                     \
	(HD_KEY_BYTES + DERP_NONCE_BYTES + DERP_MAC_BYTES + INFO_BYTES)

/* ---- HTTP ---- */

/* An IPv6 address has brackets there, a usual port is left out: RFC 9110, 7.2.
 */
void mesh_greet(struct hd_stream *s, const struct mesh_member *to)
{
	bool v6 = strchr(to->host, ':') != NULL;
	char port[8] = "", request[512];
	int n;

	if (to->port != (to->tls ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", to->port);
	n = snprintf(request, sizeof(request),
		     "GET /derp HTTP/1.1\r\n"
		     "Host: %s%s%s%s\r\n"
		     "Upgrade: DERP\r\n"
		     "Connection: Upgrade\r\n"
		     "User-Agent: hyper-derp-mesh\r\n"
		     "\r\n",
		     v6 ? "[" : "", to->host, v6 ? "]" : "", port);
	hd_stream_append(s, HD_LANE_CONTROL, request, (size_t)n);
}

static int refuse_http(struct hd_module *mod, struct hd_stream *s,
		       const uint8_t *p, size_t n)
{
	char status[4] = "";

	if (n < strlen(STATUS_LINE) || memcmp(p, STATUS_LINE, 5) != 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "it does not speak HTTP");
	for (size_t i = 0; i < 3; i++)
		status[i] = (char)(p[STATUS_AT + i] >= '0' &&
						   p[STATUS_AT + i] <= '9'
					   ? p[STATUS_AT + i]
					   : '?');
	if (strcmp(status, "503") == 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, false,
				       "it lets nobody in now (HTTP status "
				       "503): it is about to stop, or full");
	return mesh_link_wrong(mod, s, MESH_REASON_GREETING, false,
			       "it answers /derp with HTTP status %s, not 101: "
			       "is there a DERP relay?",
			       status);
}

int64_t mesh_take_http(struct hd_module *mod, struct hd_stream *s,
		       struct mesh_stream *ms, const uint8_t *p, size_t n)
{
	const uint8_t *end = memmem(p, HD_MIN(n, HEAD_MAX_BYTES), HEAD_END,
				    strlen(HEAD_END));

	if (end == NULL && n >= HEAD_MAX_BYTES)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "the head of its answer is longer than "
				       "%d bytes",
				       HEAD_MAX_BYTES);
	if (end == NULL) {
		hd_stream_want(s, n + 1);
		return 0;
	}
	if ((size_t)(end - p) < strlen(STATUS_LINE) ||
	    memcmp(p, STATUS_LINE, strlen(STATUS_LINE)) != 0)
		return refuse_http(mod, s, p, (size_t)(end - p));
	ms->phase = MESH_KEY;
	return end - p + (int64_t)strlen(HEAD_END);
}

/* ---- the login ---- */

static void seal(uint8_t *frame, const struct derp_identity *id,
		 const struct hd_key *server, int *ret)
{
	uint8_t *p =
		derp_header_put(frame, DERP_CLIENT_INFO, INFO_PAYLOAD_BYTES);
	char json[INFO_BYTES + 1], hex[2 * HD_KEY_BYTES + 1];
	uint8_t *nonce = p + HD_KEY_BYTES;

	sodium_bin2hex(hex, sizeof(hex), id->mesh_key.b, HD_KEY_BYTES);
	snprintf(json, sizeof(json), INFO_HEAD "%s" INFO_TAIL, hex);
	memcpy(p, id->public_key.b, HD_KEY_BYTES);
	randombytes_buf(nonce, DERP_NONCE_BYTES);
	*ret = crypto_box_easy(nonce + DERP_NONCE_BYTES, (uint8_t *)json,
			       INFO_BYTES, nonce, server->b, id->private_key);
	sodium_memzero(json, sizeof(json));
	sodium_memzero(hex, sizeof(hex));
}

static int log_in(struct hd_module *mod, struct hd_stream *s,
		  struct mesh_stream *ms, const struct derp_identity *id)
{
	uint8_t frame[DERP_HEADER_BYTES + INFO_PAYLOAD_BYTES];
	struct mesh_link *l = ms->link;
	int r;

	if (sodium_memcmp(l->key.b, id->public_key.b, HD_KEY_BYTES) == 0)
		return mesh_link_wrong(mod, s, MESH_REASON_SELF, true,
				       "it is this relay itself, or has a "
				       "copy of its key");
	if (!id->has_mesh_key)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "derp.mesh_key is not set here");
	seal(frame, id, &l->key, &r);
	if (r != 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "its key is not a usable public key");
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
	ms->phase = MESH_INFO;
	return 0;
}

int mesh_take_key(struct hd_module *mod, struct hd_stream *s,
		  struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	struct derp_identity id;
	int r;

	(void)len_bytes;
	if (memcmp(p, DERP_MAGIC, DERP_MAGIC_BYTES) != 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "it does not speak DERP");
	if (hd_offered(DERP_IDENTITY, &id, sizeof(id)) < 0)
		return mesh_link_wrong(
			mod, s, MESH_REASON_GREETING, false,
			"the module derp here is being reloaded, "
			"or of another version");
	memcpy(ms->link->key.b, p + DERP_MAGIC_BYTES, HD_KEY_BYTES);
	ms->link->has_key = true;
	r = log_in(mod, s, ms, &id);
	sodium_memzero(&id, sizeof(id));
	return r;
}

/* Whoever can seal this has the private key of ServerKey. What is in it is for
 * clients. */
static int open_info(const struct hd_key *server, uint8_t *p,
		     uint32_t len_bytes)
{
	uint8_t *box = p + DERP_NONCE_BYTES;
	struct derp_identity id;
	int r = hd_offered(DERP_IDENTITY, &id, sizeof(id));

	if (r < 0)
		return r;
	r = crypto_box_open_easy(box, box, len_bytes - DERP_NONCE_BYTES, p,
				 server->b, id.private_key);
	sodium_memzero(&id, sizeof(id));
	return r == 0 ? 0 : -EBADMSG;
}

void mesh_watch(struct hd_stream *s)
{
	uint8_t frame[DERP_HEADER_BYTES];

	derp_header_put(frame, DERP_WATCH_CONNS, 0);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

/* Is our mesh key the right one there? */
static void probe(struct hd_stream *s, struct mesh_stream *ms)
{
	uint8_t frame[DERP_FORWARD_HEAD_BYTES];
	struct derp_identity id;

	if (hd_offered(DERP_IDENTITY, &id, sizeof(id)) < 0)
		return; /* it is silent, and tried again */
	derp_forward_head_put(frame, &id.public_key, &id.public_key, 0);
	sodium_memzero(&id, sizeof(id));
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
	mesh_probe(s, ms);
}

int mesh_take_info(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	int r;

	if (open_info(&ms->link->key, p, len_bytes) < 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "it cannot prove that its key is its "
				       "own");
	r = hd_link_open(s, ms->link->to.name);
	if (r < 0)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, false,
				       "%s", strerror(-r));
	ms->phase = MESH_OPEN;
	if (ms->link->source == MESH_ON_DEMAND)
		probe(s, ms);
	else
		mesh_watch(s);
	return 0;
}
