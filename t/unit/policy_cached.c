/* SPDX-License-Identifier: MIT */
/* t/unit/policy_cached.c - a login of a key that is known takes no memory: one
 * of 10,000 keys in a list, one that a service has allowed, denied or not
 * answered about. All of the module is here; the core is in place of nothing
 * but itself, where no worker is needed. */
#include <hyper-derp/fetch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/relay/ticket.h"
#include "modules/policy/answers.h"
#include "t/unit/unit.h"

enum { KEYS = 10000 };
#define SERVICE "http://a.example/"
#define NAMES "http://b.example/" /* tenants, too */

/* ---- what the module has from the core ---- */

const void *__wrap_hd_module_conf(struct hd_module *mod);
const void *__wrap_hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w);
uint64_t __wrap_hd_now_ms(const struct hd_worker *w);
void *__wrap_hd_metrics(struct hd_module *mod, struct hd_worker *w);
int __wrap_hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_fetch_request *request, size_t size,
			  hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			  uint64_t *ret_id, struct hd_error *err);

void __wrap_hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
			    const char *reason);

static struct policy_conf conf = { .otherwise = POLICY_DENY,
				   .allow_ttl_ms = 1000,
				   .deny_ttl_ms = 1000,
				   .stale_ttl_ms = 1000 };
static struct policy_numbers numbers;
static struct policy_worker pw = { .w = (struct hd_worker *)&pw };
static unsigned questions;

const void *__wrap_hd_module_conf(struct hd_module *mod)
{
	(void)mod;
	return &conf;
}

const void *__wrap_hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w)
{
	(void)mod;
	(void)w;
	return &conf;
}

uint64_t __wrap_hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return 1000;
}

void *__wrap_hd_metrics(struct hd_module *mod, struct hd_worker *w)
{
	(void)mod;
	(void)w;
	return &numbers;
}

int __wrap_hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_fetch_request *request, size_t size,
			  hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			  uint64_t *ret_id, struct hd_error *err)
{
	(void)mod;
	(void)w;
	(void)request;
	(void)size;
	(void)fn;
	(void)ret_id;
	(void)err;
	questions++;
	drop(arg);
	return 0;
}

void __wrap_hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
			    const char *reason)
{
	(void)verdict;
	(void)reason;
	free(hd_steal(ticket));
}

/* ---- who asks for memory ---- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

static unsigned asked_for_memory;

void *__wrap_malloc(size_t n)
{
	asked_for_memory++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	asked_for_memory++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	asked_for_memory++;
	return __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
	asked_for_memory++;
	return __real_strdup(text);
}

/* ---- rules ---- */

static struct hd_key nth(uint32_t i)
{
	struct hd_key k = { .b = { 0 } };

	k.b[0] = (uint8_t)(i >> 24);
	k.b[1] = (uint8_t)(i >> 16);
	k.b[2] = (uint8_t)(i >> 8);
	k.b[3] = (uint8_t)i;
	return k;
}

static char list[] = "/tmp/hd-cached-XXXXXX";

static int write_list(void)
{
	FILE *f = fdopen(mkstemp(list), "w");
	char text[POLICY_KEY_TEXT_BYTES];

	for (uint32_t i = 0; f != NULL && i < KEYS; i++) {
		const struct hd_key k = nth(i);

		policy_key_text(&k, text);
		fprintf(f, "nodekey:%s name-%u\n", text, i);
	}
	return f != NULL ? fclose(f) : -1;
}

