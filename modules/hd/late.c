/* SPDX-License-Identifier: MIT */
/* modules/hd/late.c - a client of ours has allowed one at another relay before
 * that one allowed it: we answer for ours. The answer may find no way yet: that
 * the other one is there comes over another connection than what it has said,
 * and may come later. So it waits. Context: the home of whom it is for. */
#include "modules/hd/hd.h"

enum hd_verdict hdp_late(struct hd_module *mod, struct hd_worker *w,
			 const struct hd_packet *packet)
{
	bool ours = hd_realm_name(packet->realm) ==
		    hd_realm_name(hdp_relay->realm);

	struct hdp_said said;

	(void)mod, (void)w;
	return ours && hdp_signal_get(packet, &said) &&
			       said.kind == HDP_SIGNAL_MUTUAL
		       ? HD_VERDICT_PENDING
		       : HD_VERDICT_PASS;
}
