/* SPDX-License-Identifier: MIT */
/* core/daemon/cli.c - flags from one table, and the actions that are not the
 * daemon. What can be set in the file and by a flag is checked in one place,
 * conf.c. */
#include "core/daemon/cli.h"
#include <errno.h>
#include <getopt.h>
#include <hyper-derp/whole.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/conf/compat_flags.h"
#include "core/daemon/daemon.h"
#include "core/module/module_file.h"

static int set_text(const char **ret, const char *text)
{
	*ret = text;
	return 0;
}

static int set_number(int *ret, const char *text, long max)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 0 || n > max)
		return -EINVAL;
	*ret = (int)n;
	return 0;
}

static int on_config(struct hd_cli *c, const char *arg)
{
	return set_text(&c->conf.config_path, arg);
}

static int on_dev(struct hd_cli *c, const char *arg)
{
	(void)arg;
	c->conf.dev = true;
	return 0;
}

static int on_port(struct hd_cli *c, const char *arg)
{
	return set_number(&c->conf.port, arg, 65535);
}

static int on_workers(struct hd_cli *c, const char *arg)
{
	return set_number(&c->conf.workers, arg, 256);
}

static int on_verbose(struct hd_cli *c, const char *arg)
{
	(void)arg;
	return set_text(&c->conf.log_level, "debug");
}

static int on_log_level(struct hd_cli *c, const char *arg)
{
	return set_text(&c->conf.log_level, arg);
}

static int on_module_path(struct hd_cli *c, const char *arg)
{
	return set_text(&c->conf.module_path, arg);
}

static int on_state_dir(struct hd_cli *c, const char *arg)
{
	return set_text(&c->conf.state_dir, arg);
}

static int on_backend(struct hd_cli *c, const char *arg)
{
	return set_text(&c->conf.event_backend, arg);
}

static int on_try_module(struct hd_cli *c, const char *arg)
{
	c->action = HD_TRY_MODULE;
	return set_text(&c->module, arg);
}

static int on_take_over(struct hd_cli *c, const char *arg)
{
	return set_number(&c->take_over, arg, INT_MAX);
}

/* It needs no file: --dev has none. */
static int on_example(struct hd_cli *c, const char *arg)
{
	(void)arg;
	c->action = HD_EXAMPLE;
	c->conf.dev = true;
	return 0;
}

static int on_with(struct hd_cli *c, const char *arg)
{
	return hd_cli_with(&c->conf, arg);
}

#define ACTION(fn, what)                                                       \
	static int fn(struct hd_cli *c, const char *arg)                       \
	{                                                                      \
		(void)arg;                                                     \
		c->action = what;                                              \
		return 0;                                                      \
	}
ACTION(on_check, HD_CHECK)
ACTION(on_print, HD_PRINT)
ACTION(on_about, HD_ABOUT)
ACTION(on_help, HD_HELP)

static const struct flag {
	const char *name, *arg, *help;
	int (*set)(struct hd_cli *c, const char *arg);
	char letter; /* 0: none */
} flags[] = {
	{ "config", "FILE",
	  "read FILE instead of " HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml",
	  on_config, 'c' },
	{ "with", "FILE=OTHER",
	  "with -t and -T: read OTHER in FILE's place",
	  on_with, 0 },
	{ "dev", NULL,
	  "try it: on loopback, with a self-signed certificate, without root",
	  on_dev, 0 },
	{ "port", "N", "TCP port of the first listener, 1 to 65535", on_port,
	  0 },
	{ "workers", "N", "threads, 0 (one per CPU) to 256", on_workers, 0 },
	{ "state-dir", "DIR", "where keys are kept", on_state_dir, 0 },
	{ "module-path", "DIR", "where modules are looked for", on_module_path,
	  0 },
	{ "event-backend", "NAME", "auto, io_uring or epoll", on_backend, 0 },
	{ "log-level", "LEVEL", "error, warn, notice, info or debug",
	  on_log_level, 0 },
	{ "verbose", NULL, "the same as --log-level debug", on_verbose, 'v' },
	{ "check-config", NULL,
	  "check the configuration, modules and certificates, and exit",
	  on_check, 't' },
	{ "print-config", NULL,
	  "print the configuration as it takes effect, and exit", on_print,
	  'T' },
	{ "print-example", NULL,
	  "print a file with every option and its default, and exit",
	  on_example, 0 },
	{ "try-module", "FILE",
	  "load a module file with its configuration, unload it, and exit",
	  on_try_module, 0 },
	{ "take-over", "FD",
	  "for `hdctl upgrade`: take over from the relay at FD",
	  on_take_over, 0 },
	{ "version", NULL,
	  "print version, libraries and what the kernel can do, and exit",
	  on_about, 'V' },
	{ "help", NULL, "print this, and exit", on_help, 'h' },
};

enum {
	N_FLAGS = HD_ARRAY_N(flags),
	LONGS_MAX = N_FLAGS + HD_OLD_ARGS_MAX,
	FIRST = 256,
	FIRST_OLD = 512,
};

