/* SPDX-License-Identifier: MIT */
/* core/loop/pace.c - how far apart the turns of a busy worker begin. */
#include "core/base/clock.h"
#include "core/loop/pace.h"

/* t/bench/frontier compares with builds that have others. */
#ifndef HD_PACE_WINDOW_US
#define HD_PACE_WINDOW_US 4000 /* the load is that of the last 4 ms */
#endif
#ifndef HD_PACE_FROM_PERCENT
#define HD_PACE_FROM_PERCENT 80
#endif
#ifndef HD_PACE_FULL_PERCENT
#define HD_PACE_FULL_PERCENT 95
#endif

/* In percent of the time: from LOW on turns are held apart, at HIGH by all
 * that is allowed. In proportion, so that it settles: waiting lowers the
 * load. */
enum { LOW = HD_PACE_FROM_PERCENT, HIGH = HD_PACE_FULL_PERCENT };

#define WINDOW_NS (HD_PACE_WINDOW_US * UINT64_C(1000))

static uint64_t apart_ns(uint64_t load, uint64_t most_ns)
{
	if (load <= LOW)
		return 0;
	return most_ns * (HD_MIN(load, (uint64_t)HIGH) - LOW) / (HIGH - LOW);
}

#ifndef HD_PACE_FEW_US
#define HD_PACE_FEW_US 75
#endif
#ifndef HD_PACE_MANY_US
#define HD_PACE_MANY_US 250
#endif

/* Of datagrams a second: from FROM on they gather for FEW_NS, from MANY on for
 * MANY_NS, in proportion between FEW and MANY. What that costs and saves:
 * doc/measured/hd-xdp.md. */
enum { FROM = 20000, FEW = 40000, MANY = 150000 };

#define FEW_NS (HD_PACE_FEW_US * UINT64_C(1000))
#define MANY_NS (HD_PACE_MANY_US * UINT64_C(1000))

static uint64_t gather_ns(uint64_t rate)
{
	if (rate < FROM)
		return 0;
	if (rate < FEW)
		return FEW_NS;
	return FEW_NS + (HD_MIN(rate, (uint64_t)MANY) - FEW) *
				(MANY_NS - FEW_NS) / (MANY - FEW);
}

void hd_pace_look(struct hd_pace *p, uint64_t now_ns, uint64_t most_ns)
{
	uint64_t passed_ns = now_ns - p->looked_ns, cpu_ns;

	if (passed_ns < WINDOW_NS)
		return;
	cpu_ns = hd_clock_thread_ns();
	p->apart_ns = apart_ns((cpu_ns - p->cpu_ns) * 100 / passed_ns, most_ns);
	p->gather_ns = gather_ns(p->datagrams * 1000000000 / passed_ns);
	p->gather_ns = HD_MIN(p->gather_ns, most_ns);
	p->looked_ns = now_ns;
	p->cpu_ns = cpu_ns;
	p->before -= p->datagrams; /* what the last turn sent still counts */
	p->datagrams = 0;
}
