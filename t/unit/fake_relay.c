/* SPDX-License-Identifier: MIT */
/* t/unit/fake_relay.c - see fake_relay.h. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/net/listener.h"
#include "core/stream/stream_life.h"
#include "t/unit/fake_relay.h"

int relay_start(void **state)
{
	(void)state;
	return workers_start(WORKERS);
}

int relay_stop(void **state)
{
	(void)state;
	hd_workers_stop();
	return 0;
}

/* Until ok(), however long this machine takes. */
void wait_until(bool (*ok)(void))
{
	for (int i = 0; i < 60000 && !ok(); i++) {
		hd_workers_quiesce();
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	hd_workers_quiesce();
	assert_true(ok());
}

/* Packets go on in the ring of two workers, maybe through a third step. */
void settle(void)
{
	for (int i = 0; i < 8; i++)
		hd_workers_quiesce();
}

void in_worker(struct hd_worker *w, hd_worker_fn *fn, void *a, void *b)
{
	assert_int_equal(hd_worker_post(w, fn, a, b), 0);
	settle();
}

/* ---- peers and links ---- */

static struct hd_module mod;

static struct fake *fake_of(struct hd_peer *p)
{
	return hd_container_of(p, struct fake, p);
}

static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	(void)of;
	hd_assert(packet->len_bytes >= 2 && memcmp(packet->data, "hi", 2) == 0);
	fake_of(p)->gone_then = fake_of(p)->gone;
	__atomic_add_fetch(&fake_of(p)->got, 1, __ATOMIC_SEQ_CST);
}

static void gone(struct hd_module *of, struct hd_peer *p,
		 const struct hd_key *other, enum hd_gone why)
{
	struct fake *f = fake_of(p);

	(void)of;
	(void)other;
	__atomic_add_fetch(why == HD_GONE_NOT_HERE ? &f->not_here : &f->gone, 1,
			   __ATOMIC_SEQ_CST);
}

static void forward(struct hd_module *of, struct hd_stream *s,
		    const struct hd_packet *packet)
{
	struct far *far = *(struct far **)s->state;

	(void)of;
	hd_assert(!packet->forwarded && packet->len_bytes == 2);
	hd_assert(memcmp(packet->data, "hi", 2) == 0);
	far->src = *packet->src;
	far->dst = *packet->dst;
	__atomic_add_fetch(&far->got, 1, __ATOMIC_SEQ_CST);
}

static const struct hd_peer_ops ops = { .deliver = deliver, .gone = gone };
static const struct hd_proto proto = { .name = "fake", .peer = &ops };
static const struct hd_proto link_proto = { .name = "link",
					    .forward = forward };

struct hd_key random_key(void)
{
	struct hd_key k;

	randombytes_buf(k.b, HD_KEY_BYTES);
	return k;
}

/* One whose home is a certain worker. */
struct hd_key key_of(unsigned home)
{
	struct hd_key k;

	do
		k = random_key();
	while (hd_relay_home(REALM, &k) != hd_worker_at(home));
	return k;
}

void peer_make(struct fake *f, const struct hd_key *key, uint16_t realm)
{
	*f = (struct fake){ .p.magic = HD_PEER_MAGIC, .p.stream = &f->s };
	f->p.login.key = *key;
	f->p.login.realm = realm;
	f->p.user.ops = &hd_peer_user;
	f->p.not_here_tokens = 3;
	f->s.magic = HD_STREAM_MAGIC;
	f->s.worker = hd_relay_home(realm, key);
	f->s.proto = &proto;
	f->s.mod = &mod;
	f->s.account = &f->s.worker->core_account;
	f->s.user = &f->p.user;
}

static void up_here(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	f->p.state = HD_PEER_PROVEN;
	assert_int_equal(hd_peer_up(&f->p), 0);
}

void peer_up(struct fake *f)
{
	in_worker(f->s.worker, up_here, f, NULL);
}

static void down_here(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	hd_peer_down(&f->s);
}

void peer_down(struct fake *f)
{
	in_worker(f->s.worker, down_here, f, NULL);
}

static struct hd_listener listener = { .refs = 1000 };

static void enter(struct hd_worker *w, void *far, void *unused)
{
	struct far *f = far;

	(void)unused;
	assert_int_equal(hd_stream_attach(w, f->s), 0);
	hd_stream_set_proto(f->s, &mod, &link_proto);
	assert_int_equal(hd_link_open(f->s, "far"), 0);
	assert_int_equal(hd_link_open(f->s, "far"), -EBUSY);
}

