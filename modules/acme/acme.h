/* SPDX-License-Identifier: MIT */
/* modules/acme/acme.h - certificates from an ACME server (RFC 8555).
 *
 *   acme.c       the section, the module's life
 *   turn.c       whether something is due, what happens when it fails
 *   ask.c        a request: nonce, signature, answer
 *   account.c    directory and account      } the steps,
 *   order.c      order, certificate         } each asks and takes an answer
 *   authz.c      authorizations             }
 *   challenge.c  what validators see: HTTP-01, TLS-ALPN-01
 *   saved.c      what survives a restart
 *   upgrade.c    a new process takes over
 *   commands.c   hdctl acme status, renew; metrics
 * Pure: answers.c JSON, jose.c signatures, keys.c and certificate.c OpenSSL,
 * when.c times.
 *
 * One order at a time, all hosts in one certificate. Main thread, but for what
 * challenge.c answers. */
#pragma once
#include <hyper-derp/fetch.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/module.h>
#include <jansson.h>
#include <openssl/evp.h>
#include "modules/acme/answers.h"
#include "modules/acme/keys.h"

struct acme_conf {
	struct hd_place at, at_hosts, at_directory, at_eab, at_tos;
	struct hd_list hosts, challenges;
	const char *email, *directory, *ca_file, *profile;
	const char *eab_kid;
	struct hd_secret eab_key;
	bool accept_tos;
	uint64_t retry_ms;
};

/*        directory        account            order
 *  IDLE ----------> ... ------------> ORDER ----------> AUTHZ -> CHALLENGE
 *   ^                 |                ^  ^     pending   ^          |
 *   |                 `-> INFO         |  `----------.    `- pending-'
 *   |                      |           |  processing |
 *   `----------------------'       FINALIZE ---------'--> CERTIFICATE -> IDLE
 *
 * Each is a request and its answer; a failure leads to IDLE, and what has been
 * reached is found again by the order's URL. */
enum acme_step {
	ACME_IDLE,
	ACME_DIRECTORY,
	ACME_INFO, /* renewal information: RFC 9773 */
	ACME_ACCOUNT,
	ACME_NEW_ORDER,
	ACME_ORDER, /* how far it is */
	ACME_AUTHZ,
	ACME_CHALLENGE, /* "you may look now" */
	ACME_FINALIZE,
	ACME_CERTIFICATE,
	ACME_STEPS
};

struct acme_answer { /* borrowed */
	unsigned status;
	const char *body;
	size_t len;
	const char *location; /* NULL: none */
	int64_t retry_after_s;
};

/* acme_ask, acme_take - of a step. Both return 0, or negative: it failed, err
 * says why. ask() sends; take() says by acme_go() or acme_go_later() what comes
 * next, or it ends. */
struct acme_step_def {
	const char *name;
	int (*ask)(struct hd_error *err);
	int (*take)(const struct acme_answer *answer, struct hd_error *err);
};
extern const struct acme_step_def acme_steps[ACME_STEPS];

struct acme_main {
	struct hd_module *mod; /* NULL: not loaded */
	struct hd_main_timer *timer;
	enum acme_step step;
	bool asked; /* an answer is awaited */
	bool stale; /* another process has written the files since */
	bool forced; /* an operator wants one now */
	bool wants_info; /* only the renewal information */
	uint64_t fetch_id;
	/* ---- what is asked now ---- */
	char url[ACME_URL_BYTES], nonce[256];
	char *payload; /* NULL: POST-as-GET */
	bool account_anew; /* it has been made anew in this attempt */
	bool replaces; /* the order names the certificate before: RFC 9773, 5 */
	unsigned bad_nonces;
	/* ---- the server ---- */
	struct acme_directory server;
	/* ---- account: saved ---- */
	EVP_PKEY *key;
	char *key_of; /* the directory it is for */
	char kid[ACME_URL_BYTES]; /* "": not registered yet */
	char *email; /* that the server has; NULL: none */
	/* ---- order: saved ---- */
	char *order_for; /* acme_wanted() when it was made */
	char order_url[ACME_URL_BYTES]; /* "": none */
	char *order_key; /* PEM; wiped */
	unsigned failures;
	int64_t next_s; /* not sooner than that */
	char error[256]; /* of the last failure; "": none since */
	int proved_by; /* the type of challenge that went well last; -1 */
	unsigned unproved; /* how many in a row did not */
	struct acme_proof { /* that a validator may look at now */
		int type; /* enum acme_challenge_type; -1: none */
		char host[256], token[ACME_TOKEN_BYTES];
	} proof;
	/* ---- order: not saved ---- */
	char **hosts; /* of the order under way */
	size_t n_hosts;
	struct acme_order order;
	size_t at_authz;
	struct acme_authz authz;
	char told_url[ACME_URL_BYTES]; /* the challenge that was begun */
	bool no_replaces; /* the server did not like it */
	unsigned polls;
	/* ---- certificate: saved ---- */
	char *pem; /* NULL: none. Key and chain; wiped */
	char *pem_for;
	struct acme_about about;
	struct acme_window window; /* 0: none */
	int64_t info_s; /* when to ask for it */
	int64_t got_s; /* when it came; 0: before this start */
	unsigned hasty; /* how many in a row were due at once */
	/* ---- for people ---- */
	uint64_t attempts, failed, renewed;
	bool warned; /* it ends soon, and that has been said */
	struct acme_told { /* to the worker that shows them */
		int64_t expires, failing;
		uint64_t attempts, failures, renewals;
	} told;
	uint64_t conf_sum; /* of the section at the last look: saved; 0: none */
};
extern struct acme_main acme_main;

