/* SPDX-License-Identifier: MIT */
/* core/stream/dial_steps.c - from addresses to a stream, or to the reason why
 * there is none; the picture is in core/stream/dial.c. Context: the worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/base/descriptors.h"
#include "core/base/module_id.h"
#include "core/loop/inbox.h"
#include "core/stream/dial_private.h"
#include "core/stream/first.h"
#include "core/stream/stream_life.h"

/* ---- the end ---- */

/* It is found no more. */
static void unlist(struct hd_dial *d)
{
	d->told = true;
	__atomic_sub_fetch(&d->mod->dials, 1, __ATOMIC_SEQ_CST);
	hd_slots_remove(&d->w->streams->dials, d->slot);
	hd_timer_free(&d->timer);
}

static void call_back(struct hd_dial *d, const struct hd_dialled *got)
{
	struct hd_meter *m = &d->w->meter;
	struct hd_account *before =
		hd_meter_enter(m, hd_account_of(d->w, d->mod));

	d->fn(d->mod, d->w, d->arg, got);
	hd_meter_leave(m, before);
}

/* Its stream, which nobody has heard of, takes it along. */
static void leave(struct hd_dial *d)
{
	if (d->stream == NULL)
		hd_dial_free(d);
	else if (hd_stream_is_open(d->stream)) /* else an alert leaves */
		hd_stream_abort(d->stream, HD_CLOSE_ERROR);
}

void hd_dial_fail(struct hd_dial *d, int error, const char *text)
{
	const struct hd_dialled got = {
		.error = error,
		.text = text,
		.addr = d->at > 0 ? &d->addrs[d->at - 1] : NULL,
	};

	unlist(d);
	hd_log_debug("not dialled: module=%s error=\"%s\"", d->mod->name, text);
	call_back(d, &got);
	leave(d);
}

/* "relay.example:443 (192.0.2.1:443): what" */
static void note(struct hd_dial *d, int error, const char *fmt, ...)
	HD_PRINTF(3, 4);
static void note(struct hd_dial *d, int error, const char *fmt, ...)
{
	char name[HD_DIAL_TEXT_BYTES], addr[HD_ADDR_TEXT_BYTES] = "";
	bool both = d->to.host != NULL && d->at > 0;
	va_list ap;
	int n;

	if (both)
		hd_addr_text(&d->addrs[d->at - 1], addr);
	n = snprintf(d->text, sizeof(d->text), "%.150s%s%s%s: ",
		     hd_dial_target_text(&d->to, name), both ? " (" : "", addr,
		     both ? ")" : "");
	va_start(ap, fmt);
	vsnprintf(d->text + n, sizeof(d->text) - (size_t)n, fmt, ap);
	va_end(ap);
	d->error = error;
}

void hd_dial_cancelled(struct hd_dial *d)
{
	note(d, -ECANCELED, "cancelled");
	hd_dial_fail(d, d->error, d->text);
}

void hd_dial_forget(struct hd_dial *d)
{
	unlist(d);
	hd_drop(d->drop, d->arg);
	leave(d);
}

/* ---- one address ---- */

static void note_errno(struct hd_dial *d, int e)
{
	note(d, hd_dial_reason(e), "%s", strerror(e));
}

/* Writable means connected: until then its output is blocked. */
static int watch(struct hd_dial *d, int fd, const union hd_addr *to)
{
	struct hd_stream *s =
		hd_stream_dialled(d->w, fd, to, d->to.fds, d->mod, d->proto);

	if (s == NULL)
		return -ENOMEM;
	d->stream = s;
	s->output = HD_OUTPUT_BLOCKED;
	s->readable = false;
	hd_stream_set_user(s, &d->user);
	return 0;
}

/* Each address gets its share of the time that is left. */
static uint32_t share_ms(const struct hd_dial *d)
{
	uint64_t now = d->w->now_ms, left = d->until_ms - now;

	if (now >= d->until_ms)
		return 1;
	left /= d->n_addrs - d->at + 1;
	return (uint32_t)HD_MAX(left, (uint64_t)1);
}

static bool source_fits(const struct hd_dial *d, const union hd_addr *to)
{
	sa_family_t family = d->to.source.sa.sa_family;

	return family == 0 || family == to->sa.sa_family;
}

