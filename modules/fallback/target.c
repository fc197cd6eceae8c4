/* SPDX-License-Identifier: MIT */
/* modules/fallback/target.c - where a web server is, from its text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "modules/fallback/fallback.h"

#define UNIX "unix:"

static bool parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || v == 0 ||
	    v > UINT16_MAX)
		return false;
	*ret = (uint16_t)v;
	return true;
}

int fallback_target_parse(const char *text, struct fallback_target *ret)
{
	const char *colon = strrchr(text, ':'), *from = text;
	size_t n;

	*ret = (struct fallback_target){ .path = NULL };
	if (strncmp(text, UNIX, strlen(UNIX)) == 0) {
		ret->path = text + strlen(UNIX);
		return ret->path[0] == '/' ? 0 : -EINVAL;
	}
	if (colon == NULL || !parse_port(colon + 1, &ret->port))
		return -EINVAL;
	n = (size_t)(colon - text);
	if (n > 2 && from[0] == '[' && from[n - 1] == ']') { /* IPv6 */
		from++;
		n -= 2;
	} else if (memchr(from, ':', n) != NULL) {
		return -EINVAL;
	}
	if (n == 0 || n >= sizeof(ret->host))
		return -EINVAL;
	memcpy(ret->host, from, n);
	return 0;
}

void fallback_target_options(const struct fallback_target *t,
			     struct hd_dial_options *o)
{
	o->path = t->path;
	o->host = t->path == NULL ? t->host : NULL;
	o->port = t->port;
}

int fallback_target_check(const struct hd_place *at, const char *text,
			  struct hd_error *err)
{
	struct hd_dial_options o = { .proto = NULL };
	struct fallback_target t;
	struct hd_error why = { "" };

	if (fallback_target_parse(text, &t) < 0)
		return hd_error_at(at, err, -EINVAL,
				   "`to: %.80s`: a host or address with its "
				   "port, or unix: and the absolute path of a "
				   "socket",
				   text);
	fallback_target_options(&t, &o);
	if (hd_dial_check(&o, &why) < 0)
		return hd_error_at(at, err, -EINVAL, "`to`: %.400s", why.text);
	return 0;
}
