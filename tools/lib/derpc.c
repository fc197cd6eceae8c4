/* SPDX-License-Identifier: MIT */
/* tools/lib/derpc.c - the client's side of a DERP login. */
#include "tools/lib/derpc.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define META_PREFIX "derpkey" /* then 64 hex digits: the common name */
#define JSON_MAX_BYTES 64
#define HTTP_SWITCHING 101

_Static_assert(crypto_box_NONCEBYTES == DERP_NONCE_BYTES, "NaCl box");
_Static_assert(crypto_box_MACBYTES == DERP_MAC_BYTES, "NaCl box");

static bool key_from_hex(const char *hex, size_t len, struct hd_key *ret_key)
{
	size_t n = 0;

	return sodium_hex2bin(ret_key->b, HD_KEY_BYTES, hex, len, NULL, &n,
			      NULL) == 0 &&
	       n == HD_KEY_BYTES && len == 2 * HD_KEY_BYTES;
}

static int add_head(struct derpc *c, const struct derpc_conf *conf,
		    struct hd_error *err)
{
	const char *fast = conf->upgrade == DERPC_UPGRADE_FAST
				   ? "Derp-Fast-Start: 1\r\n"
				   : "";
	size_t room = DERPC_OUT_BYTES / 2;
	int n = snprintf((char *)c->out, room,
			 "GET /derp HTTP/1.1\r\nHost: %s\r\n"
			 "Upgrade: DERP\r\nConnection: Upgrade\r\n%s\r\n",
			 conf->host, fast);

	if (n < 0 || (size_t)n >= room)
		return hd_error_set(err, -ENAMETOOLONG,
				    "host name of %zu bytes: too long",
				    strlen(conf->host));
	c->out_bytes = (size_t)n;
	return 0;
}

/* Invariant: out has room for it behind the head (see add_head()). */
static int add_client_info(struct derpc *c, const struct hd_key *server)
{
	char json[JSON_MAX_BYTES];
	int n = snprintf(json, sizeof(json), "{\"version\":%d,%s%s}",
			 DERP_VERSION, "\"CanAckPings\":true",
			 c->is_prober ? ",\"IsProber\":true" : "");
	uint32_t len =
		DERP_CLIENT_INFO_MIN_BYTES + DERP_MAC_BYTES + (uint32_t)n;
	uint8_t *p =
		derp_header_put(c->out + c->out_bytes, DERP_CLIENT_INFO, len);
	uint8_t *nonce = p + HD_KEY_BYTES;

	memcpy(p, c->self.pub.b, HD_KEY_BYTES);
	randombytes_buf(nonce, DERP_NONCE_BYTES);
	c->out_bytes += DERP_HEADER_BYTES + len;
	return crypto_box_easy(nonce + DERP_NONCE_BYTES, (const uint8_t *)json,
			       (unsigned long long)n, nonce, server->b,
			       c->self.secret) == 0
		       ? 0
		       : -EBADMSG;
}

void derpc_keys_make(struct derpc_keys *ret_keys)
{
	crypto_box_keypair(ret_keys->pub.b, ret_keys->secret);
}

int derpc_start(struct derpc *c, const struct derpc_conf *conf,
		struct hd_error *err)
{
	int r = 0;

	memset(c, 0, offsetof(struct derpc, in));
	c->self = *conf->self;
	c->is_prober = conf->is_prober;
	c->state = conf->upgrade == DERPC_UPGRADE_101 ? DERPC_HEAD
						      : DERPC_SERVER_KEY;
	if (conf->upgrade != DERPC_UPGRADE_NONE)
		r = add_head(c, conf, err);
	if (r < 0 || conf->server == NULL)
		return r;
	c->is_server_known = true;
	c->known_key = *conf->server;
	r = add_client_info(c, conf->server);
	return r == 0 ? 0
		      : hd_error_set(err, r, "the relay's key is not a key");
}

size_t derpc_out(struct derpc *c, const uint8_t **ret_bytes)
{
	size_t n = c->out_bytes;

	*ret_bytes = c->out;
	c->out_bytes = 0;
	return n;
}

/* Value of a header line, NULL if the line is another header. */
static const char *header_value(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	return line + n + 1 + strspn(line + n + 1, " \t");
}

static void read_header_line(struct derpc *c, const char *line)
{
	const char *v = header_value(line, "Derp-Version");

	if (v != NULL)
		c->http_version = atoi(v);
	v = header_value(line, "Derp-Public-Key");
	if (v != NULL)
		c->has_http_key = key_from_hex(
			v, strspn(v, "0123456789abcdefABCDEF"), &c->http_key);
}

/* Each step returns the bytes it took, 0 if it needs more, or an error. */
static ssize_t step_head(struct derpc *c, struct hd_error *err)
{
	char *text = (char *)c->in;
	char *end = memmem(text, c->in_bytes, "\r\n\r\n", 4);
	int status = 0;

	if (end == NULL)
		return 0;
	*end = '\0';
	if (sscanf(text, "HTTP/%*1[1].%*1[01] %3d", &status) != 1)
		return hd_error_set(err, -EBADMSG, "the answer is not HTTP");
	c->http_status = status;
	for (char *line = text; line != NULL; line = strstr(line, "\r\n")) {
		line += line == text ? 0 : 2;
		read_header_line(c, line);
	}
	if (status != HTTP_SWITCHING)
		return hd_error_set(err, -ECONNREFUSED,
				    "the relay answered HTTP %d, not 101: "
				    "/derp is not served here",
				    status);
	c->state = DERPC_SERVER_KEY;
	return end + 4 - text;
}

