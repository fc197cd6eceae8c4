/* SPDX-License-Identifier: MIT */
/* modules/acme/answers.c - see answers.h. */
#include "modules/acme/answers.h"
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/when.h"

#define URN "urn:ietf:params:acme:error:"
#define BASE64URL                                                              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

const char *const acme_type_names[ACME_TYPES + 1] = {
	[ACME_HTTP_01] = "http-01", [ACME_TLS_ALPN_01] = "tls-alpn-01", NULL
};

static void json_free(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

/* ---- members ---- */

static int read_object(const char *text, size_t len, json_t **ret,
		       struct hd_error *err)
{
	json_error_t e;

	*ret = json_loadb(text, len, 0, &e);
	if (json_is_object(*ret))
		return 0;
	json_free(ret);
	return hd_error_set(err, -EINVAL,
			    "the server's answer is not a "
			    "JSON object");
}

/* Whatever a terminal or a log must not get becomes '?'. */
static void printable(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text);
	for (; *ret != '\0'; ret++)
		if (!isprint((unsigned char)*ret))
			*ret = '?';
}

static int take(const json_t *o, const char *name, char *ret, size_t size,
		struct hd_error *err)
{
	const char *text = json_string_value(json_object_get(o, name));

	if (text == NULL || *text == '\0')
		return hd_error_set(err, -EINVAL,
				    "the server's answer has no \"%s\"", name);
	if (strlen(text) >= size)
		return hd_error_set(err, -EINVAL,
				    "\"%s\" of the server's answer is too long",
				    name);
	strcpy(ret, text);
	return 0;
}

static int take_url(const json_t *o, const char *name,
		    char ret[static ACME_URL_BYTES], struct hd_error *err)
{
	int r = take(o, name, ret, ACME_URL_BYTES, err);

	if (r == 0 && strncmp(ret, "https://", 8) != 0 &&
	    strncmp(ret, "http://", 7) != 0)
		r = hd_error_set(err, -EINVAL,
				 "\"%s\" of the server's answer is not a URL",
				 name);
	return r;
}

/* May be left out; then it is "". */
static int take_url_if(const json_t *o, const char *name,
		       char ret[static ACME_URL_BYTES], struct hd_error *err)
{
	ret[0] = '\0';
	return json_object_get(o, name) != NULL ? take_url(o, name, ret, err)
						: 0;
}

static int take_status(const json_t *o, enum acme_status *ret,
		       struct hd_error *err)
{
	static const struct {
		const char *name;
		enum acme_status status;
	} all[] = {
		{ "pending", ACME_PENDING },	{ "ready", ACME_READY },
		{ "processing", ACME_PROCESSING }, { "valid", ACME_VALID },
		{ "invalid", ACME_INVALID },	{ "deactivated", ACME_INVALID },
		{ "expired", ACME_INVALID },	{ "revoked", ACME_INVALID },
	};
	char name[32];
	int r = take(o, "status", name, sizeof(name), err);

	for (size_t i = 0; r == 0 && i < HD_ARRAY_N(all); i++)
		if (strcmp(name, all[i].name) == 0) {
			*ret = all[i].status;
			return 0;
		}
	return r < 0 ? r
		     : hd_error_set(err, -EINVAL,
				    "the server's answer has a status that "
				    "RFC 8555 does not know");
}

static void take_problem(const json_t *o, struct acme_problem *ret)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	const char *detail = json_string_value(json_object_get(o, "detail"));

	if (type == NULL)
		type = "";
	if (strncmp(type, URN, strlen(URN)) == 0)
		type += strlen(URN);
	printable(ret->type, sizeof(ret->type), type);
	printable(ret->text, sizeof(ret->text),
		  detail != NULL ? detail : type);
}

/* ---- problem ---- */

void acme_problem_read(const char *text, size_t len, unsigned status,
		       struct acme_problem *ret)
{
	json_t *o = NULL;

	memset(ret, 0, sizeof(*ret));
	if (read_object(text, len, &o, NULL) == 0)
		take_problem(o, ret);
	json_free(&o);
	if (ret->text[0] == '\0')
		snprintf(ret->text, sizeof(ret->text), "HTTP status %u",
			 status);
}

/* ---- directory ---- */

static void take_meta(const json_t *meta, const char *profile,
		      struct acme_directory *ret)
{
	json_t *profiles = json_object_get(meta, "profiles");
	const char *name, *terms = json_string_value(
				  json_object_get(meta, "termsOfService"));
	json_t *unused;

	if (terms != NULL)
		printable(ret->terms, sizeof(ret->terms), terms);
	ret->needs_eab = json_is_true(
		json_object_get(meta, "externalAccountRequired"));
	ret->has_profiles = json_object_size(profiles) > 0;
	json_object_foreach(profiles, name, unused) {
		size_t n = strlen(ret->profiles);

		ret->has_profile |= profile != NULL &&
				    strcmp(name, profile) == 0;
		snprintf(ret->profiles + n, sizeof(ret->profiles) - n, "%s%s",
			 n > 0 ? ", " : "", name);
	}
	printable(ret->profiles, sizeof(ret->profiles),
		  strdupa(ret->profiles));
}

