/* SPDX-License-Identifier: MIT */
/* t/unit/fake_core.c - see fake_core.h. */
#include <hyper-derp/secret.h>
#include <hyper-derp/state_file.h>
#include <hyper-derp/tls.h>
#include <hyper-derp/worker.h>
#include "t/unit/fake_core.h"
#include <hyper-derp/presence.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake_core fake;

void fake_bytes_add(struct fake_bytes *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	b->v = realloc(b->v, b->n + n);
	hd_assert(b->v != NULL);
	memcpy(b->v + b->n, p, n);
	b->n += n;
}

void fake_bytes_free(struct fake_bytes *b)
{
	free(b->v);
	*b = (struct fake_bytes){ 0 };
}

/* ---- module ---- */

void fake_unload(void)
{
	struct hd_module *mod = &fake.module;

	if (mod->def != NULL && mod->def->stop != NULL)
		mod->def->stop(mod, &fake.worker);
	if (mod->def != NULL && mod->def->unload != NULL)
		mod->def->unload(mod);
	free(mod->worker_data);
	fake_bytes_free(&fake.certificate);
	*mod = (struct hd_module){ 0 };
}

int fake_load(const struct hd_module_def *def, void *conf, struct hd_error *err)
{
	struct hd_module *mod = &fake.module;
	struct fake_bytes kept = fake.state_file;
	bool quiet = fake.quiet;
	int error = fake.state_error, r;

	fake = (struct fake_core){ .worker.serving = true,
				   .module = { .def = def, .conf = conf },
				   .state_file = kept,
				   .state_error = error,
				   .quiet = quiet };
	mod->worker_data = calloc(1, def->worker_size + 1);
	r = def->load != NULL ? def->load(mod, err) : 0;
	if (r == 0 && def->start != NULL)
		r = def->start(mod, &fake.worker, err);
	if (r < 0) {
		free(mod->worker_data);
		*mod = (struct hd_module){ 0 };
	}
	return r;
}

int64_t fake_metric(const char *name, const char *labels)
{
	const struct hd_metric *m = fake.module.def->metrics;
	int64_t value = 0;

	for (unsigned i = 0; m[i].name != NULL; i++)
		if (strcmp(m[i].name, name) == 0 &&
		    strcmp(m[i].labels ? m[i].labels : "",
			   labels ? labels : "") == 0) {
			hd_assert(m[i].kind != HD_METRIC_HISTOGRAM);
			memcpy(&value,
			       (char *)fake.module.metrics + m[i].offset,
			       sizeof(value));
			return value;
		}
	hd_assert_fail("no such metric", name, 0);
}

const void *hd_module_conf(struct hd_module *mod)
{
	return mod->conf;
}

const void *hd_module_worker_conf(struct hd_module *mod, struct hd_worker *w)
{
	(void)w;
	return mod->conf;
}

void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w)
{
	(void)w;
	return mod->worker_data;
}

void *hd_metrics(struct hd_module *mod, struct hd_worker *w)
{
	hd_assert(w == &fake.worker &&
		  mod->def->metrics_size <= sizeof(mod->metrics));
	return mod->metrics;
}

bool hd_worker_serving(const struct hd_worker *w)
{
	return w->serving;
}

int hd_state_file_read(const char *name, void *buf, size_t size,
		       struct hd_error *err)
{
	(void)name;
	if (fake.state_error != 0)
		return hd_error_set(err, fake.state_error, "cannot read");
	if (fake.state_file.v == NULL)
		return -ENOENT;
	if (fake.state_file.n > size)
		return hd_error_set(err, -EFBIG, "too long");
	memcpy(buf, fake.state_file.v, fake.state_file.n);
	return (int)fake.state_file.n;
}

int hd_state_file_write(const char *name, const void *buf, size_t len,
			struct hd_error *err)
{
	(void)err;
	fake.state_name = name;
	fake_bytes_free(&fake.state_file);
	fake_bytes_add(&fake.state_file, buf, len);
	return 0;
}

