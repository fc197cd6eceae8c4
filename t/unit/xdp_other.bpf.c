/* SPDX-License-Identifier: MIT */
/* t/unit/xdp_other.bpf.c - somebody else's program, for t/unit/wg_xdp_attach.c
 * and, because veth sends nothing back to an end without one, for far ends. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_other(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "MIT";
