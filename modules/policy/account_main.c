/* SPDX-License-Identifier: MIT */
/* modules/policy/account_main.c - what workers have counted comes to the main
 * thread, which has the ledgers: of this month, and of those before whose files
 * are not written to the end. Workers hold a lock for a pointer; the disk holds
 * up nobody.
 *
 * Clocks may jump: what is counted belongs to the month that it is then. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "modules/policy/policy.h"

enum {
	TICK_MS = 1000,
	BOOKS_MAX = 8, /* clocks that jump, and a full disk */
	LOG_AGAIN_MS = 60000,
	FLUSH_MS = 1000, /* no packet moves meanwhile */
	SURE_MS = 3600000, /* a clock that is so long in a month is right */
};

static struct {
	pthread_mutex_t lock;
	struct account_batch *first; /* under the lock */
	int event; /* there are some */
	struct hd_module *mod;
	struct hd_main_timer *timer;
	struct account_book *books; /* the first: now */
	uint64_t month_ms; /* since when it is */
	unsigned month, cleaned; /* it is; it was when old ones were removed */
	uint64_t failed_ms; /* when that was logged; 0: files are well */
} books = { .lock = PTHREAD_MUTEX_INITIALIZER, .event = -1 };

/* ---- from workers ---- */

void account_take(struct account_batch **batch)
{
	struct account_batch *b = hd_steal(batch);
	uint64_t one = 1;

	pthread_mutex_lock(&books.lock);
	b->next = books.first;
	books.first = b;
	pthread_mutex_unlock(&books.lock);
	if (write(books.event, &one, sizeof(one)) < 0)
		return; /* it is told already; and there is the timer */
}

static struct account_batch *take_batches(void)
{
	struct account_batch *b;

	pthread_mutex_lock(&books.lock);
	b = books.first;
	books.first = NULL;
	pthread_mutex_unlock(&books.lock);
	return b;
}

/* ---- ledgers ---- */

/* This month's becomes the first. Returns NULL when out of memory. */
static struct account_book *book_now(void)
{
	struct account_book **at = &books.books, *b;
	unsigned month = account_month_now(), n = 0;

	for (; *at != NULL && (*at)->month != month; n++)
		at = &(*at)->next;
	b = *at;
	if (b != NULL)
		*at = b->next;
	else if (n >= BOOKS_MAX)
		return books.books;
	else
		b = account_book_new(month);
	if (b == NULL)
		return books.books;
	if (b->wake_fd != books.event) /* a helper may read it */
		b->wake_fd = books.event;
	b->next = books.books;
	books.books = b;
	return b;
}

const struct ledger *account_now(unsigned *ret_month)
{
	struct account_book *b = books.mod != NULL ? book_now() : NULL;

	if (b == NULL)
		return NULL;
	*ret_month = b->month;
	return b->ledger;
}

static void on_lost(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_numbers *n = hd_metrics(mod, w);

	hd_count(&n->account_lost, (uint64_t)(uintptr_t)arg);
}

static void on_failed(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_numbers *n = hd_metrics(mod, w);

	(void)arg;
	hd_count(&n->account_failed, 1);
}

/* Metrics are written in workers. */
static void count_in_worker(hd_post_fn *fn, uintptr_t n)
{
	if (hd_workers() > 0)
		hd_post(books.mod, hd_worker_at(0), fn, (void *)n, NULL);
}

static void enter(struct ledger *l, const struct account_batch *batch)
{
	const struct policy_conf *conf = hd_module_conf(books.mod);
	uintptr_t lost = 0;

	for (size_t i = 0; i < batch->n; i++) {
		const struct account_item *x = &batch->v[i];
		struct account *a =
			ledger_account(l, x->tenant, &x->key, x->name,
				       (size_t)conf->accounting_keys);

		lost += a == NULL;
		if (a == NULL)
			continue;
		ledger_add(l, a, &x->more);
		policy_quota_count(a, x->quota_bytes);
	}
	if (lost > 0)
		count_in_worker(on_lost, lost);
}

static void enter_batches(void)
{
	struct account_batch *next, *batch = take_batches();
	struct account_book *b = book_now();

	for (; batch != NULL; batch = next) {
		next = batch->next;
		if (b != NULL)
			enter(b->ledger, batch);
		free(batch);
	}
}

/* ---- files ---- */

static uint64_t now_ms(void)
{
	return hd_now_ns() / 1000000;
}

/* Another relay that ends soon is no failure, at first. */
static void say_failure(int e, const struct hd_error *err)
{
	if (e != -EBUSY)
		count_in_worker(on_failed, 0);
	if (books.failed_ms != 0 && now_ms() - books.failed_ms < LOG_AGAIN_MS)
		return;
	books.failed_ms = now_ms();
	hd_log(e == -EBUSY ? HD_LOG_NOTICE : HD_LOG_ERROR,
	       "accounting: %s; what is counted waits in memory, and is lost "
	       "if the relay ends before this works",
	       err->text);
}

