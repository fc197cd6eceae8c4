/* SPDX-License-Identifier: MIT */
/* modules/policy/given.c - what rules say nothing about is other modules' to
 * say: the tenant and the limits in a credential of HD. So that rules which are
 * read again do not take that for their own, it is noted beside each peer what
 * they have given it. Of who was here before this module, or its code of now,
 * nothing is known: they have given nothing.
 *
 * A tenant that others have given has a quota and limits here all the same, and
 * a rule's limits come before those of others. Modules that are asked behind us
 * give later than we do, and who has waited for a service has nothing noted. So
 * these are looked at once more when they are here. Context: the peer's worker.
 */
#include <hyper-derp/about.h>
#include <hyper-derp/presence.h>
#include "modules/policy/policy.h"

enum { TENANT = 1, LIMITS = 2 }; /* bits; of limits those from LIMITS on */

struct policy_given *policy_given_of(const struct hd_module *mod,
				     const struct hd_peer *peer)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);

	return pp != NULL ? &pp->given : NULL;
}

const char *policy_given_besides(const struct policy_given *given,
				 const char *tenant)
{
	return given != NULL && !given->tenant && tenant[0] != '\0' ? tenant
								    : NULL;
}

/* ---- who comes ---- */

static void look_once_more(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;
	struct policy_given *given = policy_given_of(pw->mod, p->peer);

	policy_shown_late(pw->mod, pw->rules, p->peer);
	if (given == NULL ||
	    (!given->unsure && !given->limits[HD_LIMITS_KEY] &&
	     policy_given_besides(given, p->tenant) == NULL))
		return;
	given->unsure = false;
	policy_sweep_peer(pw, p);
}

static void on_here(struct hd_module *mod, struct hd_worker *w,
		    const struct hd_presence *what)
{
	if (what->present)
		hd_about_key(w, what->key, look_once_more,
			     hd_module_worker_data(mod, w));
}

int policy_given_hooks(struct hd_module *mod, struct hd_error *err)
{
	return hd_hook_here(mod, on_here, err);
}

/* ---- to another process ---- */

void policy_given_pack(const struct hd_module *mod, const struct hd_peer *peer,
		       struct hd_pack *to)
{
	const struct policy_given *given = policy_given_of(mod, peer);
	uint64_t bits;

	if (given == NULL)
		return;
	bits = given->tenant ? TENANT : 0;
	for (unsigned i = 0; i < HD_LIMITS_N; i++)
		bits |= given->limits[i] ? LIMITS << i : 0;
	hd_pack_number(to, "given", bits);
}

/* One that does not say has given nothing. */
void policy_given_unpack(const struct hd_module *mod,
			 const struct hd_peer *peer,
			 const struct hd_unpack *from)
{
	struct policy_given *given = policy_given_of(mod, peer);
	uint64_t bits = 0;

	if (given == NULL || hd_unpack_number(from, "given", &bits) < 0)
		return;
	given->tenant = (bits & TENANT) != 0;
	for (unsigned i = 0; i < HD_LIMITS_N; i++)
		given->limits[i] = (bits & LIMITS << i) != 0;
}
