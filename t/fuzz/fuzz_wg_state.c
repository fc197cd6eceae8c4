/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_wg_state.c - any bytes as wg.state. Sealed ones, too: what a seal
 * covers may still have been made by somebody. */
#include <stdlib.h>
#include <string.h>
#include "modules/wg/seal.h"
#include "t/unit/wg_net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void begin(void)
{
	const union hd_addr a = net_addr(1, 1000), b = net_addr(2, 2000);

	net_start();
	net_peer(1, NULL);
	net_peer(2, NULL);
	net_link(1, 2);
	net_tunnel(1, &a, 2, &b, 10);
}

/* The magic is put in place: the fuzzer need not find it. */
static void put_on_disk(const uint8_t *data, size_t n, bool sealed)
{
	uint8_t *v = calloc(1, n + WG_SEAL_BYTES);

	hd_assert(v != NULL);
	memcpy(v, data, n);
	if (sealed) {
		memcpy(v, WG_STATE_MAGIC, HD_MIN(n, 8));
		wg_seal_make(v, n, v + n);
		n += WG_SEAL_BYTES;
	}
	net.disk = (struct net_disk){ .v = v, .n = n };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct wg_saved *s = NULL;
	struct hd_error err = { "" };

	if (n < 2)
		return 0;
	begin();
	put_on_disk(data + 1, n - 1, data[0] & 1);
	if (wg_saved_read(&s, &err) == 0)
		wg_restore(net.e, s);
	wg_saved_free(&s);
	net_pass(1000);
	net_stop();
	return 0;
}
