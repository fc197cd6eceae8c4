/* SPDX-License-Identifier: MIT */
/* modules/policy/rules.c - ordered rules: the first that matches decides. */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "modules/policy/policy.h"

/* ---- checked ---- */

static int check_text(const struct hd_place *at, const char *key,
		      const char *text, struct hd_error *err)
{
	if (text == NULL || text[0] != '\0')
		return 0;
	return hd_error_at(at, err, -EINVAL,
			   "%s is empty; write what the rule is to match, or "
			   "take the key out",
			   key);
}

static int check_empty(const struct policy_rule_conf *c, struct hd_error *err)
{
	int r = check_text(&c->at_keys, "keys", c->keys, err);

	if (r == 0)
		r = check_text(&c->at_listener, "listener", c->listener, err);
	if (r == 0)
		r = check_text(&c->at_server_name, "server_name",
			       c->server_name, err);
	if (r == 0)
		r = check_text(&c->at_app_name, "app_name", c->app_name, err);
	if (r == 0)
		r = check_text(&c->at_url, "url", c->url, err);
	if (r == 0)
		r = check_text(&c->at_devices, "devices", c->devices, err);
	if (r == 0)
		r = check_text(&c->at_tailscaled, "tailscaled", c->tailscaled,
			       err);
	if (r == 0)
		r = check_text(&c->at_token_file, "token_file", c->token_file,
			       err);
	if (r == 0 && c->from.v != NULL && c->from.n == 0)
		r = check_text(&c->at_from, "from", "", err);
	return r;
}

/* What stands for everybody is written: nobody gets there by leaving out. */
static int check_names_something(const struct policy_rule_conf *c,
				 struct hd_error *err)
{
	if (c->keys != NULL || c->from.n > 0 || c->listener != NULL ||
	    c->server_name != NULL || c->app_name != NULL || c->url != NULL ||
	    c->tailscaled != NULL || c->devices != NULL || c->mesh ||
	    policy_terms_wanted(c))
		return 0;
	return hd_error_at(&c->at, err, -EINVAL,
			   "a rule that matches everybody; name keys, from, "
			   "listener, server_name, app_name, token, "
			   "token_file, query, header, url, devices, "
			   "tailscaled or mesh. What happens to all others "
			   "stands in `default`");
}

/* In a named listener's place nobody would be. */
static int check_listener(const struct policy_rule_conf *c,
			  struct hd_error *err)
{
	if (c->listener == NULL || hd_conf_has_listener(c->listener))
		return 0;
	return hd_error_at(&c->at_listener, err, -EINVAL,
			   "listener: no entry of `listen` has the name %s; "
			   "give one that name, or correct the rule",
			   c->listener);
}

static bool asks(const struct policy_conf *conf)
{
	size_t i = 0;

	while (i < conf->rules.n && conf->rules.v[i].url == NULL &&
	       conf->rules.v[i].tailscaled == NULL)
		i++;
	return i < conf->rules.n;
}

/* Else the login is over before it is known that nobody answers. */
static int check_timeout(const struct policy_conf *conf, struct hd_error *err)
{
	if (!asks(conf) || conf->ask_timeout_ms < hd_conf_login_timeout_ms())
		return 0;
	return hd_error_at(&conf->at_ask_timeout, err, -EINVAL,
			   "ask_timeout is %llu ms; make it shorter than "
			   "login_timeout, %llu ms",
			   (unsigned long long)conf->ask_timeout_ms,
			   (unsigned long long)hd_conf_login_timeout_ms());
}

/* ---- made ---- */

/* NULL stays NULL. Returns 0; -ENOMEM. */
static int copy_text(char **to, const char *from)
{
	if (from == NULL)
		return 0;
	*to = strdup(from);
	return *to != NULL ? 0 : -ENOMEM;
}

/* Answers are kept by it, whatever is asked. */
static int copy_service(char **to, const struct policy_rule_conf *c)
{
	if (c->tailscaled == NULL)
		return copy_text(to, c->url);
	return asprintf(to, "unix:%s", c->tailscaled) < 0 ? -ENOMEM : 0;
}

