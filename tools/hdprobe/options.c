/* SPDX-License-Identifier: MIT */
#include "tools/hdprobe/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_USAGE 3 /* of monitoring plugins: unknown */

static const char usage[] =
	"usage: hdprobe [OPTION]... HOST[:PORT]\n"
	"       hdprobe --derpmap [OPTION]... HOST[:PORT]\n"
	"       hdprobe --mesh [OPTION]... HOST[:PORT]... | --map FILE\n"
	"Check a DERP relay from outside, as a client would; or print its "
	"entry for the\n"
	"DERP map; or check that packets go from each relay of a region to "
	"each.\n"
	"PORT is 443, with --plain 80, where it is left out.\n"
	"\n"
	"  -4, -6               IPv4 only, IPv6 only\n"
	"      --plain          no TLS\n"
	"      --sni NAME       the relay's name, when HOST is not it\n"
	"      --insecure       an untrusted chain or a wrong name only warns\n"
	"      --stun-port N    where STUN answers (3478)\n"
	"      --no-stun        it does not\n"
	"      --known-only     it admits known clients only: a refused login\n"
	"                       is skipped\n"
	"      --hd-credential C  hdcred1..., for the checks of HD where not\n"
	"                       everybody may enrol\n"
	"  -t, --timeout SEC    for each check (5)\n"
	"      --json           print one JSON object\n"
	"  -q, --quiet          print one line\n"
	"      --derpmap        print the DERP map's entry\n"
	"      --format F       json (Tailscale), yaml (Headscale), tailcat;\n"
	"                       without it json and yaml\n"
	"      --output FILE    write it there, only when it is good\n"
	"      --region-id N    900 to 999 (900)\n"
	"      --region-code C  short name (hd)\n"
	"      --region-name N  long name (Hyper-DERP)\n"
	"      --mesh           check several relays, and the ways between "
	"them\n"
	"      --map FILE       those of a region in this DERP map; - is "
	"stdin;\n"
	"                       --region-id where it has several regions\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"exit status: 0 ok, 1 warning, 2 failed, 3 could not check\n"
	"see hdprobe(1)\n";

static int set_version(struct options *opt, const char *arg)
{
	(void)opt;
	(void)arg;
	puts("hdprobe " PACKAGE_VERSION);
	return 0;
}

static int set_help(struct options *opt, const char *arg)
{
	(void)opt;
	(void)arg;
	fputs(usage, stdout);
	return 0;
}

/* Returns -1 and the number; or a status, having said what is wrong. */
static int number(const char *name, const char *arg, double min, double max,
		  double *ret_v)
{
	char *end;

	*ret_v = strtod(arg, &end);
	if (end != arg && *end == '\0' && *ret_v >= min && *ret_v <= max)
		return -1;
	fprintf(stderr, "hdprobe: %s is a number from %g to %g, not '%s'\n",
		name, min, max, arg);
	return STATUS_USAGE;
}

static int set_timeout(struct options *opt, const char *arg)
{
	double s;
	int rc = number("--timeout", arg, 0.1, 600, &s);

	opt->timeout_ms = (int)(s * 1000);
	return rc;
}

static int set_region_id(struct options *opt, const char *arg)
{
	double id;
	int rc = number("--region-id", arg, 1, 65535, &id);

	opt->region_id = (int)id;
	return rc;
}

static int set_stun_port(struct options *opt, const char *arg)
{
	double port;

	opt->stun_port = arg;
	return number("--stun-port", arg, 1, 65535, &port);
}

#define SETTER(name, what)                                                     \
	static int set_##name(struct options *opt, const char *arg)            \
	{                                                                      \
		(void)arg;                                                     \
		what;                                                          \
		return -1;                                                     \
	}
SETTER(v4, opt->family = AF_INET)
SETTER(v6, opt->family = AF_INET6)
SETTER(plain, opt->plain = true)
SETTER(insecure, opt->insecure = true)
SETTER(json, opt->json = true)
SETTER(quiet, opt->quiet = true)
SETTER(derpmap, opt->derpmap = true)
SETTER(mesh, opt->mesh = true)
SETTER(map, opt->map = arg)
SETTER(no_stun, opt->stun_port = NULL)
SETTER(known_only, opt->known_only = true)
SETTER(hd_credential, opt->hd_credential = arg)
SETTER(sni, opt->name = arg)
SETTER(format, opt->format = arg)
SETTER(output, opt->output = arg)
SETTER(region_code, opt->region_code = arg)
SETTER(region_name, opt->region_name = arg)

