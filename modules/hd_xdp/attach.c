/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/attach.c - the program onto an interface where there is none.
 * It hangs on a descriptor of this process (bpf_link), so the kernel takes it
 * off however the process ends. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <hyper-derp/hd.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>
#include "bpf/hd_udp.skel.h"
#include "modules/hd_xdp/hd_xdp.h"

#define RIGHTS                                                                 \
	": CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON are needed"

static const char *reason(int r)
{
	switch (r) {
	case -EOPNOTSUPP:
		return "the driver cannot run XDP programs itself; "
		       "hd_xdp.mode: skb runs them in the kernel's generic "
		       "path";
	case -ERANGE:
	case -EINVAL:
		return "the driver does not take it: its MTU may be too large "
		       "for XDP, or it has too few queues";
	case -EPERM:
	case -EACCES:
		return "not permitted" RIGHTS;
	case -EBUSY:
	case -EEXIST:
		return "another XDP program is there (wg.xdp_interface, or "
		       "somebody else's), and an interface has one; ip link "
		       "set dev IFACE xdp off removes it";
	case -ENODEV:
		return "there is no such interface";
	}
	return strerror(-r);
}

int hxp_load(struct hxp_port *port, struct hd_error *err)
{
	struct hd_udp_bpf *bpf;
	int r;

	libbpf_set_print(NULL); /* it is in our errors already */
	port->ifindex = (int)if_nametoindex(port->name);
	if (port->ifindex == 0)
		return hd_error_set(err, -ENODEV, "%s: %s", port->name,
				    reason(-ENODEV));
	bpf = hd_udp_bpf__open();
	if (bpf == NULL)
		return hd_error_set(err, -ENOMEM, "cannot open the program");
	bpf->rodata->relay_port = hxp.bind.in.sin_port; /* both have it there */
	bpf->rodata->interface = (uint32_t)port->ifindex;
	bpf->rodata->first_byte = HDP_UDP_PACKET;
	bpf->rodata->last_byte = HDP_UDP_CONTROL;
	r = hd_udp_bpf__load(bpf);
	if (r < 0) {
		hd_udp_bpf__destroy(bpf);
		return hd_error_set(err, r,
				    "the kernel does not take the program: "
				    "%s" RIGHTS ", and Linux 5.15 or later",
				    strerror(-r));
	}
	port->bpf = bpf;
	return 0;
}

int hxp_attach(struct hxp_port *port, struct hd_error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = hxp_conf()->mode == HXP_DRV ? XDP_FLAGS_DRV_MODE
						       : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(bpf_program__fd(port->bpf->progs.hd_udp),
				 port->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return hd_error_set(err, fd, "%s: %s", port->name, reason(fd));
	__atomic_store_n(&port->link_fd, fd, __ATOMIC_RELEASE);
	return 0;
}
