/* SPDX-License-Identifier: MIT */
/* t/lib/client/libhd_idle.c - what an idle endpoint of libhd takes.
 *
 *	libhd-idle [--udp] [--streams] RELAY RELAY-KEY FEW MANY
 *
 * Opens FEW endpoints, and more till there are MANY. With --udp each is by UDP,
 * too. With --streams they are pairs that have sent each other a byte, by a
 * stream that stays open. Each time it waits until nothing is to be done for a
 * while. Prints what one more takes, in bytes: `heap N`, what malloc(3) has
 * given, and `rss N`. What the kernel has for sockets is not in it. */
#include <errno.h>
#include <hd/hd.h>
#include <hyper-derp/base.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	AT_ONCE = 20, /* that are opened; even */
	QUIET_MS = 3000, /* QUIC's keepalive comes after 25 s */
};

struct one {
	struct libhd *h;
	struct libhd_key key;
	struct libhd_peer *other;
	struct libhd_stream *stream;
	bool answered;
};

struct idle {
	struct libhd_conf conf;
	struct libhd_key relay_key;
	bool udp;
	struct one *v;
	struct pollfd *fds;
	size_t n;
};

struct taken {
	size_t heap, rss;
};

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "libhd-idle: %s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

/* ---- pairs ---- */

static void on_ready(struct libhd *h, struct libhd_stream *s, void *user)
{
	struct one *o = user;
	uint8_t byte;

	(void)h;
	if (libhd_stream_read(s, &byte, 1) != 1)
		return;
	/* the second of a pair has accepted the stream: it sends it back */
	if (o->other == NULL)
		must((int)libhd_stream_write(s, &byte, 1), "write");
	o->answered = true;
}

static void on_stream(struct libhd *h, struct libhd_peer *from,
		      struct libhd_stream *s, void *user)
{
	struct one *o = user;

	(void)from;
	o->stream = s;
	on_ready(h, s, user);
}

static const struct libhd_events events = {
	.size = sizeof(events),
	.stream = on_stream,
	.stream_ready = on_ready,
};

/* The first of a pair opens a stream to the second. */
static void meet(struct one *first, struct one *second)
{
	struct libhd_peer *peer;

	must(libhd_allow(second->h, &first->key, &peer), "allow");
	must(libhd_allow(first->h, &second->key, &first->other), "allow");
	must(libhd_stream_open(first->other, &first->stream), "stream");
	must((int)libhd_stream_write(first->stream, "x", 1), "write");
}

/* ---- the loop ---- */

static void open_one(struct idle *all)
{
	struct one *o = &all->v[all->n];
	struct libhd_identity *id;

	must(libhd_identity_new(&id), "identity");
	o->key = *libhd_identity_key(id);
	all->conf.identity = id;
	must(libhd_new(&all->conf, &events, o, &o->h), "endpoint");
	libhd_identity_free(&id);
	all->fds[all->n].fd = libhd_fd(o->h);
	all->fds[all->n++].events = POLLIN;
	if (all->conf.streams && all->n % 2 == 0)
		meet(o - 1, o);
}

/* Until one has something to do; -1: nobody has. */
static int timeout_ms(const struct idle *all)
{
	int least = -1;

	for (size_t i = 0; i < all->n; i++) {
		int ms = libhd_timeout_ms(all->v[i].h);

		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	return least;
}

/* Returns whether something has come, or is to be done within QUIET_MS. Relays
 * say now and then that they are there: to many, somebody always hears it.
 * @wait_ms  for what may come */
static bool turn(struct idle *all, int wait_ms)
{
	int ms = timeout_ms(all);
	bool due = ms >= 0 && ms <= QUIET_MS;
	int n = poll(all->fds, all->n, due ? ms : wait_ms);

	if (n <= 0 && !due)
		return false;
	for (size_t i = 0; i < all->n; i++)
		if (all->fds[i].revents != 0 ||
		    libhd_timeout_ms(all->v[i].h) == 0)
			must(libhd_process(all->v[i].h),
			     libhd_error(all->v[i].h));
	return true;
}

static bool is_up(const struct idle *all, const struct one *o)
{
	return libhd_state_of(o->h) == LIBHD_OPEN &&
	       (!all->udp || libhd_by_udp(o->h)) &&
	       (!all->conf.streams || o->answered);
}

static void open_some(struct idle *all, size_t n)
{
	size_t from = all->n;

	while (all->n < from + n)
		open_one(all);
	for (size_t i = from; i < all->n; i++)
		while (!is_up(all, &all->v[i]))
			(void)turn(all, QUIET_MS);
}

/* ---- what it takes ---- */

static struct taken taken(void)
{
	struct mallinfo2 m = mallinfo2();
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL || fscanf(f, "%*u %zu", &pages) != 1)
		must(-EIO, "/proc/self/statm");
	fclose(f);
	return (struct taken){ .heap = m.uordblks + m.hblkhd,
			       .rss = pages * (size_t)sysconf(_SC_PAGESIZE) };
}

static struct taken with(struct idle *all, size_t n)
{
	while (all->n < n)
		open_some(all, HD_MIN(n - all->n, (size_t)AT_ONCE));
	while (turn(all, 0))
		;
	return taken();
}

static void measure(struct idle *all, size_t few, size_t many)
{
	struct taken a = with(all, few), b = with(all, many);

	printf("heap %zu\nrss %zu\n", (b.heap - a.heap) / (many - few),
	       (b.rss - a.rss) / (many - few));
}

static void end(struct idle *all)
{
	for (size_t i = 0; i < all->n; i++) {
		libhd_stream_close(&all->v[i].stream);
		libhd_free(&all->v[i].h);
	}
	free(all->v);
	free(all->fds);
}

int main(int argc, char **argv)
{
	struct idle all = { .conf = { .size = sizeof(all.conf),
				      .relay_key = &all.relay_key,
				      .no_udp = true } };
	size_t few, many;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		all.udp |= strcmp(argv[i], "--udp") == 0;
		all.conf.streams |= strcmp(argv[i], "--streams") == 0;
	}
	if (argc - i != 4 || libhd_key_parse(argv[i + 1], &all.relay_key) < 0)
		return EXIT_FAILURE;
	all.conf.relay = argv[i];
	all.conf.no_udp = !all.udp;
	few = strtoul(argv[i + 2], NULL, 10);
	many = strtoul(argv[i + 3], NULL, 10);
	all.v = calloc(many, sizeof(*all.v));
	all.fds = calloc(many, sizeof(*all.fds));
	if (all.v == NULL || all.fds == NULL || few >= many)
		return EXIT_FAILURE;
	measure(&all, few, many);
	end(&all);
	return EXIT_SUCCESS;
}
