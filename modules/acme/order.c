/* SPDX-License-Identifier: MIT */
/* modules/acme/order.c - from an order to a certificate: the steps. RFC 8555,
 * 7.4 and 7.5. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <hyper-derp/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/acme/acme.h"
#include "modules/acme/when.h"

enum {
	POLLS_MAX = 40, /* then it is tried again another time */
	POLL_MS = 250, /* then twice as long, four times */
};

/* ---- what the order is for ---- */

void acme_order_forget(void)
{
	struct acme_main *m = &acme_main;

	for (size_t i = 0; i < m->n_hosts; i++)
		free(m->hosts[i]);
	free(m->hosts);
	m->hosts = NULL;
	m->n_hosts = 0;
	acme_order_free(&m->order);
	m->told_url[0] = '\0';
	m->at_authz = 0;
	m->polls = 0;
}

/* The configuration may change while the order is under way. */
static int keep_hosts(struct hd_error *err)
{
	const struct hd_list *hosts = &acme_conf()->hosts;
	struct acme_main *m = &acme_main;

	acme_order_forget();
	m->hosts = calloc(hosts->n, sizeof(*m->hosts));
	for (; m->hosts != NULL && m->n_hosts < hosts->n; m->n_hosts++) {
		m->hosts[m->n_hosts] = acme_host_text(hosts->v[m->n_hosts]);
		if (m->hosts[m->n_hosts] == NULL)
			break;
	}
	return m->n_hosts == hosts->n && m->n_hosts > 0
		       ? 0
		       : hd_error_set(err, -ENOMEM, "out of memory");
}

/* One saved before is gone on with, when it is for the same. */
static int need_order(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	char *want = acme_wanted(acme_conf());

	if (want == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	bool same = m->order_for != NULL && strcmp(m->order_for, want) == 0;

	if (!same)
		m->unproved = 0; /* that was about other hosts */
	if (!same || m->order_key == NULL)
		m->order_url[0] = '\0';
	free(m->order_for);
	m->order_for = want;
	if (m->order_url[0] != '\0')
		return 0; /* validators may look already: nothing is hidden */
	acme_hide();
	EVP_PKEY *key = acme_key_new();

	acme_secret_free(&m->order_key);
	m->order_key = key != NULL ? acme_key_text(key) : NULL;
	acme_key_free(&key);
	return m->order_key != NULL
		       ? 0
		       : hd_error_set(err, -ENOMEM, "cannot make a key");
}

/* ---- order ---- */

static json_t *identifiers(void)
{
	struct acme_main *m = &acme_main;
	json_t *v = json_array();

	for (size_t i = 0; i < m->n_hosts; i++)
		json_array_append_new(
			v, json_pack("{ss ss}", "type",
				     acme_is_address(m->hosts[i]) ? "ip"
								  : "dns",
				     "value", m->hosts[i]));
	return v;
}

/* A renewal that says so is outside of some servers' limits. The one before
 * must be of this server. */
static bool may_replace(void)
{
	const struct acme_main *m = &acme_main;
	const char *directory = acme_conf()->directory;
	size_t n = strlen(directory);

	return m->pem != NULL && m->about.id[0] != '\0' && !m->no_replaces &&
	       m->server.renewal_info[0] != '\0' &&
	       strncmp(m->pem_for, directory, n) == 0 && m->pem_for[n] == ' ';
}

int acme_new_order_ask(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	const char *profile = acme_conf()->profile;
	int r = keep_hosts(err);
	json_t *o;

	if (r == 0)
		r = need_order(err);
	if (r < 0)
		return r;
	if (m->order_url[0] != '\0') {
		m->step = ACME_ORDER;
		return acme_order_ask(err);
	}
	o = json_pack("{so}", "identifiers", identifiers());
	if (profile != NULL)
		json_object_set_new(o, "profile", json_string(profile));
	m->replaces = may_replace();
	if (m->replaces)
		json_object_set_new(o, "replaces", json_string(m->about.id));
	return acme_post(m->server.new_order, o, err);
}

int acme_order_ask(struct hd_error *err)
{
	return acme_post_as_get(acme_main.order_url, err);
}

int acme_look_again(enum acme_step step, const struct acme_answer *a,
		      struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int64_t wait_ms = a->retry_after_s > 0
				  ? a->retry_after_s * 1000
				  : POLL_MS << HD_MIN(m->polls, 4U);

	if (++m->polls > POLLS_MAX)
		return hd_error_set(err, -ETIMEDOUT,
				    "the server does not come to an end with "
				    "%s",
				    m->order_url);
	acme_go_later(step, (uint32_t)HD_MIN(wait_ms, (int64_t)60000));
	return 0;
}

int acme_invalid(const struct acme_problem *why)
{
	char text[sizeof(acme_main.error)];

	snprintf(text, sizeof(text), "the server refuses: %.200s",
		 why->text[0] != '\0' ? why->text : "the order is invalid");
	acme_fail(true, 0, text);
	return 0;
}

/* Where it stands says what is next, also after a restart. */
static int go_on(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;

	switch (m->order.status) {
	case ACME_PENDING:
		if (m->at_authz >= m->order.n) /* it has not noticed yet */
			return acme_look_again(ACME_ORDER, a, err);
		acme_go(ACME_AUTHZ);
		return 0;
	case ACME_READY:
		acme_hide();
		if (m->step == ACME_FINALIZE) /* nor that we want it */
			return acme_look_again(ACME_ORDER, a, err);
		acme_go(ACME_FINALIZE);
		return 0;
	case ACME_PROCESSING:
		return acme_look_again(ACME_ORDER, a, err);
	case ACME_VALID:
		if (m->order.certificate[0] == '\0')
			return acme_look_again(ACME_ORDER, a, err);
		acme_go(ACME_CERTIFICATE);
		return 0;
	case ACME_INVALID:
		break;
	}
	return acme_invalid(&m->order.why);
}

int acme_order_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r = 0;

	if (m->step == ACME_NEW_ORDER && a->location == NULL)
		return hd_error_set(err, -EINVAL,
				    "the server's order has no URL");
	if (m->step == ACME_NEW_ORDER) {
		strcpy(m->order_url, a->location);
		r = acme_save_order(err);
	}
	acme_order_free(&m->order);
	if (r == 0)
		r = acme_order_read(a->body, a->len, &m->order, err);
	return r < 0 ? r : go_on(a, err);
}

