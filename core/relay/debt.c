/* SPDX-License-Identifier: MIT */
/* core/relay/debt.c - what keys owe that have left. */
#include "core/relay/debt.h"
#include <hyper-derp/timer.h>
#include <stdlib.h>
#include "core/base/memo.h"
#include "core/relay/relay_worker.h"
#include "core/stream/limit.h"

enum { FORGET_MIN_MS = 100, FORGET_MAX_MS = 60000 };

struct hd_debts {
	struct hd_memos memos;
	struct hd_timer *forget;
	bool ticks; /* it is set */
};

struct debt {
	struct hd_memo memo;
	struct hd_limit *limit;
};

static void debt_free(struct hd_memo *m)
{
	struct debt *d;

	if (m == NULL)
		return;
	d = hd_container_of(m, struct debt, memo);
	free(d->limit);
	free(d);
}

/* ---- paid ---- */

/* Debts come and go: it looks again then, if there still are some. */
static void forget_in_time(struct hd_worker *w, struct hd_debts *all)
{
	uint64_t next_ms = hd_heap_next_ms(&all->memos.kept);
	uint64_t ms = next_ms > w->now_ms ? next_ms - w->now_ms : 0;

	all->ticks = all->memos.kept.n > 0;
	ms = HD_MAX(ms, (uint64_t)FORGET_MIN_MS);
	ms = HD_MIN(ms, (uint64_t)FORGET_MAX_MS);
	hd_timer_set(all->forget, all->ticks ? (uint32_t)ms : 0);
}

static void on_forget(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hd_debts *all = arg;
	struct hd_memo *m;

	(void)mod;
	while ((m = hd_memo_over(&all->memos, w->now_ms)) != NULL)
		debt_free(m);
	forget_in_time(w, all);
}

/* ---- kept ---- */

static struct hd_debts *debts_of(struct hd_worker *w)
{
	struct hd_debts *all = w->relay->debts;

	if (all != NULL)
		return all;
	all = calloc(1, sizeof(*all));
	if (all == NULL)
		return NULL;
	all->memos.max = HD_DEBTS_MAX;
	all->forget = hd_timer_new(NULL, w, on_forget, all);
	if (all->forget == NULL) {
		free(all);
		return NULL;
	}
	w->relay->debts = all;
	return all;
}

/* Takes the limit. Without memory it is forgotten. */
static void keep(struct hd_worker *w, uint16_t realm, const struct hd_key *key,
		 struct hd_limit *limit)
{
	struct hd_debts *all = debts_of(w);
	struct debt *d = all != NULL ? calloc(1, sizeof(*d)) : NULL;
	uint64_t left_ms = hd_ns_to_ms(limit->bucket.paid_ns - w->now_ns);

	if (d == NULL || hd_memo_add(&all->memos, &d->memo, realm, key) < 0) {
		free(d);
		free(limit);
		return;
	}
	d->limit = limit;
	debt_free(hd_memo_keep(&all->memos, &d->memo, w->now_ms + left_ms));
	if (!all->ticks)
		forget_in_time(w, all);
}

void hd_debt_put(struct hd_worker *w, uint16_t realm, const struct hd_key *key,
		 struct hd_limit *limit)
{
	if (limit != NULL && limit->bucket.paid_ns > w->now_ns)
		keep(w, realm, key, limit);
	else
		free(limit);
}

void hd_debt_keep(struct hd_worker *w, struct hd_entry *e)
{
	hd_debt_put(w, e->realm, &e->key, hd_steal(&e->limit));
}

void hd_debts_each(struct hd_worker *w, hd_debt_fn *fn, void *arg)
{
	const struct hd_debts *all = w->relay->debts;
	size_t n = all != NULL ? all->memos.kept.n : 0;

	for (size_t i = 0; i < n; i++) {
		const struct hd_memo *m = hd_container_of(
			all->memos.kept.v[i], struct hd_memo, until);

		fn(arg, m->realm, &m->id,
		   hd_container_of(m, struct debt, memo)->limit);
	}
}

struct hd_limit *hd_debt_back(struct hd_worker *w, const struct hd_entry *e)
{
	struct hd_debts *all = w->relay->debts;
	struct hd_limit *limit;
	struct hd_memo *m;

	if (all == NULL)
		return NULL;
	m = hd_memo_find(&all->memos, e->realm, &e->key);
	if (m == NULL)
		return NULL;
	hd_memo_take(&all->memos, m);
	limit = hd_steal(&hd_container_of(m, struct debt, memo)->limit);
	debt_free(m);
	return limit;
}

void hd_debts_free(struct hd_worker *w)
{
	struct hd_debts *all = hd_steal(&w->relay->debts);
	struct hd_memo *m;

	if (all == NULL)
		return;
	while ((m = hd_memo_over(&all->memos, UINT64_MAX)) != NULL)
		debt_free(m);
	hd_timer_free(&all->forget);
	hd_memos_free(&all->memos);
	free(all);
}
