/* SPDX-License-Identifier: MIT */
/* t/unit/workers.c - see workers.h. */
#include "t/unit/unit.h"
#include "core/daemon/serve.h"
#include "t/unit/workers.h"

struct hd_conf workers_conf = {
	.login_timeout_ms = 1000,
	.write_timeout_ms = 1000,
	.output_limit_bytes = 262144,
	.urgent_limit_bytes = 16384,
};

int workers_start(unsigned n)
{
	static const struct hd_serve_args args = { .conf = &workers_conf };
	struct hd_error err = { "" };

	workers_conf.workers = n;
	if (hd_serve_start(&args, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

void workers_gone(struct hd_module *of, struct hd_peer *p,
		  const struct hd_key *other, enum hd_gone why)
{
	(void)of;
	(void)p;
	(void)other;
	(void)why;
}
