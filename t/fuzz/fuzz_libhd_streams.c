/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_libhd_streams.c - two endpoints of libhd with streams, between
 * which packets are lost, bent, doubled, held back, or come from nobody; of
 * which one goes, comes back, or is started anew with the same key.
 *
 * Input: steps, each one byte and what it needs: enum step; the highest bit of
 * a step says at which end. Time is what the input says it is, and what libhd
 * takes for random is the same each time (GnuTLS has its own).
 *
 * Each writer of a stream has a letter of its own, so what is read of a stream
 * must be one letter. */
#include "t/unit/libhd_ends.h"
#include <time.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum step {
	CARRY, /* all that this end has to send */
	BEND, /* how(1) at(1): the same, but each packet is bent */
	STRANGER, /* n(1), a packet of these bytes comes */
	KNOWN, /* n(1): the same behind the id of a connection of this end */
	OPEN,
	WRITE, /* which(1), n(1) of 256 */
	READ, /* which(1) */
	END, /* which(1) */
	CLOSE, /* which(1) */
	SAID, /* what(1): by the relay, of the other end */
	TIME, /* n(1): n * n ms pass */
	ANEW, /* this end, with the same key */
	STEPS,
};

enum bend { LOST, FLIPPED, CUT, TWICE, HELD, LONGER, BENDS };

/* ---- time, and what is random ---- */

static uint64_t clock_ms;
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	t->tv_sec = (time_t)(clock_ms / 1000);
	t->tv_nsec = (long)(clock_ms % 1000) * 1000000;
	return 0;
}

static uint32_t random_state;

static uint32_t rand_number(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state;
}

static void rand_bytes(void *to, const size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)(rand_number() >> 24);
}

static const char *rand_name(void)
{
	return "input";
}

static struct randombytes_implementation rand_ours = {
	.implementation_name = rand_name,
	.random = rand_number,
	.buf = rand_bytes,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return randombytes_set_implementation(&rand_ours);
}

/* ---- input ---- */

static const uint8_t *input;
static size_t input_n;

static uint8_t take(void)
{
	if (input_n == 0)
		return 0;
	input_n--;
	return *input++;
}

static struct end ends[2];
static uint8_t letters;

static struct libhd_stream *stream_of(const struct end *e, uint8_t which)
{
	struct libhd_stream *s = e->h->tls->streams;

	for (; s != NULL && (s->closed || s->fresh || which > 0); s = s->next)
		which -= !s->closed && !s->fresh && which > 0;
	return s;
}

/* ---- packets ---- */

static void put_packet(struct end *to, const uint8_t *p, size_t n)
{
	static uint8_t frame[HDP_PACKET_FRAME_HEAD_BYTES + UINT16_MAX];
	uint8_t *at = hdp_packet_head_put(frame, HANDLE, (uint32_t)n);
	int used;

	memcpy(at, p, n);
	n += (size_t)(at - frame);
	used = hdl_frames(to->h, frame, n);
	hd_assert(used == (int)n);
}

static uint8_t held[2][20000];
static size_t held_n[2];

static void hold(struct end *to, const uint8_t *p, size_t n)
{
	unsigned i = to == &ends[1];

	if (held_n[i] > 0)
		put_packet(to, held[i], held_n[i]);
	held_n[i] = HD_MIN(n, sizeof(held[i]));
	memcpy(held[i], p, held_n[i]);
}

static void put_bent(struct end *to, enum bend how, uint8_t where,
		     const uint8_t *p, size_t n)
{
	static uint8_t v[UINT16_MAX];
	size_t at = n > 0 ? (where < 64 ? where : n * where / 256) % n : 0;

	memcpy(v, p, n);
	if (how == FLIPPED && n > 0)
		v[at] ^= 1 << where % 8;
	if (how == CUT)
		n = at;
	if (how == LONGER && n + where <= sizeof(v)) {
		memset(v + n, where, where);
		n += where;
	}
	if (how == TWICE)
		put_packet(to, v, n);
	if (how == HELD)
		hold(to, v, n);
	else if (how != LOST)
		put_packet(to, v, n);
}

/* What it has for the relay: packets, and what the relay would answer. */
static void pass(struct end *from, struct end *to, enum bend how, uint8_t where)
{
	struct hdl_buf out;
	const uint8_t *p;
	size_t n;

	hdl_streams_run(from->h);
	if (from->h->out.n == 0)
		return;
	out = from->h->out;
	from->h->out = (struct hdl_buf){ 0 };
	p = hdl_buf_front(&out);
	for (n = out.n; n >= HDP_HEADER_BYTES;) {
		struct hdp_header head = hdp_header_get(p);
		size_t skip = p[0] == HDP_PACKETS ? HDP_PACKET_HEAD_BYTES
			      : p[0] == HDP_PACKET_TO ? HD_KEY_BYTES
						      : head.len_bytes;

		hd_assert(n - HDP_HEADER_BYTES >= head.len_bytes);
		if (skip < head.len_bytes)
			put_bent(to, how, where, p + HDP_HEADER_BYTES + skip,
				 head.len_bytes - skip);
		p += HDP_HEADER_BYTES + head.len_bytes;
		n -= HDP_HEADER_BYTES + head.len_bytes;
	}
	hd_assert(n == 0);
	hdl_buf_free(&out);
}

