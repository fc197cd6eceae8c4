/* SPDX-License-Identifier: MIT */
/* t/unit/hot_pairs.c - see hot_pairs.h. */
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/loop/worker.h"
#include "core/net/listener.h"
#include "core/relay/peer.h"
#include "core/stream/stream_life.h"
#include "t/unit/hot_pairs.h"
#include "t/unit/workers.h"

enum {
	FRAME = 1400, /* a packet; its first bytes are the receiver's key */
	FRAMES = 64,
	AT = sizeof(struct hd_key), /* one byte: its place in out */
	DEEP_BYTES = 4 << 20, /* what a socket holds, if the kernel allows it */
};

/* ---- clients ---- */

struct end {
	struct hd_key key;
	int fd; /* the client's */
};

static struct pair {
	struct end from, to;
	uint8_t out[FRAMES * FRAME]; /* that it sends again and again */
	size_t cut; /* bytes of out that are in its socket */
	size_t sent_bytes, got_bytes;
	unsigned n_got; /* packets, and those that came in another order */
	unsigned n_astray;
} hot[HOT_MAX], quiet;
static unsigned n_hot, n_slow;
static const struct hot_args *args;
static struct hd_listener listener = { .refs = 1000 };
static struct hd_module mod;

static size_t data(struct hd_module *of, struct hd_stream *s, void *state,
		   uint8_t *p, size_t n)
{
	size_t used = 0;
	struct hd_key to;

	(void)of;
	(void)state;
	for (; n - used >= FRAME; used += FRAME) {
		memcpy(&to, p + used, sizeof(to));
		hd_relay_send(hd_peer_of(s), &to, false, p + used, FRAME);
	}
	return used;
}

static void note_order(const struct hd_key *to, const uint8_t *data)
{
	for (unsigned i = 0; i < n_hot; i++) {
		struct pair *p = &hot[i];

		if (memcmp(&p->to.key, to, sizeof(*to)) == 0)
			p->n_astray += data[AT] != p->n_got++ % FRAMES;
	}
}

static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	(void)of;
	note_order(packet->dst, packet->data);
	hd_stream_append(hd_peer_stream(p), args->lane, packet->data,
			 packet->len_bytes);
}

static void closed(struct hd_module *of, struct hd_stream *s, void *state,
		   enum hd_close why)
{
	(void)of;
	(void)s;
	(void)state;
	if (why == HD_CLOSE_SLOW) /* in either worker */
		__atomic_fetch_add(&n_slow, 1, __ATOMIC_RELAXED);
}

static const struct hd_peer_ops ops = { .deliver = deliver,
					.gone = workers_gone };
static const struct hd_proto proto = {
	.name = "fake",
	.data = data,
	.closed = closed,
	.peer = &ops,
};

static void deepen(int fd)
{
	const int n = DEEP_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

static void end_make(struct hd_worker *w, struct end *e)
{
	struct hd_stream *s = calloc(1, sizeof(*s));
	struct hd_login login = { .realm = 0 };
	int fds[2];

	do
		randombytes_buf(&e->key, sizeof(e->key));
	while (hd_relay_home(0, &e->key) != w);
	login.key = e->key;
	hd_assert(s != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK,
					  0, fds) == 0);
	e->fd = fds[1];
	for (unsigned i = 0; args->deep && i < 2; i++)
		deepen(fds[i]);
	s->magic = HD_STREAM_MAGIC;
	s->fd = fds[0];
	s->listener = &listener;
	s->proto = &proto;
	s->state = calloc(1, 1);
	hd_assert(hd_stream_attach(w, s) == 0);
	hd_stream_set_proto(s, &mod, &proto);
	struct hd_peer *p = hd_peer_new(s, &login);

	hd_stream_set_user(s, &p->user);
	s->user_waits = s->rx_held = false;
	hd_assert(hd_peer_up(p) == 0);
}

