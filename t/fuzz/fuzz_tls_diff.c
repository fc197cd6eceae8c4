/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_tls_diff.c - our record layer against OpenSSL's with a fuzzer's
 * choices: the first byte says which of the tests of t/records/talk.h, and
 * with which provider. */
#include "t/records/ends.h"
#include "t/records/provider.h"
#include "t/records/talk.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ends_set_up();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dice d = { .p = data, .n = n };

	uint32_t first = dice(&d, 256);

	provider_pick(first & 2);
	if ((first & 1) == 0)
		talk(&d);
	else
		forgery(&d);
	return 0;
}