static void stranger(struct end *to, bool known)
{
	static uint8_t v[1200 + 256];
	const struct hdl_quic *q = to->other->quic;
	size_t n = take(), head = 0;

	memset(v, 0, sizeof(v));
	if (known && q != NULL) { /* a short header */
		v[0] = 0x40;
		memcpy(v + 1, q->tag, HDL_TAG_BYTES);
		head = 1 + HDL_CID_BYTES;
	}
	for (size_t i = 0; i < n; i++)
		v[head + i] = take();
	/* the first one of a connection is long */
	put_packet(to, v, !known && (v[0] & 0xf0) == 0xc0 ? 1200 : head + n);
}

/* ---- streams ---- */

static void opens(struct end *e)
{
	struct libhd_stream *s;

	if (libhd_stream_open(e->other, &s) == 0)
		libhd_stream_set_user(s, &ends);
}

/* The letter of a stream and of whoever writes it. */
static uint8_t letter_of(struct libhd_stream *s)
{
	static const char all[256];
	const char *had = libhd_stream_user(s);

	if (had == NULL || had == (const char *)&ends) {
		had = all + ++letters;
		libhd_stream_set_user(s, (void *)had);
	}
	return (uint8_t)(had - all);
}

static void writes(struct libhd_stream *s, size_t n)
{
	static uint8_t v[65536];

	memset(v, letter_of(s), n);
	(void)libhd_stream_write(s, v, n);
}

static void reads(struct libhd_stream *s)
{
	static uint8_t v[65536];
	ssize_t n = libhd_stream_read(s, v, sizeof(v));

	for (ssize_t i = 1; i < n; i++)
		hd_assert(v[i] == v[0]);
}

static void use(struct end *e, enum step what)
{
	struct libhd_stream *s = stream_of(e, take() % 8);
	size_t n = what == WRITE ? (size_t)take() * 256 : 0;

	if (s == NULL)
		return;
	hd_assert(libhd_stream_unsent_bytes(s) <= (1u << 24));
	if (what == WRITE)
		writes(s, n);
	else if (what == READ)
		reads(s);
	else if (what == END)
		libhd_stream_end(s);
	else
		libhd_stream_close(&s);
}

/* ---- steps ---- */

static void said(struct end *e, uint8_t what)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_GONE_BYTES], *p;
	size_t n = what % 3 == 0 ? 4 : HDP_GONE_BYTES;

	p = hdp_header_put(frame, n == 4 ? HDP_ALLOWED : HDP_PEER_GONE,
			   (uint32_t)n);
	hdp_put_u32(p, HANDLE);
	p[4] = what % 3 == 1 ? HDP_GONE_DISCONNECTED : HDP_GONE_NOT_HERE;
	hd_assert(hdl_frames(e->h, frame, HDP_HEADER_BYTES + n) ==
		  (int)(HDP_HEADER_BYTES + n));
}

static void anew(struct end *e)
{
	libhd_free(&e->h);
	memset(e, 0, sizeof(*e));
	end_make(e, e == ends ? 1 : 2, true);
	contact(e, e == ends ? &ends[1] : &ends[0]);
}

static void time_passes(uint8_t n)
{
	clock_ms += (uint64_t)n * n;
	for (unsigned i = 0; i < 2; i++)
		(void)hdl_streams_timeout_ms(ends[i].h);
}

static void step(uint8_t v)
{
	struct end *e = &ends[v >> 7], *other = &ends[!(v >> 7)];
	enum step what = (v & 0x7f) % STEPS;

	if (what == CARRY) {
		pass(e, other, BENDS, 0);
	} else if (what == BEND) {
		enum bend how = take() % BENDS;

		pass(e, other, how, take());
	} else if (what == STRANGER || what == KNOWN) {
		stranger(e, what == KNOWN);
	} else if (what == OPEN) {
		opens(e);
	} else if (what == SAID) {
		said(e, take());
	} else if (what == TIME) {
		time_passes(take());
	} else if (what == ANEW) {
		anew(e);
	} else {
		use(e, what);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	clock_ms = 1000000;
	random_state = 1;
	letters = 0;
	held_n[0] = held_n[1] = 0;
	pair_make(&ends[0], &ends[1], true);
	input = p;
	input_n = n;
	while (input_n > 0)
		step(take());
	libhd_free(&ends[0].h);
	libhd_free(&ends[1].h);
	return 0;
}
