/* SPDX-License-Identifier: MIT */
/* t/unit/worker_inbox.c - real workers: what other threads and other workers
 * hand to them arrives, in order, also while they fall asleep. Meant to run
 * under ThreadSanitizer too. */
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>
#include "core/base/key.h"
#include "core/loop/worker.h"
#include "core/loop/xring.h"
#include "core/stream/stream_kept.h"
#include "t/unit/workers.h"

#define WORKERS 3
#define POSTERS 3
#define POSTS 2000

static int start(void **state)
{
	(void)state;
	workers_conf.output_packets = 32;
	return workers_start(WORKERS);
}

static void nothing(struct hd_worker *w, void *a, void *b)
{
	(void)w;
	(void)a;
	(void)b;
}

/* A module that unloads at the end may still answer for logins. */
static int stop(void **state)
{
	struct hd_worker *w = hd_worker_at(0);
	int r;

	(void)state;
	hd_workers_stop();
	r = hd_worker_post(w, nothing, NULL, NULL);
	hd_workers_free();
	return r == -ESHUTDOWN ? 0 : -1;
}

/* ---- posts ---- */

static uint64_t got[WORKERS][POSTERS]; /* each written by its worker only */
static int out_of_order; /* atomic */
static int arrived; /* atomic */

static void take(struct hd_worker *w, void *poster, void *number)
{
	uint64_t *last = &got[hd_worker_index(w)][(uintptr_t)poster];

	if ((uintptr_t)number != *last + 1 || hd_worker_self() != w)
		__atomic_store_n(&out_of_order, 1, __ATOMIC_RELAXED);
	*last = (uintptr_t)number;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
}

static void *post_many(void *poster)
{
	for (uintptr_t i = 1; i <= POSTS; i++)
		for (unsigned w = 0; w < WORKERS; w++)
			if (hd_worker_post(hd_worker_at(w), take, poster,
					   (void *)i) < 0)
				__atomic_store_n(&out_of_order, 1,
						 __ATOMIC_RELAXED);
	return NULL;
}

static void wait_for(const int *counter, int want)
{
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(counter, __ATOMIC_ACQUIRE) == want)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void posts_arrive_in_order(void **state)
{
	pthread_t threads[POSTERS];

	(void)state;
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, post_many, (void *)i),
			0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	wait_for(&arrived, WORKERS * POSTERS * POSTS);
	assert_int_equal(arrived, WORKERS * POSTERS * POSTS);
	assert_int_equal(out_of_order, 0);
}

/* ---- packets between workers ---- */

#define PACKETS 500

static int sent; /* atomic: what the rings took */

static void send_packets(struct hd_worker *w, void *unused, void *unused2)
{
	static const uint8_t data[1400];

	(void)unused;
	(void)unused2;
	for (int i = 0; i < PACKETS; i++) {
		struct hd_xrecord x = { .kind = HD_X_PACKET,
					.len_bytes = (uint32_t)i };

		randombytes_buf(&x.dst, sizeof(x.dst));
		x.hash = hd_key_hash(0, &x.dst);
		for (unsigned to = 0; to < WORKERS; to++)
			if (to != w->index &&
			    hd_xring_put(w, to, &x, data) == 0)
				__atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED);
	}
	hd_xring_wake(w);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
}

static uint64_t unknown(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		n += hd_counter_read(
			&hd_worker_at(i)->stats.drops[HD_DROP_UNKNOWN_DEST][0]);
	return n;
}