const struct acme_conf *acme_conf(void); /* in force */
uint32_t acme_chance(void);

/* turn.c
 * acme_go - the next step, at once; acme_go_later - in so many ms.
 * acme_done - there is a new certificate, or nothing more to do.
 * acme_fail - the step failed; waits, and tells. @drop  the order is of no use
 * any more.
 * acme_cancelled - nobody answers any more: it is begun again. */
void acme_turn(struct hd_module *mod, void *unused);
void acme_go(enum acme_step step);
void acme_go_later(enum acme_step step, uint32_t delay_ms);
void acme_done(void);
void acme_fail(bool drop, int64_t retry_after_s, const char *why);
void acme_cancelled(void);
int64_t acme_due(void); /* when the certificate is renewed; 0: now */
/* acme_wanted - directory, profile and hosts, in one line: what a certificate
 * is for. The caller frees it. */
char *acme_wanted(const struct acme_conf *conf);
uint64_t acme_conf_sum(const struct acme_conf *conf); /* of all that counts */

/* ask.c
 * acme_get - plain. acme_post - signed. @payload  JSON, taken also on failure;
 * NULL: POST-as-GET. Return 0; negative. */
int acme_get(const char *url, struct hd_error *err);
int acme_post(const char *url, json_t *payload, struct hd_error *err);
int acme_post_as_get(const char *url, struct hd_error *err);

/* account.c, order.c: the steps */
int acme_directory_ask(struct hd_error *err);
int acme_directory_take(const struct acme_answer *a, struct hd_error *err);
int acme_info_ask(struct hd_error *err);
int acme_info_take(const struct acme_answer *a, struct hd_error *err);
int acme_account_ask(struct hd_error *err);
int acme_account_take(const struct acme_answer *a, struct hd_error *err);
void acme_account_set_email(void); /* the server has that of the section */
int acme_new_order_ask(struct hd_error *err);
/* acme_look_again - at the same, later. Returns 0; -ETIMEDOUT.
 * acme_invalid - the server has refused for good. Returns 0. */
int acme_look_again(enum acme_step step, const struct acme_answer *a,
		    struct hd_error *err);
int acme_invalid(const struct acme_problem *why);
int acme_order_ask(struct hd_error *err);
int acme_order_take(const struct acme_answer *a, struct hd_error *err);
int acme_authz_ask(struct hd_error *err);
int acme_authz_take(const struct acme_answer *a, struct hd_error *err);
int acme_challenge_ask(struct hd_error *err);
int acme_challenge_take(const struct acme_answer *a, struct hd_error *err);
int acme_finalize_ask(struct hd_error *err);
int acme_certificate_ask(struct hd_error *err);
int acme_certificate_take(const struct acme_answer *a, struct hd_error *err);
void acme_order_forget(void); /* what is not saved of it */

/* saved.c: files of state_dir. acme_load_all - what is damaged is an error.
 * acme_save_* return 0; negative errno. */
int acme_load_all(struct hd_error *err);
int acme_save_account(struct hd_error *err);
int acme_save_order(struct hd_error *err);
int acme_save_certificate(struct hd_error *err);
void acme_free_all(void);

/* upgrade.c. acme_read_again - the files, before anything else is done.
 * acme_serve_saved - TLS listeners have the certificate, validators what they
 * look for; acme.c. Returns 0; negative with err. */
extern const struct hd_upgrade_def acme_upgrade;
void acme_read_again(void);
int acme_serve_saved(struct hd_error *err);

/* challenge.c
 * acme_show - a validator that looks from the next turn of the main thread on
 * sees acme_main.proof. acme_hide - no more.
 * acme_challenges_add - the route, in load(). */
int acme_show(struct hd_error *err);
void acme_hide(void);
int acme_challenges_add(struct hd_module *mod, struct hd_error *err);
extern const struct hd_service acme_services[];

/* commands.c */
struct acme_numbers {
	struct hd_gauge expires, failing;
	struct hd_counter attempts, failures, renewals;
};
extern const struct hd_metric acme_metrics[];
int acme_commands_add(struct hd_module *mod, struct hd_error *err);
void acme_numbers_tell(void); /* to the worker that shows them */
