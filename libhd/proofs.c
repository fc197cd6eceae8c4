/* SPDX-License-Identifier: MIT */
/* libhd/proofs.c - an invitation and a credential, made into proofs that are
 * good on one connection: doc/reference/protocol-hd.md, "Proofs of being
 * welcome". */
#include <errno.h>
#include <string.h>
#include "libhd/inner.h"
#include "modules/hd/bech32.h"

#define CREDENTIAL_MAX_BYTES                                                   \
	(1 + crypto_sign_SEEDBYTES + HDP_STATEMENT_MAX_BYTES)
enum kind { FOR_AN_IDENTITY, WITH_A_SEED };

static int credential_take(struct hdl_welcome *w, const uint8_t *v, int n)
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];
	struct hdp_statement s;
	size_t head = 1;

	if (n < 1 || v[0] > WITH_A_SEED)
		return -EINVAL;
	w->has_subject = v[0] == WITH_A_SEED;
	if (w->has_subject)
		head += crypto_sign_SEEDBYTES;
	if ((size_t)n <= head ||
	    !hdp_statement_get(v + head, (size_t)n - head, &s))
		return -EINVAL;
	if (w->has_subject)
		crypto_sign_seed_keypair(pk, w->subject, v + 1);
	w->statement_bytes = (size_t)n - head;
	memcpy(w->statement, v + head, w->statement_bytes);
	w->has_credential = true;
	return 0;
}

static int credential_parse(struct hdl_welcome *w, const char *text)
{
	uint8_t v[CREDENTIAL_MAX_BYTES];
	int n = hdl_text_bytes("hdcred", text, v, sizeof(v));
	int r = credential_take(w, v, n);

	sodium_memzero(v, sizeof(v)); /* also when it was cut off */
	return r;
}

int hdl_welcome_parse(struct hdl_welcome *w, const char *invitation,
		      const char *credential)
{
	if (invitation != NULL) {
		if (hdp_bech32_bytes("hdinvite", invitation, w->invitation,
				     sizeof(w->invitation)) < 0)
			return -EINVAL;
		w->has_invitation = true;
	}
	return credential != NULL ? credential_parse(w, credential) : 0;
}

static uint8_t *proof_head_put(uint8_t *p, enum hdp_proof_kind kind, size_t n)
{
	p[0] = (uint8_t)kind;
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)n;
	return p + HDP_PROOF_HEAD_BYTES;
}

static uint8_t *invitation_put(const struct libhd *h, const uint8_t *relay,
			       uint8_t *p)
{
	const uint8_t *id = h->welcome.invitation;
	const uint8_t *secret = id + HDP_INVITATION_ID_BYTES;
	uint8_t proved[HDP_PROVED_BYTES];
	crypto_auth_hmacsha256_state mac;

	p = proof_head_put(p, HDP_PROOF_INVITATION,
			   HDP_INVITATION_ID_BYTES + HDP_MAC_BYTES);
	memcpy(p, id, HDP_INVITATION_ID_BYTES);
	hdp_proved_put(proved, HDP_LABEL_INVITATION, h->binding, relay,
		       h->id.key.v);
	crypto_auth_hmacsha256_init(&mac, secret, HDP_INVITATION_SECRET_BYTES);
	crypto_auth_hmacsha256_update(&mac, proved, sizeof(proved));
	crypto_auth_hmacsha256_final(&mac, p + HDP_INVITATION_ID_BYTES);
	return p + HDP_INVITATION_ID_BYTES + HDP_MAC_BYTES;
}

static uint8_t *credential_put(const struct libhd *h, const uint8_t *relay,
			       uint8_t *p)
{
	const struct hdl_welcome *w = &h->welcome;
	size_t signature = w->has_subject ? HDP_SIGNATURE_BYTES : 0;
	uint8_t proved[HDP_PROVED_BYTES];

	p = proof_head_put(p, HDP_PROOF_CREDENTIAL,
			   2 + w->statement_bytes + signature);
	*p++ = (uint8_t)(w->statement_bytes >> 8);
	*p++ = (uint8_t)w->statement_bytes;
	memcpy(p, w->statement, w->statement_bytes);
	p += w->statement_bytes;
	if (w->has_subject) {
		hdp_proved_put(proved, HDP_LABEL_SUBJECT, h->binding, relay,
			       h->id.key.v);
		crypto_sign_detached(p, NULL, proved, sizeof(proved),
				     w->subject);
	}
	return p + signature;
}

size_t hdl_proofs_put(const struct libhd *h, const uint8_t *relay,
		      uint8_t to[HDP_PROOFS_MAX_BYTES])
{
	uint8_t *p = to;

	if (h->welcome.has_invitation)
		p = invitation_put(h, relay, p);
	if (h->welcome.has_credential)
		p = credential_put(h, relay, p);
	return (size_t)(p - to);
}
