/* SPDX-License-Identifier: MIT */
/* modules/stun/late.h - a relay that drains answers nobody at first, and after
 * a while everybody, late. Why: a client of Tailscale measures its regions
 * every 20 to 26 s while it has traffic. It stays with a home that it cannot
 * measure as long as it hears frames from it; it leaves one that it has
 * measured to be clearly slower than another, by the best figure of the last
 * five minutes (netcheck, 1.102). So what was measured before the drain must be
 * forgotten first; then it leaves before it is closed, and loses nothing.
 * Context: the worker. */
#pragma once
#include <hyper-derp/datagram.h>
#include <hyper-derp/module.h>

enum {
	STUN_SILENT_MS = 310000, /* then what was measured is forgotten */
	/* Of a home it must be more than half of what another region takes,
	 * and more than 10 ms; more than this, and a client that has three
	 * other regions does not wait for it. */
	STUN_LATE_MS = 300,
};

struct stun_late;

/* stun_late_new - owned by the module, for one worker. NULL: out of memory.
 * @since_ms  in memory that outlives it: when the silence began; 0: not yet
 * stun_late_free - the relay serves again, or the module stops: what waits is
 * dropped. NULL is nothing.
 * stun_late_put - send it to who has asked, STUN_LATE_MS from now. Returns
 * whether it will be: not while the relay is silent, nor when too many wait.
 * @asked  datagram that is answered with the n bytes in data */
struct stun_late *stun_late_new(struct hd_module *mod, struct hd_worker *w,
				struct hd_udp *udp, uint64_t *since_ms);
void stun_late_free(struct stun_late **late);
bool stun_late_put(struct stun_late *late, const struct hd_datagram *asked,
		   const void *data, size_t n);
