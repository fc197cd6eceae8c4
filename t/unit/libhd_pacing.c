/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_pacing.c - streams of libhd over a link of 100 Mbit/s and 50 ms
 * there and back, with and without loss: how much passes, and that a window
 * does not leave at once. The link and its time are of this program: a run says
 * the same on any machine. */
#include "libhd/quic.h"
#include "t/unit/libhd_contact.h"
#include "t/unit/unit.h"
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDLE 256
#define PACKET_BYTES 1200 /* as by UDP */
#define ONE_WAY_US 25000
#define LINK_BYTES_PER_S 12500000
#define QUEUE_MAX_US 50000 /* what the link keeps: as much as is under way */
#define SECONDS 10
#define TURN_US 1000 /* as exact as poll(2) is */

static uint64_t clock_us = 1000000;

int clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	t->tv_sec = (time_t)(clock_us / 1000000);
	t->tv_nsec = (long)(clock_us % 1000000) * 1000;
	return 0;
}

struct parcel {
	struct parcel *next;
	uint64_t at_us;
	size_t n;
	uint8_t v[];
};

struct end {
	struct libhd *h;
	struct libhd_peer *other;
	struct libhd_stream *got;
	struct parcel *first, **last; /* on the way to it */
	uint64_t free_us; /* when the link has sent them */
	unsigned sent, burst; /* all; the most in one turn, once it is up */
	unsigned loss; /* of one in so many, 0: of none */
	uint32_t dice;
};

static void on_stream(struct libhd *h, struct libhd_peer *from,
		      struct libhd_stream *s, void *user)
{
	struct end *e = user;

	(void)h, (void)from;
	e->got = s;
}

static void end_make(struct end *e, uint8_t first, unsigned loss)
{
	const uint8_t seed[LIBHD_SEED_BYTES] = { first };
	struct libhd_events events = { .size = sizeof(events),
				       .stream = on_stream };
	struct libhd_identity *id;
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay = "relay.example",
				   .insecure = true,
				   .streams = true };

	memset(e, 0, sizeof(*e));
	e->last = &e->first;
	e->loss = loss;
	e->dice = first;
	assert_int_equal(libhd_identity_from_seed(seed, &id), 0);
	conf.identity = id;
	assert_int_equal(libhd_new(&conf, &events, e, &e->h), 0);
	libhd_identity_free(&id);
	e->h->phase = HDL_OPEN;
	e->h->ssl = SSL_new(e->h->ssl_ctx);
	assert_non_null(e->h->ssl);
	e->h->packet_max = PACKET_BYTES;
}

static void contact(struct end *e, const struct end *other)
{
	e->other = contact_put(e->h, other->h, HANDLE);
}

/* One frame, onto the link to e. */
static void ship(struct end *e, const uint8_t *frame, size_t n)
{
	struct parcel *p;

	e->sent++;
	e->dice = e->dice * 1664525 + 1013904223; /* Numerical Recipes */
	e->free_us = HD_MAX(e->free_us, clock_us);
	if ((e->loss != 0 && (e->dice >> 8) % e->loss == 0) ||
	    e->free_us - clock_us > QUEUE_MAX_US)
		return;
	e->free_us += n * 1000000 / LINK_BYTES_PER_S;
	p = malloc(sizeof(*p) + n);
	assert_non_null(p);
	p->next = NULL;
	p->at_us = e->free_us + ONE_WAY_US;
	p->n = n;
	memcpy(p->v, frame, n);
	*e->last = p;
	e->last = &p->next;
}

static void leave(struct end *from, struct end *to)
{
	unsigned before = to->sent;
	const uint8_t *p;
	size_t n, left;

	hdl_streams_run(from->h);
	left = from->h->out.n;
	p = left > 0 ? hdl_buf_front(&from->h->out) : NULL;
	for (; left > 0; p += n, left -= n) {
		n = HDP_HEADER_BYTES +
		    ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
		ship(to, p, n);
	}
	hdl_buf_free(&from->h->out);
	if (to->got != NULL)
		to->burst = HD_MAX(to->burst, to->sent - before);
}

static void arrive(struct end *e)
{
	while (e->first != NULL && e->first->at_us <= clock_us) {
		struct parcel *p = e->first;

		e->first = p->next;
		if (e->first == NULL)
			e->last = &e->first;
		assert_int_equal(hdl_frames(e->h, p->v, p->n), p->n);
		free(p);
	}
}

static size_t drain(struct libhd_stream *s)
{
	static char v[1u << 16];
	size_t got = 0;
	ssize_t n;

	while (s != NULL && (n = libhd_stream_read(s, v, sizeof(v))) > 0)
		got += (size_t)n;
	return got;
}

/* Returns what b has got of one stream. */
static size_t run(struct end *a, struct end *b, unsigned seconds)
{
	static const char block[1u << 16];
	uint64_t end_us = clock_us + seconds * 1000000ull;
	struct libhd_stream *s;
	size_t got = 0;

	contact(a, b);
	contact(b, a);
	assert_int_equal(libhd_stream_open(a->other, &s), 0);
	for (; clock_us < end_us; clock_us += TURN_US) {
		arrive(a);
		arrive(b);
		while (libhd_stream_write(s, block, sizeof(block)) > 0)
			;
		leave(a, b);
		got += drain(b->got);
		leave(b, a);
	}
	return got;
}

static void end_free(struct end *e)
{
	while (e->first != NULL) {
		struct parcel *p = e->first;

		e->first = p->next;
		free(p);
	}
	libhd_free(&e->h);
}

struct result {
	double mbit_per_s;
	unsigned burst;
};

static struct result result(unsigned loss)
{
	struct result r;
	struct end a, b;

	end_make(&a, 1, 0);
	end_make(&b, 2, loss);
	r.mbit_per_s = (double)run(&a, &b, SECONDS) * 8 / SECONDS / 1e6;
	r.burst = b.burst;
	print_message("loss of 1 in %u: %.1f Mbit/s, %u packets at once\n",
		      loss, r.mbit_per_s, r.burst);
	end_free(&a);
	end_free(&b);
	return r;
}

static void a_link_is_used(void **state)
{
	(void)state;
	assert_true(result(0).mbit_per_s > 70);
}

/* What goes by as long as losses slow it down: 10 Mbit/s, by CUBIC. */
static void loss_does_not_stop_it(void **state)
{
	(void)state;
	assert_true(result(100).mbit_per_s > 30);
}

/* 150 kB in a turn, of a window of about 1 MB. */
static void a_window_does_not_leave_at_once(void **state)
{
	(void)state;
	assert_true(result(0).burst <= 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_is_used),
		cmocka_unit_test(loss_does_not_stop_it),
		cmocka_unit_test(a_window_does_not_leave_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
