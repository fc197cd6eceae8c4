/* SPDX-License-Identifier: MIT */
/* tools/hdbench/opts.c - one table: parsing, ranges, --help. */
#include "tools/hdbench/opts.h"
#include "tools/hdbench/frames.h"
#include <hyper-derp/hd.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { K_FLAG, K_TEXT, K_COUNT, K_REAL, K_RATE, K_PID, K_HELP, K_VERSION };

struct row {
	const char *name, *arg;
	enum kind kind;
	size_t offset;
	double min, max;
	const char *help;
};

#define AT(field) offsetof(struct opts, field)

static const struct row rows[] = {
	{ "plain", NULL, K_FLAG, AT(is_plain), 0, 0, "plain TCP, no TLS" },
	{ "ca", "FILE", K_TEXT, AT(ca_file), 0, 0,
	  "verify the certificate against FILE (PEM); else it is not "
	  "verified" },
	{ "sni", "NAME", K_TEXT, AT(sni), 0, 0,
	  "server name to ask for and to verify; default HOST" },
	{ "crypto", "NAME", K_TEXT, AT(crypto), 0, 0,
	  "who does hdbench's own AES-GCM: auto, openssl or ipsec-mb; default "
	  "auto: what is faster" },
	{ "fast-start", NULL, K_FLAG, AT(is_fast), 0, 0,
	  "log in without waiting for the HTTP answer, as real clients do" },
	{ "hd", NULL, K_FLAG, AT(is_hd), 0, 0,
	  "HD, over TCP, instead of DERP" },
	{ "hd-udp", NULL, K_FLAG, AT(is_hd_udp), 0, 0,
	  "HD, over UDP; packets of up to 1,200 bytes" },
	{ "hd-credential", "C", K_TEXT, AT(hd_credential), 0, 0,
	  "hdcred1..., where not everybody may enrol" },
	{ "identities", "N", K_COUNT, AT(identities), 1, 100000000,
	  "with --logins: so many keys take turns; default each login has one "
	  "of its own" },
	{ "pairs", "N", K_COUNT, AT(pairs), 1, 500000,
	  "sender-receiver pairs, two connections each; default 10" },
	{ "peers", "N", K_COUNT, AT(peers), 2, 1000000,
	  "the same as --pairs N/2" },
	{ "size", "BYTES", K_COUNT, AT(size_bytes), sizeof(struct stamp), 65536,
	  "bytes per packet; default 1400" },
	{ "rate", "N|max", K_RATE, AT(rate_pps), 1, 1e8,
	  "packets per second offered by all pairs together, or as many as the "
	  "relay takes; default 10000" },
	{ "find", NULL, K_FLAG, AT(is_find), 0, 0,
	  "find the highest rate that is delivered, by bisection" },
	{ "share", "PERCENT", K_REAL, AT(share_percent), 1, 100,
	  "what counts as delivered for --find; default 99.5" },
	{ "resolution", "PERCENT", K_REAL, AT(resolution_percent), 0.1, 50,
	  "--find ends when the bounds are that close; default 1" },
	{ "near", NULL, K_FLAG, AT(is_near), 0, 0,
	  "with --find: --rate is about right, look near it first" },
	{ "duration", "S", K_REAL, AT(duration_s), 0.05, 86400,
	  "seconds measured; default 5 (with --find: per step)" },
	{ "warmup", "S", K_REAL, AT(warmup_s), 0, 3600,
	  "seconds before that; default 1" },
	{ "batch", "N", K_COUNT, AT(batch), 1, OPTS_BATCH_MAX,
	  "records of one connection that are due together may leave in one "
	  "write(2); default 1, as real clients" },
	{ "burst", "N", K_COUNT, AT(burst), 1, OPTS_BATCH_MAX,
	  "packets of one pair that are due together; default 1" },
	{ "threads", "N", K_COUNT, AT(threads), 1, OPTS_THREADS_MAX,
	  "so many threads share the pairs and the rate; default 1" },
	{ "in-flight", "N", K_COUNT, AT(in_flight), 1, 1000000,
	  "with --rate max: send only while fewer than N packets are under "
	  "way" },
	{ "silence", NULL, K_FLAG, AT(is_silence), 0, 0,
	  "also print how long each receiver waited at most for a packet that "
	  "had been sent" },
	{ "idle", "N", K_COUNT, AT(idle), 1, 1000000,
	  "log N peers in, leave them idle, print the relay's memory; needs "
	  "--pid" },
	{ "logins", "N", K_COUNT, AT(logins), 1, 100000000,
	  "log N peers in, each one out at once; prints rate, time and CPU" },
	{ "login-rate", "N", K_REAL, AT(login_rate), 0.1, 1e6,
	  "logins started per second; default as fast as they go" },
	{ "behind", "N", K_COUNT, AT(behind), 1, OPTS_BEHIND_MAX,
	  "with --logins: each peer sends N packets to itself right behind its "
	  "login, and leaves when all are back, in order" },
	{ "parallel", "N", K_COUNT, AT(parallel), 1, 10000,
	  "logins under way at a time; default 32" },
	{ "pid", "PID", K_PID, AT(pids), 1, 1 << 22,
	  "a process of the relay, for CPU and memory; repeatable" },
	{ "cpu-command", "CMD", K_TEXT, AT(cpu_command), 0, 0,
	  "where the relay is on another machine: prints the seconds of CPU "
	  "that it has used" },
	{ "cpu", NULL, K_FLAG, AT(is_cpu), 0, 0,
	  "print the seconds of CPU that --pid has used, and the clock's, and "
	  "leave: for the --cpu-command of another hdbench" },
	{ "json", NULL, K_FLAG, AT(is_json), 0, 0, "print one JSON object" },
	{ "help", NULL, K_HELP, 0, 0, 0, "print this" },
	{ "version", NULL, K_VERSION, 0, 0, 0, "print the version" },
};

