/* SPDX-License-Identifier: MIT */
/* tools/hdbench/main.c - load a DERP relay and measure it. */
#include "tools/hdbench/modes.h"
#include "tools/hdbench/progress.h"
#include "tools/hdbench/run.h"
#include "tools/lib/output.h"
#include <hyper-derp/whole.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Where --crypto auto cannot have ipsec-mb, OpenSSL does it. */
static int start_crypto(const struct opts *o, struct hd_error *err)
{
	bool is_wanted = !o->is_plain && strcmp(o->crypto, "openssl") != 0;
	int r = is_wanted ? gcm_start(err) : 0;

	return strcmp(o->crypto, "ipsec-mb") == 0 ? r : 0;
}

static int load(struct net *net, const struct opts *opts, struct hd_error *err)
{
	int r = start_crypto(opts, err);

	if (r == 0)
		r = net_open(net, opts, err);
	return r == 0 ? mode_of(opts)(net, err) : r;
}

static int measure(const struct opts *opts)
{
	struct hd_error err = { "" };
	struct net net = { .epoll_fd = -1 };
	int r;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	(void)proc_raise_fd_limit();
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* ns: sleeps end in time */
	r = opts->is_cpu ? run_cpu_print(opts, &err) : load(&net, opts, &err);
	net_close(&net);
	gcm_stop();
	if (r == 0)
		return EXIT_SUCCESS;
	progress_clear();
	fprintf(stderr, "hdbench: %s\n", err.text);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct opts opts;
	int r;

	if (hd_stdio_whole() < 0)
		return EXIT_FAILURE;
	r = opts_parse(&opts, argc, argv);
	if (r < 0)
		return EXIT_USAGE;
	return output_end("hdbench", r > 0 ? EXIT_SUCCESS : measure(&opts),
			  EXIT_FAILURE);
}