int acme_directory_read(const char *text, size_t len, const char *profile,
			struct acme_directory *ret, struct hd_error *err)
{
	HD_AUTO(json_free) json_t *o = NULL;
	int r = read_object(text, len, &o, err);

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = take_url(o, "newNonce", ret->new_nonce, err);
	if (r == 0)
		r = take_url(o, "newAccount", ret->new_account, err);
	if (r == 0)
		r = take_url(o, "newOrder", ret->new_order, err);
	if (r == 0)
		r = take_url_if(o, "renewalInfo", ret->renewal_info, err);
	if (r == 0)
		take_meta(json_object_get(o, "meta"), profile, ret);
	return r;
}

/* ---- order ---- */

void acme_order_free(struct acme_order *order)
{
	free(order->authz);
	memset(order, 0, sizeof(*order));
}

static int take_authzs(const json_t *o, struct acme_order *ret,
		       struct hd_error *err)
{
	const json_t *v = json_object_get(o, "authorizations");
	size_t n = json_array_size(v);

	if (n == 0 || n > ACME_AUTHZS_MAX)
		return hd_error_set(err, -EINVAL,
				    "the server's order has %zu "
				    "authorizations",
				    n);
	ret->authz = calloc(n, sizeof(*ret->authz));
	if (ret->authz == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (; ret->n < n; ret->n++) {
		const char *url =
			json_string_value(json_array_get(v, ret->n));

		if (url == NULL || strlen(url) >= ACME_URL_BYTES)
			return hd_error_set(err, -EINVAL,
					    "an authorization of the server's "
					    "order is not a URL");
		strcpy(ret->authz[ret->n], url);
	}
	return 0;
}

int acme_order_read(const char *text, size_t len, struct acme_order *ret,
		    struct hd_error *err)
{
	HD_AUTO(json_free) json_t *o = NULL;
	int r = read_object(text, len, &o, err);

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = take_status(o, &ret->status, err);
	if (r == 0)
		r = take_url(o, "finalize", ret->finalize, err);
	if (r == 0)
		r = take_url_if(o, "certificate", ret->certificate, err);
	if (r == 0)
		r = take_authzs(o, ret, err);
	if (r < 0)
		acme_order_free(ret);
	else
		take_problem(json_object_get(o, "error"), &ret->why);
	return r;
}

/* ---- authorization ---- */

int acme_type_of(const char *name)
{
	for (int i = 0; name != NULL && i < ACME_TYPES; i++)
		if (strcmp(name, acme_type_names[i]) == 0)
			return i;
	return -1;
}

/* A token comes into a path and into what is signed. RFC 8555, 8.1. */
static int take_challenge(const json_t *c, struct acme_authz *ret,
			  struct hd_error *err)
{
	int i = acme_type_of(json_string_value(json_object_get(c, "type")));
	int r;
	const json_t *why = json_object_get(c, "error");

	if (why != NULL && ret->why.text[0] == '\0')
		take_problem(why, &ret->why);
	if (i < 0)
		return 0;
	r = take_url(c, "url", ret->challenges[i].url, err);
	if (r == 0)
		r = take_status(c, &ret->challenges[i].status, err);
	if (r == 0)
		r = take(c, "token", ret->challenges[i].token,
			 ACME_TOKEN_BYTES, err);
	if (r == 0 &&
	    ret->challenges[i].token[strspn(ret->challenges[i].token,
					    BASE64URL)] != '\0')
		r = hd_error_set(err, -EINVAL,
				 "a token of the server is not base64url");
	return r;
}

int acme_authz_read(const char *text, size_t len, struct acme_authz *ret,
		    struct hd_error *err)
{
	HD_AUTO(json_free) json_t *o = NULL;
	int r = read_object(text, len, &o, err);
	const json_t *c, *v = json_object_get(o, "challenges");
	size_t i;

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = take_status(o, &ret->status, err);
	if (r == 0)
		r = take(json_object_get(o, "identifier"), "value", ret->host,
			 sizeof(ret->host), err);
	json_array_foreach(v, i, c) {
		if (r == 0)
			r = take_challenge(c, ret, err);
	}
	return r;
}

/* ---- renewal information ---- */

int acme_window_read(const char *text, size_t len, struct acme_window *ret,
		     struct hd_error *err)
{
	HD_AUTO(json_free) json_t *o = NULL;
	char start[64], end[64];
	int r = read_object(text, len, &o, err);
	const json_t *w = json_object_get(o, "suggestedWindow");

	if (r == 0)
		r = take(w, "start", start, sizeof(start), err);
	if (r == 0)
		r = take(w, "end", end, sizeof(end), err);
	if (r < 0)
		return r;
	ret->start_s = acme_time_s(start);
	ret->end_s = acme_time_s(end);
	if (ret->start_s > 0 && ret->end_s > ret->start_s)
		return 0;
	return hd_error_set(err, -EINVAL,
			    "the server's renewal window has no two times, or "
			    "ends before it starts");
}
