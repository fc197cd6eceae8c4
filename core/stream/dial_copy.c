/* SPDX-License-Identifier: MIT */
/* core/stream/dial_copy.c - the options of hd_dial() as they are used: copied,
 * with all defaults filled in. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/stream/dial_private.h"

enum { CONNECT_DEF_MS = 5000, HANDSHAKE_DEF_MS = 5000 };

void hd_dial_target_free(struct hd_dial_target *t)
{
	free(t->host);
	free(t->path);
	free(t->server_name);
	free(t->cert_name);
	free(t->ca_file);
	free(t->pins);
	free(t->alpn);
	*t = (struct hd_dial_target){ 0 };
}

const char *hd_dial_target_text(const struct hd_dial_target *t,
				char buf[static HD_DIAL_TEXT_BYTES])
{
	if (t->path != NULL) {
		snprintf(buf, HD_DIAL_TEXT_BYTES, "%s", t->path);
		return buf;
	}
	if (t->host == NULL)
		return hd_addr_text(&t->addr, buf);
	snprintf(buf, HD_DIAL_TEXT_BYTES, "%s:%u", t->host, t->port);
	return buf;
}

static int copy(char **ret, const char *text)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return text != NULL && *ret == NULL ? -ENOMEM : 0;
}

/* Also of text that is an address. */
static bool parse(const char *host, union hd_addr *ret)
{
	*ret = (union hd_addr){ 0 };
	if (inet_pton(AF_INET, host, &ret->in.sin_addr) == 1)
		ret->sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &ret->in6.sin6_addr) == 1)
		ret->sa.sa_family = AF_INET6;
	return ret->sa.sa_family != 0;
}

/* sin_port and sin6_port stand at the same place. */
static int copy_where(struct hd_dial_target *t, const struct hd_dial_options *o)
{
	if (o->path != NULL) {
		t->addr.sa.sa_family = AF_UNIX;
		return copy(&t->path, o->path);
	}
	if (o->source != NULL)
		t->source = *o->source;
	if (o->addr != NULL)
		t->addr = *o->addr;
	else if (!parse(o->host, &t->addr) && copy(&t->host, o->host) < 0)
		return -ENOMEM;
	t->port = o->port != 0 ? o->port : ntohs(t->addr.in.sin_port);
	t->addr.in.sin_port = htons(t->port);
	return 0;
}

/* The address as certificates have it: without port. */
static const char *address(const struct hd_dial_target *t,
			   char buf[static INET6_ADDRSTRLEN])
{
	const void *ip = &t->addr.in.sin_addr;

	if (t->addr.sa.sa_family == AF_INET6)
		ip = &t->addr.in6.sin6_addr;
	inet_ntop(t->addr.sa.sa_family, ip, buf, INET6_ADDRSTRLEN);
	return buf;
}

static int copy_names(struct hd_dial_target *t, const struct hd_dial_options *o)
{
	char text[INET6_ADDRSTRLEN];
	const char *sni = o->server_name != NULL ? o->server_name : t->host;
	const char *name = o->cert_name != NULL ? o->cert_name : sni;
	union hd_addr unused;

	if (name == NULL)
		name = address(t, text);
	if (sni != NULL && parse(sni, &unused)) /* RFC 6066, 3: no address */
		sni = NULL;
	return copy(&t->server_name, sni) < 0 || copy(&t->cert_name, name) < 0
		       ? -ENOMEM
		       : 0;
}

static int copy_pins(struct hd_dial_target *t, const char *text)
{
	unsigned n = text != NULL;

	for (const char *p = text; p != NULL && *p != '\0'; p++)
		n += *p == ';';
	if (n == 0)
		return 0;
	t->pins = calloc(n, sizeof(*t->pins));
	if (t->pins == NULL)
		return -ENOMEM;
	for (const char *p = text; t->peer.n_pins < n; p++)
		p = hd_dial_pin(p, t->pins[t->peer.n_pins++]);
	return 0;
}

static int copy_alpn(struct hd_dial_target *t, const char *const *v)
{
	size_t at = 0, n = 0;

	for (unsigned i = 0; v != NULL && v[i] != NULL; i++)
		n += 1 + strlen(v[i]);
	if (n == 0)
		return 0;
	t->alpn = malloc(n);
	if (t->alpn == NULL)
		return -ENOMEM;
	for (unsigned i = 0; v[i] != NULL; i++) {
		size_t len = strlen(v[i]);

		t->alpn[at] = (uint8_t)len;
		memcpy(t->alpn + at + 1, v[i], len);
		at += 1 + len;
	}
	t->peer.alpn_len_bytes = (unsigned)n;
	return 0;
}

static int copy_tls(struct hd_dial_target *t, const struct hd_dial_options *o)
{
	struct hd_tls_peer *p = &t->peer;
	int r = copy_names(t, o);

	if (r == 0)
		r = copy(&t->ca_file, o->ca_file);
	if (r == 0)
		r = copy_pins(t, o->pin);
	if (r == 0)
		r = copy_alpn(t, o->alpn);
	p->server_name = t->server_name;
	p->cert_name = t->cert_name;
	p->ca_file = t->ca_file;
	p->pins = t->pins;
	p->pin_only = t->pins != NULL && t->ca_file == NULL;
	p->alpn = t->alpn;
	return r;
}

int hd_dial_copy(struct hd_dial_target *t, const struct hd_dial_options *o)
{
	int r = copy_where(t, o);

	t->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_DEF_MS;
	t->handshake_ms = o->handshake_ms ? o->handshake_ms : HANDSHAKE_DEF_MS;
	t->tls = o->tls;
	t->fds = o->for_client ? HD_FDS_ONWARD : HD_FDS_DIALLED;
	if (r == 0 && t->tls)
		r = copy_tls(t, o);
	if (r < 0)
		hd_dial_target_free(t);
	return r;
}
