/* SPDX-License-Identifier: MIT */
/* core/stream/visitor.c - addresses that have connections here. */
#include "core/stream/visitor.h"
#include <hyper-derp/log.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/bucket.h"
#include "core/base/key.h"
#include "core/base/memo.h"
#include "core/base/prefix.h"
#include "core/net/listener.h"
#include "core/stream/stream.h"
#include "core/stream/stream_worker.h"

enum {
	PARTS = 64, /* a power of two */
	KEPT_MAX = 1024, /* in each, 120 bytes */
	BURST_MIN = 10, /* a client that starts opens several at once */
	TELL_EVERY_MS = 60000,
};

struct hd_visitor {
	struct hd_memo memo;
	struct part *part;
	uint32_t n; /* connections */
	struct hd_bucket bucket; /* in halves of a connection */
	uint64_t told_ms; /* when the log was told last; 0: never */
};

static struct part {
	_Alignas(64) pthread_mutex_t lock;
	struct hd_memos memos;
	size_t n; /* held or kept */
} parts[PARTS] = {
	[0 ... PARTS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER,
			      .memos = { .max = KEPT_MAX } },
};

/* ---- which address ---- */

static struct part *part_of(const struct hd_key *id)
{
	return &parts[(hd_key_hash(0, id) >> 32) & (PARTS - 1)];
}

static struct hd_key id_of(const struct hd_worker *w, const union hd_addr *from)
{
	unsigned bits = (unsigned)w->conf->address_bits;
	struct hd_prefix p = hd_prefix_of(from, bits);
	struct hd_key id = { { 0 } };

	memcpy(id.b, p.addr, sizeof(p.addr));
	return id;
}

/* Returns false: nobody counts from there. */
static bool counts(const struct hd_worker *w, const union hd_addr *from)
{
	const struct hd_conf *conf = w->conf;

	return (conf->address_connections != 0 || conf->address_rate != 0) &&
	       !hd_prefixes_have(&conf->trusted, from);
}

/* ---- in a part, with its lock ---- */

static void forget(struct part *part, struct hd_memo *m)
{
	if (m == NULL)
		return;
	part->n--;
	free(hd_container_of(m, struct hd_visitor, memo));
}

/* Its last connection has gone. */
static void keep(struct hd_visitor *v, const struct hd_worker *w)
{
	struct part *part = v->part;
	uint64_t now = w->now_ms, until = now;

	if (v->bucket.paid_ns > w->now_ns)
		until += hd_ns_to_ms(v->bucket.paid_ns - w->now_ns);
	if (v->told_ms != 0)
		until = HD_MAX(until, v->told_ms + TELL_EVERY_MS);
	if (until > now) {
		forget(part, hd_memo_keep(&part->memos, &v->memo, until));
	} else {
		hd_memo_take(&part->memos, &v->memo);
		forget(part, &v->memo);
	}
}

static struct hd_visitor *found(struct part *part, const struct hd_key *id,
				const struct hd_worker *w)
{
	struct hd_memo *m;

	while ((m = hd_memo_over(&part->memos, w->now_ms)) != NULL)
		forget(part, m);
	m = hd_memo_find(&part->memos, 0, id);
	if (m == NULL)
		return NULL;
	hd_memo_hold(&part->memos, m);
	return hd_container_of(m, struct hd_visitor, memo);
}

static struct hd_visitor *visitor_new(struct part *part,
				      const struct hd_key *id)
{
	struct hd_visitor *v = calloc(1, sizeof(*v));

	if (v == NULL || hd_memo_add(&part->memos, &v->memo, 0, id) < 0) {
		free(v);
		return NULL;
	}
	v->part = part;
	part->n++;
	return v;
}

/* ---- may it ---- */

/* A place more than what was taken must be there: as rates are rounded, half a
 * place is enough. */
static struct hd_rate rate_of(const struct hd_conf *conf)
{
	uint64_t per_s = conf->address_rate;

	return hd_rate_of(2 * per_s,
			  2 * HD_MAX(per_s, (uint64_t)BURST_MIN) - 1);
}

/* Returns which limit does not let it; NULL: it may. */
static const char *why_not(const struct hd_visitor *v,
			   const struct hd_worker *w)
{
	const struct hd_conf *conf = w->conf;
	const struct hd_rate rate = rate_of(conf);

	if (conf->address_connections != 0 &&
	    v->n >= conf->address_connections)
		return "max_connections_per_address";
	if (hd_bucket_unpaid_ns(&v->bucket, &rate, w->now_ns) > 0)
		return "max_accept_rate_per_address";
	return NULL;
}

