/* SPDX-License-Identifier: MIT */
/* t/unit/brought.c - packets that another relay brings in realms that it names:
 * they reach who is in that realm, and nobody else. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include "core/relay/brought.h"
#include "core/relay/tenant.h"
#include "t/unit/fake_relay.h"

struct bringing {
	struct hd_peer *relay;
	const struct hd_key *src, *dst;
};

static void bring_here(struct hd_worker *w, void *bringing, void *realm)
{
	const struct bringing *b = bringing;

	(void)w;
	hd_relay_forward_in(b->relay, realm, strlen(realm), b->src, b->dst,
			    false, (const uint8_t *)"hi", 2);
}

static void bring(struct fake *relay, const struct hd_key *dst,
		  const char *realm)
{
	const struct hd_key src = random_key();
	struct bringing b = { &relay->p, &src, dst };

	in_worker(relay->s.worker, bring_here, &b, (void *)realm);
	settle();
}

static void forget_here(struct hd_worker *w, void *peer, void *unused)
{
	(void)w, (void)unused;
	hd_brought_free(peer);
}

/* One key in two tenants and in none: three peers. */
static void each_realm_has_its_own(unsigned home)
{
	static const char *const names[] = { "", "/office", "/plant" };
	struct hd_key a = key_of(0), d = key_of(home);
	struct fake relay, to[HD_ARRAY_N(names)];

	peer_make(&relay, &a, REALM);
	peer_up(&relay);
	for (unsigned i = 0; i < HD_ARRAY_N(names); i++) {
		peer_make(&to[i], &d, REALM);
		if (i > 0)
			assert_int_equal(hd_tenant_hold(names[i] + 1,
							&to[i].p.tenant),
					 0);
		peer_up(&to[i]);
	}
	for (unsigned n = 1; n <= 3; n++)
		for (unsigned i = 0; i < HD_ARRAY_N(names); i++) {
			bring(&relay, &d, names[i]);
			assert_int_equal(to[i].got, n);
		}
	for (unsigned i = 0; i < HD_ARRAY_N(names); i++) {
		peer_down(&to[i]);
		hd_tenant_drop(to[i].p.tenant);
	}
	in_worker(relay.s.worker, forget_here, &relay.p, NULL);
	peer_down(&relay);
}

static void realms_do_not_mix(void **state)
{
	(void)state;
	each_realm_has_its_own(0);
	each_realm_has_its_own(1);
}

/* Whatever a relay names: nobody gets it, and no tenant comes of it. */
static void names_make_no_tenants(void **state)
{
	struct hd_key a = key_of(0), d = key_of(0);
	uint64_t before = drops_of(HD_DROP_UNKNOWN_FWD);
	struct fake relay, to;
	uint16_t tenant;

	(void)state;
	peer_make(&relay, &a, REALM);
	peer_make(&to, &d, REALM);
	peer_up(&relay);
	peer_up(&to);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "/liar%u", i);
		bring(&relay, &d, name);
		assert_int_equal(hd_tenant_hold_known(name + 1, &tenant),
				 -ENOENT);
	}
	bring(&relay, &d, "nothing");
	bring(&relay, &d, "/");
	assert_int_equal(to.got, 0);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_FWD), before + 22);
	bring(&relay, &d, "");
	assert_int_equal(to.got, 1);
	peer_down(&to);
	in_worker(relay.s.worker, forget_here, &relay.p, NULL);
	peer_down(&relay);
}

/* What others name leaves room for who logs in here. */
static void tenants_are_kept_for_who_is_here(void **state)
{
	static uint16_t far[HD_TENANTS_MAX];
	unsigned n = 0, here = 0;
	uint16_t tenant;
	char name[16];
	int r = 0;

	(void)state;
	while (n < HD_TENANTS_MAX && r == 0) {
		snprintf(name, sizeof(name), "/far%u", n);
		r = hd_realm_hold(name, strlen(name), true, &far[n]);
		n += r == 0;
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(n > HD_TENANTS_MAX / 2);
	assert_int_equal(hd_realm_hold("/far0", 5, true, &tenant), 0);
	hd_realm_drop(tenant);
	for (; here < HD_TENANTS_KEPT; here++) {
		snprintf(name, sizeof(name), "here%u", here);
		assert_int_equal(hd_tenant_hold(name, &tenant), 0);
		hd_tenant_drop(tenant);
	}
	while (n > 0)
		hd_realm_drop(far[--n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(realms_do_not_mix),
		cmocka_unit_test(names_make_no_tenants),
		cmocka_unit_test(tenants_are_kept_for_who_is_here),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
