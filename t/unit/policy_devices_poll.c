/* SPDX-License-Identifier: MIT */
/* t/unit/policy_devices_poll.c - an ETag is that of a list which is in force:
 * of one that was not taken, for want of memory, none goes back, and "it has
 * not changed" is no answer. The list of all lists is this file. */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/state_file.h>
#include <hyper-derp/task.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/devices_poll.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

/* ---- what the module has from the core ---- */

const void *__wrap_hd_module_conf(struct hd_module *mod);
int __wrap_hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_fetch_request *request, size_t size,
			  hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			  uint64_t *ret_id, struct hd_error *err);
int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop);
int __wrap_hd_state_file_write(const char *name, const void *buf, size_t n,
			       struct hd_error *err);

static struct {
	hd_fetch_fn *fn;
	void *arg;
	char etag[64]; /* that goes to the API; "" none */
} asked;

const void *__wrap_hd_module_conf(struct hd_module *mod)
{
	static const struct policy_conf conf = { .devices_every_ms = 1000 };

	(void)mod;
	return &conf;
}

int __wrap_hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_fetch_request *request, size_t size,
			  hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			  uint64_t *ret_id, struct hd_error *err)
{
	(void)mod;
	(void)w;
	(void)size;
	(void)drop;
	(void)ret_id;
	(void)err;
	asked.fn = fn;
	asked.arg = arg;
	asked.etag[0] = '\0';
	for (unsigned i = 0; request->headers[i] != NULL; i++)
		sscanf(request->headers[i], "If-None-Match: %63s", asked.etag);
	return 0;
}

int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)w;
	(void)done;
	(void)drop;
	work(mod, arg);
	return 0;
}

int __wrap_hd_state_file_write(const char *name, const void *buf, size_t n,
			       struct hd_error *err)
{
	(void)name;
	(void)buf;
	(void)n;
	(void)err;
	return 0;
}

/* ---- all lists ---- */

static struct policy_device_list *in_force;
static bool no_memory;
static unsigned n_loaded, n_failed;

struct hd_module *devices_module(void)
{
	return NULL;
}

int devices_event(void)
{
	return -1;
}

struct policy_device_list *devices_list_of(const struct devices_poll *p)
{
	(void)p;
	return in_force;
}

void devices_count(unsigned loaded, unsigned failed)
{
	n_loaded += loaded;
	n_failed += failed;
}

int policy_devices_publish(struct policy_device_list **list)
{
	if (no_memory) {
		policy_device_list_drop(list);
		return -ENOMEM;
	}
	policy_device_list_drop(&in_force);
	in_force = hd_steal(list);
	return 0;
}

/* ---- an API ---- */

static struct policy_rule rule = { .label = (char[]){ "tailnet" },
				   .devices.url = (char[]){ "http://a/" } };
static struct devices_poll poll = { .rule = &rule };

static void says(unsigned status, const char *head, const char *body)
{
	const struct hd_fetched got = { .status = status,
					.text = "",
					.url = rule.devices.url,
					.body = body,
					.body_len_bytes = strlen(body),
					.head = head };

	devices_ask(&poll);
	asked.fn(NULL, NULL, asked.arg, &got);
	devices_take(&poll);
	assert_int_equal(poll.state, DEVICES_REST);
}

static void an_etag_is_that_of_what_is_in_force(void **state)
{
	(void)state;
	assert_int_equal(policy_path_parse("[*]", &rule.devices.paths.key), 0);
	says(200, "ETag: \"one\"\r\n", "[\"" AA "\"]");
	assert_int_equal(in_force->keys.n, 1);
	says(304, "", "");
	assert_string_equal(asked.etag, "\"one\"");
	assert_int_equal(n_loaded, 2);

	no_memory = true;
	says(200, "ETag: \"two\"\r\n", "[\"" AA "\",\"" BB "\"]");
	assert_int_equal(n_failed, 1);
	assert_string_equal(poll.error, "out of memory");
	assert_int_equal(in_force->keys.n, 1);

	no_memory = false;
	says(304, "", "");
	assert_string_equal(asked.etag, "");
	assert_int_equal(n_failed, 2);
	says(200, "ETag: \"two\"\r\n", "[\"" AA "\",\"" BB "\"]");
	assert_string_equal(poll.error, "");
	assert_int_equal(in_force->keys.n, 2);
	policy_device_list_drop(&in_force);
}

/* ---- lists that no rule names ---- */

static struct policy_device_list *list_of(unsigned char id)
{
	const struct hd_key k = key_of(id);

	return policy_device_list_new(&k, &(struct policy_keys){ .n = 0 });
}

static struct policy_rules *rules_of(unsigned char id)
{
	static union {
		struct policy_rules rules;
		char room[sizeof(struct policy_rules) +
			  sizeof(struct policy_rule)];
	} all[2];
	static unsigned n;
	struct policy_rules *r = &all[n++ % 2].rules;

	r->n = 1;
	r->v[0].devices.id = key_of(id);
	r->v[0].devices.url = rule.devices.url;
	return r;
}

static void only_those_that_a_rule_names_stay(void **state)
{
	struct policy_device_list *one = list_of(1), *two = list_of(2);
	struct policy_devices *a = policy_devices_with(NULL, one);
	struct policy_devices *both = policy_devices_with(a, two);
	const struct policy_rules *of_one = rules_of(1), *of_two = rules_of(2);
	struct policy_devices *now, *soon;

	(void)state;
	now = policy_devices_named(both, of_two, NULL);
	soon = policy_devices_named(both, of_two, of_one);
	policy_devices_drop(&a);
	policy_devices_drop(&both);
	assert_int_equal(now->n, 1);
	assert_ptr_equal(now->v[0], two);
	assert_int_equal(soon->n, 2);
	policy_devices_drop(&soon);
	assert_int_equal(one->holders, 1); /* ours */
	assert_int_equal(two->holders, 2);
	policy_devices_drop(&now);
	policy_device_list_drop(&one);
	policy_device_list_drop(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_etag_is_that_of_what_is_in_force),
		cmocka_unit_test(only_those_that_a_rule_names_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
