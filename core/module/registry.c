/* SPDX-License-Identifier: MIT */
/* core/module/registry.c - what modules register, all kinds of it. */
#include "core/module/registry.h"
#include <hyper-derp/base.h>
#include "core/base/offer.h"
#include "core/fetch/fetch.h"
#include "core/http/http.h"
#include "core/loop/mainloop.h"
#include "core/loop/task.h"
#include "core/loop/timer.h"
#include "core/module/hook.h"
#include "core/module/metric_family.h"
#include "core/net/listener.h"
#include "core/net/udp.h"
#include "core/relay/peer.h"
#include "core/stream/accept.h"
#include "core/stream/dial.h"
#include "core/stream/service.h"
#include "core/tls/tls.h"
#include "core/tls/tls_given.h"

enum { KINDS_MAX = 24 };

/* The order is that of every step. Who waits for an answer comes last: it is
 * asked again when all else is as it will be. */
static const struct hd_kind *kinds[KINDS_MAX + 1] = { /* NULL: the end */
	&hd_task_kind,	 &hd_hook_kind,	     &hd_route_kind,
	&hd_answer_kind, &hd_listener_kind,  &hd_accept_kind,
	&hd_timer_kind,	 &hd_udp_kind,	     &hd_main_timer_kind,
	&hd_watch_kind,	 &hd_fetch_kind,     &hd_tls_chain_kind,
	&hd_service_kind, &hd_login_kind,   &hd_family_kind,
	&hd_dial_kind,	 &hd_offer_kind,     &hd_tls_given_kind,
	&hd_carrier_kind,
};

void hd_registry_add(const struct hd_kind *kind)
{
	unsigned i = 0;

	while (kinds[i] != NULL && kinds[i] != kind)
		hd_assert(++i < KINDS_MAX);
	kinds[i] = kind;
}

/* ---- main thread ---- */

void hd_registry_draft(void)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->draft != NULL)
			(*k)->draft();
}

void hd_registry_publish(void)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->publish != NULL)
			(*k)->publish();
}

void hd_registry_withdraw(const struct hd_module *mod)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->withdraw != NULL)
			(*k)->withdraw(mod);
}

void hd_registry_withdraw_early(const struct hd_module *mod)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->withdraw != NULL && !(*k)->to_the_last)
			(*k)->withdraw(mod);
}

void hd_registry_reclaim(void)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->reclaim != NULL)
			(*k)->reclaim();
}

bool hd_registry_busy(const struct hd_module *mod, const char **ret_text)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++) {
		*ret_text = (*k)->busy_text;
		if ((*k)->busy != NULL && (*k)->busy(mod) > 0)
			return true;
	}
	return false;
}

void hd_registry_hurry(const struct hd_module *mod)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->hurry != NULL)
			(*k)->hurry(mod);
}

/* ---- in a worker ---- */

void hd_registry_sync_here(struct hd_worker *w, const struct hd_module *mod)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->sync_here != NULL)
			(*k)->sync_here(w, mod);
}

void hd_registry_cancel_here(struct hd_worker *w, const struct hd_module *mod)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->cancel_here != NULL)
			(*k)->cancel_here(w, mod);
}

void hd_registry_end_here(struct hd_worker *w, struct hd_module *mod,
			  bool kept)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->end_here != NULL)
			(*k)->end_here(w, mod, kept);
}

void hd_registry_settle_here(struct hd_worker *w, const struct hd_module *mod,
			     bool kept)
{
	for (const struct hd_kind **k = kinds; *k != NULL; k++)
		if ((*k)->settle_here != NULL)
			(*k)->settle_here(w, mod, kept);
}
