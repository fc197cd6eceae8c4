/* SPDX-License-Identifier: MIT */
/* t/unit/fake_stream.c - see fake_stream.h. */
#include "core/base/close.h"
#include "core/http/http.h"
#include "core/stream/first.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include "t/unit/fake_stream.h"
#include <arpa/inet.h>
#include <string.h>

static struct fake_stream *fake(const struct hd_stream *s)
{
	return hd_container_of(s, struct fake_stream, s);
}

void fake_stream_init(struct fake_stream *f)
{
	memset(f, 0, sizeof(*f));
	f->s.magic = HD_STREAM_MAGIC;
	f->s.worker = &f->worker;
	f->worker.conf = &f->conf;
	f->s.addr.in.sin_family = AF_INET;
	f->s.addr.in.sin_port = htons(40000);
	f->s.addr.in.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	f->named = f->s.addr;
}

const union hd_addr *hd_proxied_named(const struct hd_stream *s)
{
	return &fake(s)->named;
}

void hd_proxied_forwarded(struct hd_stream *s, const union hd_addr *client)
{
	s->addr = client != NULL ? *client : fake(s)->named;
}

void fake_stream_free(struct fake_stream *f)
{
	hd_ws_free(&f->ws);
}

bool hd_stream_append(struct hd_stream *s, enum hd_lane lane, const void *data,
		      size_t n)
{
	struct fake_stream *f = fake(s);

	(void)lane;
	hd_assert(n > 0);
	if (f->closed || f->fail_append || f->out_len + n >= sizeof(f->out))
		return false;
	memcpy(f->out + f->out_len, data, n);
	f->out_len += n;
	f->out[f->out_len] = '\0';
	return true;
}

bool hd_stream_append_raw(struct hd_stream *s, const void *data, size_t n)
{
	fake(s)->raw_len += n;
	return hd_stream_append(s, HD_LANE_CONTROL, data, n);
}

uint8_t *hd_stream_reserve_raw(struct hd_stream *s, enum hd_lane lane, size_t n)
{
	struct fake_stream *f = fake(s);

	if (f->closed || f->fail_append || f->out_len + n >= sizeof(f->out))
		return NULL;
	s->reserved = &f->chunk;
	s->reserved_lane = (uint8_t)lane;
	return (uint8_t *)f->out + f->out_len;
}

void hd_stream_commit(struct hd_stream *s, size_t n)
{
	struct fake_stream *f = fake(s);

	hd_steal(&s->reserved);
	f->out_len += f->chunk.tail + n; /* behind the head */
	f->chunk.tail = 0;
}

void hd_stream_deadline(struct hd_stream *s, enum hd_deadline which,
			uint64_t delay_ms)
{
	s->deadline_ms[which] = delay_ms;
}

void hd_stream_close(struct hd_stream *s, enum hd_close why)
{
	struct fake_stream *f = fake(s);

	if (!f->closed)
		f->why = why;
	f->closed = true;
	s->phase = HD_PHASE_CLOSING;
	s->why = (uint8_t)f->why;
	s->like = (uint8_t)hd_close_like(s->mod, f->why);
}

struct hd_account *hd_stream_enter(struct hd_stream *s,
				   const struct hd_module *mod)
{
	(void)s;
	(void)mod;
	return NULL;
}

void hd_stream_leave(struct hd_stream *s, struct hd_account *before)
{
	(void)s;
	(void)before;
}

void *hd_stream_switch(struct hd_stream *s, struct hd_module *mod,
		       const struct hd_proto *proto)
{
	struct fake_stream *f = fake(s);

	if (f->fail_switch) {
		hd_stream_close(s, HD_CLOSE_ERROR);
		return NULL;
	}
	s->mod = mod;
	f->proto = proto;
	return f->state;
}

void hd_stream_use_ws(struct hd_stream *s, struct hd_ws **ws)
{
	fake(s)->ws = hd_steal(ws);
}

const char *hd_stream_listener_name(const struct hd_stream *s)
{
	return fake(s)->listener;
}

void hd_first_opened(struct hd_stream *s, const char *alpn)
{
	s->unopened = false;
	if (fake(s)->proto->opened != NULL)
		fake(s)->proto->opened(s->mod, s, fake(s)->state, alpn);
}

unsigned hd_stream_only(const struct hd_stream *s)
{
	return fake(s)->only;
}

const char *hd_stream_routes(const struct hd_stream *s)
{
	return fake(s)->listener;
}

const union hd_addr *hd_stream_addr(const struct hd_stream *s)
{
	return &s->addr;
}

struct hd_worker *hd_stream_worker(const struct hd_stream *s)
{
	return s->worker;
}

/* Without a worker there is nobody to wait for: all of it at once. */
void hd_reply_large(struct hd_request *req, const void *body, size_t len_bytes)
{
	hd_stream_append(req->stream, HD_LANE_CONTROL, body, len_bytes);
}
