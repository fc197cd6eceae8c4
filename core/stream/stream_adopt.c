/* SPDX-License-Identifier: MIT */
/* core/stream/stream_adopt.c - a stream that another process has written down
 * becomes one of ours. What stands there is not trusted to be right: it may
 * come from another version. Context: the worker that it will be in, parked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/net/listener.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap.h"
#include "core/stream/stream_snap_fields.h"
#include "core/stream/ws.h"
#include "core/tls/tls.h"
#include "core/tls/tls_snap.h"

#define N(field, tag) HD_SNAP_NUMBER(struct hd_stream, field, tag)
#define B(field, tag) HD_SNAP_ARRAY(struct hd_stream, field, tag)

/* Times are of CLOCK_MONOTONIC: the same in both processes. */
const struct hd_snap_field hd_stream_fields[HD_STREAM_FIELDS] = {
	N(want, HD_SNAP_STREAM_WANT),
	B(addr, HD_SNAP_STREAM_ADDR),
	N(since_ms, HD_SNAP_STREAM_SINCE_MS),
	N(since_ns, HD_SNAP_STREAM_SINCE_NS),
	N(bytes_in, HD_SNAP_STREAM_BYTES_IN),
	N(bytes_out, HD_SNAP_STREAM_BYTES_OUT),
	HD_SNAP_PLACES(struct hd_stream, drops, HD_SNAP_STREAM_DROP,
		       hd_drop_names),
	HD_SNAP_PLACES(struct hd_stream, deadline_ms, HD_SNAP_STREAM_DEADLINE,
		       hd_deadline_names),
	N(unacked, HD_SNAP_STREAM_UNACKED),
	N(kernel_tries, HD_SNAP_STREAM_KERNEL_TRIES),
};

int hd_adopted_new(struct hd_adopted *a)
{
	*a = (struct hd_adopted){ .index = UINT64_MAX };
	a->s = calloc(1, sizeof(*a->s));
	if (a->s == NULL)
		return -ENOMEM;
	a->s->magic = HD_STREAM_MAGIC;
	a->s->fd = -1;
	return 0;
}

static void stream_drop(struct hd_stream *s)
{
	struct hd_chunk_pool none = { 0 };

	if (s == NULL)
		return;
	for (unsigned i = 0; i < HD_LANE_N; i++)
		hd_queue_clear(&none, &s->lane[i]);
	hd_queue_clear(&none, &s->flight);
	hd_chunk_put(&none, &s->kept);
	if (s->ws != NULL)
		hd_chunk_put(&none, &s->ws->message);
	hd_chunk_pool_free(&none);
	hd_tls_free(&s->tls);
	hd_ws_free(&s->ws);
	hd_proxied_free(&s->proxied);
	if (s->listener != NULL)
		hd_listener_put(&s->listener);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s->state);
	hd_assert(!s->dirty && !s->ready);
	free(s);
}

void hd_adopted_free(struct hd_adopted *a)
{
	hd_tls_free(&a->tls);
	stream_drop(hd_steal(&a->s));
	free(a->module);
	free(a->proto);
	*a = (struct hd_adopted){ 0 };
}

/* ---- items ---- */

static struct hd_chunk *chunk_of(struct hd_chunk_pool *pool,
				 struct hd_snap_in bytes)
{
	struct hd_chunk *c = hd_chunk_new(pool, bytes.n);

	if (c == NULL)
		return NULL;
	memcpy(c->data + c->tail, bytes.p, bytes.n);
	c->tail += (uint32_t)bytes.n;
	return c;
}

struct image { /* of a chunk */
	uint64_t frames, raw;
	struct hd_snap_in bytes;
};

static int take_image(const struct hd_snap_item *item, struct image *c,
		      struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_CHUNK_FRAMES:
		return hd_snap_to_number(item, &c->frames);
	case HD_SNAP_CHUNK_RAW:
		return hd_snap_to_number(item, &c->raw);
	case HD_SNAP_CHUNK_BYTES:
		c->bytes = item->in;
		return 0;
	default:
		return hd_snap_unknown(item, "a chunk of output", err);
	}
}

static int take_chunk(struct hd_queue *q, struct hd_chunk_pool *pool,
		      struct hd_snap_in in, struct hd_error *err)
{
	struct image image = { 0 };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_image(&item, &image, err);
		if (r < 0)
			return r;
	}
	if (r < 0 || image.frames > UINT16_MAX || image.raw > 1 ||
	    image.bytes.n == 0)
		return -EBADMSG;
	struct hd_chunk *c = chunk_of(pool, image.bytes);

	if (c == NULL)
		return -ENOMEM;
	c->frames = (uint16_t)image.frames;
	c->raw = image.raw != 0;
	hd_queue_push(q, c);
	return 0;
}

