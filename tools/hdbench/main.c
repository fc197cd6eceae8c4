/* SPDX-License-Identifier: MIT */
/* tools/hdbench/main.c - load a DERP relay and measure it. */
#include "tools/hdbench/modes.h"
#include "tools/hdbench/progress.h"
#include "tools/lib/output.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define EXIT_USAGE 2

typedef int mode_fn(struct net *net, struct hd_error *err);

static mode_fn *mode_of(const struct opts *o)
{
	if (o->idle > 0)
		return mode_idle;
	if (o->logins > 0)
		return mode_logins;
	return o->is_find ? mode_find : mode_rate;
}

static int measure(const struct opts *opts)
{
	struct hd_error err = { "" };
	struct net net;
	int r;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	(void)proc_raise_fd_limit();
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* ns: sleeps end in time */
	r = net_open(&net, opts, &err);
	if (r == 0)
		r = mode_of(opts)(&net, &err);
	net_close(&net);
	if (r == 0)
		return EXIT_SUCCESS;
	progress_clear();
	fprintf(stderr, "hdbench: %s\n", err.text);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct opts opts;
	int r = opts_parse(&opts, argc, argv);

	if (r < 0)
		return EXIT_USAGE;
	return output_end("hdbench", r > 0 ? EXIT_SUCCESS : measure(&opts),
			  EXIT_FAILURE);
}
