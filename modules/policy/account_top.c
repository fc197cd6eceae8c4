/* SPDX-License-Identifier: MIT */
/* modules/policy/account_top.c - metrics of the keys that have used the relay
 * most in this month: so many that they are bounded, however many keys there
 * are. The main thread looks through the ledger once in a while and gives them
 * to worker 0, which writes the numbers: those of the ledger, so they go on
 * after a restart. */
#include <errno.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

enum { EVERY_MS = 5000 };

/* ---- numbers ---- */

struct key_numbers {
	struct hd_counter in, out;
};

#define KEY_BYTES_HELP                                                         \
	"Bytes of this month from and to one of the keys that used most"

static const struct hd_metric key_metrics[] = {
	HD_METRIC(struct key_numbers, in, "hyper_derp_key_bytes_total",
		  "direction=\"in\"", KEY_BYTES_HELP),
	HD_METRIC(struct key_numbers, out, "hyper_derp_key_bytes_total",
		  "direction=\"out\"", KEY_BYTES_HELP),
	HD_METRIC_END,
};

static const struct hd_family_def key_family = {
	.name = "keys",
	.labels = { "key", "name", "tenant" },
	.metrics = key_metrics,
	.size = sizeof(struct key_numbers),
};

struct row {
	struct hd_series series;
	struct hd_key key; /* with the two names: whose series it is */
	char name[ACCOUNT_NAME_BYTES], tenant[ACCOUNT_NAME_BYTES];
	uint64_t in, out;
};

struct rows { /* on their way to worker 0 */
	size_t n;
	struct row v[ACCOUNT_TOP_MAX];
};

static struct {
	struct hd_family *family; /* NULL: none are wanted */
	size_t max; /* its series */
	struct hd_main_timer *timer;
	struct rows open; /* their series are begun */
} top;

/* ---- worker 0 ---- */

/* A month that begins sets it back, which is right for a counter. */
static void set(struct hd_counter *c, uint64_t n)
{
	hd_count(c, n - c->n);
}

static void on_rows(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct rows *rows = arg;

	(void)mod;
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		struct key_numbers *n;

		n = hd_series_numbers(top.family, w, r->series);
		set(&n->in, r->in);
		set(&n->out, r->out);
	}
	free(rows);
}

/* ---- the main thread ---- */

static uint64_t bytes_of(const struct account *a)
{
	return a->sum.n[ACCOUNT_BYTES_IN] + a->sum.n[ACCOUNT_BYTES_OUT];
}

/* Among those who used most, the first most. Keys that have no account of
 * their own are none. */
static void rank(const struct account *v[], size_t *n, size_t max,
		 const struct account *a)
{
	static const struct hd_key none;
	size_t at = *n;

	if (bytes_of(a) == 0 || memcmp(&a->key, &none, sizeof(none)) == 0 ||
	    (at == max && bytes_of(v[at - 1]) >= bytes_of(a)))
		return;
	if (*n < max)
		++*n;
	else
		at--;
	for (; at > 0 && bytes_of(v[at - 1]) < bytes_of(a); at--)
		v[at] = v[at - 1];
	v[at] = a;
}

size_t account_top(const struct ledger *l, const struct account *ret[],
		   size_t max)
{
	size_t n = 0;

	if (l == NULL || max == 0)
		return 0;
	for (const struct account *a = l->first; a != NULL; a = a->next)
		rank(ret, &n, max, a);
	return n;
}

static const char *name_of(const struct account *a)
{
	return a->name != NULL ? a->name : "";
}

static bool is_of(const struct row *r, const struct account *a)
{
	return memcmp(&r->key, &a->key, sizeof(r->key)) == 0 &&
	       strcmp(r->name, name_of(a)) == 0 &&
	       strcmp(r->tenant, a->tenant->name) == 0;
}

/* Those that are in the list stay as they are: nobody reads a 0 between. */
static void end_others(const struct account *const v[], size_t n)
{
	struct rows *open = &top.open;
	size_t kept = 0, k;

	for (size_t i = 0; i < open->n; i++) {
		for (k = 0; k < n && !is_of(&open->v[i], v[k]); k++)
			;
		if (k < n)
			open->v[kept++] = open->v[i];
		else
			hd_series_end(top.family, &open->v[i].series);
	}
	open->n = kept;
}

static struct row *row_new(const struct account *a)
{
	struct row *r = &top.open.v[top.open.n++];
	char hex[2 * sizeof(a->key.b) + 1];
	const char *const values[] = {
		sodium_bin2hex(hex, sizeof(hex), a->key.b, sizeof(a->key.b)),
		name_of(a), a->tenant->name
	};

	*r = (struct row){ .series = hd_series_open(top.family, values),
			   .key = a->key };
	snprintf(r->name, sizeof(r->name), "%s", name_of(a));
	snprintf(r->tenant, sizeof(r->tenant), "%s", a->tenant->name);
	return r;
}

static void enter(const struct account *a)
{
	struct row *r = NULL;

	for (size_t i = 0; r == NULL && i < top.open.n; i++)
		if (is_of(&top.open.v[i], a))
			r = &top.open.v[i];
	if (r == NULL)
		r = row_new(a);
	r->in = a->sum.n[ACCOUNT_BYTES_IN];
	r->out = a->sum.n[ACCOUNT_BYTES_OUT];
}

static void look(struct hd_module *mod)
{
	const struct account *v[ACCOUNT_TOP_MAX];
	unsigned month;
	size_t n = account_top(account_now(&month), v, top.max);
	struct rows *rows;

	end_others(v, n);
	for (size_t i = 0; i < n; i++)
		enter(v[i]);
	rows = n > 0 && hd_workers() > 0 ? malloc(sizeof(*rows)) : NULL;
	if (rows == NULL)
		return; /* without memory they are a little older */
	*rows = top.open;
	hd_post(mod, hd_worker_at(0), on_rows, rows, free);
}

static void on_tick(struct hd_module *mod, void *arg)
{
	const struct policy_conf *conf = hd_module_conf(mod);

	(void)arg;
	if (conf->accounting)
		look(mod);
	hd_main_timer_set(top.timer, EVERY_MS);
}

/* ---- life ---- */

int account_top_load(struct hd_module *mod, struct hd_error *err)
{
	const struct policy_conf *conf = hd_module_conf(mod);
	struct hd_family_def def = key_family;
	int r;

	def.max = (uint32_t)conf->metrics_keys;
	if (def.max == 0)
		return 0;
	r = hd_family_add(mod, &def, &top.family, err);
	if (r < 0)
		return r;
	top.max = def.max;
	top.timer = hd_main_timer_new(mod, on_tick, NULL);
	if (top.timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hd_main_timer_set(top.timer, EVERY_MS);
	return 0;
}

void account_top_unload(void)
{
	if (top.family != NULL)
		end_others(NULL, 0);
	if (top.timer != NULL)
		hd_main_timer_free(&top.timer);
	top.family = NULL;
}
