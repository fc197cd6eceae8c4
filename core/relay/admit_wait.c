/* SPDX-License-Identifier: MIT */
/* core/relay/admit_wait.c - logins that wait for a module's answer: how long,
 * and who is asked once more. Context: the key's home worker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/relay/peer.h"
#include "core/relay/ticket.h"
#include "core/stream/stream_life.h"

/* From now on it has the time that the hook has asked for, or again that of
 * every login. */
void hd_login_wait(struct hd_stream *s, const struct hd_ticket *t)
{
	struct hd_peer *p = hd_peer_of(s);

	p->state = HD_PEER_PENDING;
	if (t->wait_ms > 0) {
		free(p->late);
		p->late = strdup(t->reason);
		hd_stream_deadline(s, HD_DEADLINE_LOGIN, t->wait_ms);
	}
	if (s->rx_hup)
		hd_login_hung_up(s);
}

void hd_login_waited(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);

	if (p->late == NULL)
		return;
	free(hd_steal(&p->late));
	hd_stream_deadline(s, HD_DEADLINE_LOGIN,
			   s->worker->conf->login_timeout_ms);
}

/* ---- asked once more ---- */

enum { AGAIN_MS = 50 };

/* login_timeout's deadline serves both: it is put back when it has passed. */
void hd_login_ask_later(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);
	uint64_t late_ms = s->deadline_ms[HD_DEADLINE_LOGIN];

	if (late_ms != 0 && late_ms <= s->worker->now_ms + AGAIN_MS)
		return;
	p->asks_again = true;
	p->late_ms = late_ms;
	hd_stream_deadline(s, HD_DEADLINE_LOGIN, AGAIN_MS);
}

/* Whoever was asked last, or now stands in that place. */
static void ask_again(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);

	if (p->asks_again)
		s->deadline_ms[HD_DEADLINE_LOGIN] = p->late_ms;
	p->asks_again = false;
	p->asked_hooks--;
	hd_login_ask(s);
}

void hd_login_late(struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_of(s);
	char why[128];

	if (p->state == HD_PEER_PENDING && p->asks_again) {
		ask_again(s);
		return;
	}
	if (p->state != HD_PEER_PENDING) {
		hd_stream_close(s, HD_CLOSE_TIMEOUT);
		return;
	}
	if (p->late != NULL && p->late[0] != '\0')
		snprintf(why, sizeof(why), "%s", p->late);
	else
		snprintf(why, sizeof(why),
			 "module %s has not answered within login_timeout",
			 p->hook_asked->name);
	hd_login_refuse(s, HD_CLOSE_TIMEOUT, why);
}

static bool waits_for(const struct hd_stream *s, const struct hd_module *mod)
{
	const struct hd_peer *p = hd_peer_of(s);

	return hd_stream_is_open(s) && p != NULL &&
	       p->state == HD_PEER_PENDING && p->hook_asked == mod;
}

/* Who waits for an answer of code that has gone: whoever is there now is
 * asked. */
static void settle_here(struct hd_worker *w, const struct hd_module *mod,
			bool kept)
{
	if (kept)
		return;
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		if (waits_for(s, mod))
			ask_again(s);
}

const struct hd_kind hd_login_kind = {
	.name = "logins",
	.settle_here = settle_here,
};
