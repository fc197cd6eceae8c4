/* SPDX-License-Identifier: MIT */
/* t/bench/many_workers.c - what many workers bring and cost, by the relay's own
 * code: real workers, however few cores there are, peers without sockets, and
 * packets from and to keys at random. A line for each number of workers:
 *
 *   the packets that crossed, from a worker to another
 *   the rings that were made for them, and their memory in MB
 *   the busiest worker's part of 1,000 keys, and of 10,000, where the mean is
 *   1: the median of 101 sets of keys, and the worst
 *   of 9 packets of a turn (a mean one under load), and of 90 (a full one): to
 *   how many other workers they go, each of which may have to be woken
 *
 * What a turn spends on looking at the rings of all others, when they are
 * empty, for 1,000 turns:
 *   valgrind --tool=callgrind --toggle-collect=look_around
 *     --callgrind-out-file=/dev/null build/t/bench/many_workers 64 */
#include <hyper-derp/worker.h>
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "core/base/key.h"
#include "core/loop/worker.h"
#include "core/loop/xring.h"
#include "core/relay/peer.h"
#include "t/unit/unit.h"
#include "t/unit/workers.h"

enum {
	WORKERS_MAX = 64,
	KEYS = 2000,
	BATCH = 64, /* packets that a worker sends at a time */
	PACKETS = 131072,
	FEW_PACKETS = 16384, /* for a ring between any two */
	LEN_BYTES = 1400,
	SETS = 101,
	TURNS = 1000,
};

/* ---- peers ---- */

struct fake {
	struct hd_stream s;
	struct hd_peer p;
};

static struct fake keys[KEYS];
static struct { /* a worker's */
	struct fake *key[KEYS];
	unsigned n;
} homes[WORKERS_MAX];
static struct hd_module mod;
static unsigned arrived, crossed; /* atomic */

/* The first byte says which worker has sent it. */
static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	(void)of;
	if (packet->data[0] != p->stream->worker->index)
		__atomic_fetch_add(&crossed, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
}

static const struct hd_peer_ops ops = { .deliver = deliver,
					.gone = workers_gone };
static const struct hd_proto proto = { .name = "fake", .peer = &ops };

static struct hd_key random_key(void)
{
	struct hd_key key;

	randombytes_buf(&key, sizeof(key));
	return key;
}

static void make(struct fake *f)
{
	*f = (struct fake){ .p.magic = HD_PEER_MAGIC, .p.stream = &f->s };
	f->p.login.key = random_key();
	f->p.user.ops = &hd_peer_user;
	f->p.state = HD_PEER_PROVEN;
	f->s.magic = HD_STREAM_MAGIC;
	f->s.worker = hd_relay_home(0, &f->p.login.key);
	f->s.proto = &proto;
	f->s.mod = &mod;
	f->s.account = &f->s.worker->core_account;
	f->s.user = &f->p.user;
}

static void up(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)unused;
	hd_assert(hd_peer_up(&f->p) == 0);
	homes[w->index].key[homes[w->index].n++] = f;
}

static void down(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	hd_peer_down(&f->s);
}

static void all_of_them(hd_worker_fn *fn)
{
	for (unsigned i = 0; i < KEYS; i++)
		hd_assert(hd_worker_post(keys[i].s.worker, fn, &keys[i],
					 NULL) == 0);
	hd_workers_quiesce();
}

/* ---- packets ---- */

static void send_batch(struct hd_worker *w, void *unused, void *unused_too)
{
	uint8_t data[LEN_BYTES] = { (uint8_t)w->index };
	unsigned n = homes[w->index].n;

	(void)unused;
	(void)unused_too;
	for (unsigned i = 0; i < BATCH && n > 0; i++) {
		struct fake *from = homes[w->index].key[randombytes_uniform(n)];
		struct fake *to = &keys[randombytes_uniform(KEYS)];

		hd_relay_send(&from->p, &to->p.login.key, false, data,
			      sizeof(data));
	}
}

static unsigned arrived_by_now(void)
{
	return __atomic_load_n(&arrived, __ATOMIC_ACQUIRE);
}