static int copy_texts(struct policy_rule *r, const struct policy_rule_conf *c,
		      size_t i)
{
	char number[24];

	snprintf(number, sizeof(number), "#%zu", i + 1);
	if (copy_text(&r->label, c->name != NULL ? c->name : number) < 0 ||
	    copy_text(&r->keys_path, c->keys) < 0 ||
	    copy_text(&r->listener, c->listener) < 0 ||
	    copy_text(&r->server_name, c->server_name) < 0 ||
	    copy_text(&r->app_name, c->app_name) < 0 ||
	    copy_service(&r->url, c) < 0 ||
	    copy_text(&r->reason, c->reason) < 0 ||
	    copy_text(&r->tenant, c->tenant) < 0)
		return -ENOMEM;
	return 0;
}

static int take_prefix(const struct policy_rule_conf *c, const char *text,
		       struct hd_prefix *ret, struct hd_error *err)
{
	int r = hd_prefix_parse(text, ret);

	if (r == -EDOM)
		return hd_error_at(&c->at_from, err, r,
				   "from: %s has bits set after its prefix; "
				   "set them to 0, or make the prefix longer",
				   text);
	if (r < 0)
		return hd_error_at(
			&c->at_from, err, r,
			"from: %s is not an address or a prefix; write "
			"192.0.2.0/24 or 2001:db8::/32",
			text);
	return 0;
}

