/* SPDX-License-Identifier: MIT */
/* tools/hdcat/target.c - see target.h. */
#include "tools/hdcat/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PATH_MAX_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)
#define TOKENS_MAX 4
#define UDP "udp:"

static bool may_listen(enum target_kind kind)
{
	return kind == TARGET_LISTEN || kind == TARGET_ALLOW_LISTEN;
}

static bool may_be_any(enum target_kind kind)
{
	return kind == TARGET_ALLOW || kind == TARGET_ALLOW_LISTEN;
}

/* What a name or an address has; no more goes to the resolver, or is shown. */
static bool host_ok(const char *host, enum target_kind kind)
{
	if (strcmp(host, "*") == 0)
		return kind != TARGET_DIAL;
	return *host != '\0' &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
			    "XYZ0123456789.-_:%") == strlen(host);
}

static bool port_ok(const char *port, enum target_kind kind)
{
	size_t n = strlen(port);

	if (strcmp(port, "*") == 0)
		return may_be_any(kind);
	if (n == 0 || n > 5 || strspn(port, "0123456789") != n)
		return false;
	if (*port == '0')
		return n == 1 && may_listen(kind);
	return strtoul(port, NULL, 10) <= 65535;
}

static int part(char *to, size_t size, const char *from, size_t n)
{
	if (n >= size)
		return -EINVAL;
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

static int path_parse(const char *text, size_t n, struct target *ret)
{
	ret->port[0] = '\0';
	if (memchr(text, ':', n) != NULL)
		return -EINVAL; /* it would look like something else */
	return n < PATH_MAX_BYTES ? part(ret->host, sizeof(ret->host), text, n)
				  : -EINVAL;
}

/* Returns where the host begins and ends, and the port begins. */
static int split(const char *text, size_t n, const char **host, size_t *host_n,
		 const char **port)
{
	const char *colon = memrchr(text, ':', n);

	*port = colon != NULL ? colon + 1 : text;
	*host = text;
	*host_n = colon != NULL ? (size_t)(colon - text) : 0;
	if (colon == NULL)
		return 0;
	if (*text == '[') {
		if (*host_n < 2 || text[*host_n - 1] != ']')
			return -EINVAL;
		*host += 1;
		*host_n -= 2;
		return memchr(*host, ':', *host_n) != NULL ? 0 : -EINVAL;
	}
	return *host_n > 0 && memchr(text, ':', *host_n) == NULL ? 0 : -EINVAL;
}

static bool begins_udp(const char *text, size_t n)
{
	return n >= strlen(UDP) && memcmp(text, UDP, strlen(UDP)) == 0;
}

static bool printable(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n > 0;
}

int target_parse(const char *text, size_t n, enum target_kind kind,
		 struct target *ret)
{
	const char *host, *port;
	size_t host_n;

	ret->udp = begins_udp(text, n);
	text += ret->udp ? strlen(UDP) : 0;
	n -= ret->udp ? strlen(UDP) : 0;
	if (!printable(text, n) || (ret->udp && *text == '/'))
		return -EINVAL;
	if (*text == '/')
		return path_parse(text, n, ret);
	if (split(text, n, &host, &host_n, &port) < 0 ||
	    part(ret->port, sizeof(ret->port), port,
		 n - (size_t)(port - text)) < 0)
		return -EINVAL;
	if (port == text && may_listen(kind))
		strcpy(ret->host, "localhost");
	else if (port == text ||
		 part(ret->host, sizeof(ret->host), host, host_n) < 0)
		return -EINVAL;
	return host_ok(ret->host, kind) && port_ok(ret->port, kind) ? 0
								    : -EINVAL;
}

bool target_is_name(const struct target *t)
{
	struct in_addr in;

	return !target_is_path(t) && strchr(t->host, ':') == NULL &&
	       strcmp(t->host, "*") != 0 &&
	       strcasecmp(t->host, "localhost") != 0 &&
	       inet_pton(AF_INET, t->host, &in) != 1;
}

bool target_is_path(const struct target *t)
{
	return t->port[0] == '\0';
}

void target_unix(const struct target *t, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, t->host, strnlen(t->host, PATH_MAX_BYTES - 1));
}

char *target_text(const struct target *t, char *ret)
{
	bool v6 = strchr(t->host, ':') != NULL;

	if (target_is_path(t))
		snprintf(ret, TARGET_TEXT_BYTES, "%s", t->host);
	else
		snprintf(ret, TARGET_TEXT_BYTES, "%s%s%s%s:%s",
			 t->udp ? UDP : "", v6 ? "[" : "", t->host,
			 v6 ? "]" : "", t->port);
	return ret;
}

bool target_allowed(const struct target *pattern, const struct target *t)
{
	if (target_is_path(pattern) || target_is_path(t))
		return strcmp(pattern->host, t->host) == 0 &&
		       strcmp(pattern->port, t->port) == 0;
	return pattern->udp == t->udp &&
	       (strcmp(pattern->host, "*") == 0 ||
		strcasecmp(pattern->host, t->host) == 0) &&
	       (strcmp(pattern->port, "*") == 0 ||
		strcmp(pattern->port, t->port) == 0);
}

/* ---- two of them ---- */

/* The places of colons that are not in brackets. Returns how many tokens. */
static unsigned tokens(const char *text, const char *at[TOKENS_MAX])
{
	unsigned n = 1;
	bool inside = false;

	at[0] = text;
	for (; *text != '\0'; text++) {
		if (*text == '[' || *text == ']')
			inside = *text == '[';
		if (*text != ':' || inside)
			continue;
		if (n == TOKENS_MAX)
			return 0;
		at[n++] = text + 1;
	}
	return n;
}

static int halves_parse(const char *text, struct target *at, struct target *to)
{
	const char *v[TOKENS_MAX];
	unsigned n = tokens(text, v), here;

	if (n < 2)
		return -EINVAL;
	if (*v[0] == '/')
		here = 1;
	else
		here = *v[n - 1] == '/' ? n - 1 : n - 2;
	if (here < 1 || here > 2)
		return -EINVAL;
	if (target_parse(text, (size_t)(v[here] - text) - 1, TARGET_LISTEN,
			 at) < 0)
		return -EINVAL;
	return target_parse(v[here], strlen(v[here]), TARGET_DIAL, to);
}

int forward_parse(const char *text, struct target *at, struct target *to)
{
	bool udp = begins_udp(text, strlen(text));
	int r = halves_parse(text + (udp ? strlen(UDP) : 0), at, to);

	if (r < 0 || at->udp || to->udp ||
	    (udp && (target_is_path(at) || target_is_path(to))))
		return -EINVAL; /* it is said once, of both */
	at->udp = to->udp = udp;
	return 0;
}
