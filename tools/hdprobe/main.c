/* SPDX-License-Identifier: MIT */
/* hdprobe - is this relay well, and if not, what is to be done? */
#include "tools/hdprobe/mesh.h"
#include "tools/hdprobe/options.h"
#include "tools/lib/output.h"

#include <hyper-derp/whole.h>
#include <signal.h>
#include <sodium.h>

#define STATUS_UNKNOWN 3

static int run_checks(struct probe *p)
{
	struct report rep;
	char target[300];
	int status;

	(void)snprintf(target, sizeof(target), "%s port %s", p->opt.name,
		       p->opt.port);
	report_init(&rep, stdout, target, p->opt.json, p->opt.quiet);
	probe_run(p, &rep);
	report_print_sum(&rep);
	status = report_status(&rep);
	report_clear(&rep);
	return status;
}

static int run(struct probe *p)
{
	if (p->opt.mesh)
		return probe_mesh(&p->opt);
	return p->opt.derpmap ? probe_derpmap(p) : run_checks(p);
}

int main(int argc, char **argv)
{
	static struct probe p;
	int status;

	if (hd_stdio_whole() < 0)
		return STATUS_UNKNOWN;
	status = options_parse(argc, argv, &p.opt);
	if (status < 0) {
		signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without a flag */
		if (sodium_init() < 0 || !probe_init(&p)) {
			fputs("hdprobe: no memory or no randomness\n", stderr);
			status = STATUS_UNKNOWN;
		} else {
			status = run(&p);
		}
	}
	probe_clear(&p);
	options_clear(&p.opt);
	return output_end("hdprobe", status, STATUS_UNKNOWN);
}
