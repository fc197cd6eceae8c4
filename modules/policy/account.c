/* SPDX-License-Identifier: MIT */
/* modules/policy/account.c - the ledger of a month: accounts by tenant and key.
 * Those that no file has as they are wait in a list. One thread at a time. */
#include "modules/policy/account.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST = 64 };
static const struct hd_key nobody; /* for whom there was no room */

void account_counts_add(struct account_counts *to,
			const struct account_counts *more)
{
	for (unsigned i = 0; i < ACCOUNT_N; i++)
		to->n[i] += more->n[i];
}

static bool is_nothing(const struct account_counts *c)
{
	static const struct account_counts nothing;

	return memcmp(c, &nothing, sizeof(nothing)) == 0;
}

/* ---- life ---- */

struct ledger *ledger_new(void)
{
	static atomic_uint_fast64_t number;
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->number = ++number;
	l->table = calloc(TABLE_FIRST, sizeof(struct account *));
	l->size = TABLE_FIRST;
	l->unsaved_last = &l->unsaved;
	randombytes_buf(l->salt, sizeof(l->salt));
	if (l->table == NULL)
		ledger_free(&l);
	return l;
}

void ledger_free(struct ledger **ledger)
{
	struct ledger *l = hd_steal(ledger);

	if (l == NULL)
		return;
	while (l->first != NULL) {
		struct account *a = l->first;

		l->first = a->next;
		free(a->name);
		free(a);
	}
	while (l->tenants != NULL) {
		struct account_tenant *t = l->tenants;

		l->tenants = t->next;
		free(t);
	}
	free(l->by_id);
	free(l->table);
	free(l);
}

/* ---- tenants ---- */

static unsigned place_of(const struct ledger *l, const char *name)
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)name, strlen(name),
			 l->salt);
	return hash % LEDGER_TENANT_PLACES;
}

static struct account_tenant *tenant_at(const struct ledger *l, unsigned place,
					const char *name)
{
	struct account_tenant *t = l->by_name[place];

	while (t != NULL && strcmp(t->name, name) != 0)
		t = t->chain;
	return t;
}

struct account_tenant *ledger_tenant(const struct ledger *l, const char *name)
{
	return tenant_at(l, place_of(l, name), name);
}

static struct account_tenant *tenant_of(struct ledger *l, const char *name)
{
	unsigned place = place_of(l, name);
	struct account_tenant *t = tenant_at(l, place, name);

	if (t != NULL)
		return t;
	t = calloc(1, sizeof(*t) + strlen(name) + 1);
	if (t == NULL)
		return NULL;
	strcpy(t->name, name);
	t->chain = l->by_name[place];
	l->by_name[place] = t;
	t->next = l->tenants;
	l->tenants = t;
	l->n_tenants++;
	return t;
}

/* ---- the table ---- */

static struct account **chain_of(const struct ledger *l,
				 const struct account_tenant *t,
				 const struct hd_key *key)
{
	struct {
		struct hd_key key;
		uint64_t tenant;
	} what = { *key, (uint64_t)(uintptr_t)t };
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)&what, sizeof(what),
			 l->salt);
	return &l->table[hash & (l->size - 1)];
}

static struct account *find(const struct ledger *l,
			    const struct account_tenant *t,
			    const struct hd_key *key)
{
	struct account *a = *chain_of(l, t, key);

	while (a != NULL &&
	       (a->tenant != t || memcmp(&a->key, key, sizeof(*key)) != 0))
		a = a->chain;
	return a;
}

static void enter(struct ledger *l, struct account *a)
{
	struct account **at = chain_of(l, a->tenant, &a->key);

	a->chain = *at;
	*at = a;
}

/* Without memory the chains become longer. */
static void grow(struct ledger *l)
{
	struct account **v = calloc(2 * l->size, sizeof(struct account *));

	if (v == NULL)
		return;
	free(l->table);
	l->table = v;
	l->size *= 2;
	for (struct account *a = l->first; a != NULL; a = a->next)
		enter(l, a);
}

static struct account *account_new(struct ledger *l, struct account_tenant *t,
				   const struct hd_key *key)
{
	struct account *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->tenant = t;
	a->key = *key;
	a->id = ACCOUNT_NO_ID;
	if (l->n >= l->size)
		grow(l);
	a->next = l->first;
	l->first = a;
	enter(l, a);
	l->n++;
	t->n++;
	return a;
}

static void note_unsaved(struct ledger *l, struct account *a)
{
	if (a->is_unsaved)
		return;
	a->is_unsaved = true;
	a->unsaved_next = NULL;
	*l->unsaved_last = a;
	l->unsaved_last = &a->unsaved_next;
}

static void set_name(struct ledger *l, struct account *a, const char *name)
{
	char *copy;

	if (name[0] == '\0' || (a->name != NULL && strcmp(a->name, name) == 0))
		return;
	copy = strdup(name);
	if (copy == NULL)
		return;
	free(a->name);
	a->name = copy;
	a->name_unsaved = true;
	note_unsaved(l, a);
}

struct account *ledger_account(struct ledger *l, const char *tenant,
			       const struct hd_key *key, const char *name,
			       size_t max)
{
	bool many = l->n >= max && l->n_tenants >= LEDGER_TENANTS_MAX;
	struct account_tenant *t = many ? ledger_tenant(l, tenant) : NULL;
	struct account *a;

	if (t == NULL && (t = tenant_of(l, many ? "" : tenant)) == NULL)
		return NULL;
	a = find(l, t, key);
	if (a == NULL && l->n >= max) {
		key = &nobody;
		name = "";
		a = find(l, t, key);
	}
	if (a == NULL)
		a = account_new(l, t, key);
	if (a != NULL)
		set_name(l, a, name);
	return a;
}

