/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_forwarded.c - any lines as the headers in which a proxy names its
 * client. The first byte says which. */
#include "core/http/forwarded.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Lines end at a newline; each is a header of its own. */
static void split(char *text, const char *name, struct hd_http_head *head)
{
	head->n = 0;
	while (text != NULL && head->n < HD_HTTP_HEADERS_MAX) {
		head->headers[head->n].name = name;
		head->headers[head->n++].value = strsep(&text, "\n");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = { "x-forwarded-for", "x-real-ip",
					     "forwarded" };
	static struct hd_http_head head;
	struct hd_prefix v[2];
	const struct hd_prefixes trusted = { v, 2 };
	union hd_addr client;
	char *text;
	int r;

	if (n == 0)
		return 0;
	hd_assert(hd_prefix_parse("10.0.0.0/8", &v[0]) == 0 &&
		  hd_prefix_parse("2001:db8::/32", &v[1]) == 0);
	text = malloc(n); /* of its own, so that overruns are seen */
	hd_assert(text != NULL);
	memcpy(text, data + 1, n - 1);
	text[n - 1] = '\0';
	split(text, names[data[0] % 3], &head);
	r = hd_forwarded_find(&head, data[0] % 3, &trusted, &client);
	hd_assert(r == 0 || r == 1 || (r == -EBADMSG && data[0] % 3 == 2));
	hd_assert(r != 1 || client.sa.sa_family == AF_INET ||
		  client.sa.sa_family == AF_INET6);
	free(text);
	return 0;
}