/* Each worker a batch, as often as it takes. Returns how many were sent. */
static unsigned send_packets(unsigned n_workers, unsigned n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	unsigned senders = 0, sent = 0;

	for (unsigned i = 0; i < n_workers; i++)
		senders += homes[i].n > 0;
	arrived = crossed = 0;
	while (sent < n) {
		for (unsigned i = 0; i < n_workers; i++)
			hd_worker_post(hd_worker_at(i), send_batch, NULL, NULL);
		sent += senders * BATCH;
		hd_workers_quiesce();
		for (int t = 0; t < 60000 && arrived_by_now() < sent; t++)
			nanosleep(&ms, NULL);
		hd_assert(arrived_by_now() == sent);
	}
	return sent;
}

static size_t rings(unsigned n_workers, size_t *ret_bytes)
{
	size_t n = 0;

	*ret_bytes = 0;
	for (unsigned i = 0; i < n_workers; i++)
		for (unsigned k = 0; k < n_workers; k++) {
			struct hd_xring *r = hd_worker_at(i)->to[k];

			n += r != NULL;
			*ret_bytes += malloc_usable_size(r);
		}
	return n;
}

/* ---- keys over workers, by their hash alone ---- */

static unsigned random_home(void)
{
	struct hd_key key = random_key();

	return hd_key_home(hd_key_hash(0, &key));
}

static double busiest(unsigned n_workers, unsigned n_keys)
{
	unsigned at[WORKERS_MAX] = { 0 }, most = 0;

	for (unsigned i = 0; i < n_keys; i++) {
		unsigned home = random_home();

		at[home]++;
		most = HD_MAX(most, at[home]);
	}
	return (double)most * n_workers / n_keys;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_busiest(unsigned n_workers, unsigned n_keys)
{
	double v[SETS];

	for (unsigned i = 0; i < SETS; i++)
		v[i] = busiest(n_workers, n_keys);
	qsort(v, SETS, sizeof(*v), by_size);
	printf(" | %.2f, %.2f", v[SETS / 2], v[SETS - 1]);
}

/* Others than worker 0, of a turn's packets to keys at random. */
static double others(unsigned n_packets)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		bool to[WORKERS_MAX] = { true };

		for (unsigned k = 0; k < n_packets; k++) {
			unsigned home = random_home();

			sum += !to[home];
			to[home] = true;
		}
	}
	return (double)sum / TURNS;
}

/* ---- */

static void ignore(struct hd_worker *w, const struct hd_xrecord *x,
		   const uint8_t *data)
{
	(void)w;
	(void)x;
	(void)data;
}

/* The loops over all others in core/daemon/turn.c. */
__attribute__((noinline)) static void look_around(struct hd_worker *w)
{
	hd_xring_run(w, ignore);
	hd_xring_look(w);
	hd_xring_wake(w);
}

static void look_often(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)unused;
	(void)unused_too;
	for (unsigned i = 0; i < TURNS; i++)
		look_around(w);
}

static void line(unsigned n_workers)
{
	unsigned sent = send_packets(n_workers, PACKETS);
	size_t bytes, n = rings(n_workers, &bytes);

	printf("| %u | %.1f %% | %zu, %.1f", n_workers, 100.0 * crossed / sent,
	       n, (double)bytes / 1e6);
	print_busiest(n_workers, 1000);
	print_busiest(n_workers, 10000);
	printf(" | %.1f | %.1f |\n", others(9), others(90));
	fflush(stdout);
}

static void look(unsigned n_workers)
{
	send_packets(n_workers, FEW_PACKETS);
	hd_worker_post(hd_worker_at(0), look_often, NULL, NULL);
	hd_workers_quiesce();
}

static void with_workers(unsigned n_workers, void (*fn)(unsigned n_workers))
{
	memset(homes, 0, sizeof(homes));
	hd_assert(workers_start(n_workers) == 0);
	for (unsigned i = 0; i < KEYS; i++)
		make(&keys[i]);
	all_of_them(up);
	fn(n_workers);
	all_of_them(down);
	hd_workers_stop();
}

int main(int argc, char **argv)
{
	static const unsigned few_and_many[] = { 2, 8, 32, 64 };
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

	if (sodium_init() < 0 || n < 1 || n > WORKERS_MAX)
		return 1;
	workers_conf.event_backend = HD_BACKEND_EPOLL; /* as valgrind knows */
	if (argc > 1)
		with_workers(n, look);
	for (unsigned i = 0; argc == 1 && i < HD_ARRAY_N(few_and_many); i++)
		with_workers(few_and_many[i], line);
	return 0;
}
