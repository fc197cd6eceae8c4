/* SPDX-License-Identifier: MIT */
/* tools/hdcat/pipe.c - standard input to the stream, the stream to standard
 * output. Neither is made non-blocking, for others may share it: a read comes
 * only after poll(), and a write to a pipe has no more bytes than fit. */
#include "tools/hdcat/hdcat.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define WRITES_MAX 16 /* of PIPE_BUF, then others have a turn */

struct buffer {
	char v[BUFFER_BYTES];
	size_t at, n; /* n bytes wait at v + at */
};

struct pipe {
	struct hdcat *c;
	struct buffer up, down;
	bool input_ended, end_sent, stream_ended;
	bool dials, has_heard;
	size_t write_bytes;
};

/* A listener that is for something else has no answer but a reset. */
static void gone(struct pipe *p, ssize_t r)
{
	bool maybe = p->dials && !p->has_heard && r == -ECONNRESET;

	fail(p->c, STATUS_BROKEN, "the other end is gone: %s%s",
	     strerror((int)-r),
	     maybe ? "; or it listens for forward, socks, expose or send" : "");
}

/* What it had sent before is put out first. */
static void broken(struct pipe *p, ssize_t r)
{
	if (p->down.n == 0)
		gone(p, r);
}

/* What the other end has not acknowledged, it never will if it is gone; nor
 * will it take what may come. Where it has ended its side, reading does not
 * tell. */
static void check(struct pipe *p)
{
	ssize_t r = libhd_stream_write(p->c->s, "", 0);

	if (r < 0 && r != -EPIPE)
		broken(p, r);
}

/* What has been read, into the stream, as far as there is room. */
static void up(struct pipe *p)
{
	struct buffer *b = &p->up;
	ssize_t r;

	while (b->n > 0) {
		r = libhd_stream_write(p->c->s, b->v + b->at, b->n);
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			broken(p, r);
			return;
		}
		b->at += (size_t)r;
		b->n -= (size_t)r;
	}
	if (p->input_ended && !p->end_sent)
		libhd_stream_end(p->c->s);
	p->end_sent = p->input_ended;
	if (!p->end_sent || libhd_stream_unsent_bytes(p->c->s) > 0)
		check(p);
}

static void input(struct pipe *p)
{
	ssize_t n = read(STDIN_FILENO, p->up.v, sizeof(p->up.v));

	if (n < 0 && errno == EINTR)
		return;
	if (n < 0)
		fail(p->c, STATUS_BROKEN, "standard input: %s",
		     strerror(errno));
	p->input_ended = n <= 0;
	p->up.at = 0;
	p->up.n = n > 0 ? (size_t)n : 0;
}

static void fill(struct pipe *p)
{
	struct buffer *b = &p->down;
	ssize_t r;

	if (b->n > 0 || p->stream_ended)
		return;
	r = libhd_stream_read(p->c->s, b->v, sizeof(b->v));
	if (r == -EAGAIN)
		return;
	p->stream_ended = r <= 0;
	b->at = 0;
	b->n = r > 0 ? (size_t)r : 0;
	p->has_heard |= r >= 0;
	if (r < 0)
		gone(p, r);
}

static bool writable(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) == 1;
}

static void output(struct pipe *p)
{
	struct buffer *b = &p->down;
	unsigned i = 0;
	ssize_t r;

	do {
		size_t n = b->n < p->write_bytes ? b->n : p->write_bytes;

		r = write(STDOUT_FILENO, b->v + b->at, n);
		if (r < 0 && errno != EINTR && errno != EAGAIN) {
			fail(p->c, STATUS_BROKEN, "standard output: %s",
			     strerror(errno));
			return;
		}
		b->at += r > 0 ? (size_t)r : 0;
		b->n -= r > 0 ? (size_t)r : 0;
	} while (b->n > 0 && ++i < WRITES_MAX && writable());
}

static bool done(const struct pipe *p)
{
	return p->end_sent && p->up.n == 0 && p->stream_ended &&
	       p->down.n == 0 && libhd_stream_unsent_bytes(p->c->s) == 0;
}

static void turn(struct pipe *p)
{
	struct pollfd fds[2] = {
		{ .fd = p->input_ended || p->up.n > 0 ? -1 : STDIN_FILENO,
		  .events = POLLIN },
		{ .fd = p->down.n > 0 ? STDOUT_FILENO : -1,
		  .events = POLLOUT },
	};

	end_turn(p->c, fds, 2, 0);
	if (fds[0].revents != 0)
		input(p);
	if (fds[1].revents != 0)
		output(p);
}

void pipe_run(struct hdcat *c)
{
	static struct pipe p;
	struct stat st;

	memset(&p, 0, sizeof(p));
	p.c = c;
	p.dials = c->hello == NULL;
	p.write_bytes = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode)
				? BUFFER_BYTES
				: PIPE_BUF;
	while (c->status == STATUS_RUNNING && !done(&p)) {
		fill(&p);
		if (c->status == STATUS_RUNNING)
			up(&p);
		if (c->status == STATUS_RUNNING && !done(&p))
			turn(&p);
	}
	if (c->status == STATUS_RUNNING)
		c->status = STATUS_OK;
}
