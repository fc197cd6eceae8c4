/* SPDX-License-Identifier: MIT */
/* modules/policy/account_show.c - hdctl accounting. This month is in memory;
 * files of others are read by a helper thread, since they may be long. */
#include <errno.h>
#include <hyper-derp/state_file.h>
#include <hyper-derp/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "modules/policy/policy.h"

enum { MONTHS_MAX = 120 };

struct wanted {
	struct hd_call *call;
	const char *tenant, *key; /* NULL: all; key: how it begins */
	unsigned since, now; /* months */
	bool tenants; /* a row for each, not for each key */
	char folder[512]; /* and how a month's file begins */
};

/* ---- rows ---- */

static void put_counts(struct hd_call *call, const struct account_counts *c)
{
	hd_out_uint(call, "bytes_in", c->n[ACCOUNT_BYTES_IN]);
	hd_out_uint(call, "bytes_out", c->n[ACCOUNT_BYTES_OUT]);
	hd_out_uint(call, "packets_in", c->n[ACCOUNT_PACKETS_IN]);
	hd_out_uint(call, "packets_out", c->n[ACCOUNT_PACKETS_OUT]);
	hd_out_uint(call, "drops", c->n[ACCOUNT_DROPS]);
}

static bool is_wanted(const struct wanted *w, const struct account *a)
{
	char text[POLICY_KEY_TEXT_BYTES];

	if (w->tenant != NULL && strcmp(w->tenant, a->tenant->name) != 0)
		return false;
	if (w->key == NULL)
		return true;
	policy_key_text(&a->key, text);
	return strncasecmp(text, w->key, strlen(w->key)) == 0;
}

static void put_account(const struct wanted *w, const char *month,
			const struct account *a)
{
	static const struct hd_key nobody;
	bool many = memcmp(&a->key, &nobody, sizeof(nobody)) == 0;

	hd_out_open(w->call, NULL, '{');
	hd_out_string(w->call, "month", month);
	hd_out_string(w->call, "tenant", a->tenant->name);
	if (many)
		hd_out_string(w->call, "key", "others");
	else
		hd_out_key(w->call, "key", &a->key);
	hd_out_string(w->call, "name", a->name != NULL ? a->name : "");
	put_counts(w->call, &a->sum);
	hd_out_close(w->call);
}

static void put_tenant(const struct wanted *w, const char *month,
		       const struct account_tenant *t, bool is_now)
{
	if (w->tenant != NULL && strcmp(w->tenant, t->name) != 0)
		return;
	hd_out_open(w->call, NULL, '{');
	hd_out_string(w->call, "month", month);
	hd_out_string(w->call, "tenant", t->name);
	hd_out_uint(w->call, "keys", t->n);
	put_counts(w->call, &t->sum);
	if (is_now)
		policy_quota_put(w->call, t->name);
	else
		policy_quota_put_none(w->call);
	hd_out_close(w->call);
}

static void put_month(const struct wanted *w, unsigned month,
		      const struct ledger *l)
{
	char text[16];

	account_month_text(month, text);
	if (w->tenants)
		for (const struct account_tenant *t = l->tenants; t != NULL;
		     t = t->next)
			put_tenant(w, text, t, month == w->now);
	else
		for (const struct account *a = l->first; a != NULL; a = a->next)
			if (is_wanted(w, a))
				put_account(w, text, a);
}

/* ---- months before this one ---- */

static void put_file(struct wanted *w, unsigned month)
{
	char path[sizeof(w->folder) + 16], text[16];
	struct ledger *l;
	struct hd_error err;
	int e;

	snprintf(path, sizeof(path), "%s%s", w->folder,
		 account_month_text(month, text));
	e = account_file_read(path, &l, &err);
	if (e == 0)
		put_month(w, month, l);
	else if (e != -ENOENT)
		hd_call_error(w->call, "%s", err.text);
	ledger_free(&l);
}

static void read_files(struct hd_module *mod, void *wanted)
{
	struct wanted *w = wanted;

	(void)mod;
	for (unsigned month = w->now; month-- > w->since;)
		put_file(w, month);
	hd_out_close(w->call);
	hd_call_answer(&w->call);
	free(w);
}

static void not_read(void *wanted)
{
	struct wanted *w = wanted;

	hd_call_error(w->call, "the relay is too busy; try again");
	hd_call_answer(&w->call);
	free(w);
}

/* In its own time. */
static void put_before(const struct wanted *w, struct hd_module *mod)
{
	struct wanted *copy = malloc(sizeof(*copy));

	if (copy == NULL) {
		hd_call_error(w->call, "out of memory");
		return;
	}
	*copy = *w;
	hd_call_hold(w->call);
	hd_task(mod, NULL, read_files, NULL, copy, not_read);
}

/* ---- commands ---- */

/* Returns whether it is a month of the last ten years. */
static bool since_of(struct wanted *w)
{
	const char *text = hd_call_arg(w->call, "since");

	w->since = w->now;
	if (text == NULL || (account_month_parse(text, &w->since) &&
			     w->since + MONTHS_MAX > w->now))
		return true;
	hd_call_refuse(w->call, "bad_argument",
		       "--since %s: give a month as 2026-11, of the last ten "
		       "years",
		       text);
	return false;
}

static void show(struct hd_module *mod, struct hd_call *call, bool tenants)
{
	struct wanted w = {
		.call = call,
		.tenant = hd_call_arg(call, "tenant"),
		.key = tenants ? NULL : hd_call_arg(call, "key"),
		.tenants = tenants,
	};
	const struct ledger *l = account_now(&w.now);

	hd_state_file_path("accounting.", w.folder, sizeof(w.folder));
	if (l == NULL)
		hd_call_error(call, "out of memory");
	if (l == NULL || !since_of(&w))
		return;
	hd_out_open(call, NULL, '[');
	if (w.since <= w.now)
		put_month(&w, w.now, l);
	if (w.since < w.now)
		put_before(&w, mod);
	else
		hd_out_close(call);
}

static void run_accounting(struct hd_module *mod, struct hd_call *call)
{
	show(mod, call, false);
}

static void run_tenants(struct hd_module *mod, struct hd_call *call)
{
	show(mod, call, true);
}

#define COUNTS "bytes_in bytes_out packets_in packets_out drops"

const struct hd_command account_commands[] = {
	{ .words = "accounting",
	  .args = "[--tenant NAME] [--key KEY] [--since MONTH]",
	  .role = HD_ROLE_READ,
	  .help = "how much each key has used the relay in this month, or "
		  "since another one (2026-11)",
	  .run = run_accounting,
	  .columns = "month tenant key name " COUNTS },
	{ .words = "accounting tenants",
	  .args = "[--tenant NAME] [--since MONTH]",
	  .role = HD_ROLE_READ,
	  .help = "the same of each tenant",
	  .run = run_tenants,
	  .columns = "month tenant keys " COUNTS " bytes_quota percent" },
	{ .words = NULL },
};
