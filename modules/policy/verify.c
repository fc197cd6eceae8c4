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
 * there is none, or more than one.
 * @ret_n  how many there are */
static json_t *members(json_t *answer, const char *name, unsigned *ret_n)
{
	json_t *found = NULL, *v;
	const char *key;

	*ret_n = 0;
	json_object_foreach (answer, key, v)
		if (strcasecmp(key, name) == 0) {
			found = v;
			++*ret_n;
		}
	return *ret_n == 1 ? found : NULL;
}

static json_t *member(json_t *answer, const char *name)
{
	unsigned n;

	return members(answer, name, &n);
}

/* Returns 0, and NULL is none; -EPROTO there is more than one: which counts? */
static int only(json_t *answer, const char *name, json_t **ret)
{
	unsigned n;

	*ret = members(answer, name, &n);
	return n > 1 ? -EPROTO : 0;
}

static int take_tenant(const json_t *v, char ret[HD_TENANT_BYTES])
{
	const char *text = json_string_value(v);

	if (v == NULL || json_is_null(v) || (text != NULL && text[0] == '\0'))
		return 0;
	if (text == NULL || !hd_tenant_is_name(text))
		return -EPROTO;
	snprintf(ret, HD_TENANT_BYTES, "%s", text);
	return 0;
}

/* Not there: 0. Numbers are real here, POLICY_JSON_FLAGS; those up to 2^53 are
 * whole. Returns 0; -EPROTO no whole number, or too large.
 * @ret_any  is set where it is there */
static int take_number(json_t *limits, const char *name, uint64_t max,
		       uint64_t *ret, bool *ret_any)
{
	json_t *v;
	int r = only(limits, name, &v);
	double x = json_number_value(v);

	*ret = 0;
	if (r < 0)
		return r;
	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_number(v) || !(x >= 0 && x <= (double)max) ||
	    (double)(uint64_t)x != x)
		return -EPROTO;
	*ret = (uint64_t)x;
	*ret_any = true;
	return 0;
}

/* As in a rule; Go's decoder, too, passes over what it does not know. None of
 * them, {}, is nothing said: who means no limit writes 0. */
static int take_limits(json_t *v, struct policy_extra *ret)
{
	uint64_t packet = 0, connections = 0;
	struct hd_limits *l = &ret->limits;
	bool *any = &ret->has_limits;

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_object(v) ||
	    take_number(v, "Rate", 1ull << 40, &l->bytes_per_s, any) < 0 ||
	    take_number(v, "Burst", 1ull << 40, &l->burst_bytes, any) < 0 ||
	    take_number(v, "PacketCost", 65536, &packet, any) < 0 ||
	    take_number(v, "Connections", 1000000, &connections, any) < 0)
		return -EPROTO;
	l->packet_bytes = (uint32_t)packet;
	l->connections = (uint32_t)connections;
	return 0;
}

/* Whom it allows with what nobody understands is not let in with more. */
static int take_extra(json_t *answer, struct policy_extra *ret)
{
	json_t *tenant, *limits;

	if (only(answer, "Tenant", &tenant) < 0 ||
	    only(answer, "Limits", &limits) < 0 ||
	    take_tenant(tenant, ret->tenant) < 0)
		return -EPROTO;
	return take_limits(limits, ret);
}

int policy_verify_answer(const char *body, size_t n, struct policy_extra *ret)
{
	json_t *answer = json_loadb(
		body, n, JSON_REJECT_DUPLICATES | POLICY_JSON_FLAGS, NULL);
	const json_t *allow = member(answer, "Allow");
	int r = json_is_boolean(allow) ? json_is_true(allow) : -EPROTO;

	*ret = (struct policy_extra){ .name = "" };
	if (r == 1 && take_extra(answer, ret) < 0)
		r = -EPROTO;
	if (r >= 0)
		policy_take_name(json_string_value(member(answer, "Name")),
				 ret->name);
	json_decref(answer);
	return r;
}
