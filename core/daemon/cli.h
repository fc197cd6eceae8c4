/* SPDX-License-Identifier: MIT */
/* core/daemon/cli.h - the command line. Main thread. */
#pragma once
#include "core/conf/conf.h"
#include <stdio.h>

/* Exit codes, documented in hyper-derp(8). */
enum {
	HD_EXIT_OK = 0,
	HD_EXIT_FAILED = 1,
	HD_EXIT_USAGE = 2,
	HD_EXIT_CONFIG = 78, /* EX_CONFIG of sysexits.h */
};

#define HD_TRY_TEXT_MAX_BYTES (1024 * 1024)

enum hd_action {
	HD_RUN,
	HD_CHECK, /* -t */
	HD_PRINT, /* -T */
	HD_EXAMPLE, /* --print-example */
	HD_ABOUT, /* -V, --version */
	HD_HELP, /* -h */
	HD_TRY_MODULE,
};

struct hd_cli {
	enum hd_action action;
	const char *module; /* HD_TRY_MODULE: its file */
	char **argv; /* as given */
	int take_over; /* a descriptor: upgrade.h; -1: none */
	struct hd_conf_cli conf;
};

/* hd_cli_parse - argv becomes hd_cli, whose strings point into it.
 * Returns 0; -EINVAL with a sentence in err. */
int hd_cli_parse(int argc, char **argv, struct hd_cli *ret,
		 struct hd_error *err);
void hd_cli_help(FILE *out);
/* hd_cli_with - FILE=OTHER: OTHER's text, as it is now, is read where FILE
 * would be. Returns 0; -EINVAL one of them cannot be read, or too many. */
int hd_cli_with(struct hd_conf_cli *conf, const char *arg);

/* hd_cli_main - all of the program; returns its exit code. */
int hd_cli_main(int argc, char **argv);

/* hd_cli_version - version, commit, ABI, libraries, what the kernel can do. */
void hd_cli_version(FILE *out);
