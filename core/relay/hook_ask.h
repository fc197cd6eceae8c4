/* SPDX-License-Identifier: MIT */
/* core/relay/hook_ask.h - the packet hooks, asked on a packet's way: in the
 * file that has the way, since each instruction is paid a million times a
 * second.
 * Context: the worker. */
#pragma once
#include "core/loop/hooks.h"
#include "core/loop/worker.h"

__attribute__((cold, noinline)) static enum hd_verdict
hd_hook_ask_measured(const struct hd_hook *h, struct hd_worker *w,
		     const struct hd_packet *packet)
{
	struct hd_account *before =
		hd_meter_switch(&w->meter, hd_account_of(w, h->mod));
	enum hd_verdict v = h->packet(h->mod, w, packet);

	hd_meter_switch(&w->meter, before);
	return v;
}

/* hd_hooks_ask_packet - returns the first hook that denies, else the end, which
 * asks nobody. There is one at least. */
static inline const struct hd_hook *
hd_hooks_ask_packet(struct hd_worker *w, const struct hd_packet *packet)
{
	const struct hd_hook *h = w->hooks->packet.v;

	if (__builtin_expect(w->meter.on, 0)) {
		while (h->packet != NULL &&
		       hd_hook_ask_measured(h, w, packet) == HD_VERDICT_PASS)
			h++;
		return h;
	}
	while (h->packet(h->mod, w, packet) == HD_VERDICT_PASS)
		if ((++h)->packet == NULL)
			break;
	return h;
}