static void say_success(void)
{
	if (books.failed_ms != 0)
		hd_log_notice("accounting: it is written again");
	books.failed_ms = 0;
}

static bool is_over(const struct account_book *b)
{
	return b != books.books && account_book_saved(b);
}

static void write_books(void)
{
	struct account_book **at = &books.books;
	struct hd_error err;
	int e = 0;

	while (*at != NULL) {
		int r = account_book_tick(books.mod, *at, &err);

		e = e < 0 ? e : r;
		if (r < 0)
			say_failure(r, &err);
		if (is_over(*at)) {
			struct account_book *b = *at;

			*at = b->next;
			account_book_free(&b);
		} else {
			at = &(*at)->next;
		}
	}
	if (e == 0)
		say_success();
}

/* Nothing is counted: then no file is made either. */
static bool is_idle(void)
{
	const struct policy_conf *conf = hd_module_conf(books.mod);
	const struct account_book *b = books.books;

	while (b != NULL && account_book_saved(b))
		b = b->next;
	return !conf->accounting && b == NULL;
}

static void on_event(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	uint64_t n;

	(void)mod;
	(void)events;
	(void)arg;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	enter_batches();
	write_books();
}

/* Once a month. A clock that is wrong at the start, or jumps, must not cost
 * what there is of the years between. */
static void remove_old(void)
{
	const struct policy_conf *conf = hd_module_conf(books.mod);
	unsigned month = account_month_now();

	if (month != books.month) {
		books.month = month;
		books.month_ms = now_ms();
	}
	if (!conf->accounting || conf->accounting_months == 0 ||
	    books.cleaned == month || now_ms() - books.month_ms < SURE_MS)
		return;
	books.cleaned = month;
	account_remove_old(month, (unsigned)conf->accounting_months);
}

static void on_tick(struct hd_module *mod, void *arg)
{
	(void)mod;
	(void)arg;
	enter_batches();
	if (!is_idle())
		write_books();
	policy_quota_look();
	remove_old();
	hd_main_timer_set(books.timer, TICK_MS);
}

/* ---- a new process takes over ---- */

/* A helper thread may have the disk: that is over in a moment, or else the disk
 * is so slow that now is not the time. */
static int flush(struct account_book *b, struct hd_error *err)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	uint64_t until = now_ms() + FLUSH_MS;
	int e;

	while ((e = account_book_flush(b, err)) > 0) {
		if (now_ms() >= until)
			return hd_error_set(err, -EBUSY,
					    "the disk is busy with %s; try "
					    "again",
					    b->path);
		nanosleep(&step, NULL);
	}
	return e;
}

/* The new process reads the files; until it has them this one writes no more,
 * and goes on as before if it comes to nothing. */
int account_pack(struct hd_pack *to, struct hd_error *err)
{
	int e = 0;

	if (books.event < 0)
		return 0;
	enter_batches();
	for (struct account_book *b = books.books; e == 0 && b != NULL;
	     b = b->next)
		e = flush(b, err);
	account_lock_pack(to);
	return e;
}

int account_unpack(const struct hd_unpack *from)
{
	account_lock_unpack(from);
	return 0;
}

/* ---- life ---- */

int account_load(struct hd_module *mod, struct hd_error *err)
{
	books.mod = mod;
	books.failed_ms = 0;
	books.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (books.event < 0)
		return hd_error_set(err, -errno, "eventfd: %m");
	books.timer = hd_main_timer_new(mod, on_tick, NULL);
	if (books.timer == NULL ||
	    hd_watch(mod, books.event, HD_WATCH_READ, on_event, NULL) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hd_main_timer_set(books.timer, 1); /* the files are opened */
	return account_hooks(mod, err);
}

/* In a trial nothing has been opened, and nothing is written. */
static void end_books(void)
{
	struct hd_error err;

	while (books.books != NULL) {
		struct account_book *b = books.books;

		books.books = b->next;
		if (account_book_end(b, &err) < 0)
			hd_log_error("accounting: %s; what was counted since "
				     "it worked is lost",
				     err.text);
		account_book_free(&b);
	}
}

void account_unload(struct hd_module *mod)
{
	if (books.event >= 0) {
		enter_batches();
		end_books();
		hd_unwatch(mod, books.event);
		close(books.event);
	}
	books.event = -1;
	account_unlock();
	policy_quota_end();
	policy_quota_keys_end();
	if (books.timer != NULL)
		hd_main_timer_free(&books.timer);
	books.mod = NULL;
}
