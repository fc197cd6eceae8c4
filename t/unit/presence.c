/* SPDX-License-Identifier: MIT */
/* t/unit/presence.c - who watches learns the last state of every key, however
 * slowly it reads. Real workers; keys without sockets; the watcher has one, and
 * a protocol of 33 bytes a frame. */
#include <hyper-derp/presence.h>
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/net/listener.h"
#include "core/relay/peer.h"
#include "core/relay/presence.h"
#include "core/relay/relay_worker.h"
#include "core/stream/stream_life.h"
#include "t/unit/workers.h"

enum {
	WORKERS = 2,
	KEYS = 10000,
	FLAPS = 100,
	FRAME = HD_KEY_BYTES + 200, /* 10,000 are more than the lane and the
				       kernel hold */
	WATCHED = 0, /* the realm */
	OTHER = 1,
};

static int start(void **state)
{
	(void)state;
	/* It may read as slowly as this machine likes. */
	workers_conf.write_timeout_ms = 600000;
	return workers_start(WORKERS);
}

static int stop(void **state)
{
	(void)state;
	hd_workers_stop();
	return 0;
}

/* ---- keys ---- */

struct fake {
	struct hd_stream s;
	struct hd_peer p;
	/* what the watcher has read */
	bool present, wrong;
	unsigned frames;
};

static struct fake keys[KEYS], stranger;
static struct hd_module mod;

static void presence(struct hd_module *of, struct hd_peer *p,
		     const struct hd_presence *what)
{
	struct hd_stream *s = hd_peer_stream(p);
	uint8_t *out = hd_stream_reserve(s, HD_LANE_CONTROL, FRAME);

	hd_assert(of == &mod && out != NULL);
	hd_assert(what->realm == WATCHED);
	memset(out, what->present ? 1 : 0, FRAME);
	memcpy(out, what->key->b, HD_KEY_BYTES);
	hd_stream_commit(s, FRAME);
}

static const struct hd_peer_ops ops = { .presence = presence };
static const struct hd_proto proto = { .name = "fake", .peer = &ops };

/* The first bytes of a key say which it is. */
static void make(struct fake *f, uint32_t nth, uint16_t realm)
{
	*f = (struct fake){ .p.magic = HD_PEER_MAGIC, .p.stream = &f->s };
	randombytes_buf(f->p.login.key.b, HD_KEY_BYTES);
	memcpy(f->p.login.key.b, &nth, sizeof(nth));
	f->p.login.realm = realm;
	f->p.user.ops = &hd_peer_user;
	f->s.magic = HD_STREAM_MAGIC;
	f->s.worker = hd_relay_home(realm, &f->p.login.key);
	f->s.proto = &proto;
	f->s.mod = &mod;
	f->s.account = &f->s.worker->core_account;
	f->s.user = &f->p.user;
}

static void up(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	f->p.state = HD_PEER_PROVEN;
	assert_int_equal(hd_peer_up(&f->p), 0);
}

static void down(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	hd_peer_down(&f->s);
}

static void post(struct fake *f, hd_worker_fn *fn)
{
	assert_int_equal(hd_worker_post(f->s.worker, fn, f, NULL), 0);
}

/* ---- the watcher ---- */

static struct hd_listener listener = { .refs = 1000 };
static struct hd_stream *watcher;
static int far_fd;

static void watch(struct hd_worker *w, void *ret, void *unused)
{
	(void)w;
	(void)unused;
	*(int *)ret = hd_presence_watch(hd_peer_of(watcher), WATCHED);
}

static void enter(struct hd_worker *w, void *stream, void *unused)
{
	struct hd_stream *s = stream;
	struct hd_login login = { .realm = OTHER };

	(void)unused;
	assert_int_equal(hd_stream_attach(w, s), 0);
	hd_stream_set_proto(s, &mod, &proto);
	struct hd_peer *p = hd_peer_new(s, &login);

	hd_stream_set_user(s, &p->user);
	s->user_waits = s->rx_held = false;
	assert_int_equal(hd_peer_up(p), 0);
}

static int watcher_make(void **state)
{
	struct hd_key none = { { 0 } };
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
		return -1;
	far_fd = fds[1];
	watcher = calloc(1, sizeof(*watcher));
	watcher->magic = HD_STREAM_MAGIC;
	watcher->fd = fds[0];
	watcher->listener = &listener;
	watcher->proto = &proto;
	watcher->state = calloc(1, 1);
	hd_worker_post(hd_relay_home(OTHER, &none), enter, watcher, NULL);
	hd_workers_quiesce();
	return 0;
}

static void begin_watching(void)
{
	int r = -1;

	assert_int_equal(hd_worker_post(watcher->worker, watch, &r, NULL), 0);
	hd_workers_quiesce();
	assert_int_equal(r, 0);
}

static void take(const uint8_t frame[FRAME])
{
	uint32_t nth;
	bool present = frame[FRAME - 1] == 1;

	memcpy(&nth, frame, sizeof(nth));
	assert_true(nth < KEYS);
	struct fake *f = &keys[nth];

	assert_memory_equal(f->p.login.key.b, frame, HD_KEY_BYTES);
	f->wrong |= !present && !f->present;
	f->present = present;
	f->frames++;
}