enum { HELP_COLUMN = 23, HELP_WIDTH = 79 };

/* The text of an option, in as many lines of its column as it takes. */
static void print_text(const char *text)
{
	const size_t width = HELP_WIDTH - HELP_COLUMN;

	while (strlen(text) > width) {
		size_t n = width;

		while (n > 0 && text[n] != ' ')
			n--;
		printf("%.*s\n%*s", (int)n, text, HELP_COLUMN, "");
		text += n + 1;
	}
	puts(text);
}

static void print_help(void)
{
	puts("usage: hdbench [OPTION]... HOST[:PORT]\n"
	     "Load a DERP relay and measure it. PORT is 443, with --plain "
	     "80.\n");
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		const struct row *r = &rows[i];
		int n = printf("  --%s%s%s", r->name, r->arg ? " " : "",
			       r->arg ? r->arg : "");

		printf("%*s", HELP_COLUMN - n, "");
		print_text(r->help);
	}
	puts("\nexit status: 0 measured, 1 could not be measured, 2 usage\n"
	     "see hdbench(1)");
}

static int bad_value(const struct row *r, const char *text)
{
	fprintf(stderr, "hdbench: --%s %s: not a number from %.10g to %.10g\n",
		r->name, text, r->min, r->max);
	return -EINVAL;
}

static int parse_number(const struct row *r, const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	if (end == text || *end != '\0' || !(*ret >= r->min && *ret <= r->max))
		return bad_value(r, text);
	if (r->kind != K_REAL && *ret != (double)(uint64_t)*ret)
		return bad_value(r, text);
	return 0;
}

static int add_pid(struct proc_set *set, double pid)
{
	if (set->n == PROC_PIDS_MAX) {
		fprintf(stderr, "hdbench: --pid: at most %d\n", PROC_PIDS_MAX);
		return -EINVAL;
	}
	set->pid[set->n++] = (pid_t)pid;
	return 0;
}

static int set_value(struct opts *o, const struct row *r, const char *text)
{
	void *at = (char *)o + r->offset;
	double v = 0;

	if (r->kind == K_FLAG)
		*(bool *)at = true;
	if (r->kind == K_TEXT)
		*(const char **)at = text;
	if (r->kind == K_FLAG || r->kind == K_TEXT)
		return 0;
	if (r->kind == K_RATE && strcmp(text, "max") == 0) {
		o->is_rate_max = true;
		return 0;
	}
	if (parse_number(r, text, &v) < 0)
		return -EINVAL;
	if (r->kind == K_PID)
		return add_pid(at, v);
	if (r->kind == K_COUNT)
		*(uint64_t *)at = (uint64_t)v;
	else
		*(double *)at = v;
	return 0;
}

