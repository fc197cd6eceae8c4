/* SPDX-License-Identifier: MIT */
/* modules/policy/service.h - admission services: what they are asked, and what
 * they have said. */
#pragma once
#include <hyper-derp/upgrade.h>
#include "modules/policy/policy.h"

/* ---- verify.c: the words of derper's --verify-client-url ---- */

enum { POLICY_REQUEST_BYTES = 192, POLICY_NAME_BYTES = 64 };

/* What a service says beside yes and no, of whom it allows. */
struct policy_extra {
	char name[POLICY_NAME_BYTES]; /* "" none */
	char tenant[HD_TENANT_BYTES]; /* "" none: the rule's counts */
	bool has_limits;
	struct hd_limits limits; /* of the key, in place of the rule's */
};

/* policy_verify_request - JSON, tailcfg.DERPAdmitClientRequest. Returns buf. */
const char *policy_verify_request(const struct policy_subject *who,
				  char buf[POLICY_REQUEST_BYTES]);
/* policy_verify_answer - {"Allow": true, "Name": "alice", "Tenant": "office",
 * "Limits": {"Rate": 1048576, "Burst": 0, "PacketCost": 0, "Connections": 4}};
 * more is passed over.
 * Returns 1 allowed; 0 denied; -EPROTO it is none, or allows with a tenant or
 * limits that are none. */
int policy_verify_answer(const char *body, size_t n, struct policy_extra *ret);

/* How jansson reads what is said, as Go does: a number that fits nowhere, or a
 * NUL, in a member that nobody asks for makes it no other answer. */
#define POLICY_JSON_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

/* policy_take_name - of a key, as others write it; "" where it has characters
 * that would break a line. */
void policy_take_name(const char *text, char ret[POLICY_NAME_BYTES]);

/* ---- whois.c: a tailscaled on this machine ---- */

/* policy_is_tailscaled - rule->url is "unix:/path" of its socket.
 * policy_whois_url - what it is asked. Returns buf.
 * policy_whois_answer - Returns 1 it knows the key; 0 it does not; -EPROTO it
 * says neither. @ret_name "" none */
bool policy_is_tailscaled(const char *url);
const char *policy_whois_url(const struct hd_key *key,
			     char buf[POLICY_REQUEST_BYTES]);
int policy_whois_answer(unsigned status, const char *body, size_t n,
			const struct hd_key *key,
			char ret_name[POLICY_NAME_BYTES]);

/* ---- answers.c ---- */

/* What a service has said of a key in this worker, which is the key's home. */
enum policy_said {
	POLICY_SAID_NOTHING, /* it can be asked */
	POLICY_SAID_YES,
	POLICY_SAID_NO,
	POLICY_FAILED, /* it does not answer, and no old answer stands */
};

struct policy_answer {
	enum policy_said said;
	const struct policy_extra *extra; /* NULL: none; as long as no answer
					     comes */
};

/* policy_answers_new - NULL when out of memory. policy_answers_end - who waits
 * is denied. */
struct policy_answers *policy_answers_new(void);
void policy_answers_end(struct policy_answers **answers);
struct policy_answer policy_answers_find(const struct policy_worker *pw,
					 const char *url,
					 const struct hd_key *key,
					 enum policy_when when);

/* ---- answers_pack.c ---- */

/* policy_answers_pack, policy_answers_unpack - of a worker: `hdctl upgrade`.
 * What is broken is asked about again. */
int policy_answers_pack(const struct policy_worker *pw, struct hd_pack *to,
			struct hd_error *err);
void policy_answers_unpack(struct policy_worker *pw,
			   const struct hd_unpack *from);

/* ---- ask.c ---- */

/* policy_answers_ask - the service is asked, once for all who wait for the
 * same; then policy_conclude() is called.
 * @ticket  a held one; taken when it waits
 * Returns 0 it waits; -EAGAIN the service cannot be asked, which is known now;
 * -EBUSY this module is about to go; -ENOMEM. */
int policy_answers_ask(struct policy_worker *pw, const char *url,
		       const struct policy_subject *who,
		       struct hd_ticket **ticket);
/* policy_answers_renew - it is asked and nobody waits; not when its answer is
 * fresh, or it has failed a moment ago. An answer that may put out who is
 * connected begins a sweep. Where too many are asked already, a sweep comes
 * back to it.
 * policy_answers_owed - whether the last question came to nothing.
 * policy_may_name - a service has named a tenant, and when a key is let into
 * it: between the two others may have had its place. As policy_named(). */
void policy_answers_renew(struct policy_worker *pw, const char *url,
			  const struct policy_subject *who);
bool policy_answers_owed(const struct policy_worker *pw, const char *url,
			 const struct hd_key *key);
int policy_may_name(const struct policy_worker *pw, const char *url,
		    const char *tenant);

/* ---- named.c ---- */

enum { POLICY_NAMED_MAX = 512 };

/* policy_named - a service names a tenant. Returns 0; -ENOSPC as many others
 * that it has named have peers; -ENOMEM. Any thread. policy_named_end - in
 * unload(). */
int policy_named(const char *url, const char *name, uint64_t now_ms);
void policy_named_end(void);
