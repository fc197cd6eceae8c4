/* SPDX-License-Identifier: MIT */
/* libhd/relays.c - the relays that an endpoint knows, and which of them comes
 * next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libhd/inner.h"

#define DEFAULT_PORT "443"

/* ---- HOST, HOST:PORT, [IPV6]:PORT ---- */

static int port_take(const char *text, char port[8])
{
	size_t n = strlen(text);

	if (n == 0 || n > 5 || strspn(text, "0123456789") != n ||
	    atoi(text) < 1 || atoi(text) > 65535)
		return -EINVAL;
	memcpy(port, text, n + 1);
	return 0;
}

static int host_take(const char *text, size_t n, char host[HDL_HOST_BYTES])
{
	if (n == 0 || n >= HDL_HOST_BYTES)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	return 0;
}

int hdl_relay_split(const char *text, char host[HDL_HOST_BYTES], char port[8])
{
	const char *colon = strrchr(text, ':'), *end;
	int r;

	memcpy(port, DEFAULT_PORT, sizeof(DEFAULT_PORT));
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != ':' && end[1] != '\0'))
			return -EINVAL;
		r = host_take(text + 1, (size_t)(end - text) - 1, host);
		return r < 0 || end[1] == '\0' ? r : port_take(end + 2, port);
	}
	/* more than one: IPv6 without brackets, so without a port */
	if (colon == NULL || strchr(text, ':') != colon)
		return host_take(text, strlen(text), host);
	r = host_take(text, (size_t)(colon - text), host);
	return r < 0 ? r : port_take(colon + 1, port);
}

void hdl_relay_text(const struct hdl_relay *r, char *ret)
{
	bool led = r->first_host[0] != '\0'; /* for now */
	const char *host = led ? r->first_host : r->host;

	(void)snprintf(ret, LIBHD_RELAY_TEXT_BYTES,
		       strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
		       led ? r->first_port : r->port);
}

const struct libhd_key *hdl_relay_known(const struct hdl_relay *r)
{
	if (r->first_host[0] != '\0' && r->has_first_key)
		return &r->first_key;
	if (r->first_host[0] == '\0' && r->has_key)
		return &r->key;
	return r->has_wanted ? &r->wanted : NULL;
}

/* ---- Redirect ---- */

void hdl_relay_lead(struct hdl_relay *r, const char *host, const char *port)
{
	strcpy(r->first_host, r->host);
	strcpy(r->first_port, r->port);
	r->first_key = r->key;
	r->has_first_key = r->has_key;
	strcpy(r->host, host);
	strcpy(r->port, port);
	r->has_key = false;
}

void hdl_relay_back(struct hdl_relay *r)
{
	if (r->first_host[0] == '\0')
		return;
	strcpy(r->host, r->first_host);
	strcpy(r->port, r->first_port);
	r->key = r->first_key;
	r->has_key = r->has_first_key;
	r->first_host[0] = '\0';
	r->has_first_key = r->by_rule = false;
}

/* ---- all of them ---- */

static int take(struct hdl_relay *r, const char *name,
		const struct libhd_key *key)
{
	r->has_wanted = key != NULL;
	if (key != NULL)
		r->wanted = *key;
	return hdl_relay_split(name, r->host, r->port);
}

int hdl_relays_take(struct libhd *h, const struct libhd_conf *conf)
{
	int r = 0;

	h->n_relays = conf->n_relays > 0 ? conf->n_relays : 1;
	if (h->n_relays > LIBHD_RELAYS_MAX)
		return -EINVAL;
	h->relays = calloc(h->n_relays, sizeof(*h->relays));
	if (h->relays == NULL)
		return -ENOMEM;
	h->relay = h->relays;
	h->untried = h->n_relays - 1;
	if (conf->n_relays == 0)
		return take(h->relays, conf->relay, conf->relay_key);
	for (unsigned i = 0; i < h->n_relays && r == 0; i++) {
		const struct libhd_relay *from = &conf->relays[i];

		r = memchr(from->name, '\0', sizeof(from->name)) != NULL
			    ? take(&h->relays[i], from->name,
				   from->has_key ? &from->key : NULL)
			    : -EINVAL;
	}
	return r;
}

struct hdl_relay *hdl_relays_next(const struct libhd *h)
{
	size_t at = (size_t)(h->relay - h->relays);

	for (unsigned i = 1; i < h->n_relays; i++) {
		struct hdl_relay *r = &h->relays[(at + i) % h->n_relays];

		if (!r->refuses)
			return r;
	}
	return NULL;
}

struct hdl_relay *hdl_relays_first(const struct libhd *h)
{
	for (unsigned i = 0; i < h->n_relays; i++)
		if (!h->relays[i].refuses)
			return &h->relays[i];
	return NULL;
}

unsigned libhd_relay_at(const struct libhd *h)
{
	return (unsigned)(h->relay - h->relays);
}

void libhd_next_relay(struct libhd *h)
{
	h->leaves = h->n_relays > 1;
}
