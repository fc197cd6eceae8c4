/* SPDX-License-Identifier: MIT */
/* say.c - lines to others, by their keys, through an HD relay: an example of
 * libhd, which the tests use, too. Lines are not encrypted from end to end
 * here; a program that means it uses streams, as hdcat does.
 *
 *	say --key=FILE RELAY [PEER]...
 *
 * Each line of the input goes to every peer. PEERs are asked to let us in; with
 * --allow everybody who asks is let in, else who is a PEER. Each line of the
 * output is an event: key, relay, state ..., knock KEY NOTE, peer STATE KEY,
 * packet KEY TEXT. */
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
	const char *key_file;
	bool allow;
	struct libhd *h;
	struct libhd_peer *peers[64];
	unsigned n;
};

static void event(const char *what, const struct libhd_key *key,
		  const void *text, size_t n)
{
	char name[LIBHD_KEY_TEXT_BYTES];

	printf("%s %s %.*s\n", what, libhd_key_text(key, name), (int)n,
	       (const char *)text);
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
	event("packet", libhd_peer_key(from), data, len_bytes);
}

static void peer_add(struct say *say, const struct libhd_key *key)
{
	struct libhd_peer *peer;
	int r = libhd_allow(say->h, key, &peer);

	for (unsigned i = 0; i < say->n && r == 0; i++)
		if (say->peers[i] == peer)
			return;
	if (r < 0 || say->n == sizeof(say->peers) / sizeof(say->peers[0]))
		fprintf(stderr, "say: a peer too many, or none\n");
	else
		say->peers[say->n++] = peer;
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

static void on_peer(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_peer_state state, void *user)
{
	static const char *const names[] = { "peer here", "peer gone",
					     "peer not-here", "peer refused" };

	(void)h, (void)user;
	event(names[state], libhd_peer_key(peer), "", 0);
}

static const struct libhd_events events = {
	.size = sizeof(events),
	.state = on_state,
	.packet = on_packet,
	.knock = on_knock,
	.peer = on_peer,
};

/* What the input has. Returns whether there may be more. */
static bool say_line(struct say *say)
{
	char line[LIBHD_PACKET_MAX_BYTES];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n <= 0)
		return false;
	if (line[n - 1] == '\n')
		n--;
	for (unsigned i = 0; i < say->n; i++) {
		int r = libhd_send(say->peers[i], line, (size_t)n);

		if (r < 0)
			fprintf(stderr, "say: %s\n", strerror(-r));
	}
	return true;
}

static int loop(struct say *say)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int r;

	do {
		r = libhd_poll(say->h, &in, 1, -1);
		if (r > 0 && !say_line(say))
			return EXIT_SUCCESS;
	} while (r >= 0 || r == -EINTR);
	return EXIT_FAILURE;
}

static int run(struct say *say, char **peers, int n)
{
	struct libhd_identity *id = NULL;
	struct libhd_key key;
	int r = libhd_identity_open(say->key_file, &id);

	if (r < 0) {
		fprintf(stderr, "say: %s: %s\n", say->key_file, strerror(-r));
		return EXIT_FAILURE;
	}
	event("key", libhd_identity_key(id), "", 0);
	say->conf.identity = id;
	r = libhd_new(&say->conf, &events, say, &say->h);
	libhd_identity_free(&id); /* it has been copied */
	if (r < 0) {
		fprintf(stderr, "say: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	for (int i = 0; i < n; i++) {
		if (libhd_key_parse(peers[i], &key) < 0) {
			fprintf(stderr, "say: no key: %s\n", peers[i]);
			return EXIT_FAILURE;
		}
		peer_add(say, &key);
		if (!say->allow)
			libhd_knock(say->peers[say->n - 1], "say", 3);
	}
	return loop(say);
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
		{ 0 },
	};
	struct say say = { .conf = { .size = sizeof(say.conf),
				     .wants_knocks = true } };
	int c, status;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 'k')
			say.key_file = optarg;
		else if (c == 'c')
			say.conf.ca_file = optarg;
		else if (c == 'i')
			say.conf.invitation = optarg;
		else if (c == 'd')
			say.conf.credential = optarg;
		else if (c == 'x')
			say.conf.insecure = true;
		else if (c == 'a')
			say.allow = true;
		else if (c == 'u')
			say.conf.no_udp = true;
		else if (c == 'r' &&
			 libhd_key_parse(optarg, &say.relay_key) == 0)
			say.conf.relay_key = &say.relay_key;
		else
			return EXIT_FAILURE;
	}
	if (optind == argc || say.key_file == NULL) {
		fprintf(stderr, "usage: say --key=FILE RELAY [PEER]...\n");
		return EXIT_FAILURE;
	}
	say.conf.relay = argv[optind];
	status = run(&say, argv + optind + 1, argc - optind - 1);
	libhd_free(&say.h);
	return status;
}
