/* SPDX-License-Identifier: MIT */
/* core/module/hook.c - modules enter their hooks, in the order they were loaded
 * in, into a draft; workers read a copy that nobody changes. There are two
 * copies: the one before is free again when every worker has taken the new
 * one. */
#include "core/module/hook.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/loop/hooks.h"
#include "core/loop/worker.h"
#include "core/relay/leave.h"
#include "core/relay/peer_data.h"

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

static int enter(struct hd_hook_list *list, struct hd_hook hook,
		 const char *what, struct hd_error *err)
{
	unsigned i = list->n;

	if (i == HD_HOOKS_MAX)
		return too_many(hook.mod, what, err);
	for (; i > 0 && list->v[i - 1].mod->order > hook.mod->order; i--)
		list->v[i] = list->v[i - 1];
	list->v[i] = hook;
	list->n++;
	return 0;
}

int hd_hook_accept(struct hd_module *mod, hd_accept_fn *fn,
		   struct hd_error *err)
{
	return enter(&draft.accept,
		     (struct hd_hook){ .mod = mod, .accept = fn }, "accept",
		     err);
}

int hd_hook_hello(struct hd_module *mod, hd_hello_fn *fn, struct hd_error *err)
{
	return enter(&draft.hello, (struct hd_hook){ .mod = mod, .hello = fn },
		     "hello", err);
}

int hd_hook_admit(struct hd_module *mod, hd_admit_fn *fn, struct hd_error *err)
{
	return enter(&draft.admit, (struct hd_hook){ .mod = mod, .admit = fn },
		     "admit", err);
}

int hd_hook_admit_mesh(struct hd_module *mod, hd_admit_fn *fn,
		       struct hd_error *err)
{
	return enter(&draft.admit_mesh,
		     (struct hd_hook){ .mod = mod, .admit = fn }, "admit mesh",
		     err);
}

int hd_hook_packet(struct hd_module *mod, hd_packet_fn *fn,
		   struct hd_error *err)
{
	return enter(&draft.packet,
		     (struct hd_hook){ .mod = mod, .packet = fn }, "packet",
		     err);
}

int hd_hook_leave(struct hd_module *mod, hd_leave_fn *fn, struct hd_error *err)
{
	return enter(&draft.leave, (struct hd_hook){ .mod = mod, .leave = fn },
		     "leave", err);
}

int hd_hook_here(struct hd_module *mod, hd_here_fn *fn, struct hd_error *err)
{
	return enter(&draft.here, (struct hd_hook){ .mod = mod, .here = fn },
		     "here", err);
}

int hd_hook_unknown(struct hd_module *mod, hd_unknown_fn *fn,
		    struct hd_error *err)
{
	return enter(&draft.unknown,
		     (struct hd_hook){ .mod = mod, .unknown = fn }, "unknown",
		     err);
}

int hd_hook_there(struct hd_module *mod, hd_there_fn *fn, struct hd_error *err)
{
	return enter(&draft.there, (struct hd_hook){ .mod = mod, .there = fn },
		     "there", err);
}

int hd_hook_wish(struct hd_module *mod, hd_wish_fn *fn, struct hd_error *err)
{
	return enter(&draft.wish, (struct hd_hook){ .mod = mod, .wish = fn },
		     "wish", err);
}

int hd_hook_peer_data(struct hd_module *mod, uint32_t size_bytes,
		      struct hd_error *err)
{
	if (size_bytes == 0 || size_bytes > HD_PEER_DATA_MAX_BYTES)
		return hd_error_set(err, -EINVAL,
				    "module %s: memory in each peer is 1 to %u "
				    "bytes, not %u",
				    mod->name, HD_PEER_DATA_MAX_BYTES,
				    size_bytes);
	if (hd_hook_of(&draft.data, mod) != NULL)
		return hd_error_set(err, -EEXIST,
				    "module %s: asks twice for memory in each "
				    "peer",
				    mod->name);
	return enter(&draft.data,
		     (struct hd_hook){ .mod = mod, .data_bytes = size_bytes },
		     "peer data", err);
}

static void leave_list(struct hd_hook_list *list, const struct hd_module *mod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].mod != mod)
			list->v[n++] = list->v[i];
	memset(&list->v[n], 0, (list->n - n) * sizeof(list->v[0]));
	list->n = n;
}

static void withdraw(const struct hd_module *mod)
{
	leave_list(&draft.accept, mod);
	leave_list(&draft.hello, mod);
	leave_list(&draft.admit, mod);
	leave_list(&draft.admit_mesh, mod);
	leave_list(&draft.packet, mod);
	leave_list(&draft.leave, mod);
	leave_list(&draft.data, mod);
	leave_list(&draft.here, mod);
	leave_list(&draft.unknown, mod);
	leave_list(&draft.there, mod);
	leave_list(&draft.wish, mod);
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

/* Where there is no room for one more, nothing but a restart opens the relay
 * again: no module has the name that stands for the rest. */
void hd_guard_lost(const char *name)
{
	if (hd_guard_is_lost(name))
		return;
	if (draft.n_lost == HD_GUARDS_MAX) {
		name = "(others; restart the relay)";
		draft.n_lost--;
	}
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

static bool same_list(const struct hd_hook_list *a,
		      const struct hd_hook_list *b)
{
	return a->n == b->n && memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0;
}

static bool same(const struct hd_hooks *a, const struct hd_hooks *b)
{
	return same_list(&a->accept, &b->accept) &&
	       same_list(&a->hello, &b->hello) &&
	       same_list(&a->admit, &b->admit) &&
	       same_list(&a->admit_mesh, &b->admit_mesh) &&
	       same_list(&a->packet, &b->packet) &&
	       same_list(&a->leave, &b->leave) &&
	       same_list(&a->data, &b->data) &&
	       same_list(&a->here, &b->here) &&
	       same_list(&a->unknown, &b->unknown) &&
	       same_list(&a->wish, &b->wish) && a->n_lost == b->n_lost &&
	       memcmp(a->lost, b->lost, a->n_lost * sizeof(*a->lost)) == 0;
}

static void publish(void)
{
	if (same(&draft, &shown[at]))
		return;
	shown[at ^ 1] = draft;
	at ^= 1;
	__atomic_store_n(&n_lost, draft.n_lost, __ATOMIC_RELAXED);
}

unsigned hd_guards_lost(void)
{
	return __atomic_load_n(&n_lost, __ATOMIC_RELAXED);
}

const struct hd_hooks *hd_modules_hooks(void)
{
	return &shown[at];
}

static void sync_here(struct hd_worker *w, const struct hd_module *mod)
{
	w->hooks = hd_modules_hooks();
	hd_peer_data_sync(w, mod);
}

/* Its peers stay, and it goes: it is told of them while it can still be. When
 * it comes, or its code changes, the table has it. */
static void cancel_here(struct hd_worker *w, const struct hd_module *mod)
{
	if (hd_hook_of(&hd_modules_hooks()->leave, mod) == NULL)
		hd_leave_behind(w, mod);
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	if (!kept)
		hd_peer_data_drop(w, mod);
}

static void take_here(struct hd_worker *w, void *unused)
{
	(void)unused;
	w->hooks = hd_modules_hooks();
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
	.cancel_here = cancel_here,
	.end_here = end_here,
};