void ledger_add(struct ledger *l, struct account *a,
		const struct account_counts *more)
{
	account_counts_add(&a->sum, more);
	account_counts_add(&a->tenant->sum, more);
	account_counts_add(&a->unsaved, more);
	note_unsaved(l, a);
}

/* ---- ids ---- */

/* Room for one more. Returns 0; -ENOMEM. */
static int ids_room(struct ledger *l)
{
	uint32_t size = HD_MAX(2 * l->ids_size, 64u);
	struct account **v;

	if (l->n_ids < l->ids_size)
		return 0;
	v = reallocarray(l->by_id, size, sizeof(struct account *));
	if (v == NULL)
		return -ENOMEM;
	l->by_id = v;
	l->ids_size = size;
	return 0;
}

/* The next one; an account that has one keeps that. */
static int give_id(struct ledger *l, struct account *a)
{
	if (ids_room(l) < 0)
		return -ENOMEM;
	if (a->id == ACCOUNT_NO_ID)
		a->id = l->n_ids;
	l->by_id[l->n_ids++] = a;
	return 0;
}

static void take_ids_back(struct ledger *l, uint32_t n)
{
	while (l->n_ids > n)
		l->by_id[--l->n_ids]->id = ACCOUNT_NO_ID;
}

/* ---- the file is read ---- */

struct reading {
	struct ledger *l;
	bool no_memory;
};

static void on_account(void *arg, uint32_t id, const struct hd_key *key,
		       const char *tenant, const char *name)
{
	struct reading *r = arg;
	bool again = id < r->l->n_ids; /* it has another name now */
	struct account *a;

	if (r->no_memory)
		return;
	a = again ? r->l->by_id[id] :
		    ledger_account(r->l, tenant, key, "", SIZE_MAX);
	r->no_memory = a == NULL || (!again && give_id(r->l, a) < 0);
	if (r->no_memory)
		return;
	free(a->name);
	a->name = name[0] != '\0' ? strdup(name) : NULL;
}

static void on_counts(void *arg, uint32_t id, const struct account_counts *more)
{
	struct reading *r = arg;

	if (r->no_memory)
		return;
	account_counts_add(&r->l->by_id[id]->sum, more);
	account_counts_add(&r->l->by_id[id]->tenant->sum, more);
}

int ledger_read(struct ledger *l, const uint8_t *data, size_t n,
		size_t *ret_good)
{
	struct reading r = { .l = l };
	const struct journal_reader to = { on_account, on_counts, &r };
	int64_t e = journal_read(data, n, &to, ret_good);

	if (e < 0)
		return (int)e;
	return r.no_memory ? -ENOMEM : 0;
}

int ledger_merge(struct ledger *l, const struct ledger *from)
{
	for (const struct account *b = from->first; b != NULL; b = b->next) {
		struct account *a = ledger_account(
			l, b->tenant->name, &b->key,
			b->name != NULL ? b->name : "", SIZE_MAX);

		if (a == NULL)
			return -ENOMEM;
		ledger_add(l, a, &b->sum);
		a->level = HD_MAX(a->level, b->level);
		a->quota_bytes = b->quota_bytes;
	}
	return 0;
}

/* ---- the file is written ---- */

static void put_account(struct journal *j, uint32_t id, const struct account *a)
{
	journal_account(j, id, &a->key, a->tenant->name,
			a->name != NULL ? a->name : "");
}

static int put_unsaved(struct ledger *l, struct journal *j)
{
	for (struct account *a = l->unsaved; a != NULL; a = a->unsaved_next) {
		bool is_new = a->id == ACCOUNT_NO_ID;

		if (is_new && give_id(l, a) < 0)
			return -ENOMEM;
		if (is_new || a->name_unsaved)
			put_account(j, a->id, a);
		if (!is_nothing(&a->unsaved))
			journal_counts(j, a->id, &a->unsaved);
	}
	return journal_end(j);
}

static void all_saved(struct ledger *l)
{
	for (struct account *a = l->unsaved; a != NULL; a = a->unsaved_next) {
		a->is_unsaved = a->name_unsaved = false;
		a->unsaved = (struct account_counts){ { 0 } };
	}
	l->unsaved = NULL;
	l->unsaved_last = &l->unsaved;
}

int ledger_journal(struct ledger *l, struct journal *j)
{
	uint32_t n_ids = l->n_ids;

	if (put_unsaved(l, j) < 0) {
		take_ids_back(l, n_ids);
		return -ENOMEM;
	}
	all_saved(l);
	return 0;
}

int ledger_whole(const struct ledger *l, struct journal *j)
{
	journal_head(j);
	for (uint32_t i = 0; i < l->n_ids; i++) {
		const struct account *a = l->by_id[i];
		struct account_counts saved = a->sum;

		put_account(j, i, a);
		for (unsigned k = 0; k < ACCOUNT_N; k++)
			saved.n[k] -= a->unsaved.n[k];
		if (a->id == i && !is_nothing(&saved))
			journal_counts(j, i, &saved);
	}
	return journal_end(j);
}
