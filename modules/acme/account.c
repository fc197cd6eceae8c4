/* SPDX-License-Identifier: MIT */
/* modules/acme/account.c - the server's directory, renewal information, and the
 * account. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/acme/acme.h"
#include "modules/acme/jose.h"
#include "modules/acme/when.h"

enum { /* RFC 9773, 4.3.2: without Retry-After, and not sooner than that */
       INFO_S = 6 * 60 * 60,
       INFO_MIN_S = 60,
};

/* ---- directory ---- */

int acme_directory_ask(struct hd_error *err)
{
	return acme_get(acme_conf()->directory, err);
}

static int check_server(const struct acme_directory *s, struct hd_error *err)
{
	const struct acme_conf *conf = acme_conf();

	if (s->terms[0] != '\0' && !conf->accept_tos)
		return hd_error_set(err, -EACCES,
				    "the server has terms of service, %s: read "
				    "them and set `accept_tos: true`",
				    s->terms);
	if (s->needs_eab && conf->eab_kid == NULL)
		return hd_error_set(err, -EACCES,
				    "the server wants an account that it knows "
				    "already: set `eab_kid` and "
				    "`eab_key_file`");
	if (conf->profile != NULL && !s->has_profile)
		return hd_error_set(err, -EINVAL,
				    "the server has no profile `%.64s`; it "
				    "has: %s",
				    conf->profile,
				    s->has_profiles ? s->profiles : "none");
	return 0;
}

/* At this server, and with this address. */
static bool has_account(void)
{
	const struct acme_main *m = &acme_main;
	const char *email = acme_conf()->email;

	return m->kid[0] != '\0' &&
	       strcmp(m->key_of, acme_conf()->directory) == 0 &&
	       strcmp(m->email != NULL ? m->email : "",
		      email != NULL ? email : "") == 0;
}

int acme_directory_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r = acme_directory_read(a->body, a->len, acme_conf()->profile,
				    &m->server, err);

	if (r == 0)
		r = check_server(&m->server, err);
	if (r < 0)
		return r;
	m->nonce[0] = '\0';
	if (m->wants_info && m->server.renewal_info[0] == '\0')
		acme_done();
	else if (m->wants_info)
		acme_go(ACME_INFO);
	else
		acme_go(has_account() ? ACME_NEW_ORDER : ACME_ACCOUNT);
	return 0;
}

/* ---- renewal information ---- */

int acme_info_ask(struct hd_error *err)
{
	char url[ACME_URL_BYTES + sizeof(acme_main.about.id)];

	snprintf(url, sizeof(url), "%s/%s", acme_main.server.renewal_info,
		 acme_main.about.id);
	return acme_get(url, err);
}

int acme_info_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r = acme_window_read(a->body, a->len, &m->window, err);

	if (r < 0)
		return r;
	m->info_s = time(NULL) +
		    (a->retry_after_s > 0
			     ? HD_MAX(a->retry_after_s, (int64_t)INFO_MIN_S)
			     : INFO_S);
	acme_done();
	return 0;
}

/* ---- account ---- */

/* Another server gets another key: nothing shows that both are of one. */
static int need_key(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	const char *directory = acme_conf()->directory;

	if (m->key != NULL && strcmp(m->key_of, directory) == 0)
		return 0;
	acme_key_free(&m->key);
	free(m->key_of);
	free(m->email);
	m->email = NULL;
	m->key = acme_key_new();
	m->key_of = strdup(directory);
	m->kid[0] = '\0';
	if (m->key == NULL || m->key_of == NULL)
		return hd_error_set(err, -ENOMEM, "cannot make a key");
	return acme_save_account(err);
}

static int add_eab(json_t *account, struct hd_error *err)
{
	const struct acme_conf *conf = acme_conf();
	char *mac_key;
	json_t *eab;

	if (conf->eab_kid == NULL)
		return 0;
	mac_key = strndup((const char *)conf->eab_key.v,
			  conf->eab_key.len_bytes);
	if (mac_key == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	eab = acme_eab(acme_main.key, conf->eab_kid, mac_key,
		       acme_main.server.new_account);
	acme_secret_free(&mac_key);
	if (eab == NULL)
		return hd_error_set(err, -EINVAL,
				    "the file of `eab_key_file` is not "
				    "base64url");
	json_object_set_new(account, "externalAccountBinding", eab);
	return 0;
}

static json_t *contact(void)
{
	const char *email = acme_conf()->email;

	return email != NULL ? json_pack("[s+]", "mailto:", email)
			     : json_array();
}

void acme_account_set_email(void)
{
	const char *email = acme_conf()->email;

	free(acme_main.email);
	acme_main.email = email != NULL ? strdup(email) : NULL;
}

/* RFC 8555, 7.3. An account that is there already is found. */
static int ask_for_account(struct hd_error *err)
{
	const struct acme_conf *conf = acme_conf();
	json_t *account = json_object();
	int r = 0;

	if (acme_main.server.terms[0] != '\0')
		json_object_set_new(account, "termsOfServiceAgreed",
				    json_true());
	if (conf->email != NULL)
		json_object_set_new(account, "contact", contact());
	r = add_eab(account, err);
	if (r < 0) {
		json_decref(account);
		return r;
	}
	return acme_post(acme_main.server.new_account, account, err);
}

/* RFC 8555, 7.3.2: one that is there gets another address. */
int acme_account_ask(struct hd_error *err)
{
	int r = need_key(err);

	if (r < 0)
		return r;
	if (acme_main.kid[0] == '\0')
		return ask_for_account(err);
	return acme_post(acme_main.kid, json_pack("{so}", "contact", contact()),
			 err);
}

int acme_account_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r;

	if (m->kid[0] == '\0' && a->location == NULL)
		return hd_error_set(err, -EINVAL,
				    "the server's account has no URL");
	if (m->kid[0] == '\0') {
		strcpy(m->kid, a->location);
		hd_log_notice("acme: account=%s (%s)", m->kid,
			      a->status == 201 ? "new" : "known");
	}
	acme_account_set_email();
	r = acme_save_account(err);
	if (r < 0)
		return r;
	acme_go(ACME_NEW_ORDER);
	return 0;
}
