/* SPDX-License-Identifier: MIT */
/* t/bench/far_tun.h - an interface of the kernel whose packets a program
 * reads and writes: one IP packet each. */
#pragma once

/* far_tun - made in a network namespace, up; gone when the descriptor is
 * closed. Says what is wrong and exits where it cannot be made.
 * @ns  its name, as `ip netns` has it, or its path
 * Returns a descriptor that does not block. */
int far_tun(const char *ns, const char *dev);
