/* SPDX-License-Identifier: MIT */
/* tools/hdctl/host_name.c - what clients call the relay: a name as RFC 1123
 * writes it, with _ as some have it, or an address as RFC 4291 does. It becomes
 * HostName of a DERP map, and the name of a file. */
#include <arpa/inet.h>
#include <string.h>

#include "tools/hdctl/hdctl.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

#define DIGITS "0123456789"
#define LABEL                        \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz" DIGITS "-_"

static bool is_address(const char *text)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, text, &addr) == 1 ||
	       inet_pton(AF_INET6, text, &addr) == 1;
}

/* Without a number at its end: 192.0.2 and 300.1.1.1 are no names. */
static bool is_name(const char *text)
{
	size_t n;

	for (const char *label = text;; label += n + 1) {
		n = strspn(label, LABEL);
		if (n == 0 || n > LABEL_MAX_BYTES || label[0] == '-' ||
		    (label[n] != '.' && label[n] != '\0'))
			return false;
		if (label[n] == '\0')
			return strspn(label, DIGITS) != n &&
			       strlen(text) <= NAME_MAX_BYTES;
	}
}

/* relay.example.net:8443 and https://relay.example.net/ are often meant so. */
static const char *hint(const char *text)
{
	const char *colon = strchr(text, ':');

	if (strstr(text, "://") != NULL)
		return "; write the name alone, without https:// and path";
	if (text[0] == '[')
		return "; write an IPv6 address without brackets";
	if (colon != NULL && colon[1] != '\0' &&
	    colon[1 + strspn(colon + 1, DIGITS)] == '\0')
		return "; the port is an option of its own, --port";
	return "";
}

int hdctl_host_name(const char *text)
{
	if (is_address(text) || is_name(text))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_USAGE,
			  "--host \"%s\": neither the name of a host nor an "
			  "address%s",
			  text, hint(text));
}