/* HOST, HOST:PORT, [v6], [v6]:PORT, or a bare v6 address. */
static int parse_target(struct opts *o, const char *text)
{
	const char *host = text, *colon = strrchr(text, ':');
	size_t n = strlen(text);

	if (*text == '[') {
		host = text + 1;
		n = strcspn(host, "]");
		colon = host[n] == ']' && host[n + 1] == ':' ? host + n + 1
							     : NULL;
	} else if (colon != NULL && strchr(text, ':') == colon) {
		n = (size_t)(colon - text);
	} else {
		colon = NULL;
	}
	snprintf(o->port, sizeof(o->port), "%s",
		 colon != NULL ? colon + 1
		 : o->is_plain ? "80"
			       : "443");
	if (n == 0 || n >= sizeof(o->host)) {
		fprintf(stderr, "hdbench: %s: not HOST[:PORT]\n", text);
		return -EINVAL;
	}
	memcpy(o->host, host, n);
	o->host[n] = '\0';
	return 0;
}

static int wrong(const char *why)
{
	fprintf(stderr, "hdbench: %s\n", why);
	return -EINVAL;
}

static int check(struct opts *o)
{
	if (o->peers > 0)
		o->pairs = o->peers / 2;
	o->is_hd |= o->is_hd_udp;
	if (o->is_hd && (o->is_plain || o->behind > 0 || o->is_fast ||
			 o->sni != NULL))
		return wrong("HD has no --plain, --sni, --fast-start, "
			     "--behind");
	if (o->is_hd_udp && o->size_bytes > HDP_UDP_PACKET_MAX_BYTES &&
	    o->idle == 0 && o->logins == 0)
		return wrong("--hd-udp: --size is 1200 at most");
	if (strcmp(o->crypto, "auto") != 0 &&
	    strcmp(o->crypto, "openssl") != 0 &&
	    strcmp(o->crypto, "ipsec-mb") != 0)
		return wrong("--crypto is auto, openssl or ipsec-mb");
	if (o->identities > 0 && o->logins == 0)
		return wrong("--identities needs --logins");
	if (o->is_silence && o->is_hd)
		return wrong("HD has no --silence");
	if (o->behind > 0 && o->logins == 0)
		return wrong("--behind needs --logins");
	if (o->threads > 1 && (o->idle > 0 || o->logins > 0))
		return wrong("--threads is for --rate and --find");
	if (o->threads > 1 && o->in_flight > 0)
		return wrong("--in-flight has one thread");
	if (o->threads > o->pairs)
		return wrong("more --threads than --pairs");
	if (o->cpu_command != NULL && o->pids.n > 0)
		return wrong("--cpu-command or --pid, not both");
	if (o->idle > 0 && o->pids.n == 0)
		return wrong("--idle needs the relay's --pid");
	return 0;
}

static void fill_getopt(struct option long_opts[HD_ARRAY_N(rows) + 1])
{
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++)
		long_opts[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].arg != NULL,
			.val = (int)i + 1,
		};
	long_opts[HD_ARRAY_N(rows)] = (struct option){ 0 };
}

static int parse_options(struct opts *o, int argc, char **argv)
{
	struct option long_opts[HD_ARRAY_N(rows) + 1];
	int i;

	fill_getopt(long_opts);
	while ((i = getopt_long(argc, argv, "", long_opts, NULL)) != -1) {
		if (i == '?')
			return -EINVAL;
		if (rows[i - 1].kind == K_HELP) {
			print_help();
			return 1;
		}
		if (rows[i - 1].kind == K_VERSION) {
			puts("hdbench " PACKAGE_VERSION);
			return 1;
		}
		if (set_value(o, &rows[i - 1], optarg) < 0)
			return -EINVAL;
	}
	return 0;
}

int opts_parse(struct opts *o, int argc, char **argv)
{
	int r;

	*o = (struct opts){ .pairs = 10,
			    .size_bytes = 1400,
			    .rate_pps = 10000,
			    .share_percent = 99.5,
			    .resolution_percent = 1,
			    .duration_s = 5,
			    .warmup_s = 1,
			    .batch = 1,
			    .burst = 1,
			    .crypto = "auto",
			    .threads = 1,
			    .parallel = 32 };
	r = parse_options(o, argc, argv);
	if (r != 0)
		return r;
	if (o->is_cpu) {
		if (optind == argc && o->pids.n > 0)
			return 0;
		return wrong("--cpu needs --pid, and nothing else");
	}
	if (optind + 1 != argc) {
		fputs("hdbench: one HOST[:PORT] is needed; see --help\n",
		      stderr);
		return -EINVAL;
	}
	r = parse_target(o, argv[optind]);
	return r < 0 ? r : check(o);
}
