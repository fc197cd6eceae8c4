/* SPDX-License-Identifier: MIT */
/* tools/hdcat/inflow.c - a stream that files come by, at the receiver. While
 * it looks at what is there, and while its answers do not get away, it reads
 * nothing. */
#include "tools/hdcat/files.h"
#include "tools/hdcat/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 16 /* then others have a turn */

static unsigned inflows(const struct hdcat *c)
{
	unsigned n = 0;

	for (const struct conn *k = c->conns; k != NULL; k = k->next)
		n += k->in != NULL;
	return n;
}

void inflow_begin(struct conn *k)
{
	if (inflows(k->c) >= INFLOWS_MAX) {
		conn_refuse(k, "the receiver is busy with others");
		return;
	}
	k->in = calloc(1, sizeof(*k->in));
	if (k->in == NULL || line_write(k->s, "ok") < 0) {
		conn_reset(k);
		return;
	}
	k->in->heard_ms = k->in->here_ms = now_us() / 1000;
	k->state = CONN_FILES;
	k->deadline_ms = k->in->here_ms + TICK_MS;
	conn_run(k);
}

/* What became of the only transfer is told however much has been. */
static void tell(struct conn *k)
{
	const struct inflow *in = k->in;
	char bytes[16];

	progress_end(k->c);
	if (!in->well)
		note(k->c, "broken off; what has come is kept, to go on from");
	else if (in->refused == 0)
		note(k->c, "all is here: %u file%s; %s have come now",
		     in->files, in->files == 1 ? "" : "s",
		     shown_bytes(in->bytes, bytes));
	else if (!k->c->keeps_on && !k->c->quiet)
		warn(k->c, "%u files are here, %u are not", in->files,
		     in->refused);
	else
		note(k->c, "%u files are here, %u are not", in->files,
		     in->refused);
}

void inflow_free(struct conn *k)
{
	struct inflow *in = k->in;

	if (in == NULL)
		return;
	tell(k);
	if (in->well && !k->c->keeps_on && k->c->status == STATUS_RUNNING)
		k->c->status = in->refused == 0 ? STATUS_OK : STATUS_BROKEN;
	arrivals_free(in);
	free(in);
	k->in = NULL;
}

static int bye(struct conn *k, const struct record *r)
{
	(void)r;
	if (k->in->first != NULL)
		return -EPROTO;
	record_put(&k->in->out, RECORD_BYE, NULL, 0);
	k->in->well = true;
	return 0;
}

static int handle(struct conn *k, const struct record *r)
{
	static int (*const handlers[])(struct conn *k,
				       const struct record *r) = {
		[RECORD_OFFER] = arrival_offer, [RECORD_GO] = arrival_go,
		[RECORD_SKIP] = arrival_skip,	[RECORD_DATA] = arrival_data,
		[RECORD_END] = arrival_end,	[RECORD_DROP] = arrival_drop,
		[RECORD_BYE] = bye,
	};

	if (r->type > RECORD_BYE)
		return -EPROTO;
	k->in->heard_ms = now_us() / 1000;
	return handlers[r->type](k, r);
}

static void show(struct conn *k)
{
	const struct arrival *a = k->in->first;

	if (a != NULL && a->state == ARRIVAL_GOING && a->fd >= 0)
		progress(k->c, a->name, a->sum->n, a->o.size);
}

static bool looks(const struct inflow *in)
{
	return in->last != NULL && in->last->state == ARRIVAL_LOOKING;
}

/* Nothing is hashed for a sender that is gone: that may be hours. */
static int look(struct conn *k)
{
	ssize_t r = libhd_stream_write(k->s, "", 0);

	return r < 0 ? (int)r : arrival_look(k);
}

/* Returns 1 there may be more to do; 0 not now; -errno. */
static int round_(struct conn *k)
{
	struct inflow *in = k->in;
	struct record r;
	int e = records_flush(&in->out, k->s);

	if (e < 0)
		return e;
	if (!records_room(&in->out) || in->well)
		return 0;
	if (looks(in))
		e = look(k);
	else if ((e = records_read(&in->in, k->s, &r)) == 1)
		e = handle(k, &r);
	else
		return e;
	arrivals_turn(k);
	return e < 0 ? e : 1;
}

static const char *reason(const struct conn *k, int e)
{
	if (k->in->taken)
		return "another transfer has taken over";
	return e == -EPROTO ? "not as the protocol has it" : strerror(-e);
}

/* Of our own will: the sender is told why. */
static void stop(struct conn *k, int e)
{
	const char *why = reason(k, e);
	struct records_out *out = &k->in->out;

	note(k->c, "stopped: %s", why);
	if (records_room(out))
		record_text(out, RECORD_STOP, why);
	if (records_flush(out, k->s) < 0 || out->n > 0) {
		conn_reset(k);
		return;
	}
	inflow_free(k);
	conn_last(k);
}

static bool stream_is_well(struct conn *k)
{
	return libhd_stream_write(k->s, "", 0) >= 0;
}

void inflow_run(struct conn *k)
{
	int e = 1;

	k->again = false;
	for (unsigned i = 0; i < ROUNDS_MAX && e > 0 && !k->in->taken; i++)
		e = round_(k);
	if (k->in->taken) {
		stop(k, 0);
		return;
	}
	show(k);
	if (k->in->well && k->in->out.n == 0)
		conn_last(k);
	else if (e < 0 && e != -ENODATA && stream_is_well(k))
		stop(k, e);
	else if (e < 0)
		conn_reset(k);
	else
		k->again = e > 0;
}

/* ---- time ---- */

/* A sender that has a part of the file hashes as much of its own before it goes
 * on, from a disk that may be slow. */
#define HASHED_BYTES_PER_MS 10000

static int64_t patience_ms(const struct conn *k)
{
	const struct arrival *a = k->in->first;
	int64_t ret = (int64_t)k->c->timeout_s * 1000;

	if (a != NULL && a->state == ARRIVAL_WANTED)
		ret += (int64_t)(a->had / HASHED_BYTES_PER_MS);
	return ret;
}

static bool sender_is_here(const struct conn *k)
{
	const struct libhd_peer *peer = libhd_stream_peer(k->s);

	return peer != NULL && libhd_peer_here(peer);
}

/* It is told nothing: if it is there after all it comes again by itself, and
 * goes on with what is here. */
void inflow_tick(struct conn *k)
{
	int64_t now = now_us() / 1000;
	struct inflow *in = k->in;

	k->deadline_ms = now + TICK_MS;
	if (libhd_state_of(k->c->h) != LIBHD_OPEN || looks(in) || k->again)
		in->heard_ms = in->here_ms = now; /* it is for us to do */
	if (sender_is_here(k))
		in->here_ms = now;
	if (now - in->here_ms > GONE_MS)
		note(k->c, "the sender has left");
	else if (now - in->heard_ms > patience_ms(k))
		note(k->c, "the sender says nothing");
	else
		return;
	conn_reset(k);
}
