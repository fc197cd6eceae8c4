/* SPDX-License-Identifier: MIT */
/* t/unit/relay_gone.c - who has left is told to everybody who got a packet from
 * it, in slices, exactly once, and never behind a newer packet. Real workers;
 * peers without sockets, whose protocol writes down what it is told. */
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/clock.h"
#include "core/loop/worker.h"
#include "core/loop/xring.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "t/unit/workers.h"

enum {
	WORKERS = 2,
	SOURCES = 800,
	RECEIVERS = 1000,
	ROUNDS = 24,
	NEW_LIFE = 2,
};

static int start(void **state)
{
	(void)state;
	return workers_start(WORKERS);
}

static int stop(void **state)
{
	(void)state;
	hd_workers_stop();
	return 0;
}

/* ---- peers ---- */

struct fake {
	struct hd_stream s;
	struct hd_peer p;
	/* written by its worker, read when that has settled */
	unsigned packets, gone;
	bool got_new; /* a packet of the key's next life */
	bool late; /* told behind that */
};

static struct fake sources[SOURCES], receivers[RECEIVERS];
static unsigned told, arrived; /* atomic: of all */
static struct hd_module mod;

static struct fake *fake_of(const struct hd_module *of, struct hd_peer *p)
{
	hd_assert(of == &mod);
	return (struct fake *)((char *)p - offsetof(struct fake, p));
}

static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	struct fake *f = fake_of(of, p);

	f->got_new |= packet->len_bytes == NEW_LIFE;
	f->packets++;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
}

static void gone(struct hd_module *of, struct hd_peer *p,
		 const struct hd_key *other, enum hd_gone why)
{
	struct fake *f = fake_of(of, p);

	(void)other;
	if (why != HD_GONE_DISCONNECTED)
		return;
	f->late |= f->got_new;
	f->gone++;
	__atomic_fetch_add(&told, 1, __ATOMIC_RELEASE);
}

static const struct hd_peer_ops ops = { .deliver = deliver, .gone = gone };
static const struct hd_proto proto = { .name = "fake", .peer = &ops };

/* A key whose home is that worker. */
static void make(struct fake *f, unsigned worker)
{
	struct hd_worker *w = hd_worker_at(worker);

	*f = (struct fake){ .p.magic = HD_PEER_MAGIC, .p.stream = &f->s };
	f->p.user.ops = &hd_peer_user;
	f->s.magic = HD_STREAM_MAGIC;
	f->s.worker = w;
	f->s.proto = &proto;
	f->s.mod = &mod;
	f->s.account = &w->core_account;
	f->s.user = &f->p.user;
	do
		randombytes_buf(f->p.login.key.b, HD_KEY_BYTES);
	while (hd_key_home(hd_key_hash(0, &f->p.login.key)) != worker);
}

static void up(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)unused;
	f->p.state = HD_PEER_PROVEN;
	f->p.last = NULL;
	f->p.last_to_notify = false;
	memset(&f->p.last_key, 0, sizeof(f->p.last_key));
	assert_int_equal(hd_peer_up(&f->p), 0);
	assert_ptr_equal(hd_peer_find(w, 0, &f->p.login.key), &f->p);
}

static void down(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)unused;
	hd_peer_down(&f->s);
	assert_null(hd_peer_find(w, 0, &f->p.login.key));
}

static void in_worker(struct fake *f, hd_worker_fn *fn, void *arg)
{
	assert_int_equal(hd_worker_post(f->s.worker, fn, f, arg), 0);
	hd_workers_quiesce();
}

