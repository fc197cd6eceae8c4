/* SPDX-License-Identifier: MIT */
/* modules/policy/shown.c - what a client has shown in its HTTP request: its
 * token, hashed, and which parameters and headers of the rules in force. It is
 * known while the client logs in; beside the peer it outlasts that, so that
 * rules that change find who may no longer be here. */
#include <string.h>
#include <strings.h>
#include "modules/policy/policy.h"

#define BEARER "Bearer "

/* RFC 6750, 2.1. Returns NULL: none. */
static const char *bearer_of(const char *authorization)
{
	if (authorization == NULL ||
	    strncasecmp(authorization, BEARER, strlen(BEARER)) != 0)
		return NULL;
	authorization += strlen(BEARER);
	return authorization + strspn(authorization, " ");
}

static void take_token(policy_said_fn *said, const void *of,
		       struct policy_shown *ret)
{
	const char *token =
		bearer_of(said(of, POLICY_HEADER, "Authorization"));

	ret->has_token = token != NULL && policy_token_hash(token,
							    strlen(token),
							    &ret->token) == 0;
}

/* What a rule before has named is there once. */
static void note(struct policy_shown *ret, const struct hd_key *hash)
{
	uint64_t first;

	memcpy(&first, hash->b, sizeof(first));
	for (unsigned i = 0; i < ret->n; i++)
		if (ret->terms[i] == first)
			return;
	if (ret->n < POLICY_SHOWN_MAX)
		ret->terms[ret->n++] = first;
}

static void take_term(policy_said_fn *said, const void *of,
		      enum policy_term_kind kind,
		      const struct policy_term *term, struct policy_shown *ret)
{
	const char *value =
		term->name != NULL ? said(of, kind, term->name) : NULL;
	struct hd_key hash;

	if (value == NULL)
		return;
	policy_term_hash(kind, term->name, value, &hash);
	if (memcmp(&hash, &term->hash, sizeof(hash)) == 0)
		note(ret, &hash);
}

void policy_shown_take(const struct policy_rules *rules, policy_said_fn *said,
		       const void *of, struct policy_shown *ret)
{
	*ret = (struct policy_shown){ .known = true };
	take_token(said, of, ret);
	for (size_t i = 0; i < rules->n; i++) {
		const struct policy_terms *t = &rules->v[i].terms;

		take_term(said, of, POLICY_QUERY, &t->query, ret);
		take_term(said, of, POLICY_HEADER, &t->header, ret);
	}
}

/* ---- of a peer ---- */

static const char *said_by(const void *peer, enum policy_term_kind kind,
			   const char *name)
{
	return kind == POLICY_QUERY ? hd_login_query(peer, name)
				    : hd_login_header(peer, name);
}

const struct policy_shown *policy_shown_login(struct hd_module *mod,
					      const struct policy_rules *rules,
					      const struct hd_peer *peer)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);

	if (pp == NULL)
		return NULL;
	policy_shown_take(rules, said_by, peer, &pp->shown);
	return &pp->shown;
}

const struct policy_shown *policy_shown_of(const struct hd_module *mod,
					   const struct hd_peer *peer)
{
	const struct policy_peer *pp = hd_peer_data(mod, peer);

	return pp != NULL && pp->shown.known ? &pp->shown : NULL;
}

void policy_shown_late(struct hd_module *mod, const struct policy_rules *rules,
		       const struct hd_peer *peer)
{
	/* by which it has come to its protocol; of who is in it is gone */
	if (policy_shown_of(mod, peer) == NULL &&
	    hd_login_header(peer, "Upgrade") != NULL)
		(void)policy_shown_login(mod, rules, peer);
}

/* ---- to another process ---- */

void policy_shown_pack(const struct hd_module *mod, const struct hd_peer *peer,
		       struct hd_pack *to)
{
	const struct policy_shown *shown = policy_shown_of(mod, peer);

	if (shown == NULL)
		return;
	hd_pack_bytes(to, "shown.terms", shown->terms,
		      shown->n * sizeof(shown->terms[0]));
	if (shown->has_token)
		hd_pack_bytes(to, "shown.token", &shown->token,
			      sizeof(shown->token));
}

void policy_shown_unpack(const struct hd_module *mod,
			 const struct hd_peer *peer,
			 const struct hd_unpack *from)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);
	struct policy_shown got = { .known = true };
	const void *terms;
	size_t n;

	if (pp == NULL ||
	    hd_unpack_view(from, "shown.terms", &terms, &n) < 0 ||
	    n > sizeof(got.terms))
		return;
	if (n > 0)
		memcpy(got.terms, terms, n);
	got.n = (uint8_t)(n / sizeof(got.terms[0]));
	got.has_token = hd_unpack_bytes(from, "shown.token", &got.token,
					sizeof(got.token)) == 0;
	pp->shown = got;
}
