/* SPDX-License-Identifier: MIT */
/* modules/policy/terms.h - what a client says by HTTP when it comes: a bearer
 * token, a query parameter, a header. Rules name them.
 *
 * What is said is compared by hashes (BLAKE2b, 256 bits): the relay keeps no
 * token that it was shown, and how long a comparison takes tells nothing of the
 * text. A client's request is known at its login only, so what counts of it is
 * kept beside the peer.
 *
 * Files: terms.c those of a rule; shown.c what a client has shown. */
#pragma once
#include <hyper-derp/hook.h>
#include <hyper-derp/upgrade.h>
#include "modules/policy/conf.h"

struct policy_keys; /* policy.h */
struct policy_rules;

/* policy_term_kind - what a rule may want of a request; bits. */
enum policy_term_kind {
	POLICY_TOKEN = 1,
	POLICY_QUERY = 2,
	POLICY_HEADER = 4,
	POLICY_TERMS = 7, /* all of them */
};

/* policy_term - one parameter or header with its value. */
struct policy_term {
	char *name; /* NULL: none is wanted */
	struct hd_key hash; /* of kind, name and value */
};

struct policy_terms { /* of a rule: all of them must be there */
	bool has_token;
	struct hd_key token;
	char *tokens_path; /* of a file; NULL: none */
	struct policy_keys *tokens; /* their hashes */
	struct policy_term query, header;
};

/* What a client has shown: plain memory, beside each peer. */
enum { POLICY_SHOWN_MAX = 6 };
struct policy_shown {
	bool known; /* else nobody has looked: it came before the module */
	bool has_token;
	uint8_t n; /* more than POLICY_SHOWN_MAX are as if not shown */
	struct hd_key token;
	uint64_t terms[POLICY_SHOWN_MAX]; /* of rules in force then: their
					     hashes' first bytes */
};

/* ---- terms.c ---- */

/* policy_token_hash - returns 0; -EINVAL it is no token: 16 to 512 printable
 * characters of ASCII, no blank. */
int policy_token_hash(const char *text, size_t n, struct hd_key *ret);
/* policy_term_hash - of a name, as the kind compares it, and a value. */
void policy_term_hash(enum policy_term_kind kind, const char *name,
		      const char *value, struct hd_key *ret);
/* policy_terms_wanted - whether a rule of the configuration has any.
 * policy_terms_take - of a rule; files are read. Returns 0; negative with the
 * place in err. Main thread. policy_terms_free - of half-made ones, too. */
bool policy_terms_wanted(const struct policy_rule_conf *c);
int policy_terms_take(const struct policy_rule_conf *c,
		      struct policy_terms *ret, struct hd_error *err);
void policy_terms_free(struct policy_terms *t);
/* policy_terms_unsaid - the first kind of those in `unsaid` that it wants; 0:
 * none. policy_terms_match - whether a client has shown all. @shown  NULL:
 * nothing. @ret_name  of its token, "" none; left as it is where no file has
 * one */
unsigned policy_terms_unsaid(const struct policy_terms *t, unsigned unsaid);
bool policy_terms_match(const struct policy_terms *t,
			const struct policy_shown *shown,
			const char **ret_name);

/* ---- shown.c ---- */

/* policy_said_fn - what was said: of a parameter or header; NULL: nothing. */
typedef const char *policy_said_fn(const void *of, enum policy_term_kind kind,
				   const char *name);
/* policy_shown_take - what counts of it by these rules. */
void policy_shown_take(const struct policy_rules *rules, policy_said_fn *said,
		       const void *of, struct policy_shown *ret);
/* policy_shown_login - the same of a login, kept beside the peer from now on.
 * policy_shown_late - of one that comes up now, if its login was not seen: it
 * has waited for another module while the code was replaced.
 * policy_shown_of - what is kept; NULL: the peer was here before the module
 * (or its code: a reload forgets). */
const struct policy_shown *policy_shown_login(struct hd_module *mod,
					      const struct policy_rules *rules,
					      const struct hd_peer *peer);
void policy_shown_late(struct hd_module *mod, const struct policy_rules *rules,
		       const struct hd_peer *peer);
const struct policy_shown *policy_shown_of(const struct hd_module *mod,
					   const struct hd_peer *peer);
/* policy_shown_pack, policy_shown_unpack - for another process. What cannot be
 * read is not known. */
void policy_shown_pack(const struct hd_module *mod, const struct hd_peer *peer,
		       struct hd_pack *to);
void policy_shown_unpack(const struct hd_module *mod,
			 const struct hd_peer *peer,
			 const struct hd_unpack *from);
