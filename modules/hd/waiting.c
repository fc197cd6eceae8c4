/* SPDX-License-Identifier: MIT */
/* modules/hd/waiting.c - who waits for a person. Who has gone stays in the
 * list, so that one can be approved who could not wait; strangers can make keys
 * without end, so the list is short, and one address has few places in it. */
#include <string.h>
#include "modules/hd/people.h"

/* NULL: it is none of IPv4. A listener of [::] has those as ::ffff:192.0.2.1.
 */
static const void *ipv4_of(const union hd_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return &a->in.sin_addr;
	return IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)
		       ? &a->in6.sin6_addr.s6_addr[12]
		       : NULL;
}

/* IPv6 by /64: who has one address has all of them. */
static bool same_place(const union hd_addr *a, const union hd_addr *b)
{
	const void *a4 = ipv4_of(a), *b4 = ipv4_of(b);

	if (a4 != NULL || b4 != NULL)
		return a4 != NULL && b4 != NULL && memcmp(a4, b4, 4) == 0;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8) == 0;
}

static void take_out(struct hdp_people *p, size_t at)
{
	memmove(p->waiting + at, p->waiting + at + 1,
		(--p->n_waiting - at) * sizeof(*p->waiting));
}

/* Returns whether there is a place: one of the same client that has gone, else
 * the oldest that has, is given up for it. */
static bool make_room(struct hdp_people *p, const union hd_addr *from)
{
	size_t n = 0, own = HDP_WAITING_MAX, oldest = HDP_WAITING_MAX;

	for (size_t i = p->n_waiting; i-- > 0;) {
		bool same = same_place(&p->waiting[i].from, from);

		n += same;
		if (p->waiting[i].ticket == NULL) {
			oldest = i;
			own = same ? i : own;
		}
	}
	if (n < HDP_WAITING_FROM_MAX && p->n_waiting < HDP_WAITING_MAX)
		return true;
	if (n >= HDP_WAITING_FROM_MAX)
		oldest = own;
	if (oldest == HDP_WAITING_MAX)
		return false;
	take_out(p, oldest);
	return true;
}

uint64_t hdp_waiting_add(struct hdp_people *p, const struct hdp_waiting *who)
{
	hdp_waiting_settle(p, &who->address, HD_VERDICT_DENY, NULL,
			   "the same key has come again");
	if (!make_room(p, &who->from))
		return 0;
	p->waiting[p->n_waiting] = *who;
	p->waiting[p->n_waiting++].number = ++p->last_number;
	return p->last_number;
}

bool hdp_waiting_is(const struct hdp_people *p, uint64_t number)
{
	for (size_t i = 0; i < p->n_waiting; i++)
		if (p->waiting[i].number == number)
			return p->waiting[i].ticket != NULL;
	return false;
}

void hdp_waiting_left(struct hdp_people *p, uint64_t number)
{
	for (size_t i = 0; i < p->n_waiting; i++)
		if (p->waiting[i].number == number) /* this releases it */
			hd_admit_answer(&p->waiting[i].ticket, HD_VERDICT_DENY,
					NULL);
}

unsigned hdp_waiting_settle(struct hdp_people *p, const struct hd_key *address,
			    enum hd_verdict verdict,
			    const struct hdp_grant *grant, const char *reason)
{
	unsigned n = 0;

	for (size_t i = p->n_waiting; i-- > 0;) {
		struct hdp_waiting *w = &p->waiting[i];

		if (memcmp(&w->address, address, sizeof(*address)) != 0)
			continue;
		if (w->ticket != NULL && grant != NULL)
			hdp_grant_give(w->ticket, grant, w->has_tenant);
		hd_admit_answer(&w->ticket, verdict, reason);
		take_out(p, i);
		n++;
	}
	return n;
}

void hdp_grant_give(struct hd_ticket *ticket, const struct hdp_grant *grant,
		    bool has_tenant)
{
	const struct hd_limits limits = {
		.bytes_per_s = grant->bytes_per_s,
		.connections = grant->connections,
	};

	if (grant->name[0] != '\0')
		hd_admit_name(ticket, grant->name);
	if (grant->tenant[0] != '\0' && !has_tenant)
		hd_admit_tenant(ticket, grant->tenant);
	if (grant->bytes_per_s != 0 || grant->connections != 0)
		hd_admit_limits(ticket, HD_LIMITS_KEY, &limits);
}