/* @now  it has just come */
static void enters(struct hd_visitor *v, const struct hd_worker *w, bool now)
{
	const struct hd_rate rate = rate_of(w->conf);

	v->n++;
	if (now)
		hd_bucket_take(&v->bucket, &rate, 2, w->now_ns);
}

/* ---- who may not ---- */

struct refused { /* for the log, once the lock is open */
	const char *limit; /* NULL: nobody was */
	uint32_t n;
	bool tell;
};

static struct refused refuse(struct hd_visitor *v, const char *limit,
			     const struct hd_worker *w)
{
	struct refused r = { .limit = limit, .n = v->n };

	r.tell = v->told_ms == 0 || w->now_ms - v->told_ms >= TELL_EVERY_MS;
	if (r.tell)
		v->told_ms = w->now_ms;
	if (v->n == 0)
		keep(v, w);
	return r;
}

static void tell(struct hd_worker *w, const struct hd_listener *l,
		 const union hd_addr *from, const struct refused *r)
{
	char addr[HD_ADDR_TEXT_BYTES], text[HD_ADDR_TEXT_BYTES];

	hd_count(&w->stats.address_refused, 1);
	if (r->tell)
		hd_log_notice("connection refused: from=%s listener=%s "
			      "connections=%u limit=%s (further ones of this "
			      "address are not in the log for a minute)",
			      hd_addr_text(from, text),
			      hd_addr_text(&l->addr, addr), r->n, r->limit);
}

/* ---- coming and going ---- */

/* @asks  whether it may; else it is here, and counts: it came at another time,
 * so it takes nothing of the rate, which would lock its address out */
static struct refused come(struct hd_worker *w, const union hd_addr *from,
			   bool asks, struct hd_visitor **ret)
{
	const struct hd_key id = id_of(w, from);
	struct part *part = part_of(&id);
	struct refused r = { 0 };
	struct hd_visitor *v;
	const char *limit;

	pthread_mutex_lock(&part->lock);
	v = found(part, &id, w);
	if (v == NULL) /* without memory it does not count */
		v = visitor_new(part, &id);
	limit = v != NULL && asks ? why_not(v, w) : NULL;
	if (limit != NULL)
		r = refuse(v, limit, w);
	else if (v != NULL)
		enters(v, w, asks);
	pthread_mutex_unlock(&part->lock);
	*ret = limit == NULL ? v : NULL;
	return r;
}

bool hd_visitor_come(struct hd_worker *w, const struct hd_listener *l,
		     const union hd_addr *from, struct hd_visitor **ret)
{
	struct refused r;

	*ret = NULL;
	if (!counts(w, from))
		return true;
	r = come(w, from, true, ret);
	if (r.limit != NULL)
		tell(w, l, from, &r);
	return r.limit == NULL;
}

void hd_visitor_leave(struct hd_worker *w, struct hd_visitor **visitor)
{
	struct hd_visitor *v = hd_steal(visitor);
	struct part *part;

	if (v == NULL)
		return;
	part = v->part;
	pthread_mutex_lock(&part->lock);
	if (--v->n == 0)
		keep(v, w);
	pthread_mutex_unlock(&part->lock);
}

/* ---- streams ---- */

static bool is_of(const struct hd_visitor *v, const struct hd_worker *w,
		  const union hd_addr *addr)
{
	const struct hd_key id = id_of(w, addr);

	return v != NULL && hd_key_same(&v->memo.id, &id);
}

bool hd_visitor_renamed(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;

	if (is_of(s->visitor, w, &s->addr))
		return true;
	hd_visitor_leave(w, &s->visitor);
	return hd_visitor_come(w, s->listener, &s->addr, &s->visitor);
}

/* Those that modules dial are no visitors. */
static bool is_uncounted(const struct hd_stream *s)
{
	return s->visitor == NULL && !s->proxy_due && hd_stream_is_open(s) &&
	       s->fds != HD_FDS_DIALLED && s->fds != HD_FDS_ONWARD &&
	       counts(s->worker, &s->addr);
}

void hd_visitors_reload(struct hd_worker *w)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		if (is_uncounted(s))
			come(w, &s->addr, false, &s->visitor);
}

size_t hd_visitors_n(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < PARTS; i++) {
		pthread_mutex_lock(&parts[i].lock);
		n += parts[i].n;
		pthread_mutex_unlock(&parts[i].lock);
	}
	return n;
}
