/* SPDX-License-Identifier: MIT */
/* modules/acme/ask.c - a request to the server, and its answer. Each POST needs
 * a nonce, which the answer before brings, or newNonce; a server may refuse one
 * as too old, then another is tried (RFC 8555, 6.5). */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/acme.h"
#include "modules/acme/jose.h"
#include "modules/acme/when.h"
#include <time.h>

enum {
	ANSWER_MAX_BYTES = 256 << 10,
	BAD_NONCES_MAX = 20, /* in a row */
};

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got);
static void on_nonce(struct hd_module *mod, struct hd_worker *w, void *arg,
		     const struct hd_fetched *got);

/* ---- out ---- */

static int ask_server(const struct hd_fetch_request *request, hd_fetch_fn *fn,
		      struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	struct hd_fetch_request r = *request;

	r.ca_file = acme_conf()->ca_file;
	r.answer_max_bytes = ANSWER_MAX_BYTES;
	r.proxy = true;
	m->asked = true;
	int e = hd_fetch(m->mod, NULL, &r, fn, NULL, NULL, &m->fetch_id, err);

	if (e < 0)
		m->asked = false;
	return e;
}

static json_t *header(void)
{
	struct acme_main *m = &acme_main;
	json_t *h = json_pack("{ss ss}", "nonce", m->nonce, "url", m->url);

	if (h == NULL)
		return NULL;
	if (m->kid[0] == '\0') /* it is registered by this: RFC 8555, 6.2 */
		json_object_set_new(h, "jwk", acme_jwk(m->key));
	else
		json_object_set_new(h, "kid", json_string(m->kid));
	return h;
}

/* With the nonce that there is, or with the one that newNonce gives. */
static int send_post(struct hd_error *err)
{
	static const char *const headers[] = {
		"Content-Type: application/jose+json", NULL
	};
	struct acme_main *m = &acme_main;
	char *body;
	int r;

	if (m->nonce[0] == '\0')
		return ask_server(&(struct hd_fetch_request){
					  .url = m->server.new_nonce,
					  .method = "HEAD" },
				  on_nonce, err);
	body = acme_jws(m->key, header(), m->payload);
	m->nonce[0] = '\0'; /* each is good for once */
	if (body == NULL)
		return hd_error_set(err, -ENOMEM, "cannot sign a request");
	r = ask_server(&(struct hd_fetch_request){ .url = m->url,
						   .headers = headers,
						   .body = body,
						   .body_len_bytes =
							   strlen(body) },
		       on_answer, err);
	free(body);
	return r;
}

static int begin(const char *url, struct hd_error *err)
{
	struct acme_main *m = &acme_main;

	acme_secret_free(&m->payload);
	m->bad_nonces = 0;
	if (snprintf(m->url, sizeof(m->url), "%s", url) >= (int)sizeof(m->url))
		return hd_error_set(err, -EINVAL, "a URL is too long");
	return 0;
}

int acme_get(const char *url, struct hd_error *err)
{
	const struct hd_fetch_request request = { .url = acme_main.url };
	int r = begin(url, err);

	return r < 0 ? r : ask_server(&request, on_answer, err);
}

int acme_post(const char *url, json_t *payload, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r = begin(url, err);

	if (r == 0 && payload != NULL)
		m->payload = json_dumps(payload, JSON_COMPACT);
	json_decref(payload);
	if (r == 0 && m->payload == NULL)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	return r < 0 ? r : send_post(err);
}

int acme_post_as_get(const char *url, struct hd_error *err)
{
	int r = begin(url, err);

	return r < 0 ? r : send_post(err);
}

/* ---- in ---- */

static void take_nonce(const struct hd_fetched *got)
{
	struct acme_main *m = &acme_main;
	size_t n;
	const char *nonce = hd_fetched_header(got, "Replay-Nonce", 0, &n);

	if (nonce != NULL && n > 0 && n < sizeof(m->nonce))
		snprintf(m->nonce, sizeof(m->nonce), "%.*s", (int)n, nonce);
}

static int64_t retry_after(const struct hd_fetched *got)
{
	char text[64];
	size_t n;
	const char *value = hd_fetched_header(got, "Retry-After", 0, &n);

	if (value == NULL)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)n, value);
	return acme_retry_after_s(text, time(NULL));
}

/* The module goes: what comes goes on from what is saved. Nobody is to
 * blame. */
static bool is_over(const struct hd_fetched *got)
{
	acme_main.asked = false;
	if (got->error == -ECANCELED)
		acme_cancelled();
	return got->error == -ECANCELED;
}

