/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hd_xdp.c - frames that come by AF_XDP. What is a datagram lies in
 * its frame; sent back to where it came from it is one again. */
#include <assert.h>
#include <string.h>
#include "modules/hd_xdp/frame.h"

enum { FRAME_BYTES = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void send_back(const struct hd_datagram *dg)
{
	static const uint8_t mac[HXP_MAC_BYTES] = { 2 };
	static uint8_t frame[FRAME_BYTES];
	struct hd_datagram again;
	struct hxp_head head;
	struct hxp_pair pair;
	size_t n;

	if (!hxp_pair_of(&dg->from, &dg->to, &pair))
		return;
	hxp_head_make(&head, &pair, 1, mac, mac);
	n = hxp_frame_put(frame, &head, dg->data, dg->len_bytes);
	assert(hxp_frame_get(frame, n, &again));
	assert(again.len_bytes == dg->len_bytes &&
	       memcmp(again.data, dg->data, dg->len_bytes) == 0);
	assert(again.to.in.sin_port == 0 &&
	       again.to.sa.sa_family == dg->from.sa.sa_family);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t frame[FRAME_BYTES];
	struct hd_datagram dg;

	if (n > 1536)
		return 0;
	memcpy(frame, p, n);
	if (!hxp_frame_get(frame, n, &dg))
		return 0;
	assert(dg.data >= frame && dg.data + dg.len_bytes == frame + n);
	send_back(&dg);
	return 0;
}