/* Nobody has these keys: each packet that was taken is counted as such. */
static void packets_cross_between_all_workers(void **state)
{
	(void)state;
	arrived = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(hd_worker_post(hd_worker_at(i), send_packets,
						NULL, NULL),
				 0);
	wait_for(&arrived, WORKERS);
	for (int i = 0; i < 20000 && unknown() < (uint64_t)sent; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_true(sent > PACKETS); /* a ring holds a few hundred of them */
	assert_int_equal(unknown(), sent);
}

/* ---- a worker that has no room ---- */

static int go; /* atomic */
/* with input of one that feeds the ring: before it was full, and after; and
 * with another's after */
static uint64_t due_ms[3];

static void hold(struct hd_worker *w, void *unused, void *unused2)
{
	(void)w;
	(void)unused;
	(void)unused2;
	wait_for(&go, 1);
}

static uint64_t due_with_waiting(struct hd_worker *w, unsigned to)
{
	uint64_t due;

	w->xawaited = HD_XBIT(to);
	due = hd_streams_due_ms(w);
	w->xawaited = 0;
	return due;
}

static uint64_t due_with_input(struct hd_worker *w)
{
	struct hd_stream fake = { 0 };
	uint64_t due;

	w->streams->ready.first = &fake;
	due = hd_streams_due_ms(w);
	w->streams->ready.first = NULL;
	return due;
}

static unsigned filled_near; /* records that left room for a whole read */
static size_t fits_then; /* bytes, when it was full */

static bool is_near(const struct hd_worker *w)
{
	return w->xused <= HD_XRING_NEAR_BYTES;
}

/* ---- what is read while a ring has little room ---- */

static struct {
	unsigned n; /* streams that were read */
	size_t over; /* more than the ring is sure to have room for */
} reads[3]; /* plain, TLS here, TLS in the kernel */
static bool stranger_waits;

/* It has sent nothing to the ring so far. */
static bool is_read(struct hd_worker *w, struct hd_stream *s)
{
	bool is;

	s->worker = w;
	hd_stream_mark_ready(s);
	is = hd_streams_next(w) == s;
	if (!is)
		w->streams->waiting[s->waits - 1] = (struct hd_ready){ 0 };
	w->xawaited = 0;
	return is;
}

static void note_read(struct hd_worker *w, unsigned how)
{
	static uint8_t some; /* pointers that nobody follows */
	struct hd_stream s = { .user = (void *)&some,
			       .tls = how > 0 ? (void *)&some : NULL };
	size_t n, fits = hd_xring_fits(w);

	if (!is_read(w, &s))
		return;
	n = how == 2 ? kernel_read_bytes(&s) : read_bytes(&s);
	n += how == 1 ? HD_TLS_PARTIAL_BYTES : 0;
	reads[how].n++;
	reads[how].over = HD_MAX(reads[how].over, n > fits ? n - fits : 0);
}

static void note_reads(struct hd_worker *w)
{
	struct hd_stream stranger = { 0 };

	for (unsigned how = 0; how < HD_ARRAY_N(reads); how++)
		note_read(w, how);
	stranger_waits |= !is_read(w, &stranger);
}

static const uint8_t filling[1400];
static const struct hd_xrecord filler = { .kind = HD_X_NOT_HERE,
					  .len_bytes = sizeof(filling) };

static void fill_up(struct hd_worker *w, unsigned ring)
{
	memset(reads, 0, sizeof(reads));
	stranger_waits = false;
	do
		note_reads(w);
	while (hd_xring_put(w, ring, &filler, filling) == 0);
}

static void what_is_read_fits(void)
{
	for (unsigned how = 0; how < HD_ARRAY_N(reads); how++) {
		assert_int_not_equal(reads[how].n, 0);
		assert_int_equal(reads[how].over, 0);
	}
	assert_false(stranger_waits);
}

static void fill(struct hd_worker *w, void *to, void *unused)
{
	unsigned ring = (unsigned)(uintptr_t)to;

	(void)unused;
	w->xfull = 0; /* what the test before has left */
	w->xused = 0;
	due_ms[0] = due_with_waiting(w, ring);
	for (filled_near = 0; !w->xfull; filled_near += is_near(w))
		hd_xring_put(w, ring, &filler, filling);
	fits_then = hd_xring_fits(w);
	due_ms[1] = due_with_waiting(w, ring);
	due_ms[2] = due_with_input(w);
	fill_up(w, ring);
	__atomic_store_n(&arrived, 1, __ATOMIC_RELEASE);
}

static uint64_t turns(struct hd_worker *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HD_HISTOGRAM_CELLS; i++)
		n += hd_counter_read(&w->stats.turn_time.cells[i]);
	return n;
}

/* It does not turn on and on beside the one that it waits for. */
static void a_worker_without_room_sleeps(void **state)
{
	struct hd_worker *w = hd_worker_at(0);
	uint64_t before;

	(void)state;
	arrived = go = 0;
	assert_int_equal(hd_worker_post(hd_worker_at(1), hold, NULL, NULL), 0);
	assert_int_equal(hd_worker_post(w, fill, (void *)1, NULL), 0);
	wait_for(&arrived, 1);
	assert_int_equal(due_ms[0], 0);
	assert_int_not_equal(due_ms[1], 0);
	assert_int_equal(due_ms[2], 0);
	assert_in_range(fits_then, HD_READ_PART_BYTES, HD_READ_BYTES);
	assert_in_range(filled_near * sizeof(filling), 16 * 1024, 64 * 1024);
	what_is_read_fits();
	wait_for(&w->asleep, 1);
	before = turns(w);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 20000 && turns(w) == before; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_not_equal(turns(w), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_arrive_in_order),
		cmocka_unit_test(packets_cross_between_all_workers),
		cmocka_unit_test(a_worker_without_room_sleeps),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, start, stop);
}
