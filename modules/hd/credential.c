/* SPDX-License-Identifier: MIT */
/* modules/hd/credential.c - the operator's signature under who may come, until
 * when and with which limits. Context: any thread. */
#include <string.h>
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"

static uint8_t *word_put(uint8_t *p, const char *word)
{
	size_t n = strnlen(word, HDP_WORD_MAX_BYTES);

	*p++ = (uint8_t)n;
	memcpy(p, word, n);
	return p + n;
}

static void sign(uint8_t *signature, const uint8_t *statement, size_t n)
{
	uint8_t message[HDP_LABEL_BYTES + HDP_STATEMENT_MAX_BYTES];

	memcpy(message, HDP_LABEL_CREDENTIAL, HDP_LABEL_BYTES);
	memcpy(message + HDP_LABEL_BYTES, statement, n);
	crypto_sign_detached(signature, NULL, message, HDP_LABEL_BYTES + n,
			     hdp_relay->operator_key.secret);
}

/* Returns the byte behind it. */
static uint8_t *statement_put(uint8_t *to, const struct hdp_grant *grant,
			      const char *group, const uint8_t *subject,
			      uint64_t issued_s, uint64_t expires_s)
{
	uint8_t *p = to;

	*p++ = HDP_STATEMENT_VERSION;
	memcpy(p, subject, HD_KEY_BYTES);
	p = hdp_put_u64(p + HD_KEY_BYTES, issued_s);
	p = hdp_put_u64(p, expires_s);
	p = hdp_put_u64(p, grant->bytes_per_s);
	hdp_put_u32(p, grant->connections);
	p = word_put(p + 4, grant->name);
	p = word_put(p, grant->tenant);
	p = word_put(p, group);
	sign(p, to, (size_t)(p - to));
	return p + HDP_SIGNATURE_BYTES;
}

void hdp_credential_new(const struct hdp_grant *grant, const char *group,
			const uint8_t *subject, uint64_t issued_s,
			uint64_t expires_s, char ret[HDP_CREDENTIAL_TEXT_BYTES])
{
	uint8_t bytes[1 + crypto_sign_SEEDBYTES + HDP_STATEMENT_MAX_BYTES];
	uint8_t made[HD_KEY_BYTES], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t *p = bytes;

	*p++ = subject == NULL;
	if (subject == NULL) {
		randombytes_buf(p, crypto_sign_SEEDBYTES);
		crypto_sign_seed_keypair(made, secret, p);
		sodium_memzero(secret, sizeof(secret));
		p += crypto_sign_SEEDBYTES;
	}
	p = statement_put(p, grant, group, subject != NULL ? subject : made,
			  issued_s, expires_s);
	hdp_bech32_text(HDP_CREDENTIAL_PART, bytes, (size_t)(p - bytes), ret,
			HDP_CREDENTIAL_TEXT_BYTES);
	sodium_memzero(bytes, sizeof(bytes));
}
