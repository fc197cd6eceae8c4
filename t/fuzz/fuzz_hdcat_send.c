/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hdcat_send.c - a receiver that says anything, in any pieces, to
 * hdcat's sender, which has four files and two directories to send. Streams,
 * the endpoint and the loop are stood in for by what is here.
 *
 * Input: 1 byte, bit 0: each stream begins with the receiver's "ok"; then
 * steps, each one byte and what it needs: enum step. When they are over, the
 * sender is told to end.
 *
 * What is written are records of a sender: only what is wanted is sent, as it
 * is in the file (hdcat_said.h). */
#include "t/fuzz/hdcat_said.h"
#include "tools/hdcat/loop.h"
#include "tools/hdcat/outflow.h"
#include "tools/hdcat/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum step {
	BYTES, /* n(1), and so many come */
	WANT, /* number(1), flags(1), offset(1) of 512: with the right hash */
	WANT_OTHER, /* the same, with another hash */
	DONE, /* number(1): with the right hash */
	REFUSED, /* number(1) */
	ROOM, /* n(1) of 1024: so much the stream takes */
	BREAK, /* the stream */
	AWAY, /* the other end goes, or is back */
	CHANGE, /* n(1) % 4: a file */
	STEPS,
};

/* ---- what is to be sent: file i is full of the letter 'a' + i ---- */

static char top[] = "/tmp/hd-fuzz-XXXXXX";
static char paths[ITEMS][sizeof(top) + 3];

static void bye(void)
{
	for (unsigned i = 0; i < ITEMS; i++)
		(void)remove(paths[i]);
	(void)rmdir(top);
}

static void fill(unsigned i)
{
	static char v[131072];
	int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memset(v, 'a' + (int)i, sizeof(v));
	hd_assert(fd >= 0 && write(fd, v, sizes[i]) == (ssize_t)sizes[i]);
	close(fd);
}

static void set_up(void)
{
	if (paths[0][0] != '\0')
		return;
	hd_assert(mkdtemp(top) != NULL);
	(void)atexit(bye);
	for (unsigned i = 0; i < ITEMS; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%c", top,
			       'a' + (int)i);
		if (i < FILES)
			fill(i);
		else
			hd_assert(mkdir(paths[i], 0700) == 0);
	}
}

int walk(struct hdcat *c, char **words, unsigned n, struct items *ret)
{
	(void)c, (void)words, (void)n;
	ret->v = calloc(ITEMS, sizeof(*ret->v));
	hd_assert(ret->v != NULL);
	ret->n = ret->room = ITEMS;
	for (unsigned i = 0; i < ITEMS; i++) {
		ret->v[i] = (struct item){ .path = paths[i],
					   .name_at = sizeof(top),
					   .size = i < FILES ? sizes[i] : 0,
					   .is_dir = i >= FILES };
		ret->bytes += ret->v[i].size;
	}
	return 0;
}

void items_free(struct items *items)
{
	free(items->v);
}

/* ---- the other end ---- */

static const uint8_t *input;
static size_t input_n;
static bool oks, away, broken, changed[FILES];
static uint8_t in[IN_BYTES];
static size_t in_n, room;
static int64_t clock_ms;
static struct libhd_stream *const stream = (struct libhd_stream *)&in;
static unsigned n_streams; /* that are open */

static void add(const void *p, size_t n)
{
	n = HD_MIN(n, sizeof(in) - in_n);
	memcpy(in + in_n, p, n);
	in_n += n;
}

static uint8_t take(void)
{
	if (input_n == 0)
		return 0;
	input_n--;
	return *input++;
}

static unsigned file_of(uint32_t number)
{
	return number < n_offers ? offers[number] % FILES : 0;
}

static void want(bool right)
{
	static struct records_out to;
	struct want w = { .number = take() };
	unsigned file = file_of(w.number);

	w.flags = take() % 5;
	w.offset = (uint64_t)take() * 512;
	if ((w.flags & WANT_WHOLE) != 0 && w.offset > sizes[file] / 2)
		w.offset = sizes[file];
	hash_of(right ? file : file + 1, HD_MIN(w.offset, sizes[file]), w.hash);
	to.n = 0;
	record_want(&to, &w);
	add(to.v, to.n);
}

