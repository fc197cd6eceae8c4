/* SPDX-License-Identifier: MIT */
/* core/stream/stream_path.c - tcp_congestion: auto. A connection begins with
 * what the kernel has chosen; when the kernel takes less of its output than
 * there is, that the other end is far is looked at, and what follows. One that
 * takes all it is sent is never asked about. Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/path.h"
#include "core/stream/stream_life.h"

/* What the kernel refuses to one connection it refuses to all, until somebody
 * loads the module: said once, and tried again by one of them, when this time
 * has come. 0: it was never refused. */
static uint64_t again_ms;
#define AGAIN_MS 60000 /* the kernel may look for the module each time */

static bool is_said(const struct hd_stream *s, const char *what)
{
	const char *name = s->worker->conf->tcp_congestion;

	return name != NULL && strcmp(name, what) == 0;
}

static void set_bbr(struct hd_stream *s)
{
	uint64_t now_ms = s->worker->now_ms;
	int r;

	if (now_ms < __atomic_load_n(&again_ms, __ATOMIC_RELAXED))
		return;
	r = hd_path_set_bbr(s->fd);
	if (r == 0) {
		s->path->settled = s->path->keeps_rate = true;
		hd_count(&s->worker->stats.bbr, 1);
		hd_log_info("congestion: key=%s bbr (it is far, and packets "
			    "get lost on the way)",
			    hd_stream_key_text(s));
	} else if (__atomic_exchange_n(&again_ms, now_ms + AGAIN_MS,
				       __ATOMIC_RELAXED) == 0) {
		errno = -r;
		hd_log_warn("tcp_congestion: bbr: %m; until it is there, peers "
			    "that are far keep the kernel's, which is slow "
			    "where packets get lost (modprobe tcp_bbr)");
	}
}

/* Returns NULL: there is nothing to see. */
static struct hd_path *path_of(struct hd_stream *s)
{
	if (s->path == NULL) {
		s->path = calloc(1, sizeof(*s->path));
		if (s->path == NULL)
			return NULL;
		s->path->keeps_rate = hd_path_has_bbr(s->fd);
		s->path->settled = s->path->keeps_rate || !is_said(s, "auto");
	}
	return s->path;
}

void hd_stream_look(struct hd_stream *s)
{
	struct hd_path_seen seen;
	struct hd_path *p;

	if (is_said(s, "kernel"))
		return;
	p = path_of(s);
	if (p == NULL || s->worker->now_ms < p->next_ms)
		return;
	p->next_ms = s->worker->now_ms + HD_PATH_LOOK_MS;
	if (hd_path_see(s->fd, &seen) < 0) {
		p->next_ms = UINT64_MAX;
		return;
	}
	if (!p->settled && hd_path_is_lossy(p, &seen))
		set_bbr(s);
	hd_path_measure(p, &seen);
}