static int find_queue(struct hd_stream *s, const struct hd_snap_item *item,
		      struct hd_queue **ret, struct hd_error *err)
{
	for (unsigned i = 0; i <= HD_LANE_N; i++)
		if (item->in.n == strlen(hd_queue_names[i]) &&
		    memcmp(item->in.p, hd_queue_names[i], item->in.n) == 0) {
			*ret = i < HD_LANE_N ? &s->lane[i] : &s->flight;
			return 0;
		}
	return hd_error_set(err, -ENOTSUP,
			    "the other version has a queue that this one has "
			    "not: %.*s",
			    (int)HD_MIN(item->in.n, (size_t)32),
			    (const char *)item->in.p);
}

/* The name comes before the chunks. */
static int take_queue(struct hd_stream *s, struct hd_chunk_pool *pool,
		      struct hd_snap_in in, struct hd_error *err)
{
	struct hd_queue *q = NULL;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_CHUNK && q != NULL)
			r = take_chunk(q, pool, item.in, err);
		else if (item.tag == HD_SNAP_QUEUE_NAME)
			r = find_queue(s, &item, &q, err);
		else
			r = hd_snap_unknown(&item, "a queue", err);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_kept(struct hd_stream *s, struct hd_chunk_pool *pool,
		     struct hd_snap_in bytes)
{
	if (s->kept != NULL || bytes.n == 0 || bytes.n > HD_KEPT_MAX_BYTES)
		return -EBADMSG;
	s->kept = chunk_of(pool, bytes);
	return s->kept != NULL ? 0 : -ENOMEM;
}

/* Both come, or none: is_whole(). */
static int take_proxied(struct hd_stream *s, const struct hd_snap_item *item)
{
	union hd_addr *to;

	if (s->proxied == NULL)
		s->proxied = calloc(1, sizeof(*s->proxied));
	if (s->proxied == NULL)
		return -ENOMEM;
	to = item->tag == HD_SNAP_STREAM_PROXY ? &s->proxied->proxy
					       : &s->proxied->named;
	return hd_snap_to_bytes(item, to, sizeof(*to));
}

/* Returns 1 where it has a place. */
static int take_other(struct hd_adopted *a, struct hd_worker *w,
		      const struct hd_snap_item *item, struct hd_error *err)
{
	struct hd_chunk_pool *pool = &w->streams->pool;
	int r;

	switch (item->tag) {
	case HD_SNAP_STREAM_INDEX:
		r = hd_snap_to_number(item, &a->index);
		break;
	case HD_SNAP_STREAM_MODULE:
		r = hd_snap_to_text(item, &a->module);
		break;
	case HD_SNAP_STREAM_PROTO:
		r = hd_snap_to_text(item, &a->proto);
		break;
	case HD_SNAP_STREAM_LISTENER:
		a->listener = item->in;
		r = item->in.n == HD_LISTENER_ID_BYTES ? 0 : -EBADMSG;
		break;
	case HD_SNAP_STREAM_FLAGS:
		r = hd_snap_to_number(item, &a->flags);
		break;
	case HD_SNAP_STREAM_STATE:
		a->state = item->in;
		r = 0;
		break;
	case HD_SNAP_STREAM_KEPT:
		r = take_kept(a->s, pool, item->in);
		break;
	case HD_SNAP_STREAM_QUEUE:
		r = take_queue(a->s, pool, item->in, err);
		break;
	case HD_SNAP_WS:
		r = hd_ws_unpack(item->in, pool, &a->s->ws, err);
		break;
	case HD_SNAP_STREAM_PROXY:
	case HD_SNAP_STREAM_NAMED:
		r = take_proxied(a->s, item);
		break;
	case HD_SNAP_TLS:
		r = a->tls != NULL
			    ? -EBADMSG
			    : hd_tls_unpack(item->in, pool, &a->tls, err);
		break;
	default:
		return 0;
	}
	return r < 0 ? r : 1;
}

int hd_adopted_take(struct hd_adopted *a, struct hd_worker *w,
		    const struct hd_snap_item *item, struct hd_error *err)
{
	int r = hd_snap_fill(item, hd_stream_fields, HD_STREAM_FIELDS, a->s,
			     &a->seen);

	return r == 0 ? take_other(a, w, item, err) : r;
}

/* ---- all were there ---- */

static void set_flags(struct hd_stream *s, uint64_t flags)
{
	s->rx_eof = flags & HD_STREAM_RX_EOF;
	s->rx_hup = flags & HD_STREAM_RX_HUP;
	s->rx_held = flags & HD_STREAM_RX_HELD;
	s->rx_paused = flags & HD_STREAM_RX_PAUSED;
	s->trusted = flags & HD_STREAM_TRUSTED;
}