static void wait_for(const unsigned *counter, unsigned want)
{
	for (int i = 0; i < 60000; i++) {
		if (__atomic_load_n(counter, __ATOMIC_ACQUIRE) >= want)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	hd_workers_quiesce();
	assert_int_equal(__atomic_load_n(counter, __ATOMIC_ACQUIRE), want);
}

/* ---- many ---- */

/* The worker's; of its own CPU time: others run on this machine, too. */
static uint64_t turn_began_ns, longest_ns;
static bool ticking; /* atomic */

/* Once a turn. */
static void tick(struct hd_worker *w, void *a, void *b)
{
	uint64_t now_ns = hd_clock_thread_ns();

	longest_ns = HD_MAX(longest_ns, now_ns - turn_began_ns);
	turn_began_ns = now_ns;
	if (__atomic_load_n(&ticking, __ATOMIC_ACQUIRE))
		hd_worker_post(w, tick, a, b);
}

static void tick_begin(struct hd_worker *w, void *a, void *b)
{
	turn_began_ns = hd_clock_thread_ns();
	longest_ns = 0;
	tick(w, a, b);
}

static void all_send(struct hd_worker *w, void *first, void *n)
{
	const uint8_t byte = 1;
	struct fake *f = first;

	(void)w;
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		for (unsigned k = 0; k < RECEIVERS; k++)
			hd_relay_send(&f[i].p, &receivers[k].p.login.key, false,
				      &byte, 1);
}

static void all_leave(struct hd_worker *w, void *first, void *n)
{
	struct fake *f = first;

	(void)w;
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		hd_peer_down(&f[i].s);
}

/* All of one worker, as when a network of clients loses its link. */
static void eight_hundred_thousand(void **state)
{
	struct hd_worker *w = hd_worker_at(0);

	(void)state;
	told = 0;
	for (unsigned i = 0; i < SOURCES; i++) {
		make(&sources[i], 0);
		in_worker(&sources[i], up, NULL);
	}
	for (unsigned i = 0; i < RECEIVERS; i++) {
		make(&receivers[i], 0);
		in_worker(&receivers[i], up, NULL);
	}
	hd_worker_post(w, all_send, sources, (void *)SOURCES);
	hd_workers_quiesce();
	__atomic_store_n(&ticking, true, __ATOMIC_RELEASE);
	hd_worker_post(w, tick_begin, NULL, NULL);
	hd_workers_quiesce();
	hd_worker_post(w, all_leave, sources, (void *)SOURCES);
	wait_for(&told, SOURCES * RECEIVERS);
	__atomic_store_n(&ticking, false, __ATOMIC_RELEASE);
	hd_workers_quiesce();
	print_message(
		"# %u PeerGone: %.2f ms of CPU time in the longest turn\n",
		told, (double)longest_ns / 1e6);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		assert_int_equal(receivers[i].gone, SOURCES);
		in_worker(&receivers[i], down, NULL);
	}
}

/* ---- one who comes back ---- */

static void send_all(struct hd_worker *w, void *fake, void *len)
{
	static const uint8_t bytes[NEW_LIFE];
	struct fake *f = fake;

	(void)w;
	for (unsigned k = 0; k < RECEIVERS; k++)
		hd_relay_send(&f->p, &receivers[k].p.login.key, false, bytes,
			      (uint32_t)(uintptr_t)len);
	hd_xring_wake(w);
}

static void up_and_send(struct hd_worker *w, void *fake, void *unused)
{
	up(w, fake, unused);
	send_all(w, fake, (void *)NEW_LIFE);
}

static void count_owed(struct hd_worker *w, void *fake, void *ret)
{
	struct fake *f = fake;

	(void)w;
	__atomic_store_n((unsigned *)ret, f->p.entry->to_notify.n,
			 __ATOMIC_RELEASE);
}

/* All have got the packet, and the home of the source knows it. */
static void wait_owed(struct fake *f)
{
	unsigned n = 0;

	wait_for(&arrived, RECEIVERS);
	for (int i = 0; i < 60000 && n < RECEIVERS; i++)
		in_worker(f, count_owed, &n);
	assert_int_equal(n, RECEIVERS);
}

static void look_busy(struct hd_worker *w, void *busy)
{
	if (w->relay->gone.first != NULL)
		__atomic_store_n((bool *)busy, true, __ATOMIC_RELEASE);
}

static void wait_idle(void)
{
	bool busy = true;

	for (int i = 0; i < 60000 && busy; i++) {
		busy = false;
		hd_workers_run_all(look_busy, &busy);
	}
	assert_false(busy);
}

