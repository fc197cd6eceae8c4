/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_proxy_header.c - any bytes as a PROXY header, whole and cut. */
#include "core/stream/proxy_header.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int parse(const uint8_t *data, size_t n, union hd_addr *client)
{
	uint8_t *p = malloc(n); /* of its own, so that overruns are seen */
	const char *why = NULL;
	int r;

	hd_assert(p != NULL);
	memcpy(p, data, n);
	r = hd_proxy_header_parse(p, n, client, &why);
	free(p);
	hd_assert(r == -EBADMSG ? why != NULL : r >= 0 && (size_t)r <= n);
	return r;
}

/* What is a header is one when its last byte comes, and not before; what is
 * refused may have been before, and stays it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	union hd_addr whole, cut;
	size_t max = HD_PROXY_HEADER_MAX_BYTES;
	int r;

	if (n == 0)
		return 0;
	r = parse(data, n, &whole);
	hd_assert(r > 0 || r == -EBADMSG || n < max);
	hd_assert(r <= (int)max);
	n = r > 0 ? (size_t)r : HD_MIN(n, max);
	for (size_t i = 1 + n / 64; i < n; i += 1 + n / 64) {
		int before = parse(data, i, &cut);

		hd_assert(before == 0 || (before < 0 && r < 0));
	}
	if (r > 0)
		hd_assert(parse(data, n, &cut) == r &&
			  memcmp(&cut, &whole, sizeof(cut)) == 0);
	return 0;
}
