/* SPDX-License-Identifier: MIT */
/* modules/hd/proofs.c - why a client should be welcome: invitations and
 * credentials in its Enroll. Neither can be used by who has only seen it go by:
 * both are bound to this connection and this identity.
 * doc/reference/protocol-hd.md has the bytes. Context: any worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"

bool hdp_identity_parse(const char *text, uint8_t *ret)
{
	return hdp_bech32_bytes(HDP_IDENTITY_PART, text, ret, HD_KEY_BYTES) ==
	       0;
}

/* ---- invitations ---- */

void hdp_invitation_secret(const uint8_t *id,
			   uint8_t ret[HDP_INVITATION_SECRET_BYTES])
{
	uint8_t mac[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256(mac, id, HDP_INVITATION_ID_BYTES,
			       hdp_relay->inviting);
	memcpy(ret, mac, HDP_INVITATION_SECRET_BYTES);
	sodium_memzero(mac, sizeof(mac));
}

void hdp_invitation_mac(const uint8_t *id, const uint8_t *binding,
			const uint8_t *identity, uint8_t ret[HDP_MAC_BYTES])
{
	uint8_t message[HDP_PROVED_BYTES], secret[HDP_INVITATION_SECRET_BYTES];
	crypto_auth_hmacsha256_state mac;

	hdp_proved_put(message, HDP_LABEL_INVITATION, binding,
		       hdp_relay->key.identity, identity);
	hdp_invitation_secret(id, secret);
	crypto_auth_hmacsha256_init(&mac, secret, sizeof(secret));
	crypto_auth_hmacsha256_update(&mac, message, sizeof(message));
	crypto_auth_hmacsha256_final(&mac, ret);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&mac, sizeof(mac));
}

static int take_invitation(struct hdp_claim *claim,
			   const struct hdp_proof *proof)
{
	if (proof->n != sizeof(claim->id) + sizeof(claim->mac))
		return HDP_REFUSED_PROOFS;
	memcpy(claim->id, proof->v, sizeof(claim->id));
	memcpy(claim->mac, proof->v + sizeof(claim->id), sizeof(claim->mac));
	claim->has_invitation = true;
	return 0;
}

/* ---- credentials ---- */

static bool signed_by(const uint8_t *operator_identity, const uint8_t *p,
		      const struct hdp_statement *s)
{
	uint8_t message[HDP_LABEL_BYTES + HDP_STATEMENT_MAX_BYTES];

	memcpy(message, HDP_LABEL_CREDENTIAL, HDP_LABEL_BYTES);
	memcpy(message + HDP_LABEL_BYTES, p, s->signed_bytes);
	return crypto_sign_verify_detached(s->signature, message,
					   HDP_LABEL_BYTES + s->signed_bytes,
					   operator_identity) == 0;
}

/* @ret  whose identity it is */
static bool signed_by_any(const struct hdp_conf *conf, const uint8_t *p,
			  const struct hdp_statement *s, uint8_t *identity)
{
	memcpy(identity, hdp_relay->operator_key.identity, HD_KEY_BYTES);
	if (signed_by(identity, p, s))
		return true;
	for (size_t i = 0; i < conf->operators.n; i++)
		if (hdp_identity_parse(conf->operators.v[i], identity) &&
		    signed_by(identity, p, s))
			return true;
	return false;
}

/* The client is its subject, or has the subject's key. */
static bool is_for(const struct hdp_statement *s, const struct hdp_enroll *e,
		   const uint8_t *binding, const uint8_t *rest, size_t rest_n)
{
	uint8_t message[HDP_PROVED_BYTES];

	if (rest_n == 0)
		return memcmp(s->subject, e->identity, HD_KEY_BYTES) == 0;
	hdp_proved_put(message, HDP_LABEL_SUBJECT, binding,
		       hdp_relay->key.identity, e->identity);
	return rest_n == HDP_SIGNATURE_BYTES &&
	       crypto_sign_verify_detached(rest, message, sizeof(message),
					   s->subject) == 0;
}

/* For logs and for hdctl: no control characters. */
static void word_copy(char to[HDP_WORD_MAX_BYTES + 1],
		      const struct hdp_word *word)
{
	for (size_t i = 0; i < word->n; i++)
		to[i] = word->v[i] >= ' ' && word->v[i] != 0x7f
				? (char)word->v[i]
				: '?';
	to[word->n] = '\0';
}