static void fail_by(const struct hd_fetched *got)
{
	char why[256];

	snprintf(why, sizeof(why), "%.120s: %.120s", acme_main.url,
		 got->error < 0 ? got->text : "it gives no nonce");
	acme_fail(false, got->error < 0 ? 0 : retry_after(got), why);
}

static void on_nonce(struct hd_module *mod, struct hd_worker *w, void *arg,
		     const struct hd_fetched *got)
{
	struct hd_error err = { "" };
	int r;

	(void)mod;
	(void)w;
	(void)arg;
	if (is_over(got))
		return;
	if (got->error == 0)
		take_nonce(got);
	if (acme_main.nonce[0] == '\0')
		fail_by(got);
	else if ((r = send_post(&err)) < 0) /* as acme_turn() */
		acme_fail(r == -EINVAL, 0, err.text);
}

/* ---- what the server refuses: RFC 8555, 6.7 ---- */

static bool is_type(const struct acme_problem *p, const char *type)
{
	return strcmp(p->type, type) == 0;
}

/* The request once more, with the nonce of this answer. */
static bool had_bad_nonce(const struct acme_problem *p)
{
	struct hd_error err = { "" };

	if (!is_type(p, "badNonce") ||
	    ++acme_main.bad_nonces >= BAD_NONCES_MAX)
		return false;
	if (send_post(&err) < 0)
		acme_fail(false, 0, err.text);
	return true;
}

/* What can be done without: another way to go on. */
static bool has_other_way(const struct acme_problem *p, unsigned status)
{
	struct acme_main *m = &acme_main;

	if (is_type(p, "accountDoesNotExist") && m->kid[0] != '\0' &&
	    !m->account_anew) {
		m->account_anew = true;
		hd_log_notice("acme: the server has forgotten the account; a "
			      "new one is made");
		m->kid[0] = '\0';
		m->order_url[0] = '\0';
		acme_go(ACME_ACCOUNT);
		return true;
	}
	if (status == 429)
		return false;
	if (m->step == ACME_CHALLENGE && status < 500) {
		acme_go(ACME_AUTHZ); /* it is begun, or over: that says which */
		return true;
	}
	if (m->step == ACME_NEW_ORDER && m->replaces) {
		m->no_replaces = true;
		acme_go(ACME_NEW_ORDER);
		return true;
	}
	if (m->step == ACME_ACCOUNT && m->kid[0] != '\0' && status < 500) {
		hd_log_warn("acme: the server does not take `email`: %s",
			    p->text);
		acme_account_set_email();
		acme_go(ACME_NEW_ORDER);
		return true;
	}
	return false;
}

/* 4xx: asking the same again is of no use, whatever body comes with it. */
static bool is_final(const struct acme_problem *p, unsigned status)
{
	return status / 100 == 4 && status != 408 && status != 429 &&
	       !is_type(p, "rateLimited") && !is_type(p, "serverInternal");
}

static void refused(const struct acme_problem *p, unsigned status,
		    int64_t retry_after_s)
{
	char text[384];

	if (had_bad_nonce(p) || has_other_way(p, status))
		return;
	snprintf(text, sizeof(text), "%s: %s%s%s%s",
		 acme_steps[acme_main.step].name, p->text,
		 p->type[0] ? " (" : "", p->type, p->type[0] ? ")" : "");
	acme_fail(is_final(p, status), retry_after_s, text);
}

static void take(const struct hd_fetched *got, const char *location)
{
	const struct acme_answer a = {
		.status = got->status,
		.body = got->body,
		.len = got->body_len_bytes,
		.location = location,
		.retry_after_s = retry_after(got),
	};
	struct acme_problem problem;
	struct hd_error err = { "" };

	if (got->status / 100 != 2) {
		acme_problem_read(got->body, got->body_len_bytes, got->status,
				  &problem);
		refused(&problem, got->status, a.retry_after_s);
		return;
	}
	acme_main.bad_nonces = 0;
	int r = acme_steps[acme_main.step].take(&a, &err);

	if (r < 0) /* -EINVAL: what it says is wrong, and will be */
		acme_fail(r == -EINVAL, 0, err.text);
}

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got)
{
	char location[ACME_URL_BYTES];
	const char *value;
	size_t n;

	(void)mod;
	(void)w;
	(void)arg;
	if (is_over(got))
		return;
	if (got->error < 0) {
		fail_by(got);
		return;
	}
	take_nonce(got);
	value = hd_fetched_header(got, "Location", 0, &n);
	if (value != NULL && n < sizeof(location))
		snprintf(location, sizeof(location), "%.*s", (int)n, value);
	else
		value = NULL;
	take(got, value != NULL ? location : NULL);
}
