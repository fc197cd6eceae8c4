/* SPDX-License-Identifier: MIT */
/* t/unit/presence_help.c - see presence_help.h. */
#include "t/unit/presence_help.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int start(void **state)
{
	(void)state;
	/* It may read as slowly as this machine likes. */
	workers_conf.write_timeout_ms = 600000;
	return workers_start(WORKERS);
}

int stop(void **state)
{
	(void)state;
	hd_workers_stop();
	return 0;
}

/* ---- keys ---- */

struct fake keys[KEYS], stranger;
static struct hd_module mod;

static void presence(struct hd_module *of, struct hd_peer *p,
		     const struct hd_presence *what)
{
	struct hd_stream *s = hd_peer_stream(p);
	uint8_t *out = hd_stream_reserve(s, HD_LANE_CONTROL, FRAME);

	hd_assert(of == &mod && out != NULL);
	memset(out, what->present ? 1 : 0, FRAME);
	memcpy(out, what->key->b, HD_KEY_BYTES);
	memcpy(out + HD_KEY_BYTES, &what->realm, sizeof(what->realm));
	hd_stream_commit(s, FRAME);
}

static const struct hd_peer_ops ops = { .presence = presence };
static const struct hd_proto proto = { .name = "fake", .peer = &ops };

/* The first bytes of a key say which it is. */
void make(struct fake *f, uint32_t nth, uint16_t realm)
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

void up(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	f->p.state = HD_PEER_PROVEN;
	assert_int_equal(hd_peer_up(&f->p), 0);
}

void down(struct hd_worker *w, void *fake, void *unused)
{
	struct fake *f = fake;

	(void)w;
	(void)unused;
	hd_peer_down(&f->s);
}

void post(struct fake *f, hd_worker_fn *fn)
{
	assert_int_equal(hd_worker_post(f->s.worker, fn, f, NULL), 0);
}

/* ---- the watcher ---- */

static struct hd_listener listener = { .refs = 1000 };
struct hd_stream *watcher;
int far_fd;

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

int watcher_make(void **state)
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

/* Returns what fn says, in the watcher's worker, when all else is done. */
int in_worker(hd_worker_fn *fn)
{
	int r = -1;

	hd_workers_quiesce();
	assert_int_equal(hd_worker_post(watcher->worker, fn, &r, NULL), 0);
	hd_workers_quiesce();
	return r;
}

void begin_watching(void)
{
	assert_int_equal(in_worker(watch), 0);
}

static void take(const uint8_t frame[FRAME])
{
	uint32_t nth;
	uint16_t realm;
	bool present = frame[FRAME - 1] == 1;

	memcpy(&nth, frame, sizeof(nth));
	memcpy(&realm, frame + HD_KEY_BYTES, sizeof(realm));
	assert_true(nth < KEYS);
	struct fake *f = &keys[nth];

	assert_int_equal(realm, f->p.login.realm);
	assert_memory_equal(f->p.login.key.b, frame, HD_KEY_BYTES);
	f->wrong |= !present && !f->present;
	f->present = present;
	f->frames++;
}

/* Whole frames, until ok() or nothing has come for long. */
void read_until(bool (*ok)(void))
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

bool as_they_are(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].present != (keys[i].p.state == HD_PEER_UP))
			return false;
	return true;
}

unsigned frames(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		n += keys[i].frames;
		keys[i].frames = 0;
	}
	return n;
}