uint64_t hdp_subject_of(const struct hd_key *address)
{
	uint64_t first;

	memcpy(&first, address->b, sizeof(first));
	return first != 0 ? first : 1;
}

uint64_t hdp_claim_subject(const struct hdp_claim *claim)
{
	return claim != NULL && claim->has_credential
		       ? hdp_subject_of(&claim->subject)
		       : 0;
}

static int grant_of(struct hdp_claim *claim, const struct hdp_statement *s)
{
	claim->grant.bytes_per_s = s->bytes_per_s;
	claim->grant.connections = s->connections;
	word_copy(claim->grant.name, &s->name);
	word_copy(claim->grant.tenant, &s->tenant);
	word_copy(claim->group_name, &s->group);
	if (s->group.n > 0)
		claim->group = hdp_group_of(claim->operator_identity,
					    s->group.v, s->group.n);
	claim->has_credential = true;
	return crypto_sign_ed25519_pk_to_curve25519(claim->subject.b,
						    s->subject) == 0
		       ? 0
		       : HDP_REFUSED_SUBJECT;
}

static int take_credential(struct hdp_claim *claim, const struct hdp_conf *conf,
			   const struct hdp_enroll *e,
			   const struct hdp_proof *proof)
{
	size_t n = proof->n >= 2 ? (size_t)proof->v[0] << 8 | proof->v[1] : 0;
	const uint8_t *p = proof->v + 2;
	struct hdp_statement s;

	if (n == 0 || proof->n - 2 < n || !hdp_statement_get(p, n, &s))
		return HDP_REFUSED_PROOFS;
	if (!signed_by_any(conf, p, &s, claim->operator_identity))
		return HDP_REFUSED_OPERATOR;
	if (s.expires_s != 0 && s.expires_s <= (uint64_t)time(NULL))
		return HDP_REFUSED_EXPIRED;
	if (!is_for(&s, e, claim->binding, p + n, proof->n - 2 - n))
		return HDP_REFUSED_SUBJECT;
	return grant_of(claim, &s);
}

/* ---- all of them ---- */

/* One of each kind at most: what a signature costs is bounded. */
static int take(struct hdp_claim *claim, const struct hdp_conf *conf,
		const struct hdp_enroll *e, const struct hdp_proof *proof)
{
	if (proof->kind == HDP_PROOF_INVITATION)
		return claim->has_invitation ? HDP_REFUSED_PROOFS
					     : take_invitation(claim, proof);
	if (proof->kind == HDP_PROOF_CREDENTIAL)
		return claim->has_credential
			       ? HDP_REFUSED_PROOFS
			       : take_credential(claim, conf, e, proof);
	return 0; /* of a later version */
}

static int take_all(struct hdp_claim *claim, const struct hdp_conf *conf,
		    const struct hdp_enroll *e)
{
	const uint8_t *p = e->proofs;
	size_t left = e->proofs_bytes;
	unsigned n = 0;
	int r = 0;

	while (r == 0 && left > 0) {
		struct hdp_proof proof;
		size_t used = hdp_proof_get(p, left, &proof);

		if (used == 0 || ++n > HDP_PROOFS_MAX)
			return HDP_REFUSED_PROOFS;
		r = take(claim, conf, e, &proof);
		p += used;
		left -= used;
	}
	return r;
}

int hdp_claim_of(const struct hdp_conf *conf, const struct hdp_enroll *e,
		 const uint8_t *binding, struct hdp_claim **ret)
{
	struct hdp_claim *claim;
	int r;

	*ret = NULL;
	if (e->proofs_bytes == 0)
		return 0;
	if (e->proofs_bytes > HDP_PROOFS_MAX_BYTES)
		return HDP_REFUSED_PROOFS;
	claim = calloc(1, sizeof(*claim));
	if (claim == NULL)
		return -ENOMEM;
	memcpy(claim->binding, binding, sizeof(claim->binding));
	r = take_all(claim, conf, e);
	if (r == 0 && (claim->has_invitation || claim->has_credential))
		*ret = claim;
	else
		free(claim);
	return r;
}
