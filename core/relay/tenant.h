/* SPDX-License-Identifier: MIT */
/* core/relay/tenant.h - numbers for the names of tenants.
 *
 * A tenant is the upper part of a realm's number, the protocol is the lower
 * part (core/base/key.h). So packets, records between workers and entries of
 * the table carry one number, and who is of another tenant is not found. The
 * home of a key depends on the lower part only: it is known before the tenant
 * is. Any thread; holding and dropping take a lock. */
#pragma once
#include <hyper-derp/relay.h>
#include "core/base/key.h"

#define HD_TENANTS_MAX ((1u << (16 - HD_REALM_PROTOCOL_BITS)) - 1)
/* So many are for who logs in here, whatever other relays name. */
#define HD_TENANTS_KEPT 512

/* hd_tenant_hold - the number of a name, for one more holder. The name keeps
 * it while somebody holds it; for 10 s after the last one nobody else gets it,
 * for what is under way between workers.
 * Returns 0; -EINVAL the name is none; -ENOSPC there are HD_TENANTS_MAX.
 * hd_tenant_drop - one holder less. 0, the tenant without a name, is never
 * taken or given back: both do nothing. hd_tenant_hold_again - one more of a
 * number that somebody holds, or held just now. */
int hd_tenant_hold(const char *name, uint16_t *ret_tenant);
/* hd_tenant_hold_far - the same for another relay. -ENOSPC: HD_TENANTS_KEPT are
 * left, or less, and nobody has had the name lately. */
int hd_tenant_hold_far(const char *name, uint16_t *ret_tenant);
/* hd_tenant_hold_known - the same of a name that has a number. Returns 0;
 * -ENOENT it has none. */
int hd_tenant_hold_known(const char *name, uint16_t *ret_tenant);
void hd_tenant_hold_again(uint16_t tenant);
void hd_tenant_drop(uint16_t tenant);
/* hd_tenant_name - of one that the caller holds, as long as it does. "" of 0.
 */
const char *hd_tenant_name(uint16_t tenant);

static inline uint16_t hd_realm_with(uint16_t realm, uint16_t tenant)
{
	return (uint16_t)((realm & HD_REALM_PROTOCOL_MASK) |
			  tenant << HD_REALM_PROTOCOL_BITS);
}

static inline uint16_t hd_realm_tenant(uint16_t realm)
{
	return realm >> HD_REALM_PROTOCOL_BITS;
}
