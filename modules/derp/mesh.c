/* SPDX-License-Identifier: MIT */
/* modules/derp/mesh.c - what other relays of the region may, who have the mesh
 * key, or a module's word: watch who is here, bring packets, close a client. As
 * derper's mesh (derp/derpserver/derpserver.go). Context: the stream's worker.
 */
#include "modules/derp/derp.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <hyper-derp/derp_realms.h>
#include <hyper-derp/log.h>
#include <hyper-derp/presence.h>

/* ---- the key ---- */

static int key_wrong(struct hd_error *err)
{
	return hd_error_set(err, -EINVAL,
			    "derp.mesh_key: the file holds no mesh key; it "
			    "should hold 64 hexadecimal digits that are not "
			    "all 0, as derper's -mesh-psk-file: `openssl rand "
			    "-hex 32` makes one");
}

int derp_mesh_key_load(struct derp_server *server,
		       const struct hd_secret *option, struct hd_error *err)
{
	const char *hex = (const char *)option->v;
	size_t n = option->len_bytes, got = 0;

	if (n == 0)
		return 0;
	for (; n > 0 && isspace((unsigned char)hex[n - 1]); n--)
		;
	for (; n > 0 && isspace((unsigned char)*hex); hex++, n--)
		;
	if (n != 2 * HD_KEY_BYTES ||
	    sodium_hex2bin(server->id.mesh_key.b, HD_KEY_BYTES, hex, n, NULL,
			   &got, NULL) != 0 ||
	    got != HD_KEY_BYTES ||
	    sodium_is_zero(server->id.mesh_key.b, HD_KEY_BYTES))
		return key_wrong(err);
	server->id.has_mesh_key = true;
	return 0;
}

bool derp_is_mesh(const struct derp_client_info *info)
{
	return info->has_mesh_key && derp_server->id.has_mesh_key &&
	       sodium_memcmp(info->mesh_key.b, derp_server->id.mesh_key.b,
			     HD_KEY_BYTES) == 0;
}

/* ---- its frames ---- */

/* A relay that meshes with itself has its own key, and closes as soon as it
 * has seen ours: no list for it. As derper. */
int derp_take_watch(struct hd_module *mod, struct hd_stream *s,
		    struct derp_state *d, uint8_t *p, uint32_t len_bytes)
{
	(void)mod, (void)p, (void)len_bytes;
	if (memcmp(hd_peer_key(d->peer), &derp_server->id.public_key,
		   HD_KEY_BYTES) == 0)
		return 0;
	if (hd_presence_watch(d->peer, hd_peer_login(d->peer)->realm) < 0)
		hd_stream_close(s, HD_CLOSE_ERROR);
	return 0;
}

int derp_take_close(struct hd_module *mod, struct hd_stream *s,
		    struct derp_state *d, uint8_t *p, uint32_t len_bytes)
{
	const struct hd_key *key = (const struct hd_key *)p;
	struct hd_key_text by = hd_key_text(hd_peer_key(d->peer));

	(void)len_bytes;
	hd_count(&derp_metrics(mod, s)->peers_closed, 1);
	hd_log_notice("peer closed for another relay: key=%s by=%s",
		      hd_key_text(key).s, by.s);
	hd_relay_kick(hd_peer_login(d->peer)->realm, key, HD_CLOSE_KICKED);
	return 0;
}

/* ---- what it watches ---- */

static uint16_t addr_put(const union hd_addr *addr, uint8_t ret_ip[16])
{
	if (addr->sa.sa_family == AF_INET6) {
		memcpy(ret_ip, &addr->in6.sin6_addr, 16);
		return ntohs(addr->in6.sin6_port);
	}
	memset(ret_ip, 0, 16);
	if (addr->sa.sa_family != AF_INET) /* a unix socket */
		return 0;
	ret_ip[10] = ret_ip[11] = 0xff;
	memcpy(ret_ip + 12, &addr->in.sin_addr, 4);
	return ntohs(addr->in.sin_port);
}

static size_t present_put(uint8_t *frame, const struct hd_presence *what)
{
	uint8_t ip[16];
	uint16_t port = addr_put(what->addr, ip);

	derp_peer_present_put(frame, what->key, ip, port, (uint8_t)what->flags);
	return DERP_PEER_PRESENT_BYTES;
}

static size_t absent_put(uint8_t *frame, const struct hd_presence *what)
{
	derp_peer_gone_put(frame, what->key, DERP_GONE_DISCONNECTED);
	return DERP_PEER_GONE_BYTES;
}

static size_t presence_put(uint8_t *frame, const struct hd_peer *peer,
			   const struct hd_presence *what)
{
	if (what->realm != hd_peer_login(peer)->realm)
		return derp_realm_presence(frame, what);
	return what->present ? present_put(frame, what)
			     : absent_put(frame, what);
}

void derp_presence(struct hd_module *mod, struct hd_peer *peer,
		   const struct hd_presence *what)
{
	struct hd_stream *s = hd_peer_stream(peer);
	uint8_t frame[DERP_HEADER_BYTES + DERP_REALM_KEY_MAX_BYTES];
	size_t n = presence_put(frame, peer, what);

	hd_count(&derp_metrics(mod, s)->presence, 1);
	hd_stream_append(s, HD_LANE_CONTROL, frame, n);
}
