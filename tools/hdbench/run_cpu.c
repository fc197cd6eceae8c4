/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run_cpu.c - who used the CPU in the window of a run. */
#include "tools/hdbench/clock.h"
#include "tools/hdbench/run.h"
#include <errno.h>
#include <math.h>

int run_cpu_read(const struct opts *o, struct run_cpu *ret,
		 struct hd_error *err)
{
	int r = proc_cpu_ns(&o->pids, &ret->relay_ns);

	ret->self_ns = proc_self_ns();
	ret->all_ns = proc_all_ns();
	ret->clock_ns = clock_ns();
	if (o->cpu_command != NULL)
		ret->said = popen(o->cpu_command, "re");
	return r < 0 ? hd_error_set(err, r, "--pid: the process is gone") : 0;
}

/* What fits into 64 bits of nanoseconds. */
static bool is_time(double s)
{
	return s >= 0 && s < 9e9;
}

/* CPU_SECONDS [CLOCK_SECONDS]: without the latter ours, of when it was asked.
 * Returns 0; -EPROTO. */
static int listen_to(struct run_cpu *cpu)
{
	double used_s, clock_s;
	int n;

	if (cpu->said == NULL)
		return -EPROTO;
	n = fscanf(cpu->said, "%lf %lf", &used_s, &clock_s);
	if (pclose(cpu->said) != 0 || n < 1 || !is_time(used_s) ||
	    (n == 2 && !is_time(clock_s)))
		return -EPROTO;
	cpu->relay_ns = (uint64_t)(used_s * (double)NS_PER_S);
	if (n == 2)
		cpu->clock_ns = (int64_t)(clock_s * (double)NS_PER_S);
	return 0;
}

static double relay_cores(const struct run_cpu cpu[2])
{
	return (double)(cpu[1].relay_ns - cpu[0].relay_ns) /
	       (double)(cpu[1].clock_ns - cpu[0].clock_ns);
}

static void ask_elsewhere(const struct run_cpu cpu[2], struct run_result *ret)
{
	struct run_cpu c[2] = { cpu[0], cpu[1] };
	int before = listen_to(&c[0]), after = listen_to(&c[1]);

	if (before == 0 && after == 0 && c[1].clock_ns > c[0].clock_ns &&
	    c[1].relay_ns >= c[0].relay_ns) /* the relay may have restarted */
		ret->cpu_cores = relay_cores(c);
	else
		fputs("hdbench: --cpu-command does not print a number of "
		      "seconds that grows\n",
		      stderr);
}

/* Others: what the machine worked, less the relay and us. */
void run_cpu_sum(const struct opts *o, const struct run_cpu cpu[2],
		 struct run_result *ret)
{
	double window_ns = (double)(cpu[1].clock_ns - cpu[0].clock_ns);
	double all_ns = (double)(cpu[1].all_ns - cpu[0].all_ns);
	double self_ns = (double)(cpu[1].self_ns - cpu[0].self_ns);

	ret->load_cores = self_ns / window_ns;
	if (o->cpu_command != NULL)
		ask_elsewhere(cpu, ret);
	if (o->pids.n == 0)
		return;
	ret->cpu_cores = relay_cores(cpu);
	ret->others_cores = fmax(0, (all_ns - self_ns) / window_ns -
					    ret->cpu_cores);
}

void run_cpu_per_packet(struct run_result *res)
{
	if (res->cpu_cores >= 0 && res->delivered_pps > 0)
		res->cpu_us_per_packet =
			res->cpu_cores / res->delivered_pps * 1e6;
}

int run_cpu_print(const struct opts *o, struct hd_error *err)
{
	uint64_t ns;

	if (proc_cpu_ns(&o->pids, &ns) < 0)
		return hd_error_set(err, -ESRCH, "--pid: no such process");
	printf("%.9f %.9f\n", (double)ns / (double)NS_PER_S,
	       (double)clock_ns() / (double)NS_PER_S);
	return 0;
}
