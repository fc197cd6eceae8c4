/* SPDX-License-Identifier: MIT */
/* t/unit/account_main.c - what policy's workers have counted goes to the month
 * that it is, whichever way the clock has jumped. */
#include <hyper-derp/mainloop.h>
#include <hyper-derp/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/base/state_file.h"
#include "modules/policy/policy.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

enum { JANUARY_S = 1767225600 + 86400, DAY_S = 86400 }; /* of 2026, the 2nd */

/* ---- in place of the core and of the rest of the module ---- */

static struct policy_conf conf = { .accounting = true, .accounting_keys = 10 };
static time_t now_s;
static uint64_t passed_ns; /* beside what really has */
static hd_main_timer_fn *on_tick;

struct policy_main policy_main;

time_t __wrap_time(time_t *ret);
const void *__wrap_hd_module_conf(const struct hd_module *mod);
struct hd_main_timer *__wrap_hd_main_timer_new(struct hd_module *mod,
					       hd_main_timer_fn *fn, void *arg);
void __wrap_hd_main_timer_set(struct hd_main_timer *timer, uint32_t delay_ms);
void __wrap_hd_main_timer_free(struct hd_main_timer **timer);
int __wrap_hd_watch(struct hd_module *mod, int fd, unsigned events,
		    hd_watch_fn *fn, void *arg);
void __wrap_hd_unwatch(struct hd_module *mod, int fd);
int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop);

uint64_t __real_hd_now_ns(void);
uint64_t __wrap_hd_now_ns(void);

uint64_t __wrap_hd_now_ns(void)
{
	return __real_hd_now_ns() + passed_ns;
}

time_t __wrap_time(time_t *ret)
{
	(void)ret;
	return now_s;
}

const void *__wrap_hd_module_conf(const struct hd_module *mod)
{
	(void)mod;
	return &conf;
}

struct hd_main_timer *__wrap_hd_main_timer_new(struct hd_module *mod,
					       hd_main_timer_fn *fn, void *arg)
{
	(void)mod;
	(void)arg;
	on_tick = fn;
	return (struct hd_main_timer *)&on_tick; /* nobody looks into it */
}

void __wrap_hd_main_timer_set(struct hd_main_timer *timer, uint32_t delay_ms)
{
	(void)timer;
	(void)delay_ms;
}

void __wrap_hd_main_timer_free(struct hd_main_timer **timer)
{
	*timer = NULL;
}

int __wrap_hd_watch(struct hd_module *mod, int fd, unsigned events,
		    hd_watch_fn *fn, void *arg)
{
	(void)mod;
	(void)fd;
	(void)events;
	(void)fn;
	(void)arg;
	return 0;
}

void __wrap_hd_unwatch(struct hd_module *mod, int fd)
{
	(void)mod;
	(void)fd;
}

/* At once, in this thread. */
int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)w;
	(void)done;
	(void)drop;
	work(mod, arg);
	return 0;
}

int account_hooks(struct hd_module *mod, struct hd_error *err)
{
	(void)mod;
	(void)err;
	return 0;
}

void policy_quota_look(void)
{
}

void policy_quota_count(struct account *a, uint64_t quota_bytes)
{
	(void)a;
	(void)quota_bytes;
}

void policy_quota_keys_end(void)
{
}

void policy_quota_end(void)
{
}

/* ---- the test ---- */

static char dir[64];

static int make_dir(void **state)
{
	struct hd_error err;

	(void)state;
	strcpy(dir, "/tmp/hd-account-XXXXXX");
	return mkdtemp(dir) != NULL ? hd_state_dir_open(dir, &err) : -1;
}

static int remove_dir(void **state)
{
	char text[128];

	(void)state;
	hd_state_dir_close();
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	return system(text); /* NOLINT(cert-env33-c): our own folder */
}

static struct hd_module *const mod = (struct hd_module *)dir; /* as it */

/* A batch of one, with n packets in; and the main thread has its time. */
static void count(uint64_t n)
{
	struct account_batch *b = calloc(1, sizeof(*b) + sizeof(*b->v));

	b->n = b->size = 1;
	b->v[0].key = key_of(1);
	b->v[0].more.n[ACCOUNT_PACKETS_IN] = n;
	account_take(&b);
	for (unsigned i = 0; i < 3; i++)
		on_tick(mod, NULL);
}

