/* SPDX-License-Identifier: MIT */
/* modules/policy/commands.c - what operators ask and order. */
#include <errno.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "modules/policy/policy.h"

#define FOR_MAX_S (876000ull * 3600) /* a hundred years */

/* ---- arguments ---- */

/* "" and NULL: none. */
static bool address_of(struct hd_call *call, const char *text,
		       union hd_addr *ret)
{
	*ret = (union hd_addr){ .sa = { .sa_family = AF_INET } };
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1)
		return true;
	ret->sa.sa_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &ret->in6.sin6_addr) == 1)
		return true;
	hd_call_refuse(call, "bad_argument", "--from %s is not an IP address",
		       text);
	return false;
}

/* ---- policy explain ---- */

static const char *const by_names[] = { [POLICY_BY_RULE] = "rule",
					[POLICY_BY_DEFAULT] = "default",
					[POLICY_BY_REVOCATION] = "revocation",
					[POLICY_BY_FAILURE] = "fail_open",
					[POLICY_BY_QUOTA] = "quota",
					[POLICY_UNSAID] = "request",
					[POLICY_ASK] = "service" };

static const char *verdict_of(const struct policy_decision *d)
{
	if (d->by == POLICY_ASK)
		return "ask";
	if (d->by == POLICY_UNSAID)
		return "depends";
	return d->deny ? "deny" : "allow";
}

static const char *depends_on(const struct policy_decision *d)
{
	if (d->unsaid == POLICY_TOKEN)
		return "token";
	return d->unsaid == POLICY_QUERY ? "query" : "header";
}

static void put_else(struct hd_call *call, const struct policy_worker *pw,
		     const struct policy_subject *who, const char *when,
		     enum policy_when services)
{
	struct policy_decision d;

	policy_decide(pw, who, services, &d);
	hd_out_open(call, when, '{');
	hd_out_string(call, "verdict", verdict_of(&d));
	hd_out_string(call, "by", by_names[d.by]);
	hd_out_string(call, "rule", d.rule != NULL ? d.rule->label : NULL);
	hd_out_close(call);
}

/* What happens if no service that is to be asked answers. */
static void put_unanswered(struct hd_call *call, const struct policy_worker *pw,
			   const struct policy_subject *who)
{
	put_else(call, pw, who, "unanswered", POLICY_DEAD);
}

/* What happens if the client says nothing of what explain was not told. */
static void put_unsaid(struct hd_call *call, const struct policy_worker *pw,
		       const struct policy_subject *who)
{
	struct policy_subject silent = *who;

	silent.unsaid = 0;
	put_else(call, pw, &silent, "without", POLICY_LOGIN);
}

static void put_decision(struct hd_call *call, const struct policy_worker *pw,
			 const struct policy_subject *who,
			 const struct policy_decision *d)
{
	hd_out_open(call, NULL, '{');
	hd_out_key(call, "key", who->key);
	hd_out_string(call, "name", d->name);
	hd_out_string(call, "verdict", verdict_of(d));
	hd_out_string(call, "by", by_names[d->by]);
	hd_out_string(call, "rule", d->rule != NULL ? d->rule->label : NULL);
	hd_out_string(call, "tenant", policy_tenant_of(d));
	hd_out_string(call, "role", policy_role_of(d, who->mesh));
	hd_out_string(call, "url", d->by == POLICY_ASK ? d->rule->url : NULL);
	hd_out_string(call, "devices",
		      d->rule != NULL ? d->rule->devices.url : NULL);
	hd_out_string(call, "reason", d->deny ? d->reason : NULL);
	if (d->rule != NULL && d->rule->quota.bytes > 0)
		policy_quota_put_key(call, d->rule, who->key);
	if (d->by == POLICY_UNSAID)
		hd_out_string(call, "depends_on", depends_on(d));
	if (d->by == POLICY_UNSAID)
		put_unsaid(call, pw, who);
	if (d->by == POLICY_ASK)
		put_unanswered(call, pw, who);
	hd_out_close(call);
}

/* ---- what explain is told of the request ---- */

struct told {
	const char *token, *query, *header; /* NULL: nothing */
	char *text; /* that said() has returned */
};

/* "NAME=VALUE", "NAME: VALUE" */
static const char *value_of(const char *text, char sep, const char *name,
			    bool no_case)
{
	const char *end = text != NULL ? strchr(text, sep) : NULL;
	size_t n = end != NULL ? (size_t)(end - text) : 0;

	if (n == 0 || strlen(name) != n ||
	    (no_case ? strncasecmp(text, name, n) : strncmp(text, name, n)))
		return NULL;
	return end + 1 + (no_case ? strspn(end + 1, " \t") : 0);
}

