/* SPDX-License-Identifier: MIT */
/* modules/mesh/member.c - whom the configuration names. "host/dialhost" is how
 * derper's -mesh-with writes a name that is dialled elsewhere. Any thread. */
#include "modules/mesh/mesh.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_TLS = 443, PORT_PLAIN = 80, PORT_MAX = 65535 };

void mesh_member_free(struct mesh_member *m)
{
	free(m->ca_file);
	free(m->pin);
	m->ca_file = m->pin = NULL;
}

static int copy(char **ret, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return 0;
	*ret = strdup(text);
	return *ret != NULL ? 0 : -ENOMEM;
}

/* Behind "host" or "[2001:db8::1]"; NULL: there is none. A bare IPv6 address
 * has more than one colon and no port. */
static const char *port_of(const char *name, size_t n)
{
	const char *end = memrchr(name, ']', n);
	const char *colon = memrchr(name, ':', n);

	if (colon == NULL || (end != NULL && colon < end) ||
	    (end == NULL && memchr(name, ':', (size_t)(colon - name)) != NULL))
		return NULL;
	return colon + 1;
}

static bool read_port(const char *text, size_t n, uint16_t *ret)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]) || v > PORT_MAX)
			return false;
		v = 10 * v + (unsigned)(text[i] - '0');
	}
	*ret = (uint16_t)v;
	return n > 0 && v > 0 && v <= PORT_MAX;
}

/* Without the brackets of an address. */
static void put_host(char ret[MESH_NAME_BYTES], const char *text, size_t n)
{
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	snprintf(ret, MESH_NAME_BYTES, "%.*s", (int)n, text);
}

static int read_name(struct mesh_member *m, const char *name,
		     struct hd_error *err)
{
	size_t n = strcspn(name, "/");
	const char *port = port_of(name, n);
	size_t host_n = port != NULL ? (size_t)(port - name) - 1 : n;

	if (strlen(name) >= MESH_NAME_BYTES || host_n == 0)
		return hd_error_set(err, -EINVAL,
				    "`%.80s` is not a member: it should be a "
				    "host, as derp2.example.com or "
				    "derp2.example.com:8443",
				    name);
	if (port != NULL &&
	    !read_port(port, n - (size_t)(port - name), &m->port))
		return hd_error_set(err, -EINVAL,
				    "`%.80s`: after the colon a port "
				    "is expected, 1 to 65535",
				    name);
	snprintf(m->name, sizeof(m->name), "%.*s", (int)n, name);
	put_host(m->host, name, host_n);
	if (name[n] == '/')
		put_host(m->dial, name + n + 1, strlen(name + n + 1));
	return 0;
}

static int read_dial(struct mesh_member *m, const char *dial,
		     struct hd_error *err)
{
	if (dial != NULL && m->dial[0] != '\0')
		return hd_error_set(err, -EINVAL,
				    "%s: both a slash and `dial` say where to "
				    "dial it: remove one of them",
				    m->name);
	if (dial != NULL)
		put_host(m->dial, dial, strnlen(dial, MESH_NAME_BYTES));
	else if (m->dial[0] == '\0')
		strcpy(m->dial, m->host);
	return 0;
}

static void read_server(struct mesh_member *m, const char *server)
{
	if (server != NULL)
		snprintf(m->host, sizeof(m->host), "%s", server);
}

static int read_tls(struct mesh_member *m, const struct mesh_member_conf *conf,
		    const char *ca_file, struct hd_error *err)
{
	m->tls = conf->tls;
	if (m->port == 0)
		m->port = m->tls ? PORT_TLS : PORT_PLAIN;
	if (!m->tls && (conf->ca_file != NULL || conf->pin != NULL))
		return hd_error_set(err, -EINVAL,
				    "%s: ca_file and pin are of TLS, which is "
				    "switched off for it",
				    m->name);
	if (!m->tls)
		return 0;
	/* what a pin says needs no CA */
	if (conf->ca_file == NULL && conf->pin != NULL)
		ca_file = NULL;
	else if (conf->ca_file != NULL)
		ca_file = conf->ca_file;
	if (copy(&m->ca_file, ca_file) < 0 || copy(&m->pin, conf->pin) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int mesh_member_set(struct mesh_member *ret,
		    const struct mesh_member_conf *conf, const char *ca_file,
		    struct hd_error *err)
{
	struct hd_dial_options o;
	int r;

	*ret = (struct mesh_member){ 0 };
	r = read_name(ret, conf->name, err);
	if (r == 0)
		r = read_dial(ret, conf->dial, err);
	if (r == 0) {
		read_server(ret, conf->server);
		r = read_tls(ret, conf, ca_file, err);
	}
	if (r < 0)
		return r;
	o = mesh_member_options(ret);
	return hd_dial_check(&o, err);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool mesh_member_same(const struct mesh_member *a, const struct mesh_member *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->dial, b->dial) == 0 &&
	       strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       a->tls == b->tls && same_text(a->ca_file, b->ca_file) &&
	       same_text(a->pin, b->pin);
}

struct hd_dial_options mesh_member_options(const struct mesh_member *m)
{
	return (struct hd_dial_options){
		.proto = &mesh_proto,
		.host = m->dial,
		.port = m->port,
		.tls = m->tls,
		.server_name = m->tls ? m->host : NULL,
		.ca_file = m->ca_file,
		.pin = m->pin,
	};
}

static bool named_before(const struct mesh_conf *conf, size_t i,
			 const char *name)
{
	for (size_t j = 0; j < i; j++) {
		const char *other = conf->members.v[j].name;

		if (strcspn(other, "/") == strlen(name) &&
		    strncmp(other, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

int mesh_members_check(const struct mesh_conf *conf, struct hd_error *err)
{
	for (size_t i = 0; i < conf->members.n; i++) {
		const struct mesh_member_conf *c = &conf->members.v[i];
		struct mesh_member m;
		struct hd_error why = { "" };
		int r = mesh_member_set(&m, c, conf->ca_file, &why);

		if (r == 0 && named_before(conf, i, m.name))
			r = hd_error_set(&why, -EINVAL,
					 "%s is a member already", m.name);
		mesh_member_free(&m);
		if (r < 0)
			return hd_error_at(&c->at, err, r, "mesh.members: %s",
					   why.text);
	}
	return 0;
}
