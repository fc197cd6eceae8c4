/* SPDX-License-Identifier: MIT */
/* modules/policy/answers_pack.c - what admission services have said goes to a
 * new process: nobody is asked about twice, and who is known stays known while
 * a service is away. Questions that are under way do not go. */
#include <errno.h>
#include <hyper-derp/upgrade.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/answers.h"

#define ANSWERS "answers.1" /* of this shape; another one gets a new name */
struct image {
	struct hd_key key;
	uint64_t fresh_until_ms, stale_until_ms;
	uint8_t allow, has_limits, reserved[6];
	char name[POLICY_NAME_BYTES], tenant[HD_TENANT_BYTES];
	uint64_t bytes_per_s, burst_bytes;
	uint32_t packet_bytes, connections;
};
_Static_assert(sizeof(struct image) == 208, "without gaps");

static size_t add_list(struct image *v, size_t n, const struct answer *first,
		       uint64_t now_ms)
{
	for (const struct answer *a = first; a != NULL; a = a->next) {
		const struct hd_limits *l = &a->extra.limits;

		if (!a->said || a->stale_until_ms <= now_ms)
			continue;
		v[n] = (struct image){ .key = a->key,
				       .fresh_until_ms = a->fresh_until_ms,
				       .stale_until_ms = a->stale_until_ms,
				       .allow = a->allow,
				       .has_limits = a->extra.has_limits,
				       .bytes_per_s = l->bytes_per_s,
				       .burst_bytes = l->burst_bytes,
				       .packet_bytes = l->packet_bytes,
				       .connections = l->connections };
		memcpy(v[n].name, a->extra.name, sizeof(v[n].name));
		memcpy(v[n].tenant, a->extra.tenant, sizeof(v[n].tenant));
		n++;
	}
	return n;
}

/* The one used longest ago first, as they are kept. */
static int pack_service(const struct service *s, uint64_t now_ms,
			struct hd_pack *to)
{
	struct image *v =
		malloc((HASH_COUNT(s->answers) + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	size_t n = add_list(v, 0, s->others, now_ms);

	n = add_list(v, n, s->known, now_ms);
	hd_pack_open(to, "service");
	hd_pack_text(to, "url", s->url);
	hd_pack_bytes(to, ANSWERS, v, n * sizeof(*v));
	hd_pack_close(to);
	free(v);
	return 0;
}

int policy_answers_pack(const struct policy_worker *pw, struct hd_pack *to,
			struct hd_error *err)
{
	int r = 0;

	for (const struct service *s = pw->answers->first; s != NULL && r == 0;
	     s = s->next)
		r = pack_service(s, hd_now_ms(pw->w), to);
	return r == 0 ? 0 : hd_error_set(err, r, "policy: out of memory");
}

/* ---- in the new process ---- */

/* Which realm it was asked for nobody knows; there are one or two. */
static bool is_home(const struct policy_worker *pw, const struct hd_key *key)
{
	unsigned n = hd_realms_n();

	for (unsigned realm = 0; realm < n; realm++)
		if (hd_relay_home((uint16_t)realm, key) == pw->w)
			return true;
	return false;
}

static void take_extra(const struct image *i, struct policy_extra *to)
{
	memcpy(to->name, i->name, sizeof(to->name) - 1);
	memcpy(to->tenant, i->tenant, sizeof(to->tenant) - 1);
	to->has_limits = i->has_limits != 0;
	to->limits = (struct hd_limits){ .bytes_per_s = i->bytes_per_s,
					 .burst_bytes = i->burst_bytes,
					 .packet_bytes = i->packet_bytes,
					 .connections = i->connections };
}

/* Without memory, or a place for its tenant, it is asked about again. */
static void take_answer(struct policy_worker *pw, struct service *s,
			const struct image *i)
{
	struct policy_extra extra = { .name = "" };
	struct answer *a;

	take_extra(i, &extra);
	if (policy_may_name(pw, s->url, extra.tenant) < 0)
		return;
	a = policy_answer_of(s, &i->key);
	if (a == NULL)
		return;
	a->said = true;
	a->allow = i->allow != 0;
	a->fresh_until_ms = i->fresh_until_ms;
	a->stale_until_ms = i->stale_until_ms;
	a->extra = extra;
	policy_answer_used(s, a);
}

static void take_service(struct policy_worker *pw, const struct hd_unpack *from)
{
	char url[4096];
	const void *p = NULL;
	size_t n = 0;
	struct image i;

	if (hd_unpack_text(from, "url", url, sizeof(url)) < 0 ||
	    hd_unpack_view(from, ANSWERS, &p, &n) < 0)
		return;
	struct service *s = policy_service_of(pw->answers, url);

	for (size_t at = 0; s != NULL && n - at >= sizeof(i);
	     at += sizeof(i)) {
		memcpy(&i, (const uint8_t *)p + at, sizeof(i));
		if (is_home(pw, &i.key))
			take_answer(pw, s, &i);
	}
}

void policy_answers_unpack(struct policy_worker *pw,
			   const struct hd_unpack *from)
{
	struct hd_unpack in = *from, service;

	while (hd_unpack_next(&in, "service", &service))
		take_service(pw, &service);
}