static const char *told_of(const void *of, enum policy_term_kind kind,
			   const char *name)
{
	const struct told *t = of;

	if (kind == POLICY_QUERY)
		return value_of(t->query, '=', name, false);
	if (t->text != NULL && strcasecmp(name, "Authorization") == 0)
		return t->text;
	return value_of(t->header, ':', name, true);
}

/* Returns which are not told. */
static unsigned take_told(struct hd_call *call,
			  const struct policy_rules *rules,
			  struct policy_shown *ret)
{
	struct told t = {
		.token = hd_call_arg(call, "token"),
		.query = hd_call_arg(call, "query"),
		.header = hd_call_arg(call, "header"),
	};

	if (t.token != NULL &&
	    asprintf(&t.text, "Bearer %s", t.token) < 0)
		t.text = NULL;
	policy_shown_take(rules, told_of, &t, ret);
	free(t.text);
	return (t.token == NULL ? POLICY_TOKEN : 0u) |
	       (t.query == NULL ? POLICY_QUERY : 0u) |
	       (t.header == NULL ? POLICY_HEADER : 0u);
}

static void run_explain(struct hd_module *mod, struct hd_call *call)
{
	struct policy_shown shown;
	const char *from = hd_call_arg(call, "from");
	struct policy_worker as_worker = {
		.rules = (struct policy_rules *)policy_rules_now(),
		.revoked = policy_main.revoked,
		.quotas = policy_main.quotas,
		.devices = policy_main.devices,
	};
	struct hd_key key;
	union hd_addr addr;
	struct policy_decision d;
	struct policy_subject who = {
		.key = &key,
		.listener = hd_call_arg(call, "listener"),
		.server_name = hd_call_arg(call, "server-name"),
		.app_name = hd_call_arg(call, "app-name"),
		.shown = &shown,
		.mesh = hd_call_arg(call, "mesh") != NULL,
	};

	(void)mod;
	if (!hd_call_arg_key(call, "key", &key) ||
	    (from != NULL && !address_of(call, from, &addr)))
		return;
	who.from = from != NULL ? &addr : NULL;
	who.unsaid = take_told(call, as_worker.rules, &shown);
	policy_decide(&as_worker, &who, POLICY_LOGIN, &d);
	put_decision(call, &as_worker, &who, &d);
}

/* ---- policy rules ---- */

static void put_rule(struct hd_call *call, const struct policy_rule *r)
{
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "rule", r->label);
	hd_out_string(call, "action", r->deny ? "deny" : "allow");
	hd_out_string(call, "keys", r->keys_path);
	if (r->has_keys)
		hd_out_uint(call, "n_keys", r->keys.n);
	hd_out_uint(call, "n_prefixes", r->n_from);
	hd_out_string(call, "listener", r->listener);
	hd_out_string(call, "server_name", r->server_name);
	hd_out_string(call, "app_name", r->app_name);
	hd_out_string(call, "tokens",
		      r->terms.has_token ? "one" : r->terms.tokens_path);
	if (r->terms.tokens != NULL)
		hd_out_uint(call, "n_tokens", r->terms.tokens->n);
	hd_out_string(call, "query", r->terms.query.name);
	hd_out_string(call, "header", r->terms.header.name);
	hd_out_string(call, "url", r->url);
	hd_out_string(call, "devices", r->devices.url);
	hd_out_string(call, "mesh", r->mesh ? "yes" : NULL);
	hd_out_string(call, "tenant", r->tenant);
	hd_out_string(call, "role", policy_roles[r->role]);
	hd_out_close(call);
}

static void run_rules(struct hd_module *mod, struct hd_call *call)
{
	const struct policy_rules *rules = policy_rules_now();

	(void)mod;
	hd_out_open(call, NULL, '[');
	for (size_t i = 0; i < rules->n; i++)
		put_rule(call, &rules->v[i]);
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "rule", "default");
	hd_out_string(call, "action", rules->deny ? "deny" : "allow");
	hd_out_close(call);
	hd_out_close(call);
}

static void run_reload(struct hd_module *mod, struct hd_call *call)
{
	struct hd_error err;

	(void)mod;
	if (policy_reread(&err) < 0)
		hd_call_error(call, "%s", err.text);
	policy_devices_now();
}

/* ---- revocations ---- */

