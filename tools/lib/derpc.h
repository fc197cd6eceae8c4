/* SPDX-License-Identifier: MIT */
/* tools/lib/derpc.h - the client's side of a DERP login. No sockets in here:
 * the caller sends derpc_out() and hands in what it received.
 *
 *   HEAD ------> SERVER_KEY ------> SERVER_INFO ------> DONE
 *  (waits for    ^ fast start and   (ClientInfo is
 *   the 101)       frames only       in out)
 *                  begin here
 *
 * If the server's key is known beforehand, ClientInfo follows the request at
 * once, as real clients do that saw the meta certificate. */
#pragma once
#include <hyper-derp/derp.h>
#include <openssl/ssl.h>

#define DERPC_IN_BYTES 8192 /* longest head or frame before DONE */
#define DERPC_OUT_BYTES 1024
#define DERPC_SERVER_JSON_BYTES 512

struct derpc_keys {
	struct hd_key pub;
	uint8_t secret[HD_KEY_BYTES];
};

enum derpc_upgrade {
	DERPC_UPGRADE_101, /* wait for the HTTP answer */
	DERPC_UPGRADE_FAST, /* Derp-Fast-Start: no HTTP answer */
	DERPC_UPGRADE_NONE, /* frames only: a WebSocket, or a head of yours */
};

struct derpc_conf { /* borrowed until derpc_start() returns */
	const char *host; /* for the Host header; unused without a head */
	const struct derpc_keys *self;
	const struct hd_key *server; /* NULL: wait for the ServerKey frame */
	enum derpc_upgrade upgrade;
	bool is_prober;
};

enum derpc_state {
	DERPC_HEAD,
	DERPC_SERVER_KEY,
	DERPC_SERVER_INFO,
	DERPC_DONE,
};

struct derpc {
	enum derpc_state state;
	struct derpc_keys self;
	bool is_prober;
	bool is_server_known; /* before the ServerKey frame came */
	bool has_http_key;
	int http_status; /* 0: no HTTP answer (yet) */
	int http_version; /* Derp-Version, 0: not said */
	struct hd_key known_key; /* what ClientInfo was sealed to */
	struct hd_key http_key; /* Derp-Public-Key */
	struct hd_key server; /* of the ServerKey frame */
	char server_json[DERPC_SERVER_JSON_BYTES]; /* of ServerInfo, with 0 */
	size_t in_bytes, out_bytes;
	uint8_t in[DERPC_IN_BYTES];
	uint8_t out[DERPC_OUT_BYTES];
};

/* derpc_keys_make - a fresh pair. sodium_init() must have succeeded. */
void derpc_keys_make(struct derpc_keys *ret_keys);

/* derpc_start - begin a login; the first bytes to send stand in out.
 * Returns 0; -ENAMETOOLONG the host does not fit. */
int derpc_start(struct derpc *c, const struct derpc_conf *conf,
		struct hd_error *err);

/* derpc_input - take received bytes.
 * Returns how many were taken: all, or fewer once the state is DONE (the rest
 * is frames for the caller); -ECONNREFUSED HTTP answered something else than
 * 101 (http_status); -EBADMSG not DERP, or the ServerInfo's box does not open;
 * -EMSGSIZE head or frame too long. After an error only free it. */
ssize_t derpc_input(struct derpc *c, const uint8_t *data, size_t len_bytes,
		    struct hd_error *err);

/* derpc_out - what has to be sent now; given away: the next call is empty.
 * The bytes stay valid until the next derpc_input(). */
size_t derpc_out(struct derpc *c, const uint8_t **ret_bytes);

/* derpc_meta_key - the relay's key from its meta certificate, the last of the
 * chain it sent. Returns 0; -ENOENT there is none. */
int derpc_meta_key(SSL *ssl, struct hd_key *ret_key);

/* derpc_packet_put - a SendPacket frame. Needs DERP_HEADER_BYTES +
 * HD_KEY_BYTES + len_bytes. Returns the byte behind it. */
uint8_t *derpc_packet_put(uint8_t *p, const struct hd_key *dst,
			  const void *packet, uint32_t len_bytes);
