/* SPDX-License-Identifier: MIT */
/* modules/policy/commands.c - what operators ask and order. */
#include <errno.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
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
					[POLICY_ASK] = "service" };

static const char *verdict_of(const struct policy_decision *d)
{
	if (d->by == POLICY_ASK)
		return "ask";
	return d->deny ? "deny" : "allow";
}

/* What happens if no service that is to be asked answers. */
static void put_unanswered(struct hd_call *call, const struct policy_worker *pw,
			   const struct policy_subject *who)
{
	struct policy_decision d;

	policy_decide(pw, who, POLICY_DEAD, &d);
	hd_out_open(call, "unanswered", '{');
	hd_out_string(call, "verdict", verdict_of(&d));
	hd_out_string(call, "by", by_names[d.by]);
	hd_out_string(call, "rule", d.rule != NULL ? d.rule->label : NULL);
	hd_out_close(call);
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
	hd_out_string(call, "url", d->by == POLICY_ASK ? d->rule->url : NULL);
	hd_out_string(call, "reason", d->deny ? d->reason : NULL);
	if (d->by == POLICY_ASK)
		put_unanswered(call, pw, who);
	hd_out_close(call);
}

static void run_explain(struct hd_module *mod, struct hd_call *call)
{
	const char *from = hd_call_arg(call, "from");
	struct policy_worker as_worker = {
		.rules = (struct policy_rules *)policy_rules_now(),
		.revoked = policy_main.revoked,
		.quotas = policy_main.quotas,
	};
	struct hd_key key;
	union hd_addr addr;
	struct policy_decision d;
	struct policy_subject who = {
		.key = &key,
		.listener = hd_call_arg(call, "listener"),
		.server_name = hd_call_arg(call, "server-name"),
		.app_name = hd_call_arg(call, "app-name"),
	};

	(void)mod;
	if (!hd_call_arg_key(call, "key", &key) ||
	    (from != NULL && !address_of(call, from, &addr)))
		return;
	who.from = from != NULL ? &addr : NULL;
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
	hd_out_string(call, "url", r->url);
	hd_out_string(call, "tenant", r->tenant);
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
		  "[--app-name NAME]",
	  .role = HD_ROLE_READ,
	  .help = "whether a key may log in, and which rule decides",
	  .run = run_explain },
	{ .words = "policy rules",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "the rules in their order",
	  .run = run_rules,
	  .columns = "rule action keys n_keys n_prefixes listener server_name "
		     "app_name url tenant" },
	{ .words = "policy reread",
	  .args = "",
	  .role = HD_ROLE_OPERATE,
	  .help = "read the files of keys again; they are watched anyway",
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
