/* SPDX-License-Identifier: MIT */
/* echo.c - what comes is sent back: an example of libhd in a loop of libuv,
 * which the tests use, too.
 *
 *	echo RELAY RELAY-KEY KEY-FILE...
 *
 * Each file is an identity, which has an endpoint of its own; all of them are
 * in one loop. Everybody who asks is let in. Each line of the output is `open`
 * and the key of one that the relay has let in. Ctrl-C ends it. */
#include <errno.h>
#include <hd/hd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct endpoint {
	struct libhd *h; /* NULL: it has ended */
	char name[LIBHD_KEY_TEXT_BYTES];
	uv_poll_t readable;
	uv_timer_t due;
	uv_prepare_t before;
};

struct all {
	struct endpoint *v;
	int n;
};

/* ---- what libhd tells ---- */

static void on_state(struct libhd *h, enum libhd_state state, void *user)
{
	const struct endpoint *e = user;

	if (state == LIBHD_OPEN)
		printf("open %s\n", e->name);
	else if (libhd_error(h)[0] != '\0')
		fprintf(stderr, "echo: %s\n", libhd_error(h));
	fflush(stdout);
}

static bool on_knock(struct libhd *h, const struct libhd_key *from,
		     const void *note, size_t len_bytes, void *user)
{
	(void)h, (void)from, (void)note, (void)len_bytes, (void)user;
	return true;
}

/* One for which there is no room is lost, as packets may be. */
static void on_packet(struct libhd *h, struct libhd_peer *from,
		      const void *data, size_t len_bytes, void *user)
{
	(void)h, (void)user;
	(void)libhd_send(from, data, len_bytes);
}

static const struct libhd_events events = {
	.size = sizeof(events),
	.state = on_state,
	.knock = on_knock,
	.packet = on_packet,
};

/* ---- an endpoint in a loop of libuv ---- */

/* Not from a callback of libhd. The fd is libhd's: libuv has to let go first.
 */
static void endpoint_close(struct endpoint *e)
{
	if (e->h == NULL)
		return;
	uv_close((uv_handle_t *)&e->readable, NULL);
	uv_close((uv_handle_t *)&e->due, NULL);
	uv_close((uv_handle_t *)&e->before, NULL);
	libhd_free(&e->h);
}

static void process(struct endpoint *e)
{
	if (libhd_process(e->h) < 0)
		endpoint_close(e);
}

static void on_readable(uv_poll_t *p, int status, int what)
{
	(void)status, (void)what;
	process(p->data);
}

static void on_due(uv_timer_t *t)
{
	process(t->data);
}

/* The loop is about to wait. Here, since any function of the endpoint that has
 * been called in this turn may have changed when it wants to be processed. */
static void on_before(uv_prepare_t *p)
{
	struct endpoint *e = p->data;
	int ms = libhd_timeout_ms(e->h);

	if (ms < 0)
		uv_timer_stop(&e->due);
	else
		uv_timer_start(&e->due, on_due, (uint64_t)ms, 0);
}

static int endpoint_watch(struct endpoint *e, uv_loop_t *loop)
{
	int r = uv_poll_init(loop, &e->readable, libhd_fd(e->h));

	if (r < 0)
		return r;
	uv_timer_init(loop, &e->due);
	uv_prepare_init(loop, &e->before);
	e->readable.data = e->due.data = e->before.data = e;
	uv_prepare_start(&e->before, on_before);
	return uv_poll_start(&e->readable, UV_READABLE, on_readable);
}

static int endpoint_open(struct endpoint *e, const struct libhd_conf *with,
			 const char *key_file)
{
	struct libhd_conf conf = *with;
	struct libhd_identity *id = NULL;
	int r = libhd_identity_open(key_file, &id);

	if (r < 0)
		return r;
	libhd_key_text(libhd_identity_key(id), e->name);
	conf.identity = id;
	r = libhd_new(&conf, &events, e, &e->h);
	libhd_identity_free(&id); /* it has been copied */
	return r < 0 ? r : endpoint_watch(e, uv_default_loop());
}

/* ---- the program ---- */

static void on_signal(uv_signal_t *s, int signum)
{
	struct all *all = s->data;

	(void)signum;
	for (int i = 0; i < all->n; i++)
		endpoint_close(&all->v[i]);
}

/* Until the last endpoint has ended. */
static void run(struct all *all)
{
	uv_loop_t *loop = uv_default_loop();
	uv_signal_t interrupt = { .data = all };

	uv_signal_init(loop, &interrupt);
	uv_signal_start(&interrupt, on_signal, SIGINT);
	uv_unref((uv_handle_t *)&interrupt); /* nobody waits for it alone */
	uv_run(loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&interrupt, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
}

int main(int argc, char **argv)
{
	struct libhd_key relay_key;
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay_key = &relay_key,
				   .wants_knocks = true };
	struct all all = { .n = argc - 3 };

	if (argc < 4 || libhd_key_parse(argv[2], &relay_key) < 0) {
		fprintf(stderr, "usage: echo RELAY RELAY-KEY KEY-FILE...\n");
		return EXIT_FAILURE;
	}
	conf.relay = argv[1];
	all.v = calloc((size_t)all.n, sizeof(*all.v));
	for (int i = 0; i < all.n; i++) {
		int r = all.v != NULL ? endpoint_open(&all.v[i], &conf,
						      argv[3 + i])
				      : -ENOMEM;

		if (r < 0) {
			fprintf(stderr, "echo: %s: %s\n", argv[3 + i],
				strerror(-r));
			return EXIT_FAILURE;
		}
	}
	run(&all);
	free(all.v);
	return EXIT_SUCCESS;
}
