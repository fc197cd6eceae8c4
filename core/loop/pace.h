/* SPDX-License-Identifier: MIT */
/* core/loop/pace.h - a busy worker looks less often.
 *
 * A turn costs a fixed part for every socket that has something (system calls,
 * TCP's acknowledgements, waking the receiver) and a part for what it has. An
 * worker with time to spare begins a turn with the first event. One that is
 * busy for more than four fifths of the time lets some gather first, the more
 * the busier it is, as network cards do with interrupts (coalescing, ethtool's
 * rx-usecs): it reads more at once and has time again. From half of the time
 * on that saved 0 to 6 % and made p50 two to four times as long
 * (doc/measured/benchmarks.md). At full load turns are long by themselves, and
 * nothing waits.
 *
 * Datagrams gather sooner, from 20,000 a second on: each is a pass through the
 * kernel of its own, in and out, unless several wait for one address, and QUIC,
 * which they mostly are, does not mind a tenth of a millisecond. What counts is
 * what was sent for a module that has many (HD_UDP_LARGE): not STUN, and not
 * what somebody floods the socket with, which nobody sends on. After a turn
 * that sent none the first event is taken: a lone one does not wait.
 * Context: the worker. */
#pragma once
#include <hyper-derp/base.h>

struct hd_pace {
	uint64_t looked_ns, cpu_ns; /* monotonic and this thread's, then */
	uint64_t datagrams; /* since then; whoever queues one to send adds it */
	uint64_t before; /* how many it were at the end of the last turn */
	uint64_t apart_ns; /* how far turns begin apart */
	uint64_t gather_ns; /* after one that sent datagrams */
};

/* hd_pace_look - at the clocks; once in 4 ms at what this thread has used of
 * them, and at how many datagrams have left: one is full by chance at three
 * quarters of a CPU.
 * @most_ns  how far turns may be apart; 0: never wait */
void hd_pace_look(struct hd_pace *p, uint64_t now_ns, uint64_t most_ns);

/* hd_pace_hold_ns - how long events may gather before the next turn; 0: take
 * the first. Once for each turn. @took_ns  the turn that has just ended */
static inline uint64_t hd_pace_hold_ns(struct hd_pace *p, uint64_t took_ns)
{
	bool sent = p->datagrams != p->before;
	uint64_t apart_ns = p->apart_ns;

	if (sent && p->gather_ns > apart_ns)
		apart_ns = p->gather_ns;
	p->before = p->datagrams;
	return took_ns < apart_ns ? apart_ns - took_ns : 0;
}
