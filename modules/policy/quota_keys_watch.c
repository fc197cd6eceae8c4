/* SPDX-License-Identifier: MIT */
/* modules/policy/quota_keys_watch.c - which keys have used much of what a rule
 * gives each. Each account knows how many of the rules' marks (80 and 100 % of
 * every quota) it has passed; when that changes, workers get another list, and
 * look who is connected. They tell, with what a key has used, the quota of its
 * rule: then 80 and 100 % of that are said, once.
 * Context: the main thread. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

enum { LOOKS = 60 }; /* so long another rule's quota counts on: a minute */

static struct {
	uint64_t *marks; /* ascending */
	size_t n;
	uint32_t looks; /* there have been so many, one a second */
	uint64_t ledger; /* whose accounts have been counted; 0: none's */
	bool changed; /* an account has passed a mark since the list was made */
	struct policy_over *over;
} watch;

static uint64_t used_by(const struct account *a)
{
	return a->sum.n[ACCOUNT_BYTES_IN] + a->sum.n[ACCOUNT_BYTES_OUT];
}

/* Those for whom there was no room count together: no quota is theirs. */
static bool is_one_key(const struct account *a)
{
	static const struct hd_key nobody;

	return memcmp(&a->key, &nobody, sizeof(nobody)) != 0;
}

/* ---- said ---- */

static const char *words_of(enum policy_quota_level level)
{
	static const char *const words[] = {
		[POLICY_QUOTA_WELL] = "it may go on",
		[POLICY_QUOTA_NEAR] = "it has used 80 %",
		[POLICY_QUOTA_USED] = "it is used",
	};

	return words[level];
}

static void tell(const struct account *a)
{
	char json[320], key[POLICY_KEY_TEXT_BYTES];
	uint64_t used = used_by(a);

	policy_key_text(&a->key, key);
	hd_log_write(a->level == POLICY_QUOTA_WELL ? HD_LOG_NOTICE
						   : HD_LOG_WARN,
		     "quota: key=%s tenant=%s used=%" PRIu64 " of=%" PRIu64
		     " (%s)",
		     hd_key_text(&a->key).s, a->tenant->name, used,
		     a->quota_bytes, words_of(a->level));
	snprintf(json, sizeof(json),
		 "{\"tenant\":\"%s\",\"key\":\"%s\",\"used\":%" PRIu64
		 ",\"quota\":%" PRIu64 ",\"percent\":%u}",
		 a->tenant->name, key, used, a->quota_bytes,
		 policy_quota_percent(used, a->quota_bytes));
	hd_event("policy.quota", json);
	hd_audit("policy.quota", json);
	policy_quota_said(true, a->level);
}

/* ---- marks ---- */

/* Thousands of rules may have quotas, and each account is asked each second. */
static size_t marks_of(uint64_t used)
{
	size_t low = 0, high = watch.n;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (used >= watch.marks[i])
			low = i + 1;
		else
			high = i;
	}
	return low;
}

static void pass_marks(struct account *a)
{
	size_t marks = is_one_key(a) ? marks_of(used_by(a)) : 0;

	watch.changed |= marks != a->marks;
	a->marks = (uint32_t)marks;
}

/* Whether it is the one to compare with. A connection that has just begun does
 * not tell its rule's yet. Where rules give a key's connections several, it is
 * the smallest: else each would take back what has been said for the other's
 * sake, once a second. */
static bool take_quota(struct account *a, uint64_t bytes)
{
	if (bytes == 0 || (a->quota_bytes != 0 && bytes > a->quota_bytes &&
			   watch.looks - a->quota_look < LOOKS))
		return false;
	a->quota_bytes = bytes;
	a->quota_look = watch.looks;
	return true;
}

