/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_stun.c - one datagram to the stun module, on the fake core. The
 * answer must be a well-formed one, about the sender, and short. */
#include "t/unit/fake_core.h"
#include <hyper-derp/stun.h>
#include <stdlib.h>

extern const struct hd_module_def stun_LTX_hd_module;
static union hd_addr conf;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fake.quiet = true;
	return fake_load(&stun_LTX_hd_module, &conf, NULL);
}

static void check_answer(const uint8_t *request)
{
	struct stun_message msg;

	hd_assert(fake.udp.out_len <= STUN_RESPONSE_MAX_BYTES);
	hd_assert(stun_parse(fake.udp.out, fake.udp.out_len, &msg) == 0);
	hd_assert(msg.type == STUN_BINDING_SUCCESS);
	hd_assert(memcmp(msg.txid, request + STUN_TXID_OFFSET,
			 STUN_TXID_BYTES) == 0);
	hd_assert(msg.mapped.in.sin_port == htons(7));
}

/* The first byte chooses the sender's family. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	union hd_addr from = { .in = { .sin_port = htons(7) } };
	struct hd_datagram dg = { 0 };

	if (n < 1)
		return 0;
	from.sa.sa_family = p[0] & 1 ? AF_INET6 : AF_INET;
	dg.from = from;
	dg.len_bytes = (uint32_t)(n - 1);
	dg.data = malloc(n); /* of its own: a byte too many is seen */
	memcpy(dg.data, p + 1, n - 1);
	fake.udp.sent = 0;
	fake.udp.fn(&fake.module, &fake.udp, fake.udp.arg, &dg, 1);
	if (fake.udp.sent > 0)
		check_answer(p + 1);
	free(dg.data);
	return 0;
}
