/* SPDX-License-Identifier: MIT */
/* t/unit/fair.c - pairs that send without end leave another pair of their
 * worker its packets: in turns, from the packet in the socket of who sends it
 * to the same in the socket of who gets it. And who reads what it is sent loses
 * none. One real worker, whose own thread writes and reads the clients' ends
 * between turns: no clock and no other thread has a say. */
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
#include "t/unit/workers.h"

enum {
	HOT_MAX = 40, /* pairs */
	FRAME = 1400, /* a packet; its first bytes are the receiver's key */
	FRAMES = 64,
	PACKETS = 60, /* of the quiet pair */
	APART = 7, /* turns between one's arrival and the next one */
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
	size_t cut; /* bytes of a frame that are out */
	size_t sent_bytes, got_bytes;
} hot[HOT_MAX], quiet;
static unsigned n_hot;
static uint64_t xfer_drops, queue_drops; /* of worker 0 */
static uint64_t others_bytes; /* what peers that do not read share there */
static bool deep;
static enum hd_lane lane = HD_LANE_BULK; /* that packets leave in */
static unsigned n_slow; /* were closed, since they did not read */
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

static void deliver(struct hd_module *of, struct hd_peer *p,
		    const struct hd_packet *packet)
{
	(void)of;
	hd_stream_append(hd_peer_stream(p), lane, packet->data,
			 packet->len_bytes);
}

static void closed(struct hd_module *of, struct hd_stream *s, void *state,
		   enum hd_close why)
{
	(void)of;
	(void)s;
	(void)state;
	n_slow += why == HD_CLOSE_SLOW;
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
	for (unsigned i = 0; deep && i < 2; i++)
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
	for (unsigned i = 0; i < FRAMES; i++)
		memcpy(p->out + (size_t)i * FRAME, &p->to.key,
		       sizeof(p->to.key));
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
		p->cut = (p->cut + (size_t)n) % FRAME;
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
	unsigned n;
	bool under_way, done; /* done: atomic */
} quietly;

static void before(void)
{
	for (unsigned i = 0; i < n_hot; i++)
		pair_send(&hot[i], SIZE_MAX);
	if (quietly.under_way || quietly.turn < quietly.due)
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
	quietly.due = quietly.turn + APART;
	quietly.n++;
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
	if (quietly.n == PACKETS)
		__atomic_store_n(&quietly.done, true, __ATOMIC_RELEASE);
}

static void receivers(struct hd_worker *w, void *unused, void *unused_too)
{
	(void)unused;
	(void)unused_too;
	make_to(w, &quiet);
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
	w->streams->shared_bytes += others_bytes;
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

/* From worker 0 to the last one, until all packets of the quiet pair have
 * come, however long that takes. */
static void run(unsigned pairs, unsigned workers)
{
	n_hot = pairs;
	memset(&quietly, 0, sizeof(quietly));
	workers_conf.event_backend = HD_BACKEND_EPOLL; /* sees all at once */
	workers_conf.write_timeout_ms = 600000;
	assert_int_equal(workers_start(workers), 0);
	in_worker(workers - 1, receivers);
	in_worker(0, begin);
	while (!__atomic_load_n(&quietly.done, __ATOMIC_ACQUIRE)) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		hd_workers_quiesce();
	}
	hd_workers_stop();
	xfer_drops = hd_worker_at(0)->stats.drops[HD_DROP_XFER_FULL][0].n;
	queue_drops = hd_worker_at(0)->stats.drops[HD_DROP_QUEUE_HEAD][0].n;
	hd_workers_free();
	pair_close(&quiet);
	for (unsigned i = 0; i < n_hot; i++)
		pair_close(&hot[i]);
	print_message("# %u hot pairs: %llu turns, one waited for %llu\n",
		      pairs, (unsigned long long)quietly.turn,
		      (unsigned long long)quietly.longest);
	assert_int_equal(quiet.got_bytes, PACKETS * FRAME);
}

/* ---- tests ---- */

/* A turn has two reads for those that always have 64 KiB, in order, and who
 * comes stands behind all of them. */
static void a_packet_waits_for_one_round(unsigned pairs)
{
	run(pairs, 1);
	assert_in_range(quietly.longest, 0, pairs / 2);
}

static void beside_one(void **state)
{
	(void)state;
	a_packet_waits_for_one_round(1);
}

static void beside_many(void **state)
{
	(void)state;
	a_packet_waits_for_one_round(HOT_MAX);
}

/* Those that send without end get the same, too. */
static void the_hot_ones_get_the_same(void **state)
{
	size_t least = SIZE_MAX, most = 0;

	(void)state;
	run(HOT_MAX, 1);
	for (unsigned i = 0; i < n_hot; i++) {
		least = HD_MIN(least, hot[i].got_bytes);
		most = HD_MAX(most, hot[i].got_bytes);
	}
	print_message("# %zu to %zu bytes\n", least, most);
	assert_in_range(least, 1, most);
	assert_in_range(most - least, 0, most / 10);
}

/* Through the ring between two workers, which the hot ones fill: whose turn it
 * is there is the machine's matter, but nothing is lost. */
static void beside_those_that_cross(void **state)
{
	(void)state;
	run(4, 2);
	assert_int_equal(xfer_drops, 0);
}

/* More waits in the socket of who sends than a turn reads, and the other one's
 * takes all of it. */
static void who_reads_loses_nothing(unsigned pairs)
{
	deep = true;
	run(pairs, 1);
	deep = false;
	assert_int_equal(queue_drops + n_slow, 0);
}

static void one_that_reads_loses_nothing(void **state)
{
	(void)state;
	who_reads_loses_nothing(1);
}

static void of_many_that_read_none_loses_any(void **state)
{
	(void)state;
	who_reads_loses_nothing(HOT_MAX);
}

static void beside_those_that_do_not_read(void **state)
{
	(void)state;
	others_bytes = 64 << 20; /* all of it: core/stream/stream_lane.c */
	who_reads_loses_nothing(1);
	who_reads_loses_nothing(HOT_MAX);
	others_bytes = 0;
}

static void nor_is_closed_for_answers_to_many_at_once(void **state)
{
	(void)state;
	lane = HD_LANE_CONTROL;
	who_reads_loses_nothing(1);
	lane = HD_LANE_BULK;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_one),
		cmocka_unit_test(beside_many),
		cmocka_unit_test(the_hot_ones_get_the_same),
		cmocka_unit_test(beside_those_that_cross),
		cmocka_unit_test(one_that_reads_loses_nothing),
		cmocka_unit_test(of_many_that_read_none_loses_any),
		cmocka_unit_test(beside_those_that_do_not_read),
		cmocka_unit_test(nor_is_closed_for_answers_to_many_at_once),
	};

	return sodium_init() < 0
		       ? 1
		       : cmocka_run_group_tests(tests, NULL, NULL);
}