/* It leaves, comes back some turns later and sends at once: somebody has been
 * told, somebody not yet, somebody is about to be, in the other worker. */
static void leave_and_come_back(struct fake *f, int turns)
{
	arrived = 0;
	in_worker(f, up, NULL);
	in_worker(f, send_all, (void *)1);
	wait_owed(f);
	arrived = 0;
	assert_int_equal(hd_worker_post(f->s.worker, down, f, NULL), 0);
	for (int i = 0; i < turns; i++)
		hd_workers_quiesce();
	in_worker(f, up_and_send, NULL);
	wait_owed(f);
	wait_idle();
}

static void never_behind_a_newer_packet(void **state)
{
	struct fake *f = &sources[0];
	unsigned early = 0;

	(void)state;
	make(f, 0);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		make(&receivers[i], i % WORKERS);
		in_worker(&receivers[i], up, NULL);
	}
	for (int round = 0; round < ROUNDS; round++) {
		leave_and_come_back(f, round % 8);
		for (unsigned i = 0; i < RECEIVERS; i++) {
			assert_false(receivers[i].late);
			early += receivers[i].gone;
			receivers[i].got_new = false;
			receivers[i].gone = 0;
		}
		told = 0;
		in_worker(f, down, NULL);
		wait_for(&told, RECEIVERS);
		for (unsigned i = 0; i < RECEIVERS; i++) {
			assert_int_equal(receivers[i].gone, 1);
			receivers[i].gone = 0;
		}
	}
	print_message("# %u of %u were told before it came back\n", early,
		      ROUNDS * RECEIVERS);
	for (unsigned i = 0; i < RECEIVERS; i++)
		in_worker(&receivers[i], down, NULL);
	wait_idle();
	for (unsigned i = 0; i < WORKERS; i++) /* all memory is given back */
		assert_int_equal(hd_worker_at(i)->stats.gone_bytes.n, 0);
}

/* ---- one who answers a newcomer ---- */

static void lift(struct hd_worker *w, void *flag, void *again)
{
	if (again != NULL)
		hd_worker_post(w, lift, flag, NULL);
	else
		__atomic_store_n((bool *)flag, true, __ATOMIC_RELEASE);
}

/* Until w has ended the turn in which it got what was posted before. */
static void turn_of(struct hd_worker *w)
{
	bool flag = false;

	assert_int_equal(hd_worker_post(w, lift, &flag, w), 0);
	while (!__atomic_load_n(&flag, __ATOMIC_ACQUIRE))
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

/* It leaves, is back and gets a packet, all before the receiver is told. */
static void answer_newcomer(struct hd_worker *w, void *receiver, void *source)
{
	struct fake *r = receiver, *s = source;

	hd_worker_post(s->s.worker, down, s, NULL);
	turn_of(s->s.worker);
	hd_worker_post(s->s.worker, up, s, NULL);
	turn_of(s->s.worker);
	hd_relay_send(&r->p, &s->p.login.key, false, (uint8_t[]){ 1 }, 1);
	hd_xring_wake(w);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == 0)
		turn_of(s->s.worker);
	turn_of(s->s.worker);
}

static void who_got_an_answer_is_told_too(void **state)
{
	struct fake *s = &sources[0], *r = &receivers[0];
	unsigned n = 0;

	(void)state;
	make(s, 0);
	make(r, 1);
	in_worker(s, up, NULL);
	in_worker(r, up, NULL);
	in_worker(s, send_all, (void *)1);
	while (n == 0)
		in_worker(s, count_owed, &n);
	arrived = told = 0;
	in_worker(r, answer_newcomer, s);
	in_worker(r, down, NULL);
	wait_for(&told, 2);
	assert_true(r->gone == 1 && s->gone == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_hundred_thousand),
		cmocka_unit_test(never_behind_a_newer_packet),
		cmocka_unit_test(who_got_an_answer_is_told_too),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, start, stop);
}