void hd_cli_help(FILE *out)
{
	char left[40];

	fprintf(out, "usage: hyper-derp [options]\n"
		     "A relay for DERP and other protocols that modules "
		     "speak.\n\n");
	for (unsigned i = 0; i < N_FLAGS; i++) {
		const struct flag *f = &flags[i];
		char letter[8] = "    ";

		if (f->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", f->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, f->name,
			 f->arg != NULL ? " " : "",
			 f->arg != NULL ? f->arg : "");
		fprintf(out, "  %-26s %s\n", left, f->help);
	}
	fprintf(out,
		"\nexit status: %d ended as asked, %d failed, %d usage, "
		"%d configuration\n"
		"signals: HUP reload, USR1 reopen the log, USR2 drain and "
		"stay,\n         QUIT drain and exit, TERM exit\n"
		"see hyper-derp(8) and hyper-derp.yaml(5)\n",
		HD_EXIT_OK, HD_EXIT_FAILED, HD_EXIT_USAGE, HD_EXIT_CONFIG);
}

static void fill_getopt(struct option longs[static LONGS_MAX + 1],
			char shorts[static 2 * N_FLAGS + 2])
{
	char *p = shorts;

	*p++ = ':';
	memset(longs, 0, sizeof(*longs) * (LONGS_MAX + 1));
	for (int i = 0; i < N_FLAGS; i++) {
		const struct flag *f = &flags[i];

		longs[i].name = f->name;
		longs[i].has_arg = f->arg != NULL;
		longs[i].val = FIRST + i;
		if (f->letter == 0)
			continue;
		*p++ = f->letter;
		if (f->arg != NULL)
			*p++ = ':';
	}
	*p = '\0';
	for (int i = 0; hd_old_flags[i].name != NULL; i++)
		longs[N_FLAGS + i] = (struct option){
			.name = hd_old_flags[i].name,
			.has_arg = hd_old_flags[i].takes_value,
			.val = FIRST_OLD + i,
		};
}

static const struct flag *find_flag(int opt)
{
	if (opt >= FIRST)
		return &flags[opt - FIRST];
	for (unsigned i = 0; i < N_FLAGS; i++)
		if (flags[i].letter == opt)
			return &flags[i];
	return NULL;
}

static int take_old(struct hd_conf_cli *conf, const struct hd_old_flag *flag,
		    const char *value, struct hd_error *err)
{
	if (conf->n_old == HD_OLD_ARGS_MAX)
		return hd_error_set(err, -EINVAL,
				    "--%s: at most %d flags of this kind",
				    flag->name, HD_OLD_ARGS_MAX);
	conf->old[conf->n_old++] = (struct hd_old_arg){ flag, value };
	return 0;
}

static int take_flag(struct hd_cli *ret, int opt, struct hd_error *err)
{
	const struct flag *f;

	if (opt >= FIRST_OLD)
		return take_old(&ret->conf, &hd_old_flags[opt - FIRST_OLD],
				optarg, err);
	f = find_flag(opt);
	if (f->set(ret, optarg) < 0)
		return hd_error_set(err, -EINVAL,
				    "--%s: \"%s\" is not allowed: %s",
				    f->name, optarg, f->help);
	return 0;
}

int hd_cli_parse(int argc, char **argv, struct hd_cli *ret,
		 struct hd_error *err)
{
	struct option longs[LONGS_MAX + 1];
	char shorts[2 * N_FLAGS + 2];
	int opt;

	fill_getopt(longs, shorts);
	*ret = (struct hd_cli){
		.conf = { .port = -1,
			  .workers = -1,
			  .is_module = hd_module_exists },
		.argv = argv,
		.take_over = -1,
	};
	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (opt == ':')
			return hd_error_set(err, -EINVAL,
					    "%s needs a value; see --help",
					    argv[optind - 1]);
		if (opt == '?')
			return hd_error_set(err, -EINVAL,
					    "unknown option %s; see --help",
					    argv[optind - 1]);
		int r = take_flag(ret, opt, err);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return hd_error_set(err, -EINVAL,
				    "%s: hyper-derp takes options only; see "
				    "--help",
				    argv[optind]);
	if (ret->conf.n_instead > 0 && ret->action != HD_CHECK &&
	    ret->action != HD_PRINT)
		return hd_error_set(err, -EINVAL,
				    "--with goes with -t and -T only");
	/* the example is wanted before there is a file */
	if (ret->action == HD_EXAMPLE && ret->conf.config_path == NULL)
		ret->conf.dev = ret->conf.example = true;
	return 0;
}

/* What a relay says of the section. */
static char *read_stdin(char *buf, size_t size)
{
	ssize_t n = hd_read_whole(STDIN_FILENO, buf, size - 1);

	buf[HD_MAX(n, 0)] = '\0';
	return n > 0 ? buf : NULL;
}

static int try_module(const struct hd_cli *cli)
{
	static char text[HD_TRY_TEXT_MAX_BYTES];
	struct hd_error err;

	const char *from = cli->conf.config_path;
	bool from_stdin = from != NULL && strcmp(from, "-") == 0;

	alarm(5); /* its code may hang */
	if (hd_module_try(cli->module, &cli->conf,
			  from_stdin ? read_stdin(text, sizeof(text)) : NULL,
			  &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return HD_EXIT_FAILED;
	}
	return HD_EXIT_OK;
}

int hd_cli_main(int argc, char **argv)
{
	struct hd_cli cli;
	struct hd_error err;

	if (hd_cli_parse(argc, argv, &cli, &err) < 0) {
		fprintf(stderr, "hyper-derp: %s\n", err.text);
		return HD_EXIT_USAGE;
	}
	switch (cli.action) {
	case HD_ABOUT:
		hd_cli_version(stdout);
		return HD_EXIT_OK;
	case HD_HELP:
		hd_cli_help(stdout);
		return HD_EXIT_OK;
	case HD_TRY_MODULE:
		return try_module(&cli);
	default:
		return hd_daemon_main(&cli);
	}
}
