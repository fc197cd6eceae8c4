/* SPDX-License-Identifier: MIT */
#include "tools/lib/link.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct link *link_new(void)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l != NULL)
		derpc_keys_make(&l->self);
	return l;
}

void link_free(struct link **l)
{
	if (*l != NULL)
		sodium_memzero(*l, sizeof(**l));
	free(*l);
	*l = NULL;
}

static int read_conn(void *arg, void *buf, size_t n, struct hd_error *err)
{
	return conn_read(arg, buf, n, err);
}

static int write_conn(void *arg, const void *buf, size_t n,
		      struct hd_error *err)
{
	return conn_write(arg, buf, n, err);
}

void link_use_conn(struct link *l, struct conn *c)
{
	l->io = (struct link_io){ read_conn, write_conn, c };
}

int link_read(struct link *l, struct hd_error *err)
{
	uint8_t head[DERP_HEADER_BYTES];
	int r = l->io.read(l->io.arg, head, sizeof(head), err);

	if (r < 0)
		return r;
	l->frame = derp_header_get(head);
	if (l->frame.len_bytes > sizeof(l->payload))
		return hd_error_set(err, -EBADMSG,
				    "a frame of type 0x%02x claims %u bytes",
				    l->frame.type, l->frame.len_bytes);
	return l->io.read(l->io.arg, l->payload, l->frame.len_bytes, err);
}

int link_write(struct link *l, enum derp_type type, const void *payload,
	       size_t len_bytes, struct hd_error *err)
{
	uint8_t buf[DERP_HEADER_BYTES + DERP_PING_MAX_BYTES];
	uint8_t *p;

	if (len_bytes > DERP_PING_MAX_BYTES)
		return hd_error_set(err, -EMSGSIZE, "a frame of %zu bytes",
				    len_bytes);
	p = derp_header_put(buf, type, (uint32_t)len_bytes);
	memcpy(p, payload, len_bytes);
	return l->io.write(l->io.arg, buf, DERP_HEADER_BYTES + len_bytes, err);
}

int link_send(struct link *l, const struct hd_key *dst, const void *packet,
	      size_t len_bytes, struct hd_error *err)
{
	uint8_t buf[DERP_HEADER_BYTES + HD_KEY_BYTES + DERP_PACKET_MAX_BYTES];
	uint8_t *end;

	if (len_bytes > DERP_PACKET_MAX_BYTES)
		return hd_error_set(err, -EMSGSIZE, "a packet of %zu bytes",
				    len_bytes);
	end = derpc_packet_put(buf, dst, packet, (uint32_t)len_bytes);
	return l->io.write(l->io.arg, buf, (size_t)(end - buf), err);
}

/* What may come at any time. */
int link_routine(struct link *l, struct hd_error *err)
{
	if (l->frame.type == DERP_HEALTH)
		(void)snprintf(l->health, sizeof(l->health), "%.*s",
			       (int)l->frame.len_bytes, (char *)l->payload);
	if (l->frame.type == DERP_PING &&
	    l->frame.len_bytes >= DERP_PING_MIN_BYTES)
		return link_write(l, DERP_PONG, l->payload, DERP_PONG_BYTES,
				  err);
	return 0;
}

int link_expect(struct link *l, enum derp_type type, struct hd_error *err)
{
	for (;;) {
		int r = link_read(l, err);

		if (r < 0 || l->frame.type == type)
			return r;
		r = link_routine(l, err);
		if (r < 0)
			return r;
	}
}

int link_expect_packet(struct link *l, const struct hd_key *src,
		       const void *packet, size_t len_bytes,
		       struct hd_error *err)
{
	int r = link_expect(l, DERP_RECV_PACKET, err);

	if (r < 0)
		return r;
	if (l->frame.len_bytes != HD_KEY_BYTES + len_bytes)
		return hd_error_set(
			err, -EBADMSG, "a packet of %zu bytes arrived as %d",
			len_bytes, (int)l->frame.len_bytes - HD_KEY_BYTES);
	if (memcmp(l->payload, src->b, HD_KEY_BYTES) != 0)
		return hd_error_set(err, -EBADMSG,
				    "a packet arrived under another source");
	if (memcmp(l->payload + HD_KEY_BYTES, packet, len_bytes) != 0)
		return hd_error_set(err, -EBADMSG, "a packet arrived changed");
	return 0;
}

/* IsProber: a relay that counts its clients leaves us out. */
static int start(struct link *l, enum derpc_upgrade upgrade, const char *host,
		 const struct hd_key *server, struct hd_error *err)
{
	const struct derpc_conf conf = { .host = host,
					 .self = &l->self,
					 .server = server,
					 .is_prober = true,
					 .upgrade = upgrade };

	return derpc_start(&l->login, &conf, err);
}

int link_start(struct link *l, const struct hd_key *server,
	       struct hd_error *err)
{
	return start(l, DERPC_UPGRADE_NONE, "", server, err);
}

int link_fast_start(struct link *l, const char *host,
		    const struct hd_key *server, struct hd_error *err)
{
	return start(l, DERPC_UPGRADE_FAST, host, server, err);
}

static int flush(struct link *l, struct hd_error *err)
{
	const uint8_t *out;
	size_t n = derpc_out(&l->login, &out);

	return n == 0 ? 0 : l->io.write(l->io.arg, out, n, err);
}

/* Frame by frame, so that nothing behind the login is read too early. */
static int feed(struct link *l, struct hd_error *err)
{
	uint8_t head[DERP_HEADER_BYTES];
	ssize_t r = link_read(l, err);

	if (r < 0)
		return (int)r;
	derp_header_put(head, l->frame.type, l->frame.len_bytes);
	r = derpc_input(&l->login, head, sizeof(head), err);
	if (r >= 0)
		r = derpc_input(&l->login, l->payload, l->frame.len_bytes, err);
	return r < 0 ? (int)r : link_routine(l, err);
}

static int check_server_info(const struct link *l, struct hd_error *err)
{
	json_t *info = json_loads(l->login.server_json, 0, NULL);
	json_t *version = json_object_get(info, "version");
	int v = (int)json_integer_value(version);

	json_decref(info);
	if (v == DERP_VERSION)
		return 0;
	return hd_error_set(err, -EBADMSG, "ServerInfo has version %d, not %d",
			    v, DERP_VERSION);
}

int link_login_until(struct link *l, enum derpc_state state,
		     struct hd_error *err)
{
	int r = flush(l, err);

	while (r == 0 && l->login.state < state) {
		r = feed(l, err);
		if (r == 0)
			r = flush(l, err);
	}
	return r;
}

int link_login(struct link *l, struct hd_error *err)
{
	int r = link_login_until(l, DERPC_DONE, err);

	return r < 0 ? r : check_server_info(l, err);
}
