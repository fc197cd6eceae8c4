/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_client_hello.c - any bytes as a ClientHello, whole and cut. */
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>
#include "core/tls/client_hello.h"

#define CHARS "abcdefghijklmnopqrstuvwxyz0123456789-_."

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int look(const uint8_t *data, size_t n, char *name)
{
	uint8_t *p = malloc(n + (n == 0)); /* so that overruns are seen */
	int r;

	hd_assert(p != NULL);
	memcpy(p, data, n);
	r = hd_client_hello_name(p, n, name);
	free(p);
	hd_assert(r == 0 || r == 1 || r == -EBADMSG);
	hd_assert(strlen(name) < HD_SERVER_NAME_BYTES);
	hd_assert(r == 1 || name[0] == '\0');
	hd_assert(name[strspn(name, CHARS)] == '\0');
	return r;
}

/* What is known once stays, whatever comes behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char whole[HD_SERVER_NAME_BYTES], cut[HD_SERVER_NAME_BYTES];
	int r = look(data, n, whole);

	hd_assert(r != 0 || n < HD_CLIENT_HELLO_MAX_BYTES);
	for (size_t i = 0; i < n; i += 1 + n / 64) {
		int before = look(data, i, cut);

		hd_assert(before == 0 ||
			  (before == r && strcmp(cut, whole) == 0));
	}
	return 0;
}
