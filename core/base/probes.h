/* SPDX-License-Identifier: MIT */
/* core/base/probes.h - static probes (USDT) that bpftrace, perf and SystemTap
 * attach to in a running relay. The provider is hyper_derp;
 * doc/guides/tracing.md has a table of them. Names, order and meaning of
 * arguments are an interface: arguments are added at the end, never changed.
 *
 * A probe is one nop and a note in the file which says where the arguments are.
 * So on the packet path give only what is at hand: nothing is computed there
 * for a probe. Texts that scripts print are read from memory that is in use,
 * not from literals: a probe cannot wait for a page.
 *
 * Without sys/sdt.h, and with --without-sdt, nothing is left of them. */
#pragma once

#ifdef HAVE_SDT
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define HD_PROBE(name, ...) STAP_PROBEV(hyper_derp, name, ##__VA_ARGS__)
#else
/* hd_probe_off - uses arguments, so that nobody calls them unused. */
static inline void hd_probe_off(int first, ...)
{
	(void)first;
}
#define HD_PROBE(name, ...)                                                    \
	do {                                                                   \
		if (0)                                                         \
			hd_probe_off(0, ##__VA_ARGS__);                        \
	} while (0)
#endif
