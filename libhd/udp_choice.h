/* SPDX-License-Identifier: MIT */
/* libhd/udp_choice.h - whether UDP, which answers, is better than TCP: by what
 * has passed. It knows no sockets and no clock.
 *
 *   UDP --of 100 datagrams in 2 s more than 5 % were lost--> TCP, tried: 1 s to
 *    ^ |                                                     begin, 2 s count
 *    | `--round trips are far longer than TCP's---.               |
 *    `-- a minute is over (then 2, 4 ...) --- TCP <--it carried more
 *    ^--------------- it did not: UDP is not asked again for a minute -'  */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct hdl_seen { /* of a connection, up to now; datagrams and bytes */
	uint64_t out_sent, out_got; /* by us, by the relay */
	uint64_t in_sent, in_got; /* by the relay, by us */
	uint64_t bytes_out, bytes_in; /* of packets, whichever way */
};

enum hdl_choice_is {
	HDL_CHOICE_UDP,
	HDL_CHOICE_BEGIN, /* a trial of TCP */
	HDL_CHOICE_TRIAL, /* ... which counts */
	HDL_CHOICE_TCP,
};

struct hdl_choice { /* zeroed at first */
	enum hdl_choice_is is;
	int64_t since_ms; /* the window's; 0: none */
	struct hdl_seen from; /* at its beginning */
	int64_t rtt_ms; /* the shortest in it */
	unsigned answers; /* in it */
	uint64_t udp_rate; /* bytes a second, when the trial began */
	int64_t hold_ms; /* how long the last verdict held */
	int64_t no_trial_ms; /* before that time */
};

/* hdl_choice_udp - while UDP is used, with each answer that has come. Returns
 * for how many ms packets should go by TCP; 0: by UDP, as before.
 * @rtt_ms  of this answer; @tcp_rtt_ms: -1: unknown
 * hdl_choice_tcp - when that time is over. Returns for how many ms more; 0:
 * UDP.
 * hdl_choice_lost - UDP does not answer: nothing can be compared. */
int64_t hdl_choice_udp(struct hdl_choice *c, const struct hdl_seen *seen,
		       int64_t rtt_ms, int64_t tcp_rtt_ms, int64_t now_ms);
int64_t hdl_choice_tcp(struct hdl_choice *c, const struct hdl_seen *seen,
		       int64_t now_ms);
void hdl_choice_lost(struct hdl_choice *c);
