/* SPDX-License-Identifier: MIT */
/* tools/hdcat/options.c - what stands before the words of a command. */
#include "tools/hdcat/hdcat.h"
#include "tools/hdctl/qr.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: hdcat listen [OPTION]... RELAY[:PORT]...\n"
	"       hdcat [OPTION]... TICKET\n"
	"       hdcat forward [OPTION]... [udp:][BIND:]PORT:HOST:PORT... "
	"TICKET\n"
	"       hdcat expose [OPTION]... [udp:][BIND:]PORT:HOST:PORT... "
	"TICKET\n"
	"       hdcat socks [OPTION]... [BIND:]PORT TICKET\n"
	"       hdcat receive [OPTION]... RELAY[:PORT]...\n"
	"       hdcat send [OPTION]... FILE|DIR... TICKET\n"
	"       hdcat ping [OPTION]... TICKET\n"
	"Connect two machines through an HD relay, encrypted from end to end: "
	"standard input\n"
	"and output, or with `listen --allow` connections as ssh's -L "
	"(forward), -R (expose)\n"
	"and -D (socks) have them. `receive` takes files that `send` sends, "
	"with resume.\n"
	"`listen` and `receive` print a ticket on standard error; who has it "
	"is let in. A\n"
	"TICKET may be @FILE.\n"
	"\n"
	"  -i, --identity FILE    a key that is kept; made if there is none\n"
	"      --allow HOST:PORT  listen: what forward and socks may reach; * "
	"is any; also\n"
	"                         udp:HOST:PORT, a /PATH\n"
	"      --allow-listen [BIND:]PORT\n"
	"                         listen: where expose may listen here\n"
	"      --max-connections N\n"
	"                         how many at once (128)\n"
	"      --udp-idle SEC     when a flow of UDP ends, of which nothing "
	"comes (60)\n"
	"  -d, --into DIR         receive: where files go (here)\n"
	"      --force            receive: replace what is there\n"
	"      --stay             receive: not one transfer, but all that "
	"come\n"
	"      --max-size SIZE    receive: of all that comes; 10G, 500MB\n"
	"      --ticket-file FILE listen: write the ticket there, not on the "
	"screen\n"
	"      --keep-ticket      listen: the ticket that is there stays good\n"
	"      --qr               listen, receive: the ticket as a QR code, "
	"too\n"
	"      --relay-key KEY    listen: the relay's identity, hd1...; of "
	"several in turn\n"
	"      --ca FILE          listen: whom to trust about its certificate\n"
	"      --invitation TEXT  for the relay, hdinvite1..., or @FILE\n"
	"      --credential TEXT  for the relay, hdcred1..., or @FILE\n"
	"  -t, --timeout SEC      how long to wait for the other end (30)\n"
	"  -c, --count N          ping: how often (4)\n"
	"  -q, --quiet            errors only\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"exit status: 0 done, 1 broken off, 2 usage, 3 the relay cannot be "
	"reached or\n"
	"refuses, 4 the listener is not there or refuses\n"
	"see hdcat(1)\n";

enum { ALLOW = 256, ALLOW_LISTEN, MAX_CONNECTIONS, UDP_IDLE, KEEP_TICKET, FORCE,
       STAY, QR, MAX_SIZE };

