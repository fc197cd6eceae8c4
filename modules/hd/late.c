/* SPDX-License-Identifier: MIT */
/* modules/hd/late.c - signals to an address that is nowhere. A client of ours
 * has allowed one at another relay before that one allowed it: we answer for
 * ours. The answer may find no way yet: that the other one is there comes over
 * another connection than what it has said, and may come later. So it waits.
 * That a client of ours allows one does not: it is told at once that nobody has
 * the address, and owed.c remembers it. Context: the home of whom it is for. */
#include "modules/hd/owed.h"

enum hd_verdict hdp_late(struct hd_module *mod, struct hd_worker *w,
			 const struct hd_packet *packet)
{
	bool ours = hd_realm_name(packet->realm) ==
		    hd_realm_name(hdp_relay->realm);
	struct hdp_said said;

	if (!ours || !hdp_signal_get(w, packet, &said))
		return HD_VERDICT_PASS;
	if (said.kind == HDP_SIGNAL_ALLOWED)
		hdp_owed_note(mod, w, packet);
	return said.kind == HDP_SIGNAL_MUTUAL ? HD_VERDICT_PENDING
					      : HD_VERDICT_PASS;
}
