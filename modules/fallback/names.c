/* SPDX-License-Identifier: MIT */
/* modules/fallback/names.c - whose TLS it is, by the name that the client asks
 * for. */
#include <string.h>
#include <strings.h>
#include "modules/fallback/fallback.h"

#define HOST_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
enum { NAME_MAX_BYTES = 253 }; /* RFC 1035, 2.3.4 */

static bool is_wild(const char *pattern)
{
	return pattern[0] == '*' && pattern[1] == '.';
}

const char *fallback_name_fault(const char *pattern)
{
	const char *host = is_wild(pattern) ? pattern + 2 : pattern;
	size_t n = strlen(host);

	if (n == 0 || n > NAME_MAX_BYTES || host[strspn(host, HOST_CHARS)])
		return "not the name of a host, with or without *. before it";
	if (host[0] == '.' || host[n - 1] == '.')
		return "a name has no dot at its beginning or end";
	return NULL;
}

/* "*.example.com" is every name below example.com, and not itself. */
static bool matches(const char *pattern, const char *name)
{
	size_t n = strlen(name), tail;

	if (!is_wild(pattern))
		return strcasecmp(pattern, name) == 0;
	tail = strlen(pattern + 1);
	return n > tail && strcasecmp(name + n - tail, pattern + 1) == 0;
}

static bool has_name(const struct hd_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (matches(list->v[i], name))
			return true;
	return false;
}

const struct fallback_sni_conf *
fallback_names_find(const struct fallback_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->sni.n; i++)
		if (has_name(&conf->sni.v[i].name, name))
			return &conf->sni.v[i];
	return NULL;
}