/* Returns whether it is under way. */
static bool try_address(struct hd_dial *d)
{
	const union hd_addr *to = &d->addrs[d->at++];
	int fd, r;

	if (!source_fits(d, to)) {
		note(d, -EHOSTUNREACH,
		     "the source address is of another family");
		return false;
	}
	if (!hd_fds_take(d->to.fds)) {
		note_errno(d, EMFILE);
		return false;
	}
	fd = hd_dial_socket(d, to);
	if (fd < 0)
		hd_fds_give(d->to.fds);
	r = fd < 0 ? fd : watch(d, fd, to);
	if (r < 0)
		note_errno(d, -r);
	else
		hd_timer_set(d->timer, share_ms(d));
	return r == 0;
}

void hd_dial_try_next(struct hd_dial *d)
{
	while (d->at < d->n_addrs)
		if (try_address(d))
			return;
	hd_dial_fail(d, d->error, d->text);
}

/* Why is in d->error; the next one is tried. */
static void give_up_address(struct hd_dial *d)
{
	struct hd_stream *s = hd_steal(&d->stream);

	hd_stream_set_user(s, NULL);
	hd_stream_abort(s, HD_CLOSE_ERROR);
	hd_dial_try_next(d);
}

/* ---- it is connected ---- */

static void begin_tls(struct hd_dial *d)
{
	struct hd_stream *s = d->stream;

	s->tls = hd_tls_new_client(d->ctx, &d->to.peer,
				   d->w->conf->record_layer !=
					   HD_RECORDS_OPENSSL);
	if (s->tls == NULL) {
		note_errno(d, ENOMEM);
		hd_dial_fail(d, d->error, d->text);
		return;
	}
	s->since_ns = d->w->now_ns;
	hd_timer_set(d->timer, d->to.handshake_ms);
	hd_stream_await_handshake(s);
}

static struct hd_dial *dial_of(const struct hd_stream *s)
{
	return hd_container_of(s->user, struct hd_dial, user);
}

static void on_drained(struct hd_stream *s)
{
	struct hd_dial *d = dial_of(s);
	int r;

	if (s->output == HD_OUTPUT_BLOCKED || s->tls != NULL || d->told)
		return;
	r = hd_dial_look(s);
	if (r == 0) {
		s->output = HD_OUTPUT_BLOCKED; /* a false alarm */
	} else if (r < 0) {
		note_errno(d, -r);
		give_up_address(d);
	} else if (d->to.tls) {
		begin_tls(d);
	} else {
		hd_first_opened(s, NULL);
	}
}

/* From now on it is a stream like others. */
static void on_opened(struct hd_stream *s, const char *alpn)
{
	struct hd_dial *d = dial_of(s);
	const struct hd_dialled got = {
		.text = "",
		.stream = s,
		.alpn = alpn,
		.addr = &s->addr,
	};

	unlist(d);
	hd_stream_set_user(s, NULL);
	s->rx_held = false;
	call_back(d, &got);
	hd_dial_free(d);
	hd_stream_resume(s);
}

/* ---- it is not ---- */

static void note_closed(struct hd_dial *d, const struct hd_stream *s)
{
	const struct hd_tls_peer *peer = &d->to.peer;

	if (s->why == HD_CLOSE_DRAIN)
		note(d, -ECANCELED, "cancelled");
	else if (peer->error != 0)
		note(d, peer->error, "%s", peer->text);
	else if (s->why == HD_CLOSE_PEER)
		note(d, -ECONNRESET, "it closed the connection during TLS");
	else
		note(d, -EIO, "the connection failed");
}

static void on_closing(struct hd_stream *s)
{
	struct hd_dial *d = dial_of(s);

	if (d->told)
		return;
	note_closed(d, s);
	hd_dial_fail(d, d->error, d->text);
}

static void on_ended(struct hd_stream *s)
{
	struct hd_dial *d = dial_of(s);

	hd_stream_set_user(s, NULL);
	hd_dial_free(d);
}

const struct hd_stream_user_ops hd_dial_user = {
	.drained = on_drained,
	.opened = on_opened,
	.closing = on_closing,
	.ended = on_ended,
};

void hd_dial_late(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hd_dial *d = arg;

	(void)mod;
	(void)w;
	if (d->stream == NULL)
		note(d, -ETIMEDOUT, "the name is not resolved after %u ms",
		     d->to.connect_ms);
	else if (d->stream->tls != NULL)
		note(d, -ETIMEDOUT, "TLS is not up after %u ms",
		     d->to.handshake_ms);
	else
		note(d, -ETIMEDOUT, "timed out, nobody answers");
	if (d->stream != NULL && d->stream->tls == NULL)
		give_up_address(d);
	else
		hd_dial_fail(d, d->error, d->text);
}
