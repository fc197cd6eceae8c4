/* SPDX-License-Identifier: MIT */
/* say.c - lines to others, by their keys, through an HD relay: an example of
 * libhd, which the tests use, too. Lines are not encrypted from end to end
 * here; a program that means it uses streams, as hdcat does.
 *
 *	say --key=FILE RELAY [PEER]...
 *
 * Each line of the input goes to every peer, and to all of --to-group; it
 * waits until the relay has us and every PEER is here, so that it can be piped
 * in. PEERs are asked to let us in; with --allow everybody who asks is let in,
 * else who is a PEER, or in --group. A PEER may be the nodekey: of a client of
 * DERP, as Tailscale's, where the relay has hd.bridge. --intent says what we
 * want of the path to PEERs: 0 to 3, as enum libhd_intent. Each line of the
 * output is an event: key, relay, state ..., knock KEY NOTE, visitor KEY,
 * member KEY, peer STATE KEY, path KEY WHAT, packet KEY TEXT. */
#include <errno.h>
#include <getopt.h>
#include <hd/hd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct say {
	struct libhd_conf conf;
	struct libhd_key relay_key;
	const char *key_file, *group, *to_group;
	int intent; /* -1: none */
	bool allow;
	struct libhd *h;
	struct libhd_peer *peers[64];
	unsigned n, next; /* next: who is to get the first line */
	unsigned missing; /* PEERs that have not been here yet */
	char in[LIBHD_PACKET_MAX_BYTES]; /* what has been read */
	size_t in_bytes;
	bool ended; /* there is no more input */
};

static void event(const char *what, const struct libhd_key *key,
		  const void *text, size_t n)
{
	char name[LIBHD_KEY_TEXT_BYTES];

	printf("%s %s %.*s\n", what, libhd_key_text(key, name), (int)n,
	       (const char *)text);
	fflush(stdout);
}

/* Of some only the address is known. */
static void peer_event(const char *what, const struct libhd_peer *peer,
		       const void *text, size_t n)
{
	const struct libhd_key *key = libhd_peer_key(peer);
	char name[LIBHD_ADDRESS_TEXT_BYTES];

	if (key != NULL) {
		event(what, key, text, n);
		return;
	}
	libhd_address_text(libhd_peer_address(peer), name);
	printf("%s %s %.*s\n", what, name, (int)n, (const char *)text);
	fflush(stdout);
}

static void on_state(struct libhd *h, enum libhd_state state, void *user)
{
	static const char *const names[] = { "connecting", "pending", "open",
					     "waiting", "failed" };

	(void)user;
	if (state == LIBHD_OPEN)
		event("relay", libhd_relay_key(h), "", 0);
	printf("state %s %s\n", names[state], libhd_error(h));
	fflush(stdout);
}

static void on_packet(struct libhd *h, struct libhd_peer *from,
		      const void *data, size_t len_bytes, void *user)
{
	(void)h, (void)user;
	peer_event("packet", from, data, len_bytes);
}

static void peer_keep(struct say *say, struct libhd_peer *peer)
{
	for (unsigned i = 0; i < say->n; i++)
		if (say->peers[i] == peer)
			return;
	if (say->n == sizeof(say->peers) / sizeof(say->peers[0]))
		fprintf(stderr, "say: a peer too many\n");
	else
		say->peers[say->n++] = peer;
}

static void peer_add(struct say *say, const struct libhd_key *key)
{
	struct libhd_peer *peer;

	if (libhd_allow(say->h, key, &peer) == 0)
		peer_keep(say, peer);
}

static bool on_knock(struct libhd *h, const struct libhd_key *from,
		     const void *note, size_t len_bytes, void *user)
{
	struct say *say = user;

	(void)h;
	event("knock", from, note, len_bytes);
	if (say->allow)
		peer_add(say, from);
	return say->allow;
}

/* A packet of somebody who cannot knock. */
static bool on_visitor(struct libhd *h, const struct libhd_address *from,
		       void *user)
{
	struct say *say = user;
	char name[LIBHD_ADDRESS_TEXT_BYTES];
	struct libhd_peer *peer;

	printf("visitor %s\n", libhd_address_text(from, name));
	fflush(stdout);
	if (say->allow && libhd_allow_address(h, from, &peer) == 0)
		peer_keep(say, peer);
	return say->allow;
}

static void on_peer(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_peer_state state, void *user)
{
	static const char *const names[] = { "peer here", "peer gone",
					     "peer not-here", "peer refused" };

	struct say *say = user;

	(void)h;
	peer_event(names[state], peer, "", 0);
	if (state == LIBHD_PEER_HERE && libhd_peer_user(peer) != NULL) {
		libhd_peer_set_user(peer, NULL);
		say->missing--;
	}
}

static void on_member(struct libhd *h, struct libhd_peer *peer, void *user)
{
	(void)h, (void)user;
	peer_event("member", peer, "", 0);
}

static void on_path(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_path path, void *user)
{
	static const char *const names[] = { "direct", "relay", "none" };

	(void)h, (void)user;
	peer_event("path", peer, names[path], strlen(names[path]));
}

static const struct libhd_events events = {
	.size = sizeof(events),
	.state = on_state,
	.packet = on_packet,
	.knock = on_knock,
	.peer = on_peer,
	.member = on_member,
	.visitor = on_visitor,
	.path = on_path,
};

static void sent(int r)
{
	if (r < 0)
		fprintf(stderr, "say: %s\n", strerror(-r));
}