void policy_quota_count(struct account *a, uint64_t quota_bytes)
{
	enum policy_quota_level level;

	pass_marks(a);
	if (!take_quota(a, quota_bytes))
		return;
	level = policy_quota_level(used_by(a), quota_bytes);
	if (level == a->level)
		return;
	a->level = level;
	tell(a);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Returns whether they are others than before. */
static bool take_marks(void)
{
	const struct policy_rules *rules = policy_rules_now();
	uint64_t *v = calloc(2 * rules->n + 1, sizeof(*v));
	size_t n = 0;
	bool same;

	if (v == NULL)
		return false;
	for (size_t i = 0; i < rules->n; i++) {
		uint64_t bytes = rules->v[i].quota.bytes;

		if (bytes == 0)
			continue;
		v[n++] = bytes - bytes / 5;
		v[n++] = bytes;
	}
	qsort(v, n, sizeof(*v), by_size);
	same = n == watch.n &&
	       (n == 0 || memcmp(v, watch.marks, n * sizeof(*v)) == 0);
	free(watch.marks);
	watch.marks = v;
	watch.n = n;
	return !same;
}

/* ---- the list ---- */

static void make_list(const struct ledger *l)
{
	struct policy_over_key *v = calloc(l->n + 1, sizeof(*v));
	struct policy_over *over = NULL;
	size_t n = 0;

	for (const struct account *a = l->first; v != NULL && a != NULL;
	     a = a->next)
		if (a->marks > 0)
			v[n++] = (struct policy_over_key){
				a->key, policy_over_tenant(a->tenant->name),
				used_by(a)
			};
	if (v != NULL)
		over = policy_over_new(v, n);
	free(v);
	if (over == NULL)
		return; /* at the next look */
	policy_over_drop(&watch.over);
	watch.over = over;
	watch.changed = false;
}

struct policy_over *policy_quota_keys_look(const struct ledger *l)
{
	watch.looks++;
	if (take_marks() || l->number != watch.ledger)
		for (struct account *a = l->first; a != NULL; a = a->next) {
			a->quota_bytes = 0; /* it may be another now */
			pass_marks(a);
		}
	watch.changed |= l->number != watch.ledger;
	watch.ledger = l->number;
	if (watch.changed && (watch.n > 0 || watch.over != NULL))
		make_list(l);
	return watch.over;
}

void policy_quota_keys_end(void)
{
	free(watch.marks);
	watch.marks = NULL;
	watch.n = 0;
	watch.ledger = 0;
	watch.changed = false;
	policy_over_drop(&watch.over);
}

/* ---- shown ---- */

/* An operator asks: all of them are looked at.
 * @tenant  NULL: that in which the key has used most
 * Returns NULL: it has used nothing. */
static const struct account *account_of(const char *tenant,
					const struct hd_key *key)
{
	unsigned month;
	const struct ledger *l = account_now(&month);
	const struct account *most = NULL;

	for (const struct account *a = l != NULL ? l->first : NULL; a != NULL;
	     a = a->next)
		if (memcmp(&a->key, key, sizeof(*key)) == 0 &&
		    (tenant == NULL || strcmp(a->tenant->name, tenant) == 0) &&
		    (most == NULL || used_by(a) > used_by(most)))
			most = a;
	return most;
}

/* Of a rule without one that has a service this says it, at the login. */
static const char *tenant_if_known(const struct policy_rule *rule)
{
	if (rule->tenant != NULL)
		return rule->tenant;
	return rule->url != NULL ? NULL : "";
}

void policy_quota_put_key(struct hd_call *call, const struct policy_rule *rule,
			  const struct hd_key *key)
{
	const char *tenant = tenant_if_known(rule);
	const struct account *a = account_of(tenant, key);
	uint64_t used = a != NULL ? used_by(a) : 0;

	hd_out_open(call, "quota", '{');
	if (tenant == NULL && a != NULL)
		hd_out_string(call, "tenant", a->tenant->name);
	hd_out_uint(call, "bytes", rule->quota.bytes);
	hd_out_uint(call, "used", used);
	hd_out_uint(call, "percent",
		    policy_quota_percent(used, rule->quota.bytes));
	hd_out_close(call);
}

/* ---- a new process takes over ---- */

void policy_quota_keys_pack(struct hd_pack *to)
{
	unsigned month;
	const struct ledger *l = account_now(&month);

	for (const struct account *a = l != NULL ? l->first : NULL; a != NULL;
	     a = a->next) {
		if (a->marks == 0 && a->level == POLICY_QUOTA_WELL)
			continue;
		hd_pack_open(to, "key_quota");
		hd_pack_text(to, "tenant", a->tenant->name);
		hd_pack_bytes(to, "key", &a->key, sizeof(a->key));
		hd_pack_number(to, "used", used_by(a));
		hd_pack_number(to, "level", a->level);
		hd_pack_close(to);
	}
}

/* What has been said goes to an account that is empty, until the file is read
 * and both become one. */
static int unpack_key(const struct hd_unpack *one, struct policy_over_key *ret)
{
	char tenant[HD_TENANT_BYTES];
	uint64_t level;
	unsigned month;
	struct ledger *l = (struct ledger *)account_now(&month);
	struct account *a;

	if (hd_unpack_text(one, "tenant", tenant, sizeof(tenant)) < 0 ||
	    hd_unpack_bytes(one, "key", &ret->key, sizeof(ret->key)) < 0 ||
	    hd_unpack_number(one, "used", &ret->used) < 0 ||
	    hd_unpack_number(one, "level", &level) < 0 ||
	    level > POLICY_QUOTA_USED)
		return -EBADMSG;
	ret->tenant = policy_over_tenant(tenant);
	a = l != NULL ? ledger_account(l, tenant, &ret->key, "", SIZE_MAX)
		      : NULL;
	if (a != NULL)
		a->level = (enum policy_quota_level)level;
	return 0;
}

struct policy_over *policy_quota_keys_unpack(const struct hd_unpack *from)
{
	struct hd_unpack all = *from, one;
	struct policy_over_key *v = NULL, *larger;
	size_t n = 0;

	while (hd_unpack_next(&all, "key_quota", &one)) {
		larger = reallocarray(v, n + 1, sizeof(*v));
		if (larger == NULL || unpack_key(&one, &larger[n]) < 0) {
			v = larger != NULL ? larger : v;
			break; /* those are known when they have sent more */
		}
		v = larger;
		n++;
	}
	policy_over_drop(&watch.over);
	watch.over = n > 0 ? policy_over_new(v, n) : NULL;
	free(v);
	return watch.over;
}
