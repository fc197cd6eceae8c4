/* SPDX-License-Identifier: MIT */
/* core/daemon/turn_life.c - how a worker begins and ends: each room makes its
 * part; peers are told to come back, what is queued leaves, modules stop, the
 * parts are freed. Context: the worker; init and free: the main
 * thread, while it does not run. */
#include "core/daemon/turn.h"
#include "core/loop/inbox.h"
#include "core/loop/timer.h"
#include "core/module/module.h"
#include "core/net/udp.h"
#include "core/relay/limits.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/stream/accept.h"
#include "core/stream/dial.h"
#include "core/stream/stream_life.h"

/* ---- begin ---- */

int hd_turn_init(struct hd_worker *w, const void *args)
{
	const struct hd_turn_args *a = args;
	int r = hd_udps_new(w);

	if (r == 0)
		r = hd_streams_new(w);
	if (r == 0)
		r = hd_relay_new(w);
	if (r < 0)
		return r;
	hd_limits_start(w);
	w->streams->tls = a->tls;
	w->streams->ktls = a->ktls;
	w->hooks = hd_modules_hooks();
	hd_modules_expect(w);
	return 0;
}

/* ---- end ---- */

static void close_streams(struct hd_worker *w, bool at_once)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		if (at_once)
			hd_stream_abort(s, HD_CLOSE_DRAIN);
		else
			hd_stream_close(s, HD_CLOSE_DRAIN);
	}
}

#define BACK_IN_MS 1000 /* a restart takes about that */
#define BACK_SPREAD_MS 2000 /* not all of them at once */
#define TRY_FOR_MS 30000

static void notify_restart(struct hd_worker *w)
{
	uint64_t i = 0, n = HD_MAX(1u, w->streams->n);

	for (struct hd_stream *s = w->streams->first; s != NULL;
	     s = s->next, i++) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);
		uint32_t after_ms = (uint32_t)(BACK_SPREAD_MS * i / n);

		if (ops != NULL && ops->drain != NULL && hd_stream_is_open(s))
			ops->drain(s->mod, hd_peer_of(s), BACK_IN_MS + after_ms,
				   TRY_FOR_MS);
	}
}

/* Those that other workers send meanwhile, too. */
static void drop_streams(struct hd_worker *w)
{
	do {
		close_streams(w, true);
		hd_turn(w);
	} while (w->streams->n > 0 || w->streams->dirty != NULL ||
		 hd_streams_have_input(w));
}

/* What is queued gets half a second to leave. */
static void wind_up(struct hd_worker *w)
{
	uint64_t until = w->now_ms + 500;

	hd_accept_stop(w);
	hd_dials_stop(w);
	notify_restart(w);
	close_streams(w, false);
	while (w->streams->n > 0 && w->now_ms < until)
		hd_turn(w);
	drop_streams(w);
}

static void free_timers(struct hd_worker *w)
{
	for (unsigned i = 0; i < hd_modules_n(); i++)
		hd_timers_free(w, hd_modules_at(i));
}

void hd_turn_end(struct hd_worker *w, bool begun)
{
	if (!begun) {
		hd_inbox_shut(w);
		return;
	}
	wind_up(w);
	hd_modules_stop(w);
	hd_inbox_shut(w);
	drop_streams(w);
	hd_ended_tell(w);
	free_timers(w); /* closed() may have made some */
}

/* Not before all workers have ended: the others read a module's numbers to the
 * last. */
void hd_turn_free(struct hd_worker *w)
{
	hd_relay_free(w);
	hd_streams_free(w);
	hd_udps_free(w);
	hd_modules_free(w);
}