void link_make(struct far *far, unsigned worker)
{
	int fds[2];

	*far = (struct far){ .w = hd_worker_at(worker) };
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	far->fd = fds[1];
	far->s = calloc(1, sizeof(*far->s));
	far->s->magic = HD_STREAM_MAGIC;
	far->s->fd = fds[0];
	far->s->listener = &listener;
	far->s->proto = &link_proto;
	far->s->state = calloc(1, sizeof(far));
	*(struct far **)far->s->state = far;
	in_worker(far->w, enter, far, NULL);
}

static void close_here(struct hd_worker *w, void *far, void *unused)
{
	(void)w;
	(void)unused;
	hd_stream_abort(((struct far *)far)->s, HD_CLOSE_PEER);
}

void link_close(struct far *far)
{
	in_worker(far->w, close_here, far, NULL);
	close(far->fd);
}

static void add_here(struct hd_worker *w, void *far, void *key)
{
	(void)w;
	assert_int_equal(hd_link_add(((struct far *)far)->s, REALM, key), 0);
}

static void del_here(struct hd_worker *w, void *far, void *key)
{
	(void)w;
	assert_int_equal(hd_link_del(((struct far *)far)->s, REALM, key), 0);
}

static void forget_here(struct hd_worker *w, void *far, void *key)
{
	(void)w;
	assert_int_equal(hd_link_forget(((struct far *)far)->s, REALM, key), 0);
}

static void used_here(struct hd_worker *w, void *key, void *used)
{
	*(bool *)used = hd_link_used(w, REALM, key);
}

void link_forget(struct far *far, struct hd_key *key)
{
	in_worker(far->w, forget_here, far, key);
}

bool link_used(const struct hd_key *key)
{
	struct hd_key k = *key;
	bool used;

	in_worker(hd_worker_at(hd_key_home(hd_key_hash(REALM, key))), used_here,
		  &k, &used);
	return used;
}

void link_add(struct far *far, struct hd_key *key)
{
	in_worker(far->w, add_here, far, key);
}

void link_del(struct far *far, struct hd_key *key)
{
	in_worker(far->w, del_here, far, key);
}

struct sending {
	struct hd_peer *from;
	const struct hd_key *src, *dst; /* src: brought by another relay */
	bool urgent;
};

static void send_here(struct hd_worker *w, void *sending, void *unused)
{
	const struct sending *x = sending;
	const uint8_t *hi = (const uint8_t *)"hi";

	(void)w;
	(void)unused;
	if (x->src != NULL)
		hd_relay_forward(x->from, x->src, x->dst, x->urgent, hi, 2);
	else
		hd_relay_send(x->from, x->dst, x->urgent, hi, 2);
}

void peer_says(struct fake *from, const struct hd_key *dst)
{
	struct sending x = { .from = &from->p, .dst = dst };

	in_worker(from->s.worker, send_here, &x, NULL);
}

void peer_urges(struct fake *from, const struct hd_key *dst)
{
	struct sending x = { .from = &from->p, .dst = dst, .urgent = true };

	in_worker(from->s.worker, send_here, &x, NULL);
}

void relay_brings(struct fake *relay, const struct hd_key *src,
		  const struct hd_key *dst)
{
	struct sending x = { .from = &relay->p, .src = src, .dst = dst };

	in_worker(relay->s.worker, send_here, &x, NULL);
}

uint64_t drops_of(enum hd_drop why)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		n += hd_worker_at(i)->stats.drops[why][0].n;
	return n;
}

static void count_ways(struct hd_worker *w, void *n, void *unused)
{
	(void)unused;
	__atomic_add_fetch((unsigned *)n, w->relay->ways.n, __ATOMIC_SEQ_CST);
}

unsigned ways_n(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		hd_worker_post(hd_worker_at(i), count_ways, &n, NULL);
	hd_workers_quiesce();
	return n;
}

static void count_away(struct hd_worker *w, void *n, void *unused)
{
	(void)unused;
	__atomic_add_fetch((unsigned *)n, w->relay->away.n, __ATOMIC_SEQ_CST);
}

unsigned away_n(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		hd_worker_post(hd_worker_at(i), count_away, &n, NULL);
	hd_workers_quiesce();
	return n;
}

bool ways_none(void)
{
	return ways_n() == 0;
}
