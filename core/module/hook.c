/* SPDX-License-Identifier: MIT */
/* core/module/hook.c - modules enter their hooks, in the order they were loaded
 * in, into a draft; workers read a copy that nobody changes. There are two
 * copies: the one before is free again when every worker has taken the new
 * one. */
#include "core/module/hook.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/loop/worker.h"
#include "core/relay/hooks.h"

static struct hd_hooks draft, shown[2];
static unsigned at, n_lost;

static int too_many(struct hd_module *mod, const char *what,
		    struct hd_error *err)
{
	return hd_error_set(err, -ENOSPC,
			    "module %s: there are %d %s hooks already, the "
			    "most there can be; load fewer modules",
			    mod->name, HD_HOOKS_MAX, what);
}

int hd_hook_admit(struct hd_module *mod, hd_admit_fn *fn, struct hd_error *err)
{
	struct hd_admit_hook *v = draft.admit;
	unsigned i = draft.n_admit;

	if (i == HD_HOOKS_MAX)
		return too_many(mod, "admit", err);
	for (; i > 0 && v[i - 1].mod->order > mod->order; i--)
		v[i] = v[i - 1];
	v[i] = (struct hd_admit_hook){ mod, fn };
	draft.n_admit++;
	return 0;
}

int hd_hook_packet(struct hd_module *mod, hd_packet_fn *fn,
		   struct hd_error *err)
{
	struct hd_packet_hook *v = draft.packet;
	unsigned i = draft.n_packet;

	if (i == HD_HOOKS_MAX)
		return too_many(mod, "packet", err);
	for (; i > 0 && v[i - 1].mod->order > mod->order; i--)
		v[i] = v[i - 1];
	v[i] = (struct hd_packet_hook){ mod, fn };
	draft.n_packet++;
	return 0;
}

static void withdraw(const struct hd_module *mod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < draft.n_admit; i++)
		if (draft.admit[i].mod != mod)
			draft.admit[n++] = draft.admit[i];
	draft.n_admit = n;
	n = 0;
	for (unsigned i = 0; i < draft.n_packet; i++)
		if (draft.packet[i].mod != mod)
			draft.packet[n++] = draft.packet[i];
	draft.n_packet = n;
}

/* ---- guards ---- */

static unsigned lost_at(const char *name)
{
	unsigned i = 0;

	while (i < draft.n_lost && strcmp(draft.lost[i], name) != 0)
		i++;
	return i;
}

bool hd_guard_is_lost(const char *name)
{
	return lost_at(name) < draft.n_lost;
}

/* Those for whom there is no room are forgotten: it is closed as it is. */
void hd_guard_lost(const char *name)
{
	if (hd_guard_is_lost(name) || draft.n_lost == HD_GUARDS_MAX)
		return;
	snprintf(draft.lost[draft.n_lost++], HD_GUARD_NAME_BYTES, "%s", name);
}

void hd_guard_back(const char *name)
{
	unsigned i = lost_at(name);

	if (i == draft.n_lost)
		return;
	draft.n_lost--;
	memmove(draft.lost[i], draft.lost[i + 1],
		(draft.n_lost - i) * sizeof(draft.lost[0]));
}

/* ---- what workers see ---- */

static bool same(const struct hd_hooks *a, const struct hd_hooks *b)
{
	return a->n_admit == b->n_admit && a->n_packet == b->n_packet &&
	       a->n_lost == b->n_lost &&
	       memcmp(a->lost, b->lost, a->n_lost * sizeof(*a->lost)) == 0 &&
	       memcmp(a->admit, b->admit, a->n_admit * sizeof(*a->admit)) ==
		       0 &&
	       memcmp(a->packet, b->packet, a->n_packet * sizeof(*a->packet)) ==
		       0;
}

static void publish(void)
{
	if (same(&draft, &shown[at]))
		return;
	shown[at ^ 1] = draft;
	shown[at ^ 1].packet[draft.n_packet].fn = NULL;
	at ^= 1;
	__atomic_store_n(&n_lost, draft.n_lost, __ATOMIC_RELAXED);
}

unsigned hd_guards_lost(void)
{
	return __atomic_load_n(&n_lost, __ATOMIC_RELAXED);
}

void hd_hooks_count(const struct hd_module *mod, unsigned *ret_admit,
		    unsigned *ret_packet)
{
	*ret_admit = *ret_packet = 0;
	for (unsigned i = 0; i < draft.n_admit; i++)
		*ret_admit += draft.admit[i].mod == mod;
	for (unsigned i = 0; i < draft.n_packet; i++)
		*ret_packet += draft.packet[i].mod == mod;
}

const struct hd_hooks *hd_modules_hooks(void)
{
	return &shown[at];
}

static void sync_here(struct hd_worker *w, const struct hd_module *mod)
{
	(void)mod;
	w->hooks = hd_modules_hooks();
}

static void take_here(struct hd_worker *w, void *unused)
{
	sync_here(w, unused);
}

void hd_guard_give_up(const char *name)
{
	hd_guard_back(name);
	publish();
	hd_workers_run_all(take_here, NULL);
}

const struct hd_kind hd_hook_kind = {
	.name = "hooks",
	.publish = publish,
	.withdraw = withdraw,
	.to_the_last = true,
	.sync_here = sync_here,
};
