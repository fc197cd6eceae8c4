/* SPDX-License-Identifier: MIT */
/* modules/policy/verify.c - the words of an admission service: those of
 * derper's
 * --verify-client-url (tailcfg.DERPAdmitClientRequest and -Response), which
 * Headscale answers at /verify. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "modules/policy/service.h"

/* As Go's netip prints it: IPv4 as such, on a listener for both, too. */
static void put_source(const union hd_addr *addr, char ret[INET6_ADDRSTRLEN])
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;

	if (addr->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &addr->in.sin_addr, ret, INET6_ADDRSTRLEN);
	else if (IN6_IS_ADDR_V4MAPPED(in6))
		inet_ntop(AF_INET, in6->s6_addr + 12, ret, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, in6, ret, INET6_ADDRSTRLEN);
}

const char *policy_verify_request(const struct policy_subject *who,
				  char buf[POLICY_REQUEST_BYTES])
{
	char source[INET6_ADDRSTRLEN] = "";
	char key[POLICY_KEY_TEXT_BYTES];

	policy_key_text(who->key, key);
	if (who->from != NULL)
		put_source(who->from, source);
	snprintf(buf, POLICY_REQUEST_BYTES,
		 "{\"NodePublic\":\"nodekey:%s\",\"Source\":\"%s\"}", key,
		 source);
	return buf;
}

/* A name that would break a line of the log is none; one that is too long ends
 * between two characters. It is UTF-8: jansson takes nothing else. */
void policy_take_name(const char *text, char ret[POLICY_NAME_BYTES])
{
	size_t n = text != NULL ? strlen(text) : 0;

	ret[0] = '\0';
	for (const char *p = text; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return;
	if (n >= POLICY_NAME_BYTES)
		for (n = POLICY_NAME_BYTES - 1; (text[n] & 0xc0) == 0x80;)
			n--;
	snprintf(ret, POLICY_NAME_BYTES, "%.*s", (int)n, n > 0 ? text : "");
}

/* Without case, as Go's decoder, which derper has, takes it. Returns NULL:
 * there is none, or more than one. */
static json_t *member(json_t *answer, const char *name)
{
	json_t *found = NULL, *v;
	const char *key;
	unsigned n = 0;

	json_object_foreach (answer, key, v)
		if (strcasecmp(key, name) == 0) {
			found = v;
			n++;
		}
	return n == 1 ? found : NULL;
}

int policy_verify_answer(const char *body, size_t n,
			 char ret_name[POLICY_NAME_BYTES])
{
	json_t *answer = json_loadb(
		body, n, JSON_REJECT_DUPLICATES | POLICY_JSON_FLAGS, NULL);
	const json_t *allow = member(answer, "Allow");
	int r = json_is_boolean(allow) ? json_is_true(allow) : -EPROTO;

	if (r >= 0)
		policy_take_name(json_string_value(member(answer, "Name")),
				 ret_name);
	json_decref(answer);
	return r;
}
