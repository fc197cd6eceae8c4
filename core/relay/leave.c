/* SPDX-License-Identifier: MIT */
/* core/relay/leave.c - the leave hooks: who was here, and how much. */
#include "core/relay/leave.h"
#include "core/loop/hooks.h"
#include "core/relay/tenant.h"
#include "core/stream/stream_life.h"

/* Those about whom there are facts: they have proven their key and are home. */
static struct hd_departure facts(const struct hd_peer *p, bool stays)
{
	const struct hd_stream *s = p->stream;
	struct hd_about_peer a;
	struct hd_departure d = {
		.peer = p,
		.login = &p->login,
		.packets_in = p->packets_in,
		.packets_out = p->packets_out,
		.admitted = p->admitted,
		.stays = stays,
		.why = stays ? HD_CLOSE_DONE : (enum hd_close)s->why,
		.why_text = stays ? "" : hd_close_text(s->mod, s->why),
		.refusal = p->refusal != NULL ? p->refusal : "",
	};

	hd_peer_about(s, &a);
	d.conn = a.conn;
	d.from = a.addr;
	d.proxy = a.proxy;
	d.proto = a.proto;
	d.listener = a.listener;
	d.name = a.name;
	d.tenant = a.tenant;
	d.duration_ms = a.age_ms;
	d.bytes_in = a.bytes_in;
	d.bytes_out = a.bytes_out;
	d.drops = a.drops;
	return d;
}

static void tell(struct hd_worker *w, const struct hd_hook *h,
		 const struct hd_departure *d)
{
	struct hd_account *before =
		hd_meter_enter(&w->meter, hd_account_of(w, h->mod));

	h->leave(h->mod, w, d);
	hd_meter_leave(&w->meter, before);
}

/* Neither before start() nor after stop(). */
static bool runs(const struct hd_worker *w, const struct hd_module *mod)
{
	return w->mods[mod->index].phase == HD_MOD_STARTED;
}

void hd_leave_tell(struct hd_peer *p)
{
	struct hd_worker *w = p->stream->worker;
	const struct hd_hook_list *list = &w->hooks->leave;

	if (list->n == 0 || !p->home)
		return;
	const struct hd_departure d = facts(p, false);

	for (unsigned i = 0; i < list->n; i++)
		if (runs(w, list->v[i].mod))
			tell(w, &list->v[i], &d);
}

static void tell_of(struct hd_worker *w, const struct hd_module *mod,
		    const struct hd_peer *p)
{
	const struct hd_hook_list *list = &w->hooks->leave;
	const struct hd_departure d = facts(p, true);

	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].mod == mod)
			tell(w, &list->v[i], &d);
}

void hd_leave_behind(struct hd_worker *w, const struct hd_module *mod)
{
	if (!runs(w, mod) || hd_hook_of(&w->hooks->leave, mod) == NULL)
		return;
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		const struct hd_peer *p = hd_peer_of(s);

		if (p != NULL && p->home)
			tell_of(w, mod, p);
	}
}