void *hd_secret_alloc(size_t len_bytes)
{
	return calloc(1, len_bytes);
}

void hd_secret_free(void *secret)
{
	free(secret);
}

int hd_tls_chain_append(struct hd_module *mod, const uint8_t *der,
			size_t len_bytes, struct hd_error *err)
{
	(void)mod, (void)err;
	fake_bytes_free(&fake.certificate);
	fake_bytes_add(&fake.certificate, der, len_bytes);
	return 0;
}

/* ---- streams ---- */

struct hd_stream *fake_stream_new(const struct hd_proto *proto)
{
	struct hd_stream *s = calloc(1, sizeof(*s));

	hd_assert(s != NULL);
	s->proto = proto;
	s->state = calloc(1, proto->state_size);
	s->addr.in.sin_family = AF_INET;
	return s;
}

void fake_stream_free(struct hd_stream **s)
{
	if (*s == NULL)
		return;
	for (unsigned i = 0; i < HD_LANE_N; i++)
		fake_bytes_free(&(*s)->lane[i]);
	fake_bytes_free(&(*s)->out);
	fake_bytes_free(&(*s)->in);
	free((*s)->reserved);
	free((*s)->state);
	free(*s);
	*s = NULL;
}

/* As the core does: want is forgotten before each call, nothing is offered
 * while a login is under way or after the close. */
static void offer(struct hd_stream *s)
{
	while (s->in.n > 0 && s->in.n >= s->want && !s->closing &&
	       !s->logging_in) {
		size_t used;

		s->want = 0;
		used = s->proto->data(&fake.module, s, s->state, s->in.v,
				      s->in.n);
		hd_assert(used <= s->in.n);
		s->in.n -= used;
		memmove(s->in.v, s->in.v + used, s->in.n);
		if (used == 0 || s->want == 0)
			break;
	}
}

void fake_feed(struct hd_stream *s, const void *p, size_t n)
{
	fake_bytes_add(&s->in, p, n);
	offer(s);
}

void fake_admit(struct hd_stream *s)
{
	hd_assert(s->logging_in && !s->admitted);
	s->logging_in = false;
	s->admitted = true;
	s->proto->admitted(&fake.module, s, s->state, &s->peer);
	s->want = 0;
	offer(s);
}

void fake_close(struct hd_stream *s, enum hd_close why)
{
	s->closing = true;
	s->proto->closed(&fake.module, s, s->state, why);
}

void fake_out_clear(struct hd_stream *s)
{
	for (unsigned i = 0; i < HD_LANE_N; i++)
		fake_bytes_free(&s->lane[i]);
	fake_bytes_free(&s->out);
}

uint8_t *hd_stream_reserve(struct hd_stream *s, enum hd_lane lane, size_t n)
{
	hd_assert(s->reserved == NULL && n > 0 && n <= HD_FRAME_MAX_BYTES);
	if (s->closing || s->lane_full[lane])
		return NULL;
	s->reserved = malloc(n); /* exact, so that ASan sees a byte too many */
	s->reserved_n = n;
	s->reserved_lane = lane;
	return s->reserved;
}

void hd_stream_commit(struct hd_stream *s, size_t n)
{
	hd_assert(s->reserved != NULL && n == s->reserved_n);
	fake_bytes_add(&s->lane[s->reserved_lane], s->reserved, n);
	fake_bytes_add(&s->out, s->reserved, n);
	free(s->reserved);
	s->reserved = NULL;
}

bool hd_stream_append(struct hd_stream *s, enum hd_lane lane, const void *data,
		      size_t n)
{
	uint8_t *p = hd_stream_reserve(s, lane, n);

	if (p == NULL)
		return false;
	memcpy(p, data, n);
	hd_stream_commit(s, n);
	return true;
}

void hd_stream_want(struct hd_stream *s, size_t n)
{
	s->want = n;
}

void hd_stream_timer(struct hd_stream *s, unsigned which, uint32_t delay_ms)
{
	hd_assert(which < HD_STREAM_TIMERS);
	s->timer_ms[which] = delay_ms;
}