static void make_from(struct hd_worker *w, struct pair *p)
{
	end_make(w, &p->from);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint8_t *frame = p->out + (size_t)i * FRAME;

		memcpy(frame, &p->to.key, sizeof(p->to.key));
		frame[AT] = (uint8_t)i;
	}
}

static void make_to(struct hd_worker *w, struct pair *p)
{
	*p = (struct pair){ .cut = 0 };
	end_make(w, &p->to);
}

static void pair_close(struct pair *p)
{
	close(p->from.fd);
	close(p->to.fd);
}

/* As much as its socket takes. */
static void pair_send(struct pair *p, size_t most)
{
	ssize_t n = 1;

	for (size_t all = 0; all < most && n > 0; all += (size_t)n) {
		size_t room = HD_MIN(sizeof(p->out) - p->cut, most - all);

		n = write(p->from.fd, p->out + p->cut, room);
		if (n <= 0)
			break;
		p->cut = (p->cut + (size_t)n) % sizeof(p->out);
		p->sent_bytes += (size_t)n;
	}
}

static void pair_receive(struct pair *p)
{
	static uint8_t in[256 * 1024];
	ssize_t n;

	while ((n = read(p->to.fd, in, sizeof(in))) > 0)
		p->got_bytes += (size_t)n;
}

/* ---- between turns ---- */

static const struct hd_worker_ops *was;
static struct hd_worker_ops counting;
static struct {
	uint64_t turn, sent, due; /* turns: this, that it left in, the next */
	uint64_t longest;
	unsigned n, hot_turns;
	bool under_way;
	bool all, done; /* atomic: all of its packets have come; hot ones, too*/
} quietly;

/* What each hot one sends in this turn. At home the quiet one has sent before,
 * and nothing to others: that is known of it. */
static size_t hot_most(void)
{
	static const size_t begins[] = { FRAME, FRAME / 2 };

	if (args->held_bytes > 0 && quietly.n == 0)
		return 0;
	return args->halves && quietly.hot_turns < HD_ARRAY_N(begins)
		       ? begins[quietly.hot_turns++]
		       : SIZE_MAX;
}

static void before(void)
{
	size_t most = hot_most();

	for (unsigned i = 0; i < n_hot && most > 0; i++)
		pair_send(&hot[i], most);
	if (quietly.under_way || quietly.turn < quietly.due || quietly.all)
		return;
	pair_send(&quiet, FRAME);
	quietly.under_way = true;
	quietly.sent = quietly.turn;
}

static void after(void)
{
	for (unsigned i = 0; i < n_hot; i++)
		pair_receive(&hot[i]);
	pair_receive(&quiet);
	if (!quietly.under_way || quiet.got_bytes < quiet.sent_bytes)
		return;
	quietly.under_way = false;
	quietly.longest = HD_MAX(quietly.longest, quietly.turn - quietly.sent);
	quietly.due = quietly.turn + (args->held_bytes > 0 ? 0 : HOT_APART);
	quietly.n++;
}

static bool hot_have(size_t bytes)
{
	for (unsigned i = 0; i < n_hot; i++)
		if (hot[i].got_bytes < bytes)
			return false;
	return true;
}

static void turn(struct hd_worker *w)
{
	bool done = __atomic_load_n(&quietly.done, __ATOMIC_ACQUIRE);

	if (!done)
		before();
	was->turn(w);
	if (!done)
		after();
	quietly.turn++;
	if (quietly.n < HOT_PACKETS)
		return;
	__atomic_store_n(&quietly.all, true, __ATOMIC_RELEASE);
	if (hot_have(args->held_bytes))
		__atomic_store_n(&quietly.done, true, __ATOMIC_RELEASE);
}

static void quiet_receiver(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)unused;
	(void)unused_too;
	make_to(w, &quiet);
}

static void receivers(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)unused;
	(void)unused_too;
	for (unsigned i = 0; i < n_hot; i++)
		make_to(w, &hot[i]);
}

