/* SPDX-License-Identifier: MIT */
/* t/unit/module_life.c - in which order the life of a module goes through the
 * kinds of what it registers. Without workers, as at the start. */
#include "core/module/module_life.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include "core/module/registry.h"
#include "t/unit/unit.h"

static char steps[200];
static int load_with; /* what load() returns */
static unsigned under_way;
static bool has_thread; /* of its own, for which unload() waits */

static void note(const char *step)
{
	assert_true(strlen(steps) + strlen(step) + 2 < sizeof(steps));
	strcat(steps, steps[0] != '\0' ? " " : "");
	strcat(steps, step);
}

static void assert_steps(const char *want)
{
	assert_string_equal(steps, want);
	steps[0] = '\0';
}

/* ---- a kind ---- */

static void draft(void)
{
	note("draft");
}

static void publish(void)
{
	note("publish");
}

static void withdraw(const struct hd_module *mod)
{
	assert_string_equal(mod->name, "test");
	note("withdraw");
}

static void reclaim(void)
{
	note("reclaim");
}

static unsigned busy(const struct hd_module *mod)
{
	(void)mod;
	return under_way;
}

static const struct hd_kind kind = {
	.name = "test things",
	.draft = draft,
	.publish = publish,
	.withdraw = withdraw,
	.reclaim = reclaim,
	.busy = busy,
	.busy_text = "a test",
};

static const struct hd_kind last_kind = {
	.name = "asked to the last",
	.withdraw = withdraw,
	.to_the_last = true,
};

/* ---- a module ---- */

static int test_load(struct hd_module *mod, struct hd_error *err)
{
	(void)mod;
	(void)err;
	note("load()");
	return load_with;
}

static void count_sample(void *arg, const struct hd_sample *sample)
{
	unsigned *n = arg;

	(void)sample;
	(*n)++;
}

static void *read_numbers(void *n)
{
	hd_metrics_read(NULL, count_sample, n);
	return NULL;
}

static void wait_for_thread(void)
{
	static unsigned n;
	struct timespec until;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_numbers, &n), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
	assert_true(n > 0);
}

static void test_unload(struct hd_module *mod)
{
	(void)mod;
	note("unload()");
	if (has_thread)
		wait_for_thread();
}

static struct hd_module *place(void)
{
	struct hd_module_file file = {
		.def = { .name = "test",
			 .load = test_load,
			 .unload = test_unload },
		.copy_fd = -1,
	};

	return hd_module_place(&file);
}

static int set_up(void **state)
{
	static const struct hd_conf_cli cli = { .port = -1, .workers = -1 };
	struct hd_conf *conf = NULL;
	struct hd_error err;

	if (hd_conf_load_text("", 0, &cli, &conf, &err) < 0)
		fail_msg("%s", err.text);
	hd_module_sections_begin(conf);
	hd_registry_add(&kind);
	hd_registry_add(&kind); /* once more: no step comes twice */
	*state = conf;
	return 0;
}

static int tear_down(void **state)
{
	struct hd_conf *conf = *state;

	hd_module_sections_clear();
	hd_conf_free(&conf);
	return 0;
}

static void it_comes_and_goes(void **state)
{
	struct hd_life l = { .mod = place() };
	struct hd_error err = { "" };

	(void)state;
	load_with = 0;
	assert_int_equal(hd_life_in(&l, &err), 0);
	assert_steps("draft load() publish");
	assert_true(hd_life_stop(&l));
	assert_steps("");
	assert_true(hd_life_forget(l.mod));
	assert_steps("unload() withdraw reclaim");
	assert_null(hd_modules_find("test"));
}

static void load_fails(void **state)
{
	struct hd_life l = { .mod = place() };
	struct hd_error err = { "" };

	(void)state;
	load_with = -ENOSPC;
	assert_int_equal(hd_life_in(&l, &err), -ENOSPC);
	assert_non_null(strstr(err.text, strerror(ENOSPC)));
	assert_steps("draft load() withdraw publish");
	hd_life_forget(l.mod);
	assert_steps("withdraw reclaim");
}

static void unload_waits_for_who_reads_numbers(void **state)
{
	struct hd_life l = { .mod = place() };
	struct hd_error err = { "" };

	(void)state;
	load_with = 0;
	assert_int_equal(hd_life_in(&l, &err), 0);
	has_thread = true;
	assert_true(hd_life_forget(l.mod));
	has_thread = false;
	assert_steps("draft load() publish unload() withdraw reclaim");
}

static void what_is_under_way_has_a_name(void **state)
{
	struct hd_life l = { .mod = place() };
	const char *text = NULL;

	(void)state;
	under_way = 0;
	assert_false(hd_registry_busy(l.mod, &text));
	under_way = 1;
	assert_true(hd_registry_busy(l.mod, &text));
	assert_string_equal(text, "a test");
	under_way = 0;
	l.mod->tasks = 1;
	assert_true(hd_registry_busy(l.mod, &text));
	assert_string_equal(text, "background work");
	l.mod->tasks = 0;
	hd_life_forget(l.mod);
	steps[0] = '\0';
}

static void some_are_asked_to_the_last(void **state)
{
	struct hd_life l = { .mod = place() };

	(void)state;
	hd_registry_add(&last_kind);
	hd_life_hide_early(l.mod);
	assert_steps("withdraw publish");
	hd_life_hide(l.mod);
	assert_steps("withdraw withdraw publish");
	hd_life_forget(l.mod);
	steps[0] = '\0';
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_and_goes),
		cmocka_unit_test(load_fails),
		cmocka_unit_test(unload_waits_for_who_reads_numbers),
		cmocka_unit_test(what_is_under_way_has_a_name),
		cmocka_unit_test(some_are_asked_to_the_last),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