/* ---- finalize ---- */

int acme_finalize_ask(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	EVP_PKEY *key = acme_key_read(m->order_key);
	char *csr = key != NULL ? acme_request(key,
					       (const char *const *)m->hosts,
					       m->n_hosts)
				: NULL;
	json_t *o = csr != NULL ? json_pack("{ss}", "csr", csr) : NULL;

	acme_key_free(&key);
	free(csr);
	if (o == NULL)
		return hd_error_set(err, -ENOMEM,
				    "cannot make a certificate request");
	return acme_post(m->order.finalize, o, err);
}

/* ---- the certificate ---- */

int acme_certificate_ask(struct hd_error *err)
{
	return acme_post_as_get(acme_main.order.certificate, err);
}

static char *joined(const struct acme_answer *a)
{
	const char *key = acme_main.order_key;
	size_t n = strlen(key);
	char *pem = malloc(n + a->len + 1);

	if (pem == NULL)
		return NULL;
	memcpy(pem, key, n);
	memcpy(pem + n, a->body, a->len);
	pem[n + a->len] = '\0';
	return pem;
}

/* With a wrong clock here, or there, every certificate is due at once: orders
 * without end are not to come of that. */
static void note_haste(const struct acme_about *about)
{
	struct acme_main *m = &acme_main;
	int64_t now = time(NULL);
	bool same = m->pem != NULL && strcmp(m->pem_for, m->order_for) == 0;

	if (same && !m->forced && m->got_s != 0 &&
	    acme_is_hasty(now - m->got_s,
			  about->not_after_s - about->not_before_s))
		m->hasty++;
	else
		m->hasty = 0;
	m->got_s = now;
}

/* What has ended is worth less than the one that is served. */
static int check_end(const struct acme_about *about, struct hd_error *err)
{
	return about->not_after_s > time(NULL)
		       ? 0
		       : hd_error_set(err, -EINVAL,
				      "the certificate had expired before it "
				      "arrived: is the clock right?");
}

static void replace(char **pem, const struct acme_about *about)
{
	struct acme_main *m = &acme_main;

	note_haste(about);
	acme_secret_free(&m->pem);
	m->pem = hd_steal(pem);
	free(m->pem_for);
	m->pem_for = hd_steal(&m->order_for);
	m->about = *about;
	m->window = (struct acme_window){ 0 };
	m->info_s = 0;
	m->warned = false;
	m->no_replaces = false;
	m->order_url[0] = '\0';
	acme_secret_free(&m->order_key);
}

/* Only what can be served takes the place of what is served. */
int acme_certificate_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	struct acme_about about;
	char *pem = joined(a);
	int r = pem != NULL ? acme_chain_about(pem,
					       (const char *const *)m->hosts,
					       m->n_hosts, &about, err)
			    : hd_error_set(err, -ENOMEM, "out of memory");

	if (r == 0)
		r = check_end(&about, err);
	if (r == 0)
		r = hd_tls_certificate(
			m->mod,
			&(struct hd_tls_certificate){
				.name = "acme",
				.pem = pem,
				.pem_len_bytes = strlen(pem) },
			err);
	if (r < 0) {
		acme_secret_free(&pem);
		return r;
	}
	replace(&pem, &about);
	m->renewed++;
	hd_log_notice("acme: new certificate: host=%s%s days=%.1f", m->hosts[0],
		      m->n_hosts > 1 ? " and others" : "",
		      (double)(about.not_after_s - about.not_before_s) / 86400);
	hd_event("acme.renewed", NULL);
	r = acme_save_certificate(err);
	if (r < 0)
		hd_log_error("acme: the new certificate is served, and lost at "
			     "a restart: %s",
			     err->text);
	acme_done();
	return 0;
}
