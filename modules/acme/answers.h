/* SPDX-License-Identifier: MIT */
/* modules/acme/answers.h - what an ACME server says, JSON into structs. Pure.
 * Bytes of a stranger: what is missing or has another type is refused, with the
 * member's name. Texts are copied; too long ones are refused. */
#pragma once
#include <hyper-derp/base.h>
#include <stddef.h>

enum { ACME_URL_BYTES = 512, ACME_TOKEN_BYTES = 256, ACME_AUTHZS_MAX = 100 };

/* RFC 8555, 7.1.6. Others than these are refused. */
enum acme_status {
	ACME_PENDING,
	ACME_READY,
	ACME_PROCESSING,
	ACME_VALID,
	ACME_INVALID, /* and deactivated, expired, revoked */
};

struct acme_directory { /* RFC 8555, 7.1.1; RFC 9773, 4 */
	char new_nonce[ACME_URL_BYTES], new_account[ACME_URL_BYTES],
		new_order[ACME_URL_BYTES];
	char renewal_info[ACME_URL_BYTES]; /* "": it has none */
	char terms[ACME_URL_BYTES]; /* "": none */
	bool needs_eab;
	bool has_profiles; /* draft-ietf-acme-profiles */
	bool has_profile;  /* the one that was asked about */
	char profiles[256]; /* their names, for messages: "a, b" */
};

struct acme_problem { /* RFC 7807; RFC 8555, 6.7 */
	char type[64]; /* without "urn:ietf:params:acme:error:" */
	char text[256]; /* detail, or the type; printable */
};

struct acme_order { /* RFC 8555, 7.1.3 */
	enum acme_status status;
	char finalize[ACME_URL_BYTES];
	char certificate[ACME_URL_BYTES]; /* "": not yet */
	size_t n;
	char (*authz)[ACME_URL_BYTES];
	struct acme_problem why; /* when it is invalid; may be empty */
};
void acme_order_free(struct acme_order *order);

enum acme_challenge_type { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_TYPES };
extern const char *const acme_type_names[ACME_TYPES + 1];
int acme_type_of(const char *name); /* may be NULL; -1: none of them */

struct acme_authz { /* RFC 8555, 7.1.4 */
	enum acme_status status;
	char host[256];
	struct {
		char url[ACME_URL_BYTES]; /* "": not offered */
		char token[ACME_TOKEN_BYTES]; /* base64url, checked */
		enum acme_status status;
	} challenges[ACME_TYPES];
	struct acme_problem why; /* of a challenge that failed */
};

struct acme_window { /* RFC 9773, 4.2 */
	int64_t start_s, end_s;
};

/* Each returns 0; -EINVAL, err says what is wrong; -ENOMEM.
 * @profile  NULL: the server's own */
int acme_directory_read(const char *text, size_t len, const char *profile,
			struct acme_directory *ret, struct hd_error *err);
int acme_order_read(const char *text, size_t len, struct acme_order *ret,
		    struct hd_error *err);
int acme_authz_read(const char *text, size_t len, struct acme_authz *ret,
		    struct hd_error *err);
int acme_window_read(const char *text, size_t len, struct acme_window *ret,
		     struct hd_error *err);
/* acme_problem_read - never fails: what is no problem document is told by its
 * status. */
void acme_problem_read(const char *text, size_t len, unsigned status,
		       struct acme_problem *ret);
