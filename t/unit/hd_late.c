/* SPDX-License-Identifier: MIT */
/* t/unit/hd_late.c - which signals wait for a key that is nowhere yet. */
#include "core/relay/tenant.h"
#include "modules/hd/owed.h"
#include "t/unit/unit.h"

static struct hdp_relay relay;
struct hdp_relay *hdp_relay = &relay;
static unsigned noted;

void hdp_owed_note(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_packet *packet)
{
	(void)mod, (void)w, (void)packet;
	noted++;
}

static enum hd_verdict of(uint16_t realm, bool urgent, uint8_t kind,
			  uint32_t len_bytes)
{
	static const struct hd_key key;
	const struct hd_packet packet = { .src = &key,
					  .dst = &key,
					  .data = &kind,
					  .len_bytes = len_bytes,
					  .realm = realm,
					  .urgent = urgent };

	return hdp_late(NULL, NULL, &packet);
}

/* Who allows, or knocks at, one that is nowhere is told at once; that it allows
 * is noted. */
static void only_an_answer_waits(void **state)
{
	uint16_t hd = relay.realm, tenant;

	(void)state;
	assert_int_equal(hd_tenant_hold("office", &tenant), 0);
	assert_int_equal(of(hd, true, HDP_SIGNAL_MUTUAL, 1),
			 HD_VERDICT_PENDING);
	assert_int_equal(of(hd_realm_with(hd, tenant), true, HDP_SIGNAL_MUTUAL,
			    1),
			 HD_VERDICT_PENDING);
	assert_int_equal(of(hd, true, HDP_SIGNAL_ALLOWED, 1), HD_VERDICT_PASS);
	assert_int_equal(of(hd, true, HDP_SIGNAL_KNOCK, 1), HD_VERDICT_PASS);
	assert_int_equal(of(hd, true, HDP_SIGNAL_MUTUAL, 0), HD_VERDICT_PASS);
	assert_int_equal(of(hd, false, HDP_SIGNAL_MUTUAL, 1), HD_VERDICT_PASS);
	assert_int_equal(of(0, true, HDP_SIGNAL_MUTUAL, 1), HD_VERDICT_PASS);
	assert_int_equal(noted, 1);
	hd_tenant_drop(tenant);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_answer_waits),
	};

	relay.realm = hd_realm("hd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