static int take_prefixes(struct policy_rule *r,
			 const struct policy_rule_conf *c, struct hd_error *err)
{
	int e = 0;

	if (c->from.n == 0)
		return 0;
	r->from = calloc(c->from.n, sizeof(*r->from));
	if (r->from == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (; r->n_from < c->from.n && e == 0; r->n_from++)
		e = take_prefix(c, c->from.v[r->n_from], &r->from[r->n_from],
				err);
	return e;
}

static int take_keys(struct policy_rule *r, const struct policy_rule_conf *c,
		     struct hd_error *err)
{
	struct hd_error why = { "" };
	int e;

	r->has_keys = c->keys != NULL;
	if (!r->has_keys)
		return 0;
	e = policy_keys_read(c->keys, &r->keys, &why);
	return e < 0 ? hd_error_at(&c->at_keys, err, -EINVAL, "keys: %s",
				   why.text)
		     : 0;
}

static int check_url(const struct policy_rule_conf *c, struct hd_error *err)
{
	const struct hd_fetch_request request = { .url = c->url };
	struct hd_error why;

	if (c->url == NULL || hd_fetch_check(&request, &why) == 0)
		return 0;
	return hd_error_at(&c->at_url, err, -EINVAL, "url: %s", why.text);
}

/* The socket may come later: tailscaled makes it. */
static int check_tailscaled(const struct policy_rule_conf *c,
			    const struct policy_rule *r, struct hd_error *err)
{
	struct hd_fetch_request request = { .url = "http://localhost/",
					    .via = r->url };
	struct hd_error why;

	if (c->tailscaled == NULL)
		return 0;
	if (c->url != NULL)
		return hd_error_at(&c->at_tailscaled, err, -EINVAL,
				   "tailscaled and url in one rule; make two "
				   "rules, or take one of them out");
	if (c->tailscaled[0] != '/')
		return hd_error_at(&c->at_tailscaled, err, -EINVAL,
				   "tailscaled: %s is not the path of its "
				   "socket; write it from the root, as "
				   "/run/tailscale/tailscaled.sock",
				   c->tailscaled);
	if (hd_fetch_check(&request, &why) == 0)
		return 0;
	return hd_error_at(&c->at_tailscaled, err, -EINVAL, "tailscaled: %s",
			   why.text);
}

static int take_rule(struct policy_rule *r, const struct policy_rule_conf *c,
		     size_t i, struct hd_error *err)
{
	int e;

	r->deny = c->action == POLICY_DENY;
	r->mesh = c->mesh;
	r->role = (enum policy_role)c->role;
	if (copy_texts(r, c, i) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	e = check_empty(c, err);
	if (e == 0)
		e = check_names_something(c, err);
	if (e == 0)
		e = policy_tenant_check(c, err);
	if (e == 0)
		e = policy_role_check(c, err);
	if (e == 0)
		e = check_url(c, err);
	if (e == 0)
		e = check_tailscaled(c, r, err);
	if (e == 0)
		e = check_listener(c, err);
	if (e == 0)
		e = take_prefixes(r, c, err);
	if (e == 0)
		e = policy_terms_take(c, &r->terms, err);
	if (e == 0)
		e = policy_devices_take(c, &r->devices, err);
	return e < 0 ? e : take_keys(r, c, err);
}

int policy_rules_new(const struct policy_conf *conf, struct policy_rules **ret,
		     struct hd_error *err)
{
	struct policy_rules *rules =
		calloc(1, sizeof(*rules) + conf->rules.n * sizeof(*rules->v));
	int e = check_timeout(conf, err);

	*ret = NULL;
	if (rules == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (e == 0)
		e = policy_limits_check(conf, err);
	rules->holders = 1;
	rules->deny = conf->otherwise == POLICY_DENY;
	for (; rules->n < conf->rules.n && e == 0; rules->n++)
		e = take_rule(&rules->v[rules->n], &conf->rules.v[rules->n],
			      rules->n, err);
	for (size_t i = 0; i < rules->n && e == 0; i++) {
		e = policy_limits_take(conf, &conf->rules.v[i],
				       rules->v[i].limits, err);
		if (e == 0)
			e = policy_quota_take(conf, &conf->rules.v[i],
					      &rules->v[i].quota, err);
	}
	if (e < 0)
		policy_rules_drop(&rules);
	*ret = rules;
	return e;
}

static void rule_free(struct policy_rule *r)
{
	policy_keys_free(&r->keys);
	policy_terms_free(&r->terms);
	policy_devices_rule_free(&r->devices);
	free(r->from);
	free(r->label);
	free(r->keys_path);
	free(r->listener);
	free(r->server_name);
	free(r->app_name);
	free(r->url);
	free(r->reason);
	free(r->tenant);
}

struct policy_rules *policy_rules_hold(struct policy_rules *rules)
{
	rules->holders++;
	return rules;
}

void policy_rules_drop(struct policy_rules **rules)
{
	struct policy_rules *r = hd_steal(rules);

	if (r == NULL || --r->holders > 0)
		return;
	for (size_t i = 0; i < r->n; i++)
		rule_free(&r->v[i]);
	free(r);
}

/* ---- asked ---- */

static bool has_prefix(const struct policy_rule *r, const union hd_addr *addr)
{
	if (r->n_from == 0)
		return true;
	for (size_t i = 0; addr != NULL && i < r->n_from; i++)
		if (hd_prefix_has(&r->from[i], addr))
			return true;
	return false;
}

/* The name `a` is not `A`. */
static bool is_name(const char *want, const char *name)
{
	return want == NULL || (name != NULL && strcmp(want, name) == 0);
}

static bool is_host(const char *want, const char *name)
{
	return want == NULL || (name != NULL && strcasecmp(want, name) == 0);
}

/* @ret_name  of the key, where the rule has it in a file
 * @ret_unsaid  it matches if the client shows this */
static bool matches(const struct policy_rule *r,
		    const struct policy_subject *who, const char **ret_name,
		    unsigned *ret_unsaid)
{
	const char *of_token = "";

	if (r->mesh != who->mesh || !is_name(r->listener, who->listener) ||
	    !is_name(r->app_name, who->app_name) ||
	    !is_host(r->server_name, who->server_name) ||
	    !has_prefix(r, who->from))
		return false;
	*ret_name = r->has_keys ? policy_keys_find(&r->keys, who->key) : "";
	if (*ret_name == NULL)
		return false;
	*ret_unsaid = policy_terms_unsaid(&r->terms, who->unsaid);
	if (*ret_unsaid != 0)
		return true;
	if (!policy_terms_match(&r->terms, who->shown, &of_token))
		return false;
	if ((*ret_name)[0] == '\0')
		*ret_name = of_token;
	return true;
}

size_t policy_rules_ask(const struct policy_rules *rules, size_t at,
			const struct policy_subject *who,
			struct policy_verdict *ret)
{
	for (; at < rules->n; at++) {
		const struct policy_rule *r = &rules->v[at];
		const char *name;
		unsigned unsaid;

		if (!matches(r, who, &name, &unsaid))
			continue;
		*ret = (struct policy_verdict){ r->deny, r, name, unsaid };
		return at;
	}
	*ret = (struct policy_verdict){ rules->deny, NULL, "", 0 };
	return at;
}