static int set_up(void **state)
{
	static const struct policy_limits_conf limits = { .bytes_per_s = 1 };
	static struct policy_rule_conf rules[] = {
		{ .name = "list",
		  .keys = list,
		  .tenant = "office",
		  .limits = { &limits, 1 } },
		{ .name = "service", .url = SERVICE, .tenant = "home" },
		{ .name = "names", .url = NAMES },
	};
	struct policy_revoked *none = calloc(1, sizeof(*none));
	struct hd_error err = { "" };

	(void)state;
	none->holders = 1;
	pw.revoked = none;
	pw.answers = policy_answers_new();
	conf.rules.v = rules;
	conf.rules.n = HD_ARRAY_N(rules);
	if (write_list() != 0 || policy_rules_new(&conf, &pw.rules, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	policy_answers_end(&pw.answers);
	policy_rules_drop(&pw.rules);
	policy_revoked_drop(&pw.revoked);
	policy_named_end();
	return unlink(list);
}

/* ---- logins ---- */

static enum hd_verdict login(const struct hd_key *key, struct hd_ticket *ticket)
{
	const struct policy_subject who = { .key = key };
	struct hd_ticket *held = NULL;
	enum hd_verdict verdict;

	*ticket = (struct hd_ticket){ 0 };
	verdict = policy_conclude(&pw, &who, ticket, &held);
	assert_null(held);
	return verdict;
}

static void of_a_list(void **state)
{
	struct hd_ticket ticket;

	(void)state;
	asked_for_memory = 0;
	for (uint32_t i = 0; i < KEYS; i++) {
		const struct hd_key k = nth(i);

		assert_int_equal(login(&k, &ticket), HD_VERDICT_PASS);
	}
	assert_int_equal(asked_for_memory, 0);
	assert_string_equal(ticket.label, "name-9999");
	assert_string_equal(ticket.tenant, "office");
	assert_int_equal(ticket.limits[HD_LIMITS_KEY].bytes_per_s, 1);
}

enum said { YES, NO, NOTHING, SAID_N };

static struct answer *say_of(const char *url, const struct hd_key *key,
			     enum said what)
{
	struct service *s = policy_service_of(pw.answers, url);
	struct answer *a = policy_answer_of(s, key);

	a->said = what != NOTHING;
	a->allow = what == YES;
	a->fresh_until_ms = a->stale_until_ms = 2000;
	a->failed_until_ms = what == NOTHING ? 2000 : 0;
	policy_answer_used(s, a);
	return a;
}

static void say(uint32_t i, enum said what)
{
	const struct hd_key k = nth(KEYS + i);

	say_of(SERVICE, &k, what);
	say_of(NAMES, &k, NO);
}

static void that_a_service_knows(void **state)
{
	struct hd_ticket ticket;

	(void)state;
	for (uint32_t i = 0; i < KEYS; i++)
		say(i, i % SAID_N);
	asked_for_memory = questions = 0;
	for (uint32_t i = 0; i < KEYS; i++) {
		const struct hd_key k = nth(KEYS + i);

		assert_int_equal(login(&k, &ticket), i % SAID_N == YES
							     ? HD_VERDICT_PASS
							     : HD_VERDICT_DENY);
	}
	assert_int_equal(asked_for_memory, 0);
	assert_int_equal(questions, 0);
}

/* It was named, nobody was in it for long, and others were named since: an old
 * answer does not take more than the service's part. */
static void a_tenant_whose_place_is_taken(void **state)
{
	const struct hd_key late = nth(4 * KEYS), first = nth(4 * KEYS + 1);
	struct hd_ticket ticket;
	char name[16];

	(void)state;
	say_of(SERVICE, &late, NO);
	say_of(SERVICE, &first, NO);
	strcpy(say_of(NAMES, &late, YES)->extra.tenant, "late");
	strcpy(say_of(NAMES, &first, YES)->extra.tenant, "t0");
	for (unsigned i = 0; i < POLICY_NAMED_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_int_equal(policy_named(NAMES, name, 1000), 0);
	}
	assert_int_equal(login(&first, &ticket), HD_VERDICT_PASS);
	assert_string_equal(ticket.tenant, "t0");
	assert_int_equal(login(&late, &ticket), HD_VERDICT_DENY);
	assert_non_null(strstr(ticket.reason, "too many tenants"));
}

/* The counter works. */
static void that_nobody_knows(void **state)
{
	const struct hd_key k = nth(3 * KEYS);
	const union hd_addr from = { .sa = { .sa_family = AF_INET } };
	const struct policy_subject who = { .key = &k, .from = &from };
	struct hd_ticket ticket = { 0 }, *held = NULL;

	(void)state;
	asked_for_memory = questions = 0;
	assert_int_equal(policy_conclude(&pw, &who, &ticket, &held),
			 HD_VERDICT_PENDING);
	assert_true(asked_for_memory > 0);
	assert_int_equal(questions, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_list),
		cmocka_unit_test(that_a_service_knows),
		cmocka_unit_test(a_tenant_whose_place_is_taken),
		cmocka_unit_test(that_nobody_knows),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
