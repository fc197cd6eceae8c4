/* SPDX-License-Identifier: MIT */
/* modules/policy/left.c - what rules say nothing about is other modules' to
 * say: the tenant and the limits in a credential of HD. So that rules which are
 * read again do not take that for their own, it is noted beside each peer what
 * they have left to others at its login.
 *
 * A tenant that others have given has a quota and limits here all the same.
 * When rules are asked it is not known yet, so who comes with one is looked at
 * once more when it is here. Context: the peer's worker. */
#include <hyper-derp/about.h>
#include <hyper-derp/presence.h>
#include "modules/policy/policy.h"

enum { TENANT = 1, LIMITS = 2 }; /* bits; of limits those from LIMITS on */

static const struct policy_left all = { .tenant = true,
					.limits = { true, true } };
_Static_assert(HD_LIMITS_N == 2, "all of them");

/* Who was here before this module has nothing from it. */
struct policy_left *policy_left_of(const struct hd_module *mod,
				   const struct hd_peer *peer)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);

	if (pp == NULL)
		return NULL;
	if (!pp->account.begun)
		pp->left = all;
	return &pp->left;
}

static void on_here(struct hd_module *mod, struct hd_worker *w,
		    const struct hd_presence *what)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	if (what->present && policy_conf_of(pw)->tenants.n > 0)
		policy_sweep_left(pw, what->key);
}

int policy_left_hooks(struct hd_module *mod, struct hd_error *err)
{
	return hd_hook_here(mod, on_here, err);
}

/* ---- to another process ---- */

void policy_left_pack(const struct hd_module *mod, const struct hd_peer *peer,
		      struct hd_pack *to)
{
	const struct policy_left *left = policy_left_of(mod, peer);
	uint64_t bits;

	if (left == NULL)
		return;
	bits = left->tenant ? TENANT : 0;
	for (unsigned i = 0; i < HD_LIMITS_N; i++)
		bits |= left->limits[i] ? LIMITS << i : 0;
	hd_pack_number(to, "left", bits);
}

/* One that does not say has left nothing. */
void policy_left_unpack(const struct hd_module *mod,
			const struct hd_peer *peer,
			const struct hd_unpack *from)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);
	uint64_t bits = 0;

	if (pp == NULL || hd_unpack_number(from, "left", &bits) < 0)
		return;
	pp->left.tenant = (bits & TENANT) != 0;
	for (unsigned i = 0; i < HD_LIMITS_N; i++)
		pp->left.limits[i] = (bits & LIMITS << i) != 0;
}