static const struct {
	const char *name;
	char letter;
	bool has_arg;
	int (*set)(struct options *opt, const char *arg);
} table[] = {
	{ "ipv4", '4', false, set_v4 },
	{ "ipv6", '6', false, set_v6 },
	{ "plain", 0, false, set_plain },
	{ "sni", 0, true, set_sni },
	{ "insecure", 0, false, set_insecure },
	{ "stun-port", 0, true, set_stun_port },
	{ "no-stun", 0, false, set_no_stun },
	{ "known-only", 0, false, set_known_only },
	{ "hd-credential", 0, true, set_hd_credential },
	{ "timeout", 't', true, set_timeout },
	{ "json", 0, false, set_json },
	{ "quiet", 'q', false, set_quiet },
	{ "derpmap", 0, false, set_derpmap },
	{ "mesh", 0, false, set_mesh },
	{ "map", 0, true, set_map },
	{ "format", 0, true, set_format },
	{ "output", 0, true, set_output },
	{ "region-id", 0, true, set_region_id },
	{ "region-code", 0, true, set_region_code },
	{ "region-name", 0, true, set_region_name },
	{ "help", 'h', false, set_help },
	{ "version", 'V', false, set_version },
};
#define LETTERS "46t:qhV"
#define LONG_BASE 256 /* getopt's value of table[i] is LONG_BASE + i */

static int bad_usage(void)
{
	fputs("hdprobe: try 'hdprobe --help'\n", stderr);
	return STATUS_USAGE;
}

static int set_option(struct options *opt, int c)
{
	for (size_t i = 0; i < HD_ARRAY_N(table); i++)
		if (c == LONG_BASE + (int)i ||
		    (table[i].letter != 0 && c == table[i].letter))
			return table[i].set(opt, optarg);
	return bad_usage();
}

int options_target(char *text, const char **ret_host, const char **ret_port)
{
	char *colon = strrchr(text, ':');
	char *port = NULL;

	*ret_host = text;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		*ret_host = text + 1;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
	} else if (colon != NULL && strchr(text, ':') == colon) {
		*colon = '\0';
		port = colon + 1;
	}
	if (port != NULL) {
		char *end;
		long n = strtol(port, &end, 10);

		if (end == port || *end != '\0' || n < 1 || n > 65535)
			return -EINVAL;
		*ret_port = port;
	}
	return **ret_host != '\0' ? 0 : -EINVAL;
}

static int wrong(const char *text)
{
	fprintf(stderr, "hdprobe: %s\n", text);
	return bad_usage();
}

static int finish_mesh(struct options *opt, int argc, char **argv)
{
	opt->targets = argv + optind;
	opt->n_targets = argc - optind;
	if (opt->derpmap || opt->name != NULL || opt->output != NULL)
		return wrong("--mesh goes without --derpmap, --output and "
			     "--sni");
	if (opt->map != NULL && opt->n_targets > 0)
		return wrong("--map names the relays: give either it or "
			     "HOST[:PORT]...");
	if (opt->map == NULL && opt->n_targets < 2)
		return wrong("--mesh needs two relays at least, or a --map");
	return -1;
}

static int finish(struct options *opt, int argc, char **argv)
{
	if (opt->mesh)
		return finish_mesh(opt, argc, argv);
	if (opt->map != NULL)
		return wrong("--map is for --mesh");
	if (optind != argc - 1) {
		fputs("hdprobe: one HOST[:PORT] is needed\n", stderr);
		return bad_usage();
	}
	if (opt->output != NULL && (!opt->derpmap || opt->format == NULL)) {
		fputs("hdprobe: --output is for --derpmap with a --format\n",
		      stderr);
		return bad_usage();
	}
	opt->port = NULL;
	opt->owned = strdup(argv[optind]);
	if (opt->owned == NULL ||
	    options_target(opt->owned, &opt->host, &opt->port) < 0) {
		fprintf(stderr,
			"hdprobe: '%s' is not HOST, HOST:PORT or "
			"[IPv6]:PORT\n",
			argv[optind]);
		return STATUS_USAGE;
	}
	opt->any_port = opt->port == NULL;
	if (opt->any_port)
		opt->port = opt->plain ? "80" : "443";
	if (opt->name == NULL)
		opt->name = opt->host;
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret_opt)
{
	struct option longs[HD_ARRAY_N(table) + 1] = { 0 };
	int c, rc = -1;

	*ret_opt = (struct options){
		.family = AF_UNSPEC,
		.timeout_ms = 5000,
		.stun_port = "3478",
		.region_code = "hd",
		.region_name = "Hyper-DERP",
	};
	for (size_t i = 0; i < HD_ARRAY_N(table); i++)
		longs[i] = (struct option){ table[i].name, table[i].has_arg,
					    NULL, LONG_BASE + (int)i };
	while (rc < 0 &&
	       (c = getopt_long(argc, argv, LETTERS, longs, NULL)) != -1)
		rc = set_option(ret_opt, c);
	return rc >= 0 ? rc : finish(ret_opt, argc, argv);
}

void options_clear(struct options *opt)
{
	free(opt->owned);
}