/* Returns whether it has gone; else it is tried again, for those left. */
static bool line_put(struct say *say, const char *line, size_t n)
{
	int r = 0;

	for (; say->next < say->n; say->next++) {
		r = libhd_send(say->peers[say->next], line, n);
		if (r == -EAGAIN || r == -ENOTCONN)
			return false;
		sent(r);
	}
	if (say->to_group != NULL) {
		r = libhd_send_group(say->h, say->to_group, line, n);
		if (r == -EAGAIN || r == -ENOTCONN)
			return false;
		sent(r);
	}
	say->next = 0;
	return true;
}

/* How much of what has been read is a line, with its end; 0: it is none yet. */
static size_t line_len(const struct say *say, size_t from)
{
	const char *at = say->in + from;
	size_t left = say->in_bytes - from;
	const char *end = memchr(at, '\n', left);

	if (end != NULL)
		return (size_t)(end - at) + 1;
	return say->ended || left == sizeof(say->in) ? left : 0;
}

static void lines_put(struct say *say)
{
	size_t from = 0, n;

	if (say->missing > 0 || (say->n == 0 && say->to_group == NULL))
		return;
	while ((n = line_len(say, from)) > 0) {
		const char *line = say->in + from;

		if (!line_put(say, line, n - (line[n - 1] == '\n')))
			break;
		from += n;
	}
	say->in_bytes -= from;
	memmove(say->in, say->in + from, say->in_bytes);
}

static void in_read(struct say *say)
{
	ssize_t n = read(STDIN_FILENO, say->in + say->in_bytes,
			 sizeof(say->in) - say->in_bytes);

	if (n > 0)
		say->in_bytes += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		say->ended = true;
}

/* All has been read, and has left. */
static bool is_done(const struct say *say)
{
	return say->ended && say->in_bytes == 0 &&
	       (libhd_state_of(say->h) != LIBHD_OPEN ||
		libhd_unsent_bytes(say->h) == 0);
}

static int loop(struct say *say)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	bool done;
	int r;

	do {
		lines_put(say);
		done = is_done(say);
		r = libhd_poll(say->h, &in,
			       !say->ended && say->in_bytes < sizeof(say->in),
			       done ? 0 : -1);
		if (r > 0)
			in_read(say);
	} while (!done && (r >= 0 || r == -EINTR));
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* hd1... or nodekey:... Returns whether it is one. */
static bool word_take(struct say *say, const char *word)
{
	struct libhd_peer *peer = NULL;
	struct libhd_address address;
	struct libhd_key key;

	if (libhd_address_parse(word, &address) == 0)
		(void)libhd_allow_address(say->h, &address, &peer);
	else if (libhd_key_parse(word, &key) == 0 &&
		 libhd_allow(say->h, &key, &peer) == 0 &&
		 libhd_peer_user(peer) == NULL) {
		libhd_peer_set_user(peer, say); /* until it is here */
		say->missing++;
	}
	if (peer == NULL)
		return false;
	peer_keep(say, peer);
	if (!say->allow)
		libhd_knock(peer, "say", 3);
	if (say->intent >= 0)
		sent(libhd_peer_set_intent(peer,
					   (enum libhd_intent)say->intent));
	return true;
}

static int run(struct say *say, char **peers, int n)
{
	struct libhd_identity *id = NULL;
	int r = libhd_identity_open(say->key_file, &id);

	if (r < 0) {
		fprintf(stderr, "say: %s: %s\n", say->key_file, strerror(-r));
		return EXIT_FAILURE;
	}
	event("key", libhd_identity_key(id), "", 0);
	say->conf.identity = id;
	r = libhd_new(&say->conf, &events, say, &say->h);
	libhd_identity_free(&id); /* it has been copied */
	if (r == 0 && say->group != NULL)
		r = libhd_allow_group(say->h, say->group);
	if (r < 0) {
		fprintf(stderr, "say: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	for (int i = 0; i < n; i++) {
		if (!word_take(say, peers[i])) {
			fprintf(stderr, "say: no key: %s\n", peers[i]);
			return EXIT_FAILURE;
		}
	}
	return loop(say);
}

static int option(struct say *say, int c)
{
	if (c == 'k')
		say->key_file = optarg;
	else if (c == 'c')
		say->conf.ca_file = optarg;
	else if (c == 'i')
		say->conf.invitation = optarg;
	else if (c == 'd')
		say->conf.credential = optarg;
	else if (c == 'x')
		say->conf.insecure = true;
	else if (c == 'a')
		say->allow = true;
	else if (c == 'u')
		say->conf.no_udp = true;
	else if (c == 'g')
		say->group = optarg;
	else if (c == 't')
		say->to_group = optarg;
	else if (c == 'n')
		say->intent = atoi(optarg);
	else if (c == 'r' && libhd_key_parse(optarg, &say->relay_key) == 0)
		say->conf.relay_key = &say->relay_key;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "relay-key", required_argument, NULL, 'r' },
		{ "ca", required_argument, NULL, 'c' },
		{ "invitation", required_argument, NULL, 'i' },
		{ "credential", required_argument, NULL, 'd' },
		{ "insecure", no_argument, NULL, 'x' },
		{ "allow", no_argument, NULL, 'a' },
		{ "no-udp", no_argument, NULL, 'u' },
		{ "group", required_argument, NULL, 'g' },
		{ "to-group", required_argument, NULL, 't' },
		{ "intent", required_argument, NULL, 'n' },
		{ 0 },
	};
	static struct say say = { .conf = { .size = sizeof(say.conf),
					    .wants_knocks = true },
				  .intent = -1 };
	int c, status;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		if (option(&say, c) < 0)
			return EXIT_FAILURE;
	if (optind == argc || say.key_file == NULL) {
		fprintf(stderr, "usage: say --key=FILE RELAY [PEER]...\n");
		return EXIT_FAILURE;
	}
	say.conf.relay = argv[optind];
	status = run(&say, argv + optind + 1, argc - optind - 1);
	libhd_free(&say.h);
	return status;
}
