/* SPDX-License-Identifier: MIT */
/* core/http/forwarded.c - the client's address in a request's head: one of
 * X-Forwarded-For, X-Real-IP and Forwarded (RFC 7239).
 *
 * Only the header that the configuration names is read: a proxy sets one of
 * them and passes the others on as its client wrote them. */
#include "core/http/forwarded.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/loop/worker.h"
#include "core/stream/proxied.h"
#include "core/stream/visitor.h"

/* ---- an address ---- */

#define NODE_BYTES 64 /* "[" address "]:" port fits */

struct node {
	char text[NODE_BYTES];
	size_t n; /* more than fits: it is no address */
};

static void node_add(struct node *node, char c)
{
	if (node->n < sizeof(node->text))
		node->text[node->n] = c;
	node->n++;
}

/* "" or ":4711"; a name instead of the number (RFC 7239, 6) is 0. */
static bool parse_port(const char *text, in_port_t *ret)
{
	size_t n;

	*ret = 0;
	if (text[0] == '\0')
		return true;
	if (text[0] != ':')
		return false;
	n = strspn(text + 1, "0123456789");
	if (n == 0 || n > 5 || text[1 + n] != '\0')
		return text[1] == '_';
	*ret = htons((uint16_t)atoi(text + 1));
	return atoi(text + 1) <= UINT16_MAX;
}

static bool parse_v4(char *text, union hd_addr *ret)
{
	char *port = strchrnul(text, ':');
	char host[NODE_BYTES] = "";

	memcpy(host, text, (size_t)(port - text));
	ret->in.sin_family = AF_INET;
	return inet_pton(AF_INET, host, &ret->in.sin_addr) == 1 &&
	       parse_port(port, &ret->in.sin_port);
}

static bool parse_v6(char *text, union hd_addr *ret)
{
	char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	ret->in6.sin6_family = AF_INET6;
	if (end == NULL)
		return inet_pton(AF_INET6, text, &ret->in6.sin6_addr) == 1;
	*end = '\0';
	return inet_pton(AF_INET6, text + 1, &ret->in6.sin6_addr) == 1 &&
	       parse_port(end + 1, &ret->in6.sin6_port);
}

static bool parse_node(struct node *node, union hd_addr *ret)
{
	if (node->n >= sizeof(node->text) ||
	    memchr(node->text, '\0', node->n) != NULL)
		return false;
	node->text[node->n] = '\0';
	*ret = (union hd_addr){ .in6 = { .sin6_family = AF_UNSPEC } };
	if (parse_v6(node->text, ret))
		return true;
	*ret = (union hd_addr){ .in6 = { .sin6_family = AF_UNSPEC } };
	return parse_v4(node->text, ret);
}

/* ---- a list of them ---- */

struct list { /* gone through from its beginning */
	const struct hd_prefixes *trusted;
	bool any;
	union hd_addr client; /* if the list ended here */
};

/* The last that is not trusted stays; before there is one, the first. */
static void take(struct list *list, struct node *node)
{
	union hd_addr addr;

	if (!parse_node(node, &addr)) {
		list->any = false;
		return;
	}
	if (!list->any || !hd_prefixes_have(list->trusted, &addr))
		list->client = addr;
	list->any = true;
}

static void take_bytes(struct list *list, const char *p, size_t n)
{
	struct node node = { .n = 0 };

	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		node_add(&node, p[i]);
	if (n > 0)
		take(list, &node);
}

/* "client, proxy, proxy" */
static int take_commas(struct list *list, const char *p)
{
	for (;;) {
		size_t n;

		p += strspn(p, " \t,");
		n = strcspn(p, ",");
		if (n == 0)
			return 0;
		take_bytes(list, p, n);
		p += n;
	}
}

static int take_whole(struct list *list, const char *p)
{
	take_bytes(list, p, strlen(p));
	return 0;
}

/* ---- Forwarded (RFC 7239, 4) ---- */

struct element { /* for=192.0.2.1;proto=https */
	bool pairs, has_node;
	struct node node;
};

/* A token or a quoted text. Returns what is behind it; NULL: it has no end. */
static const char *take_value(const char *p, struct node *node)
{
	node->n = 0;
	if (*p != '"') {
		for (; *p != '\0' && strchr(",; \t\"", *p) == NULL; p++)
			node_add(node, *p);
		return p;
	}
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return NULL;
		node_add(node, *p);
	}
	return p + 1;
}

static const char *take_pair(const char *p, struct element *e)
{
	size_t n = strcspn(p, "=,; \t\"");
	bool is_node = n == 3 && strncasecmp(p, "for", n) == 0;
	struct node other;

	if (n == 0 || p[n] != '=' || (is_node && e->has_node))
		return NULL;
	e->pairs = true;
	e->has_node |= is_node;
	return take_value(p + n + 1, is_node ? &e->node : &other);
}

/* Up to a comma or the end. NULL: it is malformed. */
static const char *take_element(const char *p, struct element *e)
{
	*e = (struct element){ .pairs = false };
	for (;;) {
		p += strspn(p, " \t");
		if (*p != ';' && *p != ',' && *p != '\0')
			p = take_pair(p, e);
		if (p == NULL)
			return NULL;
		p += strspn(p, " \t");
		if (*p == ',' || *p == '\0')
			return p;
		if (*p++ != ';')
			return NULL;
	}
}

static int take_forwarded(struct list *list, const char *p)
{
	for (;;) {
		struct element e;

		p = take_element(p, &e);
		if (p == NULL)
			return -EBADMSG;
		if (e.pairs)
			take(list, &e.node);
		if (*p++ == '\0')
			return 0;
	}
}

/* ---- a request ---- */

static const struct {
	const char *name;
	int (*take)(struct list *list, const char *value);
} headers[] = {
	[HD_TRUSTED_X_FORWARDED_FOR] = { "X-Forwarded-For", take_commas },
	[HD_TRUSTED_X_REAL_IP] = { "X-Real-IP", take_whole },
	[HD_TRUSTED_FORWARDED] = { "Forwarded", take_forwarded },
};

int hd_forwarded_find(const struct hd_http_head *head,
		      enum hd_trusted_header which,
		      const struct hd_prefixes *trusted,
		      union hd_addr *ret_client)
{
	struct list list = { .trusted = trusted };
	int r = 0;

	for (unsigned i = 0; i < head->n && r == 0; i++)
		if (strcasecmp(head->headers[i].name, headers[which].name) == 0)
			r = headers[which].take(&list, head->headers[i].value);
	*ret_client = list.client;
	return r < 0 ? r : list.any;
}

int hd_forwarded_apply(struct hd_request *req)
{
	struct hd_stream *s = req->stream;
	const struct hd_conf *conf = s->worker->conf;
	union hd_addr client;
	int r = 0;

	if (conf->trusted.n == 0 && s->proxied == NULL)
		return 0;
	if (hd_prefixes_have(&conf->trusted, hd_proxied_named(s)))
		r = hd_forwarded_find(
			&req->head,
			(enum hd_trusted_header)conf->trusted_header,
			&conf->trusted, &client);
	if (r < 0)
		return r;
	hd_proxied_forwarded(s, r > 0 ? &client : NULL);
	return hd_visitor_renamed(s) ? 0 : -EUSERS;
}