static void answer(bool refused)
{
	static struct records_out to;
	uint8_t hash[HASH_BYTES];
	uint32_t number = take();

	hash_of(file_of(number), sizes[file_of(number)], hash);
	to.n = 0;
	if (refused)
		record_refused(&to, number, "no\n");
	else
		record_done(&to, number, hash);
	add(to.v, to.n);
}

static void come(void)
{
	size_t n = take();

	n = HD_MIN(n, input_n);
	add(input, n);
	input += n;
	input_n -= n;
}

static void change(unsigned file)
{
	if (sizes[file] < 5)
		return;
	changed[file] = true;
	hd_assert(truncate(paths[file], 3) == 0);
}

static void step(void)
{
	uint8_t what = take() % STEPS;

	if (what == BYTES)
		come();
	else if (what == WANT || what == WANT_OTHER)
		want(what == WANT);
	else if (what == DONE || what == REFUSED)
		answer(what == REFUSED);
	else if (what == ROOM)
		room += (size_t)take() * 1024;
	else if (what == BREAK)
		broken = true;
	else if (what == AWAY)
		away = !away;
	else
		change(take() % FILES);
}

/* ---- streams ---- */

int libhd_stream_open(struct libhd_peer *peer, struct libhd_stream **ret)
{
	(void)peer;
	hd_assert(n_streams++ == 0);
	in_n = 0;
	broken = false;
	said_nothing();
	room = HD_MAX(room, (size_t)LINE_BYTES);
	if (oks)
		add("ok\n", 3);
	*ret = stream;
	return 0;
}

void libhd_stream_close(struct libhd_stream **s)
{
	n_streams -= *s != NULL;
	*s = NULL;
}

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t n)
{
	hd_assert(s == stream && n_streams == 1);
	n = HD_MIN(n, in_n);
	if (n == 0)
		return broken ? -ECONNRESET : -EAGAIN;
	memcpy(data, in, n);
	listen_to(in, n);
	in_n -= n;
	memmove(in, in + n, in_n);
	return (ssize_t)n;
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data, size_t n)
{
	hd_assert(s == stream && n_streams == 1);
	n = HD_MIN(n, room);
	n = n > 0 ? said(data, n) : 0;
	room -= n;
	if (n == 0)
		return broken ? -ECONNRESET : -EAGAIN;
	return (ssize_t)n;
}

bool libhd_peer_here(const struct libhd_peer *peer)
{
	(void)peer;
	return !away;
}

/* ---- what hdcat has elsewhere ---- */

int64_t now_us(void)
{
	return clock_ms * 1000;
}

int loop_open(struct hdcat *c)
{
	(void)c;
	return 0;
}

void loop_close(void)
{
}

/* A turn is a step; time passes until the sender has something to do. */
void loop_turn(struct hdcat *c, int64_t until_ms)
{
	clock_ms = HD_MAX(clock_ms + 1, until_ms);
	if (input_n == 0)
		fail(c, STATUS_BROKEN, "a signal");
	else
		step();
}

int dial_reach(struct hdcat *c)
{
	(void)c;
	return 0;
}

int64_t dial_keep(struct hdcat *c)
{
	(void)c;
	return 0;
}

void end_finish(struct hdcat *c)
{
	(void)c;
}

void fail(struct hdcat *c, enum status status, const char *fmt, ...)
{
	(void)fmt;
	if (c->status == STATUS_RUNNING)
		c->status = (int)status;
}

void note(const struct hdcat *c, const char *fmt, ...)
{
	(void)c, (void)fmt;
}

void warn(const struct hdcat *c, const char *fmt, ...)
{
	(void)c, (void)fmt;
}

void progress(const struct hdcat *c, const char *name, uint64_t at,
	      uint64_t size)
{
	(void)c, (void)name;
	hd_assert(at <= size);
}

void progress_all(uint64_t done, uint64_t total)
{
	hd_assert(done <= total);
}

void progress_end(const struct hdcat *c)
{
	(void)c;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hdcat c = { .status = STATUS_RUNNING, .timeout_s = 30 };

	if (n == 0)
		return 0;
	set_up();
	oks = (p[0] & 1) != 0;
	away = false;
	room = 1 << 16;
	clock_ms = 1000;
	input = p + 1;
	input_n = n - 1;
	run_send(&c, NULL, 0);
	hd_assert(c.status != STATUS_RUNNING && n_streams == 0);
	for (unsigned i = 0; i < FILES; i++) {
		if (changed[i])
			fill(i);
		changed[i] = false;
	}
	return 0;
}