static const struct option longs[] = {
	{ "identity", required_argument, NULL, 'i' },
	{ "allow", required_argument, NULL, ALLOW },
	{ "allow-listen", required_argument, NULL, ALLOW_LISTEN },
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "udp-idle", required_argument, NULL, UDP_IDLE },
	{ "keep-ticket", no_argument, NULL, KEEP_TICKET },
	{ "into", required_argument, NULL, 'd' },
	{ "force", no_argument, NULL, FORCE },
	{ "stay", no_argument, NULL, STAY },
	{ "max-size", required_argument, NULL, MAX_SIZE },
	{ "qr", no_argument, NULL, QR },
	{ "ticket-file", required_argument, NULL, 'f' },
	{ "relay-key", required_argument, NULL, 'r' },
	{ "ca", required_argument, NULL, 'a' },
	{ "invitation", required_argument, NULL, 'n' },
	{ "credential", required_argument, NULL, 'e' },
	{ "timeout", required_argument, NULL, 't' },
	{ "count", required_argument, NULL, 'c' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

int wrong(const char *what, const char *value)
{
	fprintf(stderr, "hdcat: %s%s\nhdcat: --help says more\n", what, value);
	return STATUS_USAGE;
}

int unread(const char *path)
{
	fprintf(stderr, "hdcat: %s: %s\n", path,
		errno != 0 ? strerror(errno) : "there is nothing in it");
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

static int allow(struct allow *to, enum target_kind kind)
{
	if (to->n == ALLOW_MAX)
		return wrong("32 of these are the most: ", optarg);
	if (target_parse(optarg, strlen(optarg), kind, &to->v[to->n]) < 0)
		return wrong("no address: ", optarg);
	to->n++;
	return STATUS_RUNNING;
}

/* What is about listening for connections. */
static int allow_option(struct hdcat *c, int o)
{
	c->purpose = FOR_CONNECTIONS;
	if (o == ALLOW)
		return allow(&c->allow, TARGET_ALLOW);
	return allow(&c->allow_listen, TARGET_ALLOW_LISTEN);
}

/* 10M, 10MiB: of 1024; 10MB: of 1000. */
static bool size(const char *text, uint64_t *ret)
{
	static const char units[] = "kMGTP";
	char *end;
	uint64_t v = strtoull(text, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	uint64_t step = unit != NULL && strcmp(end + 1, "B") == 0 ? 1000 : 1024;
	unsigned n = unit != NULL ? (unsigned)(unit - units) + 1 : 0;

	if (unit != NULL)
		end += strcmp(end + 1, "iB") == 0 ? 3 : step == 1000 ? 2 : 1;
	for (; n > 0 && v <= UINT64_MAX / step; n--)
		v *= step;
	*ret = v;
	return *text >= '0' && *text <= '9' && *end == '\0' && n == 0 && v > 0;
}

static int number_option(struct hdcat *c, int o)
{
	if (o == 't' && !number(optarg, 86400, &c->timeout_s))
		return wrong("--timeout is 1 to 86400, not ", optarg);
	if (o == 'c' && !number(optarg, 1000000, &c->count))
		return wrong("--count is 1 to 1000000, not ", optarg);
	if (o == MAX_CONNECTIONS && !number(optarg, 1024, &c->max_conns))
		return wrong("--max-connections is 1 to 1024, not ", optarg);
	if (o == UDP_IDLE && !number(optarg, 86400, &c->udp_idle_s))
		return wrong("--udp-idle is 1 to 86400, not ", optarg);
	if (o == MAX_SIZE && !size(optarg, &c->max_size_bytes))
		return wrong("--max-size is a number with k, M, G or T, not ",
			     optarg);
	return STATUS_RUNNING;
}

/* Other users see the words of a command: @FILE has it in its first line. What
 * is read from there is kept for good. */
static int secret_option(const char **ret)
{
	char *line = NULL;
	size_t size = 0;
	int status;
	FILE *f;

	*ret = optarg;
	if (*optarg != '@')
		return STATUS_RUNNING;
	errno = 0;
	f = fopen(optarg + 1, "re");
	*ret = f != NULL && getline(&line, &size, f) > 0 ? line : NULL;
	status = *ret == NULL ? unread(optarg + 1) : STATUS_RUNNING;
	if (f != NULL)
		fclose(f);
	if (*ret == NULL) {
		free(line);
		return status;
	}
	line[strcspn(line, "\n")] = '\0';
	return STATUS_RUNNING;
}

static int relay_key(struct hdcat *c)
{
	struct libhd_relay *r = &c->relays[c->n_relay_keys];

	if (c->n_relay_keys == LIBHD_RELAYS_MAX)
		return wrong("that is one relay too many: ", optarg);
	if (libhd_key_parse(optarg, &r->key) < 0)
		return wrong("no key: ", optarg);
	r->has_key = true;
	c->n_relay_keys++;
	return STATUS_RUNNING;
}

static int text_option(struct hdcat *c, int o)
{
	const char **const texts[128] = {
		['i'] = &c->identity_file, ['f'] = &c->ticket_file,
		['a'] = &c->ca_file, ['d'] = &c->into,
	};

	if (o == 'n' || o == 'e')
		return secret_option(o == 'n' ? &c->invitation
					      : &c->credential);

	if (o > 0 && o < 128 && texts[o] != NULL) {
		*texts[o] = optarg;
		return STATUS_RUNNING;
	}
	if (o != 'r')
		return wrong("which option is that?", "");
	return relay_key(c);
}

static int switch_option(struct hdcat *c, int o)
{
	c->keeps_ticket |= o == KEEP_TICKET;
	c->inbox.force |= o == FORCE;
	c->keeps_on |= o == STAY;
	c->quiet |= o == 'q';
	c->qr |= o == QR;
	if (o == QR && !qr_there())
		return wrong("this hdcat was built without libqrencode "
			     "(configure --with-qrencode)", "");
	return STATUS_RUNNING;
}

/* Returns STATUS_RUNNING, or the exit status. */
static int option(struct hdcat *c, int o)
{
	switch (o) {
	case ALLOW:
	case ALLOW_LISTEN:
		return allow_option(c, o);
	case MAX_CONNECTIONS:
	case UDP_IDLE:
	case MAX_SIZE:
	case 't':
	case 'c':
		return number_option(c, o);
	case KEEP_TICKET:
	case FORCE:
	case STAY:
	case QR:
	case 'q':
		return switch_option(c, o);
	case 'h':
		fputs(usage, stdout);
		return STATUS_OK;
	case 'V':
		puts("hdcat " PACKAGE_VERSION);
		return STATUS_OK;
	default:
		return text_option(c, o);
	}
}

int options(struct hdcat *c, int argc, char **argv)
{
	int status = STATUS_RUNNING, o;

	while (status == STATUS_RUNNING &&
	       (o = getopt_long(argc, argv, "i:d:t:c:qhV", longs, NULL)) >= 0)
		status = option(c, o);
	return status;
}