static void begin(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)unused;
	(void)unused_too;
	make_from(w, &quiet);
	for (unsigned i = 0; i < n_hot; i++)
		make_from(w, &hot[i]);
	w->streams->shared_bytes += args->others_bytes;
	was = w->ops;
	counting = *was;
	counting.turn = turn;
	w->ops = &counting;
}

static void in_worker(unsigned i, hd_worker_fn *fn)
{
	assert_int_equal(hd_worker_post(hd_worker_at(i), fn, NULL, NULL), 0);
	hd_workers_quiesce();
}

static void start(void)
{
	n_hot = args->pairs;
	n_slow = 0;
	memset(&quietly, 0, sizeof(quietly));
	workers_conf.event_backend = HD_BACKEND_EPOLL; /* sees all at once */
	workers_conf.write_timeout_ms = 600000;
	assert_int_equal(workers_start(args->workers), 0);
	in_worker(args->held_bytes > 0 ? 0 : args->workers - 1, quiet_receiver);
	in_worker(args->workers - 1, receivers);
}

static void count(struct hot_result *ret)
{
	ret->least_bytes = UINT64_MAX;
	for (unsigned i = 0; i < n_hot; i++) {
		const struct pair *p = &hot[i];

		ret->n_astray += p->n_astray;
		ret->least_bytes = HD_MIN(ret->least_bytes, p->got_bytes);
		ret->most_bytes = HD_MAX(ret->most_bytes, p->got_bytes);
	}
}

static void stop(struct hot_result *ret)
{
	const struct hd_stats *stats = &hd_worker_at(0)->stats;

	hd_workers_stop();
	ret->turns = quietly.turn;
	ret->longest = quietly.longest;
	ret->xfer_drops = stats->drops[HD_DROP_XFER_FULL][0].n;
	ret->queue_drops = stats->drops[HD_DROP_QUEUE_HEAD][0].n;
	ret->n_slow = n_slow;
	count(ret);
	hd_workers_free();
	pair_close(&quiet);
	for (unsigned i = 0; i < n_hot; i++)
		pair_close(&hot[i]);
	print_message("# %u hot pairs: %llu turns, one waited for %llu; "
		      "%llu to %llu bytes\n",
		      n_hot, (unsigned long long)ret->turns,
		      (unsigned long long)ret->longest,
		      (unsigned long long)ret->least_bytes,
		      (unsigned long long)ret->most_bytes);
	assert_int_equal(quiet.got_bytes, HOT_PACKETS * FRAME);
}

/* ---- a worker that takes nothing ---- */

static const struct timespec ms = { .tv_nsec = 1000000 };
static bool held, go; /* atomic: it stands still; it may go on */

static void wait_for(const bool *flag)
{
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
			return;
		nanosleep(&ms, NULL);
	}
}

static void hold(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)w;
	(void)unused;
	(void)unused_too;
	__atomic_store_n(&held, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		nanosleep(&ms, NULL);
}

static bool begin_held(void)
{
	struct hd_worker *last = hd_worker_at(args->workers - 1);
	bool all;

	held = go = false;
	hd_assert(hd_worker_post(last, hold, NULL, NULL) == 0);
	wait_for(&held);
	hd_assert(hd_worker_post(hd_worker_at(0), begin, NULL, NULL) == 0);
	wait_for(&quietly.all);
	all = __atomic_load_n(&quietly.all, __ATOMIC_ACQUIRE);
	__atomic_store_n(&go, true, __ATOMIC_RELEASE);
	return all;
}

/* ---- */

void hot_run(const struct hot_args *how, struct hot_result *ret)
{
	*ret = (struct hot_result){ 0 };
	args = how;
	start();
	if (args->held_bytes > 0)
		ret->held = begin_held();
	else
		in_worker(0, begin);
	while (!__atomic_load_n(&quietly.done, __ATOMIC_ACQUIRE)) {
		nanosleep(&ms, NULL);
		hd_workers_quiesce();
	}
	stop(ret);
}
