/* SPDX-License-Identifier: MIT */
/* t/unit/account_kill.c - a process that counts is killed at any moment, again
 * and again, also while its file is written anew: the file has all that it had
 * written by then, and nothing twice. HD_LONG: 1,000 times. */
#include <errno.h>
#include <hyper-derp/task.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/base/state_file.h"
#include "modules/policy/account.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

enum { ROUNDS = 40, ROUNDS_LONG = 1000, MONTH = 12 * 2026, KEYS = 50 };

int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop);

/* At once, in this thread: the end may come anywhere in it. */
int __wrap_hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)w;
	(void)done;
	(void)drop;
	work(mod, arg);
	return 0;
}

static struct shared { /* with the process that is killed */
	atomic_ullong counted, saved;
} * shared;

static char dir[64], path[128], path_new[140], path_bad[140];

static int make_dir(void **state)
{
	struct hd_error err;

	(void)state;
	strcpy(dir, "/tmp/hd-kill-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/accounting.2026-01", dir);
	snprintf(path_new, sizeof(path_new), "%s.new", path);
	snprintf(path_bad, sizeof(path_bad), "%s.bad", path);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared != MAP_FAILED ? hd_state_dir_open(dir, &err) : -1;
}

static int remove_dir(void **state)
{
	char text[128];

	(void)state;
	hd_state_dir_close();
	munmap(shared, sizeof(*shared));
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	return system(text); /* NOLINT(cert-env33-c): our own folder */
}

/* ---- who is killed ---- */

/* New names make the file long. */
static void count_one(struct account_book *b, unsigned i)
{
	static const struct account_counts one = { { 1, 2, 3, 4, 5 } };
	const struct hd_key key = key_of((unsigned char)(i % KEYS + 1));
	char name[ACCOUNT_NAME_BYTES];

	snprintf(name, sizeof(name), "%050u", i);
	shared->counted++;
	ledger_add(b->ledger,
		   ledger_account(b->ledger, "t", &key, name, SIZE_MAX), &one);
}

static _Noreturn void count_on(void)
{
	struct account_book *b = account_book_new(MONTH);
	struct hd_error err = { "" };

	for (unsigned i = 0;; i++) {
		count_one(b, i);
		for (unsigned k = 0; k < 2;
		     k++) /* the second takes the result */
			if (account_book_tick(NULL, b, &err) < 0)
				_exit(1);
		if (account_book_saved(b))
			shared->saved = shared->counted;
	}
}

static pid_t begin(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	count_on();
}

/* ---- who kills ---- */

static void spin_us(unsigned us)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000 +
		       (now.tv_nsec - from.tv_nsec) / 1000 <
	       us);
}

/* After some counts, or while the file is written anew; then a moment later. */
static void wait_for_a_moment(pid_t pid, unsigned round)
{
	bool anew = round % 4 == 0;
	unsigned long long until =
		shared->counted + (anew ? 30000 : (unsigned)random() % 300);

	while (shared->counted < until &&
	       !(anew && access(path_new, F_OK) == 0)) {
		int r = waitpid(pid, NULL, WNOHANG);

		if (r != 0)
			fail_msg("it ends by itself");
		sched_yield();
	}
	spin_us((unsigned)random() % (anew ? 2000 : 200));
}

static uint64_t on_disk(void)
{
	struct hd_error err = { "" };
	struct ledger *l;
	uint64_t n;

	if (account_file_read(path, &l, &err) == -ENOENT)
		return 0;
	if (l == NULL)
		fail_msg("%s", err.text);
	n = ledger_tenant(l, "t") != NULL
		    ? ledger_tenant(l, "t")->sum.n[ACCOUNT_BYTES_IN]
		    : 0;
	ledger_free(&l);
	return n;
}

static void kill_one(unsigned round)
{
	pid_t pid = begin();
	uint64_t n;
	int status;

	wait_for_a_moment(pid, round);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	n = on_disk();
	if (n < shared->saved || n > shared->counted)
		fail_msg("round %u: %llu were on the disk, %llu counted, and "
			 "%llu are there",
			 round, (unsigned long long)shared->saved,
			 (unsigned long long)shared->counted,
			 (unsigned long long)n);
	assert_int_equal(access(path_bad, F_OK), -1);
	shared->saved = shared->counted = n;
}

static void killed_at_any_moment(void **state)
{
	const char *seed = getenv("HD_SEED");
	unsigned s = seed != NULL ? (unsigned)strtoul(seed, NULL, 10)
				  : (unsigned)time(NULL);
	unsigned n = getenv("HD_LONG") != NULL ? ROUNDS_LONG : ROUNDS;

	(void)state;
	print_message("# HD_SEED=%u, %u times\n", s, n);
	srandom(s);
	for (unsigned i = 0; i < n; i++)
		kill_one(i);
	assert_true(shared->counted > n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_any_moment, make_dir,
						remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
