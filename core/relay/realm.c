/* SPDX-License-Identifier: MIT */
/* core/relay/realm.c - numbers for the names of protocols' realms.
 * Context: main thread; hd_realms_n() in any. */
#include <hyper-derp/relay.h>
#include <string.h>
#include "core/base/key.h"
#include "core/relay/relay_table.h"

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
	hd_assert(strlen(name) < sizeof(names[0]));
	for (uint16_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	hd_assert(n < REALMS_MAX);
	strcpy(names[n], name);
	return __atomic_fetch_add(&n, 1, __ATOMIC_RELEASE);
}
