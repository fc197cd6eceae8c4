/* SPDX-License-Identifier: MIT */
/* core/stream/arrival.c - the accept hooks: who may connect at all. Before
 * there is a stream; behind a proxy, when its header has named the client. */
#include "core/stream/arrival.h"
#include <hyper-derp/log.h>
#include "core/net/listener.h"

static enum hd_verdict ask(struct hd_worker *w, const struct hd_hook *h,
			   const struct hd_arrival *who)
{
	struct hd_account *account = hd_account_of(w, h->mod);
	struct hd_account *before = hd_meter_enter(&w->meter, account);
	enum hd_verdict v = h->accept(h->mod, w, who);

	hd_meter_leave(&w->meter, before);
	return v;
}

/* Thousands come in an attack: no line of the log for each. */
static void denied(struct hd_worker *w, const struct hd_module *mod,
		   const struct hd_listener *l, const union hd_addr *from)
{
	char addr[HD_ADDR_TEXT_BYTES], text[HD_ADDR_TEXT_BYTES];

	hd_count(&w->stats.accepts_denied, 1);
	hd_account_add(hd_account_of(w, mod), HD_ACCOUNT_DENIED, 1);
	hd_log_debug("connection denied: from=%s listener=%s module=%s",
		     hd_addr_text(from, text), hd_addr_text(&l->addr, addr),
		     mod->name);
}

bool hd_arrival_ask(struct hd_worker *w, const struct hd_listener *l,
		    const union hd_addr *from, const union hd_addr *proxy)
{
	const struct hd_hook_list *list = &w->hooks->accept;
	const struct hd_arrival who = {
		.from = from,
		.proxy = proxy,
		.listener = l->name,
		.tls = l->tls,
	};

	for (unsigned i = 0; i < list->n; i++) {
		const struct hd_hook *h = &list->v[i];

		if (ask(w, h, &who) == HD_VERDICT_PASS)
			continue;
		denied(w, h->mod, l, from);
		return false;
	}
	return true;
}