/* Whole frames, until ok() or nothing has come for long. */
static void read_until(bool (*ok)(void))
{
	static uint8_t buf[FRAME];
	static size_t n;

	for (int idle = 0; idle < 60000 && !ok();) {
		ssize_t r = read(far_fd, buf + n, sizeof(buf) - n);

		if (r <= 0) {
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 },
				  NULL);
			idle++;
			continue;
		}
		idle = 0;
		n += (size_t)r;
		if (n == sizeof(buf)) {
			take(buf);
			n = 0;
		}
	}
	assert_true(ok());
}

/* ---- tests ---- */

static bool all_present(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (!keys[i].present)
			return false;
	return true;
}

static bool as_they_are(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].present != (keys[i].p.state == HD_PEER_UP))
			return false;
	return true;
}

static unsigned frames(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		n += keys[i].frames;
		keys[i].frames = 0;
	}
	return n;
}

static void all_come(void)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		make(&keys[i], i, WATCHED);
		post(&keys[i], up);
	}
	make(&stranger, KEYS, OTHER);
	post(&stranger, up);
	hd_workers_quiesce();
}

static void who_is_here_is_told(void **state)
{
	(void)state;
	all_come();
	begin_watching();
	assert_true(hd_stream_is_open(watcher));
	read_until(all_present);
	assert_int_equal(frames(), KEYS);
}

/* It reads nothing meanwhile: what is kept for it does not grow. */
static void flaps_are_merged(void **state)
{
	(void)state;
	for (unsigned n = 0; n < FLAPS; n++)
		for (unsigned i = 0; i < KEYS; i += 10) {
			post(&keys[i], down);
			post(&keys[i], up);
		}
	hd_workers_quiesce();
	for (unsigned i = 0; i < KEYS; i += 2)
		post(&keys[i], down);
	hd_workers_quiesce();
	assert_true(hd_stream_is_open(watcher));
	read_until(as_they_are);
	for (unsigned i = 0; i < KEYS; i++)
		assert_false(keys[i].wrong);
	/* What was under way when it stopped reading was told as it was. */
	assert_true(frames() < KEYS / 10 * FLAPS);
	assert_true(hd_stream_is_open(watcher));
}

/* Gone is owed before present. */
static void one_that_is_back_was_gone(void **state)
{
	struct fake *f = &keys[1];

	(void)state;
	frames();
	post(f, down);
	post(f, up);
	hd_workers_quiesce();
	f->present = false;
	read_until(as_they_are);
	assert_true(f->frames == 2 || f->frames == 1);
}

/* It asks once more while it reads slowly, and forgets nothing it was told. */
static void who_left_before_once_more_is_told(void **state)
{
	(void)state;
	frames();
	keys[1].wrong = false; /* of the test before */
	for (unsigned i = 1; i < KEYS; i += 2) { /* more than goes out */
		post(&keys[i], down);
		post(&keys[i], up);
	}
	hd_workers_quiesce();
	for (unsigned i = KEYS / 2 + 1; i < KEYS; i += 2)
		post(&keys[i], down);
	hd_workers_quiesce();
	begin_watching();
	read_until(as_they_are);
	for (unsigned i = 0; i < KEYS; i++)
		assert_false(keys[i].wrong);
	for (unsigned i = KEYS / 2 + 1; i < KEYS; i += 2)
		post(&keys[i], up);
	hd_workers_quiesce();
	read_until(as_they_are);
}

static void once_more_lists_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		keys[i].present = false;
	frames();
	begin_watching();
	read_until(as_they_are);
	assert_true(frames() >= KEYS / 2);
}

static void count_feed(struct hd_worker *w, void *n, void *unused)
{
	(void)unused;
	if (w->relay->feeds != NULL)
		__atomic_add_fetch((unsigned *)n, 1, __ATOMIC_SEQ_CST);
}

static unsigned feeds(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		hd_worker_post(hd_worker_at(i), count_feed, &n, NULL);
	hd_workers_quiesce();
	return n;
}

static void it_ends_with_the_watcher(void **state)
{
	(void)state;
	assert_int_equal(feeds(), WORKERS);
	close(far_fd); /* as the slowest of all would leave */
	for (int i = 0; i < 60000 && feeds() > 0; i++) {
		post(&keys[1], down);
		post(&keys[1], up);
		hd_workers_quiesce();
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(feeds(), 0);
}

static void all_leave(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		post(&keys[i], down);
	post(&stranger, down);
	hd_workers_quiesce();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_is_here_is_told, watcher_make),
		cmocka_unit_test(flaps_are_merged),
		cmocka_unit_test(one_that_is_back_was_gone),
		cmocka_unit_test(who_left_before_once_more_is_told),
		cmocka_unit_test(once_more_lists_all),
		cmocka_unit_test(it_ends_with_the_watcher),
		cmocka_unit_test(all_leave),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, start, stop);
}
