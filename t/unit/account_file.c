/* SPDX-License-Identifier: MIT */
/* t/unit/account_file.c - policy's files of accounts: opened, cut off, damaged,
 * on a disk that is full, grown long. */
#include "modules/policy/account.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/state_file.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop);

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

static const struct account_counts one = { { 1, 2, 3, 4, 5 } };

static char dir[64];

static int make_dir(void **state)
{
	struct hd_error err;

	(void)state;
	strcpy(dir, "/tmp/hd-journal-XXXXXX");
	return mkdtemp(dir) != NULL ? hd_state_dir_open(dir, &err) : -1;
}

static int remove_dir(void **state)
{
	char text[128];

	(void)state;
	account_unlock();
	hd_state_dir_close();
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	return system(text); /* NOLINT(cert-env33-c): our own folder */
}

static void add(struct account_book *b)
{
	const struct hd_key key = key_of(1);

	ledger_add(b->ledger, ledger_account(b->ledger, "t", &key, "n", 9),
		   &one);
}

static void tick(struct account_book *b)
{
	struct hd_error err = { "" };

	for (int i = 0; i < 2; i++) /* the second takes the result */
		if (account_book_tick(NULL, b, &err) < 0)
			fail_msg("%s", err.text);
}

static uint64_t drops_of(struct account_book *b)
{
	uint64_t sum = 0;

	for (const struct account *a = b->ledger->first; a != NULL; a = a->next)
		sum += a->sum.n[ACCOUNT_DROPS];
	return sum / one.n[ACCOUNT_DROPS];
}

static void ends(struct account_book **b)
{
	struct hd_error err = { "" };

	if (account_book_end(*b, &err) != 0)
		fail_msg("%s", err.text);
	account_book_free(b);
}

static void counted_before_it_is_open(void **state)
{
	struct account_book *b = account_book_new(12 * 2026);

	(void)state;
	add(b);
	tick(b);
	add(b);
	ends(&b);
	b = account_book_new(12 * 2026);
	add(b);
	tick(b);
	assert_int_equal(drops_of(b), 3);
	assert_true(account_book_saved(b));
	account_book_free(&b);
	b = account_book_new(12 * 2026);
	tick(b);
	assert_int_equal(drops_of(b), 3);
	account_book_free(&b);
}

static void half_a_record_at_the_end(void **state)
{
	struct account_book *b = account_book_new(1);
	struct stat st;

	(void)state;
	add(b);
	tick(b);
	add(b);
	tick(b);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(truncate(b->path, st.st_size - 3), 0);
	account_book_free(&b);
	b = account_book_new(1);
	tick(b);
	assert_int_equal(drops_of(b), 1);
	add(b);
	ends(&b);
	b = account_book_new(1);
	tick(b);
	assert_int_equal(drops_of(b), 2);
	account_book_free(&b);
}

static void damage_is_kept(void **state)
{
	struct account_book *b = account_book_new(2);
	char bad[600];

	(void)state;
	for (int i = 0; i < 3; i++) {
		add(b);
		tick(b);
	}
	/* in the second of three frames */
	assert_int_equal(pwrite(b->fd, "?", 1, (off_t)b->good - 25), 1);
	snprintf(bad, sizeof(bad), "%s.bad", b->path);
	account_book_free(&b);
	b = account_book_new(2);
	tick(b);
	assert_int_equal(access(bad, F_OK), 0);
	assert_true(drops_of(b) >= 1 && drops_of(b) < 3);
	add(b);
	ends(&b);
	b = account_book_new(2);
	tick(b);
	assert_true(account_book_saved(b));
	account_book_free(&b);
}

/* Neither what is good of it nor the damaged file is lost. */
static void damage_on_a_full_disk(void **state)
{
	struct account_book *b = account_book_new(5);
	struct rlimit was, none;
	struct hd_error err;

	(void)state;
	for (int i = 0; i < 3; i++) {
		add(b);
		tick(b);
	}
	assert_int_equal(pwrite(b->fd, "?", 1, (off_t)b->good - 25), 1);
	account_book_free(&b);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = 5;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	b = account_book_new(5);
	assert_int_equal(account_book_tick(NULL, b, &err), -EFBIG);
	assert_int_equal(account_book_tick(NULL, b, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	tick(b);
	assert_true(drops_of(b) >= 1 && drops_of(b) < 3);
	account_book_free(&b);
}

static void the_disk_is_full(void **state)
{
	struct account_book *b = account_book_new(3);
	struct rlimit was, none;
	struct hd_error err;

	(void)state;
	add(b);
	tick(b);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = b->good + 5; /* half of it can be written */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (int i = 0; i < 3; i++) {
		add(b);
		account_book_tick(NULL, b, &err);
	}
	assert_int_equal(account_book_tick(NULL, b, &err), -EFBIG);
	assert_false(account_book_saved(b));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	ends(&b);
	b = account_book_new(3);
	tick(b);
	assert_int_equal(drops_of(b), 4);
	account_book_free(&b);
}

static void long_files_are_written_anew(void **state)
{
	struct account_book *b = account_book_new(4);
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		add(b);
		tick(b);
	}
	assert_int_equal(stat(b->path, &st), 0);
	assert_true(st.st_size < (2 << 20));
	ends(&b);
	b = account_book_new(4);
	tick(b);
	assert_int_equal(drops_of(b), 100000);
	account_book_free(&b);
}

static void months(void **state)
{
	unsigned m;
	char text[16];

	(void)state;
	assert_true(account_month_parse("2026-11", &m));
	assert_string_equal(account_month_text(m, text), "2026-11");
	assert_string_equal(account_month_text(m + 2, text), "2027-01");
	assert_false(account_month_parse("2026-13", &m));
	assert_false(account_month_parse("2026-00", &m));
	assert_false(account_month_parse("2026-1", &m));
	assert_false(account_month_parse("26-11-1", &m));
	assert_false(account_month_parse("", &m));
}

#define WITH_DIR(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(months),
		WITH_DIR(counted_before_it_is_open),
		WITH_DIR(half_a_record_at_the_end),
		WITH_DIR(damage_is_kept),
		WITH_DIR(damage_on_a_full_disk),
		WITH_DIR(the_disk_is_full),
		WITH_DIR(long_files_are_written_anew),
	};

	signal(SIGXFSZ, SIG_IGN); /* -EFBIG instead */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
