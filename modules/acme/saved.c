/* SPDX-License-Identifier: MIT */
/* modules/acme/saved.c - what survives a restart: account, order, certificate,
 * each a JSON object in a file of state_dir, 0600, whole or not at all. */
#include <errno.h>
#include <hyper-derp/state_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/acme.h"

#define ACCOUNT_FILE "acme.account"
#define ORDER_FILE "acme.order"
#define CERTIFICATE_FILE "acme.certificate"
enum { FILE_MAX_BYTES = 512 << 10 };

/* ---- files ---- */

/* Returns 0, *ret NULL: there is none. */
static int load(const char *name, json_t **ret, struct hd_error *err)
{
	char *text = malloc(FILE_MAX_BYTES), path[256];
	int n = text != NULL ? hd_state_file_read(name, text, FILE_MAX_BYTES,
						  err)
			     : hd_error_set(err, -ENOMEM, "out of memory");

	*ret = n >= 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	if (n > 0)
		explicit_bzero(text, (size_t)n);
	free(text);
	if (n == -ENOENT)
		return 0;
	if (n >= 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		return hd_error_set(err, -EINVAL,
				    "%s is damaged; move it away, and it is "
				    "made anew",
				    hd_state_file_path(name, path,
						       sizeof(path)));
	}
	return n < 0 ? n : 0;
}

static int save(const char *name, json_t *o, bool keep_before,
		struct hd_error *err)
{
	char *text = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
	int r;

	json_decref(o);
	if (text == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = keep_before ? hd_state_file_update(name, text, strlen(text), err)
			: hd_state_file_write(name, text, strlen(text), err);
	acme_secret_free(&text);
	return r;
}

static char *text_in(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? strdup(text) : NULL;
}

static void copy_in(const json_t *o, const char *name, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(o, name));

	snprintf(ret, size, "%s", text != NULL ? text : "");
}

/* ---- account ---- */

static int load_account(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	json_t *o;
	int r = load(ACCOUNT_FILE, &o, err);

	if (r < 0 || o == NULL)
		return r;
	const char *pem = json_string_value(json_object_get(o, "key"));

	m->key = pem != NULL ? acme_key_read(pem) : NULL;
	m->key_of = text_in(o, "directory");
	m->email = text_in(o, "email");
	copy_in(o, "account", m->kid, sizeof(m->kid));
	json_decref(o);
	if (m->key == NULL || m->key_of == NULL)
		return hd_error_set(err, -EINVAL,
				    ACCOUNT_FILE " in state_dir has no key; "
						 "move it away, and a new "
						 "account is made");
	return 0;
}

int acme_save_account(struct hd_error *err)
{
	const struct acme_main *m = &acme_main;
	char *pem = acme_key_text(m->key);
	json_t *o = pem != NULL ? json_pack("{ss ss ss* ss}", "directory",
					    m->key_of, "account", m->kid,
					    "email", m->email, "key", pem)
				: NULL;

	acme_secret_free(&pem);
	return save(ACCOUNT_FILE, o, true, err);
}

/* ---- order, and failures ---- */

static void load_proof(const json_t *o)
{
	struct acme_proof *p = &acme_main.proof;

	p->type = acme_type_of(json_string_value(json_object_get(o, "type")));
	copy_in(o, "host", p->host, sizeof(p->host));
	copy_in(o, "token", p->token, sizeof(p->token));
}

static json_t *proof_json(void)
{
	const struct acme_proof *p = &acme_main.proof;

	return p->type < 0 ? NULL
			   : json_pack("{ss ss ss}", "type",
				       acme_type_names[p->type], "host",
				       p->host, "token", p->token);
}

static int load_order(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	json_t *o;
	int r = load(ORDER_FILE, &o, err);

	if (r < 0 || o == NULL)
		return r;
	m->order_for = text_in(o, "for");
	m->order_key = text_in(o, "key");
	copy_in(o, "url", m->order_url, sizeof(m->order_url));
	copy_in(o, "error", m->error, sizeof(m->error));
	m->proved_by = acme_type_of(
		json_string_value(json_object_get(o, "challenge")));
	m->failures = (unsigned)json_integer_value(
		json_object_get(o, "failures"));
	m->unproved = (unsigned)json_integer_value(
		json_object_get(o, "unproved"));
	load_proof(json_object_get(o, "proof"));
	m->next_s = json_integer_value(json_object_get(o, "not_before"));
	m->conf_sum = (uint64_t)json_integer_value(
		json_object_get(o, "section"));
	json_decref(o);
	return 0;
}

int acme_save_order(struct hd_error *err)
{
	const struct acme_main *m = &acme_main;

	return save(
		ORDER_FILE,
		json_pack("{ss* ss* ss ss ss* si si so* sI sI}", "for",
			  m->order_for, "key", m->order_key, "url",
			  m->order_url, "error", m->error, "challenge",
			  m->proved_by < 0 ? NULL
					   : acme_type_names[m->proved_by],
			  "failures", (int)m->failures, "unproved",
			  (int)m->unproved, "proof", proof_json(),
			  "not_before", (json_int_t)m->next_s, "section",
			  (json_int_t)m->conf_sum),
		false, err);
}

/* ---- certificate ---- */

static int load_certificate(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	json_t *o;
	int r = load(CERTIFICATE_FILE, &o, err);

	if (r < 0 || o == NULL)
		return r;
	m->pem = text_in(o, "pem");
	m->pem_for = text_in(o, "for");
	json_decref(o);
	if (m->pem != NULL && m->pem_for != NULL &&
	    acme_chain_about(m->pem, NULL, 0, &m->about, err) == 0)
		return 0;
	return hd_error_set(err, -EINVAL,
			    CERTIFICATE_FILE " in state_dir is damaged; move "
					     "it away, and a new certificate "
					     "is fetched");
}

int acme_save_certificate(struct hd_error *err)
{
	const struct acme_main *m = &acme_main;
	int r = save(CERTIFICATE_FILE,
		     json_pack("{ss ss}", "for", m->pem_for, "pem", m->pem),
		     true, err);

	return r < 0 ? r : acme_save_order(err);
}

/* ---- all ---- */

int acme_load_all(struct hd_error *err)
{
	int r = load_account(err);

	acme_main.proved_by = acme_main.proof.type = -1;
	if (r == 0)
		r = load_order(err);
	return r == 0 ? load_certificate(err) : r;
}

void acme_free_all(void)
{
	struct acme_main *m = &acme_main;

	acme_order_forget();
	acme_hide();
	acme_secret_free(&m->payload);
	acme_secret_free(&m->order_key);
	acme_secret_free(&m->pem);
	free(m->order_for);
	free(m->pem_for);
	free(m->key_of);
	free(m->email);
	acme_key_free(&m->key);
	hd_main_timer_free(&m->timer);
	memset(m, 0, sizeof(*m));
}