static int on_server_key(struct derpc *c, const uint8_t *p, uint32_t len,
			 struct hd_error *err)
{
	if (len < DERP_MAGIC_BYTES + HD_KEY_BYTES ||
	    memcmp(p, DERP_MAGIC, DERP_MAGIC_BYTES) != 0)
		return hd_error_set(err, -EBADMSG,
				    "ServerKey without DERP's magic");
	memcpy(c->server.b, p + DERP_MAGIC_BYTES, HD_KEY_BYTES);
	c->state = DERPC_SERVER_INFO;
	if (c->is_server_known)
		return 0;
	c->known_key = c->server;
	if (add_client_info(c, &c->server) < 0)
		return hd_error_set(err, -EBADMSG, "ServerKey is not a key");
	return 0;
}

static int on_server_info(struct derpc *c, const uint8_t *p, uint32_t len,
			  struct hd_error *err)
{
	const uint8_t *box = p + DERP_NONCE_BYTES;
	size_t box_bytes = len - DERP_NONCE_BYTES;

	if (len < DERP_NONCE_BYTES + DERP_MAC_BYTES ||
	    box_bytes - DERP_MAC_BYTES >= sizeof(c->server_json))
		return hd_error_set(err, -EBADMSG,
				    "ServerInfo of %u bytes: wrong length",
				    len);
	if (crypto_box_open_easy((uint8_t *)c->server_json, box, box_bytes, p,
				 c->known_key.b, c->self.secret) != 0)
		return hd_error_set(err, -EBADMSG,
				    "ServerInfo's box does not open");
	c->state = DERPC_DONE;
	return 0;
}

/* Frames of other types are passed over, in either state. */
static ssize_t step_frame(struct derpc *c, struct hd_error *err)
{
	const uint8_t *p = c->in + DERP_HEADER_BYTES;
	struct derp_header h;
	int r = 0;

	if (c->in_bytes < DERP_HEADER_BYTES)
		return 0;
	h = derp_header_get(c->in);
	if (h.len_bytes > DERPC_IN_BYTES - DERP_HEADER_BYTES)
		return hd_error_set(err, -EMSGSIZE,
				    "a frame of %u bytes during login: "
				    "this is not DERP",
				    h.len_bytes);
	if (c->in_bytes < DERP_HEADER_BYTES + h.len_bytes)
		return 0;
	if (c->state == DERPC_SERVER_KEY && h.type == DERP_SERVER_KEY)
		r = on_server_key(c, p, h.len_bytes, err);
	else if (c->state == DERPC_SERVER_INFO && h.type == DERP_SERVER_INFO)
		r = on_server_info(c, p, h.len_bytes, err);
	return r < 0 ? r : (ssize_t)(DERP_HEADER_BYTES + h.len_bytes);
}

static ssize_t step(struct derpc *c, struct hd_error *err)
{
	ssize_t n =
		c->state == DERPC_HEAD ? step_head(c, err) : step_frame(c, err);

	if (n > 0) {
		c->in_bytes -= (size_t)n;
		memmove(c->in, c->in + n, c->in_bytes);
	}
	return n;
}

ssize_t derpc_input(struct derpc *c, const uint8_t *data, size_t len_bytes,
		    struct hd_error *err)
{
	size_t taken = 0;
	ssize_t n = 1;

	while (c->state != DERPC_DONE && (taken < len_bytes || n > 0)) {
		size_t room = DERPC_IN_BYTES - c->in_bytes;
		size_t more = HD_MIN(room, len_bytes - taken);

		memcpy(c->in + c->in_bytes, data + taken, more);
		c->in_bytes += more;
		taken += more;
		n = step(c, err);
		if (n < 0)
			return n;
		if (n == 0 && c->in_bytes == DERPC_IN_BYTES)
			return hd_error_set(err, -EMSGSIZE,
					    "the answer's head is too long");
	}
	if (c->state != DERPC_DONE)
		return (ssize_t)taken;
	/* What came before this call was not complete, so all that is left
	 * over stands in this call's bytes. */
	taken -= c->in_bytes;
	c->in_bytes = 0;
	return (ssize_t)taken;
}

int derpc_meta_key(SSL *ssl, struct hd_key *ret_key)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int n = chain == NULL ? 0 : sk_X509_num(chain);
	char name[sizeof(META_PREFIX) + 2 * HD_KEY_BYTES];
	X509_NAME *subject;

	if (n == 0)
		return -ENOENT;
	subject = X509_get_subject_name(sk_X509_value(chain, n - 1));
	if (X509_NAME_get_text_by_NID(subject, NID_commonName, name,
				      sizeof(name)) != sizeof(name) - 1 ||
	    strncmp(name, META_PREFIX, strlen(META_PREFIX)) != 0 ||
	    !key_from_hex(name + strlen(META_PREFIX), 2 * HD_KEY_BYTES,
			  ret_key))
		return -ENOENT;
	return 0;
}

uint8_t *derpc_packet_put(uint8_t *p, const struct hd_key *dst,
			  const void *packet, uint32_t len_bytes)
{
	p = derp_header_put(p, DERP_SEND_PACKET, HD_KEY_BYTES + len_bytes);
	memcpy(p, dst->b, HD_KEY_BYTES);
	memcpy(p + HD_KEY_BYTES, packet, len_bytes);
	return p + HD_KEY_BYTES + len_bytes;
}
