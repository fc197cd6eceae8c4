/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/names.c - names of relays. Who can write to the directory
 * can write any name: only those of the region are dialled, so that the mesh
 * key never goes to another host with a good certificate. Any thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <hyper-derp/relay.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* A key of a bucket has no colon. */
bool dir_name_token(const char *name, char ret[DIR_NAME_BYTES])
{
	size_t n = strlen(name), colons = 0;

	if (n == 0 || n >= DIR_NAME_BYTES || name[0] == '.' ||
	    name[n - 1] == '.' || strstr(name, "..") != NULL)
		return false;
	for (size_t i = 0; i <= n; i++) {
		colons += name[i] == ':';
		if (name[i] != '\0' && name[i] != ':' &&
		    (colons > 0 ? name[i] < '0' || name[i] > '9'
				: !is_char(name[i])))
			return false;
		ret[i] = name[i] == ':' ? '=' : name[i];
	}
	return colons <= 1 && name[0] != ':' && name[n - 1] != ':';
}

/* Addresses of IPv6 have colons. */
bool dir_dial_good(const char *dial)
{
	size_t n = 0;

	while (is_char(dial[n]) || (dial[n] != '\0' && strchr(":[]", dial[n])))
		n++;
	return dial[n] == '\0' && n < DIR_NAME_BYTES;
}

static size_t host_n(const char *name)
{
	return strcspn(name, ":");
}

/* @pattern  "*.example.com", or a whole host */
static bool matches(const char *pattern, const char *host, size_t n)
{
	size_t m = strlen(pattern);

	if (strncmp(pattern, "*.", 2) != 0)
		return m == n && strncasecmp(pattern, host, n) == 0;
	pattern++; /* the dot stays */
	m--;
	return n > m && strncasecmp(pattern, host + n - m, m) == 0;
}

/* Is what is behind the first dot one owner's? Not behind that of example.com,
 * or of an address. */
static bool has_domain(const char *dot, const char *end)
{
	return dot != NULL && (end[-1] < '0' || end[-1] > '9') &&
	       memchr(dot + 1, '.', (size_t)(end - dot - 1)) != NULL;
}

/* Without a list those whose names end as ours does, or that one alone. */
bool dir_name_allowed(const struct dir_conf *conf, const char *name)
{
	size_t n = host_n(name), own = host_n(conf->name);
	const char *dot = memchr(conf->name, '.', own);
	const char *end = conf->name + own;
	char domain[DIR_NAME_BYTES + 2] = "*";

	for (size_t i = 0; i < conf->relays.n; i++)
		if (matches(conf->relays.v[i], name, n))
			return true;
	if (conf->relays.n > 0)
		return false;
	if (!has_domain(dot, end))
		return n == own && strncasecmp(name, conf->name, n) == 0;
	strncat(domain, dot, (size_t)(end - dot));
	return matches(domain, name, n);
}

void dir_hold(uint16_t realm)
{
	struct hd_realm_text text = hd_realm_text(realm);

	if (text.s[0] != '\0')
		hd_realm_hold(text.s, strlen(text.s), true, &realm);
}

/* A token of a subject has no dot; names of realms and tenants have no =. */
void dir_subject(const char *bucket, const struct dir_of *of, bool read,
		 char ret[DIR_SUBJECT_BYTES])
{
	char hex[2 * HD_KEY_BYTES + 1];
	struct hd_realm_text realm = hd_realm_text(of->realm);

	sodium_bin2hex(hex, sizeof(hex), of->key.b, HD_KEY_BYTES);
	for (char *dot; (dot = strchr(realm.s, '.')) != NULL;)
		*dot = '=';
	if (read)
		snprintf(ret, DIR_SUBJECT_BYTES,
			 "$JS.API.DIRECT.GET.KV_%s.$KV.%s.%s%s%s", bucket,
			 bucket, hex, realm.s[0] != '\0' ? "/" : "", realm.s);
	else
		snprintf(ret, DIR_SUBJECT_BYTES, "$KV.%s.%s%s%s", bucket, hex,
			 realm.s[0] != '\0' ? "/" : "", realm.s);
}

static bool is_bucket(const char *region)
{
	size_t n = strlen(region);

	for (size_t i = 0; i < n; i++)
		if (!is_char(region[i]) || region[i] == '.')
			return false;
	return n > 0 && n <= 64;
}

int dir_names_check(const struct dir_conf *conf, struct hd_error *err)
{
	char token[DIR_NAME_BYTES];

	if (!dir_name_token(conf->name, token))
		return hd_error_at(&conf->at, err, -EINVAL,
				   "mesh_nats.name: `%.80s` is no host, as "
				   "derp1.example.com or "
				   "derp1.example.com:8443",
				   conf->name);
	if (conf->dial != NULL && !dir_dial_good(conf->dial))
		return hd_error_at(&conf->at, err, -EINVAL,
				   "mesh_nats.dial: `%.80s` is no host or "
				   "address",
				   conf->dial);
	if (!is_bucket(conf->region))
		return hd_error_at(&conf->at, err, -EINVAL,
				   "mesh_nats.region: `%.80s`: only letters, "
				   "digits, - and _, 64 at most",
				   conf->region);
	return dir_name_allowed(conf, conf->name)
		       ? 0
		       : hd_error_at(&conf->at, err, -EINVAL,
				     "mesh_nats.relays does not have this "
				     "relay's own name, %s: the others would "
				     "not either",
				     conf->name);
}