static bool is_whole(const struct hd_adopted *a)
{
	const struct hd_proxied *p = a->s->proxied;

	return (p == NULL || (p->proxy.sa.sa_family != 0 &&
			      p->named.sa.sa_family != 0)) &&
	       hd_snap_whole(hd_stream_fields, HD_STREAM_FIELDS, a->seen) &&
	       (a->flags & ~(uint64_t)HD_STREAM_FLAGS_ALL) == 0 &&
	       ((a->flags & HD_STREAM_TLS) != 0) == (a->tls != NULL) &&
	       a->s->want <= HD_KEPT_MAX_BYTES;
}

static bool has_messages(const struct hd_stream *s)
{
	return s->ws != NULL && s->ws->messages;
}

/* The route may have become one of bytes, or of messages. */
static bool speaks(const struct hd_stream *s, const struct hd_proto *proto)
{
	return has_messages(s) ? proto->message != NULL : proto->data != NULL;
}

static int set_state(struct hd_stream *s, const struct hd_proto *proto,
		     struct hd_snap_in state, struct hd_error *err)
{
	if (state.n != proto->state_size)
		return hd_error_set(err, -ENOENT,
				    "protocol %s keeps %u bytes of a "
				    "connection here, and %zu in the other "
				    "version",
				    proto->name, proto->state_size, state.n);
	s->state = malloc(HD_MAX((size_t)1, state.n));
	if (s->state == NULL)
		return -ENOMEM;
	if (state.n > 0)
		memcpy(s->state, state.p, state.n);
	return 0;
}

int hd_adopted_finish(struct hd_adopted *a, int fd, struct hd_module *mod,
		      const struct hd_proto *proto,
		      const struct hd_listener *listener, struct hd_error *err)
{
	struct hd_stream *s = a->s;

	s->fd = fd;
	if (!speaks(s, proto))
		return hd_error_set(err, -ENOENT,
				    "protocol %s takes no %s here", proto->name,
				    has_messages(s) ? "messages" : "bytes");
	if (!is_whole(a) || (a->tls != NULL && !hd_tls_fits(a->tls, fd)))
		return -EBADMSG;
	s->listener = hd_listener_get(listener);
	s->fds = (uint8_t)hd_listener_fds(listener);
	set_flags(s, a->flags);
	s->tls = hd_steal(&a->tls);
	s->proto = proto;
	s->mod = mod;
	return set_state(s, proto, a->state, err);
}

int hd_adopted_enter(struct hd_adopted *a, struct hd_worker *w)
{
	struct hd_stream *s = a->s;
	struct hd_module *mod = s->mod;
	int r;

	hd_fds_inherit((enum hd_fds)s->fds);
	s->mod = NULL; /* counted by hd_stream_set_proto() */
	r = hd_stream_attach(w, s);
	if (r < 0) {
		hd_fds_give((enum hd_fds)s->fds);
		return r;
	}
	hd_stream_set_proto(s, mod, s->proto);
	a->s = NULL;
	/* it waited for a turn of which nobody here knows: it asks again */
	if (s->rx_paused && s->deadline_ms[HD_DEADLINE_PAUSE] == 0)
		hd_stream_deadline(s, HD_DEADLINE_PAUSE, 1);
	return 0;
}

int hd_adopted_back(struct hd_stream **stream)
{
	struct hd_stream *s = hd_steal(stream);
	int fd = s->fd;

	hd_assert(s->user == NULL && s->visitor == NULL);
	hd_stream_set_proto(s, NULL, s->proto);
	hd_stream_detach(s);
	hd_fds_give((enum hd_fds)s->fds);
	s->fd = -1;
	stream_drop(s);
	return fd;
}

static bool has_output(const struct hd_stream *s)
{
	bool has = s->flight.first != NULL;

	for (unsigned i = 0; i < HD_LANE_N; i++)
		has |= s->lane[i].first != NULL;
	return has;
}

/* Nothing that is here already makes it go on. */
static bool is_quiet(const struct hd_stream *s)
{
	return s->kept == NULL && s->ws == NULL && !s->rx_eof && !s->rx_hup &&
	       !s->rx_held && !s->rx_paused && !has_output(s);
}

void hd_adopted_begin(struct hd_worker *w)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		if (!is_quiet(s)) {
			if (has_output(s)) /* it may have had more room */
				hd_stream_look(s);
			hd_stream_mark_ready(s);
			hd_stream_mark_dirty(s);
		}
}
