/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_policy.c - any bytes as a file of keys, as a prefix, and as the
 * answer of an admission service or a tailscaled. What was taken is found
 * again, each key with a name. */
#include "modules/policy/service.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void find_all(const struct policy_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (policy_keys_find(k, &k->v[i].key) == NULL)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const union hd_addr addr = { .in = { .sin_family = AF_INET } };
	static const struct hd_key key = { .b = { 0 } };
	char *text = calloc(1, n + 1);
	char name[POLICY_NAME_BYTES];
	struct policy_extra extra;
	struct hd_prefix prefix;
	struct policy_keys keys;
	struct hd_error err;

	if (text == NULL)
		return 0;
	memcpy(text, data, n);
	policy_verify_answer(text, n, &extra);
	policy_whois_answer(200, text, n, &key, name);
	if (hd_prefix_parse(text, &prefix) == 0)
		hd_prefix_has(&prefix, &addr);
	if (policy_keys_parse("x", text, &keys, &err) == 0) {
		find_all(&keys);
		policy_keys_free(&keys);
	} else if (err.text[0] == '\0') {
		abort();
	}
	if (policy_tokens_parse("x", text, &keys, &err) == 0) {
		find_all(&keys);
		policy_keys_free(&keys);
	}
	free(text);
	return 0;
}
