/* SPDX-License-Identifier: MIT */
/* modules/wg/upgrade_sums.c - a new process takes over: what `hdctl wg show`
 * has counted. Metrics go another way, with the core's. */
#include <string.h>
#include "modules/wg/state.h"
#include "modules/wg/upgrade.h"

#define SUM(name, field)                                                       \
	{                                                                      \
		name, offsetof(struct wg_engine, field)                        \
	}

static const struct sum { /* a uint64_t of the engine */
	const char *name;
	size_t offset;
} sums[] = {
	SUM("rx_packets", sum.rx.packets),
	SUM("rx_bytes", sum.rx.bytes),
	SUM("fwd_packets", sum.fwd.packets),
	SUM("fwd_bytes", sum.fwd.bytes),
	SUM("xdp_packets", sum.xdp.packets),
	SUM("xdp_bytes", sum.xdp.bytes),
	SUM("copied_bytes", sum.copied_bytes),
	SUM("relearned", sum.relearned),
	SUM("cookies", sum.cookies_sent),
	SUM("handshakes", sum.handshakes),
	SUM("below_rx_packets", below.rx_packets),
	SUM("below_fwd_packets", below.fwd_packets),
	SUM("below_fwd_bytes", below.fwd_bytes),
	SUM("below_drop_blocklisted", below.drop_blocklisted),
	SUM("below_not_wg_shaped", below.not_wg_shaped),
	SUM("below_pass_handshake", below.pass_handshake),
	SUM("below_pass_no_peer", below.pass_no_peer),
	SUM("below_pass_no_mac", below.pass_no_mac),
	SUM("below_pass_no_route", below.pass_no_route),
	SUM("below_pass_no_forwarding", below.pass_no_forwarding),
	SUM("below_pass_too_big", below.pass_too_big),
	SUM("below_pass_checksum", below.pass_checksum),
	SUM("below_pass_odd", below.pass_odd),
	SUM("below_pass_lapsed", below.pass_lapsed),
};

void wg_sums_pack(const struct wg_engine *e, struct hd_pack *to)
{
	hd_pack_open(to, "sums");
	for (unsigned i = 0; i < HD_ARRAY_N(sums); i++) {
		uint64_t n;

		memcpy(&n, (const uint8_t *)e + sums[i].offset, sizeof(n));
		hd_pack_number(to, sums[i].name, n);
	}
	hd_pack_close(to);
	hd_pack_open(to, "drops");
	for (unsigned i = 0; i < WG_DROP_N; i++)
		hd_pack_number(to, wg_drop_text(i), e->sum.drops[i]);
	hd_pack_close(to);
}

/* A version before did not pack them: then they begin anew. */
void wg_sums_unpack(struct wg_engine *e, const struct hd_unpack *from)
{
	struct hd_unpack one;
	uint64_t n;

	if (hd_unpack_group(from, "sums", &one) == 0)
		for (unsigned i = 0; i < HD_ARRAY_N(sums); i++)
			if (hd_unpack_number(&one, sums[i].name, &n) == 0)
				memcpy((uint8_t *)e + sums[i].offset, &n,
				       sizeof(n));
	if (hd_unpack_group(from, "drops", &one) == 0)
		for (unsigned i = 0; i < WG_DROP_N; i++)
			(void)hd_unpack_number(&one, wg_drop_text(i),
					       &e->sum.drops[i]);
}
