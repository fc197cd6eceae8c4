/* SPDX-License-Identifier: MIT */
/* hdcat - standard input and output to another machine, by a ticket. */
#include "tools/hdcat/hdcat.h"
#include "tools/lib/output.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: hdcat listen [OPTION]... RELAY[:PORT]\n"
	"       hdcat [OPTION]... TICKET\n"
	"       hdcat ping [OPTION]... TICKET\n"
	"Connect standard input and output of two machines through an HD "
	"relay, encrypted\n"
	"from end to end. `listen` prints a ticket on standard error; who has "
	"it is let in,\n"
	"once.\n"
	"\n"
	"  -i, --identity FILE    a key that is kept; made if there is none\n"
	"      --ticket-file FILE listen: write the ticket there, not on the "
	"screen\n"
	"      --relay-key KEY    listen: the relay's identity, hd1...\n"
	"      --ca FILE          listen: whom to trust about its certificate\n"
	"      --invitation TEXT  for the relay, hdinvite1...\n"
	"      --credential TEXT  for the relay, hdcred1...\n"
	"  -t, --timeout SEC      how long to wait for the listener (30)\n"
	"  -c, --count N          ping: how often (4)\n"
	"  -q, --quiet            errors only\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 broken off, 2 usage, 3 the relay cannot be "
	"reached or\n"
	"refuses, 4 the listener is not there or refuses.\n";

static const struct option longs[] = {
	{ "identity", required_argument, NULL, 'i' },
	{ "ticket-file", required_argument, NULL, 'f' },
	{ "relay-key", required_argument, NULL, 'r' },
	{ "ca", required_argument, NULL, 'a' },
	{ "invitation", required_argument, NULL, 'n' },
	{ "credential", required_argument, NULL, 'd' },
	{ "timeout", required_argument, NULL, 't' },
	{ "count", required_argument, NULL, 'c' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "hdcat: %s%s\nhdcat: --help says more\n", what, value);
	return STATUS_USAGE;
}

static bool number(const char *text, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*ret = (unsigned)v;
	return *text >= '0' && *text <= '9' && *end == '\0' && v >= 1 &&
	       v <= max;
}

/* Returns STATUS_RUNNING, or the exit status. */
static int option(struct hdcat *c, int o)
{
	const char **const texts[128] = {
		['i'] = &c->identity_file, ['f'] = &c->ticket_file,
		['a'] = &c->ca_file, ['n'] = &c->invitation,
		['d'] = &c->credential,
	};

	if (o > 0 && o < 128 && texts[o] != NULL) {
		*texts[o] = optarg;
	} else if (o == 'r') {
		c->has_relay_key = true;
		if (libhd_key_parse(optarg, &c->relay_key) < 0)
			return wrong("no key: ", optarg);
	} else if (o == 't') {
		if (!number(optarg, 86400, &c->timeout_s))
			return wrong("--timeout is 1 to 86400, not ", optarg);
	} else if (o == 'c') {
		if (!number(optarg, 1000000, &c->count))
			return wrong("--count is 1 to 1000000, not ", optarg);
	} else if (o == 'q') {
		c->quiet = true;
	} else if (o == 'h') {
		fputs(usage, stdout);
		return STATUS_OK;
	} else if (o == 'V') {
		puts("hdcat " PACKAGE_VERSION);
		return STATUS_OK;
	} else {
		return wrong("which option is that?", "");
	}
	return STATUS_RUNNING;
}

static int command(struct hdcat *c, char **words, int n)
{
	bool listens = n > 0 && strcmp(words[0], "listen") == 0;
	bool pings = n > 0 && strcmp(words[0], "ping") == 0;

	if (listens || pings)
		words++, n--;
	if (n != 1)
		return wrong("one ", listens ? "relay is needed"
					     : "ticket is needed");
	if (listens) {
		c->relay = words[0];
		return run_listen(c);
	}
	if (libhd_ticket_parse(words[0], &c->ticket) < 0)
		return wrong("that is no ticket, or it is mistyped", "");
	return pings ? run_ping(c) : run_dial(c);
}

int main(int argc, char **argv)
{
	static struct hdcat c = { .timeout_s = 30,
				  .count = 4,
				  .status = STATUS_RUNNING };
	int status = STATUS_RUNNING, o;

	signal(SIGPIPE, SIG_IGN); /* a write says it, too */
	while (status == STATUS_RUNNING &&
	       (o = getopt_long(argc, argv, "i:t:c:qhV", longs, NULL)) >= 0)
		status = option(&c, o);
	if (status == STATUS_RUNNING)
		status = command(&c, argv + optind, argc - optind);
	return output_end("hdcat", status, STATUS_BROKEN);
}