void hd_stream_close(struct hd_stream *s, enum hd_close why)
{
	if (!s->closing)
		s->why = why;
	s->closing = true;
}

struct hd_worker *hd_stream_worker(const struct hd_stream *s)
{
	(void)s;
	return &fake.worker;
}

const union hd_addr *hd_stream_addr(const struct hd_stream *s)
{
	return &s->addr;
}

const union hd_addr *hd_stream_proxy(const struct hd_stream *s)
{
	return s->proxied ? &s->addr : NULL;
}

bool hd_stream_is_tls(const struct hd_stream *s)
{
	return !s->plain;
}

bool hd_stream_is_leaving(const struct hd_stream *s)
{
	return s->leaving;
}

/* ---- relay ---- */

void hd_relay_login(struct hd_stream *s, const struct hd_login *login)
{
	hd_assert(!s->logging_in && !s->admitted);
	s->logging_in = true;
	s->peer.stream = s;
	s->peer.login = *login;
}

void hd_relay_send(struct hd_peer *from, const struct hd_key *dst, bool urgent,
		   const uint8_t *data, uint32_t len_bytes)
{
	struct fake_sent *sent = &fake.sent[fake.n_sent % FAKE_SENT_MAX];

	hd_assert(from->stream->admitted && len_bytes <= HD_PACKET_MAX_BYTES);
	*sent = (struct fake_sent){ .dst = *dst, .urgent = urgent };
	sent->len_bytes = len_bytes;
	for (uint32_t i = 0; i < len_bytes; i++)
		sent->sum ^= data[i]; /* all of it can be read */
	memcpy(sent->head, data, HD_MIN(len_bytes, sizeof(sent->head)));
	fake.n_sent++;
}

void hd_relay_send_all(struct hd_peer *from, const struct hd_key *dst, size_t n,
		       bool urgent, const uint8_t *data, uint32_t len_bytes)
{
	for (size_t i = 0; i < n; i++)
		hd_relay_send(from, &dst[i], urgent, data, len_bytes);
}

void hd_relay_forward(struct hd_peer *link, const struct hd_key *src,
		      const struct hd_key *dst, bool urgent,
		      const uint8_t *data, uint32_t len_bytes)
{
	hd_assert(link->login.mesh);
	hd_relay_send(link, dst, urgent, data, len_bytes);
	fake.forwarded = *src;
}

int hd_presence_watch(struct hd_peer *watcher, uint16_t realm)
{
	hd_assert(watcher->login.mesh && realm == 0);
	fake.watches++;
	return 0;
}

void hd_relay_forward_in(struct hd_peer *link, const char *realm,
			 size_t realm_bytes, const struct hd_key *src,
			 const struct hd_key *dst, bool urgent,
			 const uint8_t *data, uint32_t len_bytes)
{
	hd_assert(realm_bytes < sizeof(fake.forwarded_in));
	memcpy(fake.forwarded_in, realm, realm_bytes);
	fake.forwarded_in[realm_bytes] = '\0';
	hd_relay_forward(link, src, dst, urgent, data, len_bytes);
}

int hd_presence_watch_also(struct hd_peer *watcher, uint32_t realms)
{
	hd_assert(watcher->login.mesh);
	fake.also = realms;
	return 0;
}

void hd_relay_kick(uint16_t realm, const struct hd_key *key, enum hd_close why)
{
	hd_assert(realm == 0 && why == HD_CLOSE_KICKED);
	fake.kicked = *key;
}

const struct hd_login *hd_peer_login(const struct hd_peer *peer)
{
	return &peer->login;
}

void hd_peer_active(struct hd_peer *peer)
{
	peer->active++;
}

struct hd_stream *hd_peer_stream(const struct hd_peer *peer)
{
	return peer->stream;
}

const struct hd_key *hd_peer_key(const struct hd_peer *peer)
{
	return &peer->login.key;
}
