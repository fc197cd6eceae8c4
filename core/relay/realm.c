/* SPDX-License-Identifier: MIT */
/* core/relay/realm.c - numbers for the names of protocols' realms, and the text
 * of a realm for other relays. Context: any thread but for hd_realm(). */
#include <hyper-derp/relay.h>
#include <errno.h>
#include <string.h>
#include "core/base/key.h"
#include "core/relay/relay_table.h"
#include "core/relay/tenant.h"

enum { REALMS_MAX = 1 << HD_REALM_PROTOCOL_BITS };

static uint16_t n = 1; /* atomic for readers */

unsigned hd_realms_n(void)
{
	return __atomic_load_n(&n, __ATOMIC_ACQUIRE);
}

static char names[REALMS_MAX][32]; /* 0 is "" */

const char *hd_realm_name(uint16_t realm)
{
	return names[realm & HD_REALM_PROTOCOL_MASK];
}

int hd_realm_find(const char *name)
{
	for (unsigned i = 0; i < hd_realms_n(); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

uint16_t hd_realm(const char *name)
{
	hd_assert(strlen(name) < sizeof(names[0]) &&
		  strchr(name, '/') == NULL);
	for (uint16_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	hd_assert(n < REALMS_MAX);
	strcpy(names[n], name);
	return __atomic_fetch_add(&n, 1, __ATOMIC_RELEASE);
}

/* ---- of other relays ---- */

_Static_assert(sizeof(names[0]) + HD_TENANT_BYTES <= HD_REALM_TEXT_BYTES,
	       "both names, a slash and a NUL");

/* Returns where its NUL is. */
static char *put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len + 1);
	return to + len;
}

/* For each packet that leaves in a realm: no printf(), and no lock for one
 * without a tenant. */
struct hd_realm_text hd_realm_text(uint16_t realm)
{
	struct hd_realm_text ret;
	char *end = put(ret.s, hd_realm_name(realm));
	struct hd_tenant tenant;

	if (hd_realm_tenant(realm) == 0)
		return ret;
	tenant = hd_tenant_of(realm);
	*end = '/';
	put(end + 1, tenant.s);
	return ret;
}

/* @tenant  NULL: none */
static int hold(const char *name, const char *tenant, bool make,
		uint16_t *ret_realm)
{
	int realm = hd_realm_find(name), r = 0;
	uint16_t number = 0;

	if (realm < 0)
		return -ENOENT;
	if (tenant != NULL)
		r = make ? hd_tenant_hold_far(tenant, &number)
			 : hd_tenant_hold_known(tenant, &number);
	*ret_realm = hd_realm_with((uint16_t)realm, number);
	return r;
}

int hd_realm_hold(const char *text, size_t len_bytes, bool make,
		  uint16_t *ret_realm)
{
	char name[HD_REALM_TEXT_BYTES];
	char *slash;

	*ret_realm = 0;
	if (len_bytes >= sizeof(name) || memchr(text, '\0', len_bytes) != NULL)
		return -EINVAL;
	memcpy(name, text, len_bytes);
	name[len_bytes] = '\0';
	slash = strchr(name, '/');
	if (slash == NULL)
		return hold(name, NULL, make, ret_realm);
	*slash = '\0';
	return hold(name, slash + 1, make, ret_realm);
}

void hd_realm_drop(uint16_t realm)
{
	hd_tenant_drop(hd_realm_tenant(realm));
}
