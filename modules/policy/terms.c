/* SPDX-License-Identifier: MIT */
/* modules/policy/terms.c - what a rule wants of a client's HTTP request. */
#include "modules/policy/terms.h"
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

enum { TOKEN_MIN_BYTES = 16, TOKEN_MAX_BYTES = 512 };

/* ---- hashes ---- */

static bool is_printable(const char *p, size_t n)
{
	while (n > 0 && *p > ' ' && *p < 0x7f)
		p++, n--;
	return n == 0;
}

int policy_token_hash(const char *text, size_t n, struct hd_key *ret)
{
	if (n < TOKEN_MIN_BYTES || n > TOKEN_MAX_BYTES ||
	    !is_printable(text, n))
		return -EINVAL;
	crypto_generichash(ret->b, sizeof(ret->b), (const uint8_t *)text, n,
			   NULL, 0);
	return 0;
}

static void add_text(crypto_generichash_state *state, const char *text,
		     bool lower)
{
	do {
		unsigned char c = lower ? (unsigned char)tolower(*text)
					: (unsigned char)*text;

		crypto_generichash_update(state, &c, 1);
	} while (*text++ != '\0');
}

void policy_term_hash(enum policy_term_kind kind, const char *name,
		      const char *value, struct hd_key *ret)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(ret->b));
	add_text(&state, kind == POLICY_HEADER ? "header" : "query", false);
	add_text(&state, name, kind == POLICY_HEADER);
	add_text(&state, value, false);
	crypto_generichash_final(&state, ret->b, sizeof(ret->b));
}

/* ---- taken from the configuration ---- */

bool policy_terms_wanted(const struct policy_rule_conf *c)
{
	return c->token != NULL || c->token_file != NULL || c->query != NULL ||
	       c->header != NULL;
}

static int take_token(const struct policy_rule_conf *c,
		      struct policy_terms *ret, struct hd_error *err)
{
	if (c->token == NULL)
		return 0;
	ret->has_token = true;
	if (policy_token_hash(c->token, strlen(c->token), &ret->token) == 0)
		return 0;
	return hd_error_at(&c->at_token, err, -EINVAL,
			   "token: it has less than %d or more than %d "
			   "characters, or a blank, or one that is no ASCII; "
			   "take what `openssl rand -hex 32` prints",
			   TOKEN_MIN_BYTES, TOKEN_MAX_BYTES);
}

static int take_tokens(const struct policy_rule_conf *c,
		       struct policy_terms *ret, struct hd_error *err)
{
	struct hd_error why = { "" };

	if (c->token_file == NULL)
		return 0;
	if (c->token != NULL)
		return hd_error_at(&c->at_token_file, err, -EINVAL,
				   "token and token_file in one rule; put the "
				   "token into the file");
	ret->tokens_path = strdup(c->token_file);
	ret->tokens = calloc(1, sizeof(*ret->tokens));
	if (ret->tokens_path == NULL || ret->tokens == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (policy_tokens_read(c->token_file, ret->tokens, &why) < 0)
		return hd_error_at(&c->at_token_file, err, -EINVAL,
				   "token_file: %s", why.text);
	return 0;
}

/* @sep  ends the name; blanks may follow it */
static int take_term(const char *text, char sep, enum policy_term_kind kind,
		     struct policy_term *ret)
{
	const char *end = strchr(text, sep);
	const char *value = end != NULL ? end + 1 : "";
	size_t n = end != NULL ? (size_t)(end - text) : 0;

	if (kind == POLICY_HEADER)
		value += strspn(value, " \t");
	if (n == 0 || value[0] == '\0')
		return -EINVAL;
	ret->name = strndup(text, n);
	if (ret->name == NULL)
		return -ENOMEM;
	policy_term_hash(kind, ret->name, value, &ret->hash);
	return 0;
}

static int take_query(const struct policy_rule_conf *c,
		      struct policy_terms *ret, struct hd_error *err)
{
	int r = c->query != NULL
			? take_term(c->query, '=', POLICY_QUERY, &ret->query)
			: 0;

	if (r == -ENOMEM)
		return hd_error_set(err, r, "out of memory");
	return r == 0 ? 0
		      : hd_error_at(&c->at_query, err, r,
				    "query: it is no parameter with a value; "
				    "write NAME=VALUE, as they are without "
				    "%%XX");
}

/* RFC 9110, 5.1: a token. */
static bool is_header_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789!#$%&'*+-.^_`|~")] == '\0';
}

/* A client's value has lost the blanks around it. */
static bool ends_with_blank(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t');
}

static int take_header(const struct policy_rule_conf *c,
		       struct policy_terms *ret, struct hd_error *err)
{
	int r = c->header != NULL ? take_term(c->header, ':', POLICY_HEADER,
					      &ret->header)
				  : 0;

	if (r == -ENOMEM)
		return hd_error_set(err, r, "out of memory");
	if (r == 0 && (ret->header.name == NULL ||
		       (is_header_name(ret->header.name) &&
			!ends_with_blank(c->header))))
		return 0;
	return hd_error_at(&c->at_header, err, -EINVAL,
			   "header: it is no header with a value; write "
			   "\"NAME: VALUE\", with quotes");
}

int policy_terms_take(const struct policy_rule_conf *c,
		      struct policy_terms *ret, struct hd_error *err)
{
	int r = take_token(c, ret, err);

	if (r == 0)
		r = take_query(c, ret, err);
	if (r == 0)
		r = take_header(c, ret, err);
	return r < 0 ? r : take_tokens(c, ret, err);
}

void policy_terms_free(struct policy_terms *t)
{
	if (t->tokens != NULL)
		policy_keys_free(t->tokens);
	free(t->tokens);
	free(t->tokens_path);
	free(t->query.name);
	free(t->header.name);
}

/* ---- asked ---- */

unsigned policy_terms_unsaid(const struct policy_terms *t, unsigned unsaid)
{
	if (unsaid & POLICY_TOKEN && (t->has_token || t->tokens != NULL))
		return POLICY_TOKEN;
	if (unsaid & POLICY_QUERY && t->query.name != NULL)
		return POLICY_QUERY;
	return unsaid & POLICY_HEADER && t->header.name != NULL ? POLICY_HEADER
								: 0;
}

static bool has_term(const struct policy_shown *shown,
		     const struct policy_term *term)
{
	uint64_t first;

	if (term->name == NULL)
		return true;
	memcpy(&first, term->hash.b, sizeof(first));
	for (unsigned i = 0; i < shown->n; i++)
		if (shown->terms[i] == first)
			return true;
	return false;
}

bool policy_terms_match(const struct policy_terms *t,
			const struct policy_shown *shown,
			const char **ret_name)
{
	static const struct policy_shown nothing = { .n = 0 };

	if (shown == NULL)
		shown = &nothing;
	if (!has_term(shown, &t->query) || !has_term(shown, &t->header))
		return false;
	if (t->has_token)
		return shown->has_token &&
		       sodium_memcmp(&t->token, &shown->token,
				     sizeof(t->token)) == 0;
	if (t->tokens == NULL)
		return true;
	if (!shown->has_token)
		return false;
	*ret_name = policy_keys_find(t->tokens, &shown->token);
	return *ret_name != NULL;
}