static uint64_t packets_of(const struct ledger *l)
{
	const struct account_tenant *t = ledger_tenant(l, "");

	return t != NULL ? t->sum.n[ACCOUNT_PACKETS_IN] : 0;
}

static uint64_t packets_now(const char *want)
{
	unsigned month;
	char text[16];
	const struct ledger *l = account_now(&month);

	assert_string_equal(account_month_text(month, text), want);
	return packets_of(l);
}

static uint64_t packets_in_file(const char *month)
{
	char path[128];
	struct ledger *l;
	struct hd_error err;
	uint64_t n;

	snprintf(path, sizeof(path), "%s/accounting.%s", dir, month);
	assert_int_equal(account_file_read(path, &l, &err), 0);
	n = packets_of(l);
	ledger_free(&l);
	return n;
}

static void load(void)
{
	struct hd_error err;

	now_s = JANUARY_S;
	assert_int_equal(account_load(mod, &err), 0);
}

static void the_clock_goes_on_and_back(void **state)
{
	(void)state;
	load();
	count(1);
	assert_int_equal(packets_now("2026-01"), 1);
	now_s = JANUARY_S + 31l * DAY_S;
	assert_int_equal(packets_now("2026-02"), 0);
	count(10);
	assert_int_equal(packets_in_file("2026-01"), 1);
	now_s = JANUARY_S;
	count(100);
	assert_int_equal(packets_now("2026-01"), 101);
	now_s = 0;
	count(1000);
	now_s = JANUARY_S + 31l * DAY_S;
	count(10000);
	account_unload(mod);
	assert_int_equal(packets_in_file("2026-01"), 101);
	assert_int_equal(packets_in_file("2026-02"), 10010);
	assert_int_equal(packets_in_file("1970-01"), 1000);
}

/* Months turn, and what belongs to each is written when that works. */
static void the_disk_fails_meanwhile(void **state)
{
	char path[128];

	(void)state;
	load();
	snprintf(path, sizeof(path), "%s/accounting.lock", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (unsigned i = 0; i < 3; i++) {
		count(1u << i);
		now_s += 31l * DAY_S;
	}
	count(8);
	assert_int_equal(rmdir(path), 0);
	on_tick(mod, NULL);
	account_unload(mod);
	assert_int_equal(packets_in_file("2026-01"), 1);
	assert_int_equal(packets_in_file("2026-02"), 2);
	assert_int_equal(packets_in_file("2026-03"), 4);
	assert_int_equal(packets_in_file("2026-04"), 8);
}

static void without_accounting_there_are_no_files(void **state)
{
	char path[128];

	(void)state;
	conf.accounting = false;
	load();
	for (unsigned i = 0; i < 3; i++)
		on_tick(mod, NULL);
	account_unload(mod);
	conf.accounting = true;
	snprintf(path, sizeof(path), "%s/accounting.2026-01", dir);
	assert_int_equal(access(path, F_OK), -1);
}

static bool has_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void make_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fclose(fopen(path, "w"));
}

/* Not by a clock that was in that month for a moment only. */
static void old_months_are_removed(void **state)
{
	const uint64_t hour = 3600000000000, minute = hour / 60;

	(void)state;
	conf.accounting_months = 2;
	load();
	make_file("accounting.2025-10");
	make_file("accounting.2025-11");
	make_file("accounting.2025-10.bad");
	now_s += 400l * DAY_S; /* the clock is wrong ... */
	count(1);
	passed_ns += 30 * minute;
	on_tick(mod, NULL);
	now_s = JANUARY_S; /* ... and put right */
	on_tick(mod, NULL);
	passed_ns += 59 * minute;
	on_tick(mod, NULL);
	assert_true(has_file("accounting.2025-10"));
	passed_ns += 2 * minute;
	on_tick(mod, NULL);
	assert_false(has_file("accounting.2025-10"));
	assert_true(has_file("accounting.2025-11"));
	assert_true(has_file("accounting.2025-10.bad"));
	make_file("accounting.2025-10");
	conf.accounting_months = 0;
	now_s += 31l * DAY_S;
	on_tick(mod, NULL);
	passed_ns += 2 * hour;
	on_tick(mod, NULL);
	assert_true(has_file("accounting.2025-10"));
	account_unload(mod);
}

#define WITH_DIR(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(the_clock_goes_on_and_back),
		WITH_DIR(the_disk_fails_meanwhile),
		WITH_DIR(without_accounting_there_are_no_files),
		WITH_DIR(old_months_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