static void put_revocation(struct hd_call *call,
			   const struct policy_revocation *x)
{
	char until[32] = "";
	time_t t = (time_t)x->until_s;
	struct tm tm;

	if (t != 0 && gmtime_r(&t, &tm) != NULL)
		strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	hd_out_open(call, NULL, '{');
	hd_out_key(call, "key", &x->key);
	hd_out_string(call, "until", t != 0 ? until : NULL);
	hd_out_string(call, "why", x->why);
	hd_out_close(call);
}

static void run_revoked(struct hd_module *mod, struct hd_call *call)
{
	const struct policy_revoked *r = policy_main.revoked;
	time_t now = time(NULL);

	(void)mod;
	hd_out_open(call, NULL, '[');
	for (size_t i = 0; i < r->n; i++)
		if (policy_revoked_find(r, &r->v[i].key, now) != NULL)
			put_revocation(call, &r->v[i]);
	hd_out_close(call);
}

/* A line of the file: what would end it becomes a blank. */
static void take_why(struct policy_revocation *x, const char *why)
{
	snprintf(x->why, sizeof(x->why), "%s", why != NULL ? why : "");
	for (char *p = x->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

static void finish(struct hd_call *call, struct policy_revoked *next,
		   const struct hd_key *put_out)
{
	struct hd_error err = { "out of memory" };

	int e = next == NULL	  ? -ENOMEM
		: put_out == NULL ? policy_unrevoke_with(&next, &err)
				  : policy_revoke_now(&next, put_out, &err);

	if (e < 0)
		hd_call_error(call, "%s", err.text);
}

/* @ret  0: for good */
static bool until_of(struct hd_call *call, int64_t *ret)
{
	const char *text = hd_call_arg(call, "for");
	uint64_t s = (hd_call_arg_ms(call, "for", 0) + 999) / 1000;

	*ret = 0;
	if (text == NULL)
		return true;
	if (s == 0 || s > FOR_MAX_S) {
		hd_call_refuse(call, "bad_argument",
			       "--for %s: give a time from 1s to 876000h; to "
			       "put a key out for good leave --for away",
			       text);
		return false;
	}
	*ret = time(NULL) + (int64_t)s;
	return true;
}

static void run_revoke(struct hd_module *mod, struct hd_call *call)
{
	struct policy_revocation x = { .until_s = 0 };

	(void)mod;
	if (!hd_call_arg_key(call, "key", &x.key) ||
	    !until_of(call, &x.until_s))
		return;
	take_why(&x, hd_call_arg(call, "why"));
	finish(call, policy_revoked_with(policy_main.revoked, &x), &x.key);
}

static void run_unrevoke(struct hd_module *mod, struct hd_call *call)
{
	struct hd_key key;

	(void)mod;
	if (!hd_call_arg_key(call, "key", &key))
		return;
	if (policy_revoked_find(policy_main.revoked, &key, time(NULL)) == NULL)
		hd_call_error(call, "this key is not revoked; "
				    "\"policy revoked\" lists those that are");
	else
		finish(call, policy_revoked_without(policy_main.revoked, &key),
		       NULL);
}

const struct hd_command policy_commands[] = {
	{ .words = "policy explain",
	  .args = "KEY [--from ADDR] [--listener NAME] [--server-name HOST] "
		  "[--app-name NAME] [--token TOKEN] [--query NAME=VALUE] "
		  "[--header TEXT] [--mesh]",
	  .role = HD_ROLE_READ,
	  .help = "whether a key may log in, and which rule decides",
	  .run = run_explain },
	{ .words = "policy rules",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "the rules in their order",
	  .run = run_rules,
	  .columns = "rule action keys n_keys n_prefixes listener server_name "
		     "app_name tokens n_tokens query header url devices "
		     "mesh tenant role" },
	{ .words = "policy reread",
	  .args = "",
	  .role = HD_ROLE_OPERATE,
	  .help = "read the files of keys and tokens again, and ask for "
		  "lists of devices; that happens by itself, too",
	  .run = run_reload },
	{ .words = "policy revoked",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "keys that are revoked",
	  .run = run_revoked,
	  .columns = "key until why" },
	{ .words = "peer revoke",
	  .args = "KEY [--for DURATION] [--why TEXT]",
	  .role = HD_ROLE_OPERATE,
	  .help = "put a key out, now and after a restart",
	  .run = run_revoke },
	{ .words = "peer unrevoke",
	  .args = "KEY",
	  .role = HD_ROLE_OPERATE,
	  .help = "take a revocation back",
	  .run = run_unrevoke },
	{ .words = NULL },
};
