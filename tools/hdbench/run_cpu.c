/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run_cpu.c - who used the CPU in the window of a run. */
#include "tools/hdbench/clock.h"
#include "tools/hdbench/run.h"
#include <math.h>

int run_cpu_read(const struct opts *o, struct run_cpu *ret,
		 struct hd_error *err)
{
	int r = proc_cpu_ns(&o->pids, &ret->relay_ns);

	ret->self_ns = proc_self_ns();
	ret->all_ns = proc_all_ns();
	return r < 0 ? hd_error_set(err, r, "--pid: the process is gone") : 0;
}

/* Others: what the machine worked, less the relay and us. */
void run_cpu_sum(const struct opts *o, const struct run_cpu cpu[2],
		 uint64_t packets, struct run_result *ret)
{
	double window_ns = ret->window_s * (double)NS_PER_S;
	double relay_ns = (double)(cpu[1].relay_ns - cpu[0].relay_ns);
	double all_ns = (double)(cpu[1].all_ns - cpu[0].all_ns);
	double self_ns = (double)(cpu[1].self_ns - cpu[0].self_ns);

	ret->load_cores = self_ns / window_ns;
	if (o->pids.n == 0)
		return;
	ret->cpu_cores = relay_ns / window_ns;
	ret->others_cores = fmax(0, (all_ns - relay_ns - self_ns) / window_ns);
	if (packets > 0)
		ret->cpu_us_per_packet =
			relay_ns / (double)NS_PER_US / (double)packets;
}
