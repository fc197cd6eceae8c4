/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp_egress.c - where the program may send.
 *
 * A route names an interface; the program sends only on those it is attached
 * to, or on a VLAN on top of one: then frames must carry its tag already. VLANs
 * that are made later are known after the next start. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "bpf/wg_relay.skel.h"
#include "modules/wg/xdp_private.h"

enum {
	TAG = 0x1000, /* see struct wg_relay_egress */
	TAGS_MAX = 2,
};

static const struct wg_xdp_port *port_named(const struct wg_xdp *x,
					    const char *name)
{
	for (uint32_t i = 0; i < x->n_ports; i++)
		if (strcmp(x->ports[i].name, name) == 0)
			return &x->ports[i];
	return NULL;
}

/* Returns 0 with the interface below a VLAN and its tag. */
static int vlan_below(int fd, const char *name, char ret_below[IF_NAMESIZE],
		      uint32_t *ret_tag)
{
	struct vlan_ioctl_args args = { .cmd = GET_VLAN_REALDEV_NAME_CMD };

	strncpy(args.device1, name, sizeof(args.device1) - 1);
	if (ioctl(fd, SIOCGIFVLAN, &args) < 0)
		return -errno;
	memcpy(ret_below, args.u.device2, IF_NAMESIZE - 1);
	ret_below[IF_NAMESIZE - 1] = '\0';
	args.cmd = GET_VLAN_VID_CMD;
	if (ioctl(fd, SIOCGIFVLAN, &args) < 0)
		return -errno;
	*ret_tag = TAG | (uint32_t)args.u.VID;
	return 0;
}

static int egress_add(struct wg_xdp *x, uint32_t ifindex,
		      const struct wg_xdp_port *port, uint32_t tags)
{
	struct wg_relay_egress egress = { .ifindex = (uint32_t)port->ifindex,
					  .tags = tags };
	int fd = bpf_map__fd(x->bpf->maps.wg_egress);

	return bpf_map_update_elem(fd, &ifindex, &egress, BPF_ANY);
}

/* From the inside of stacked VLANs outwards, down to one of our ports. */
static void vlan_add(struct wg_xdp *x, int fd, const struct if_nameindex *dev)
{
	char name[IF_NAMESIZE] = "", below[IF_NAMESIZE] = "";
	uint32_t tags = 0, tag = 0;

	strncpy(name, dev->if_name, sizeof(name) - 1);
	for (int i = 0; i < TAGS_MAX; i++) {
		if (vlan_below(fd, name, below, &tag) < 0)
			return;
		tags |= tag << 16 * i;
		const struct wg_xdp_port *port = port_named(x, below);
		if (port != NULL) /* the map full: this VLAN is passed up */
			(void)egress_add(x, dev->if_index, port, tags);
		memcpy(name, below, sizeof(name));
	}
}

static void vlans_add(struct wg_xdp *x)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *d = all; fd >= 0 && d && d->if_index; d++)
		vlan_add(x, fd, d);
	if (all != NULL)
		if_freenameindex(all);
	if (fd >= 0)
		close(fd);
}

int wg_xdp_egress_fill(struct wg_xdp *x)
{
	int devmap = bpf_map__fd(x->bpf->maps.wg_devmap);

	for (uint32_t i = 0; i < x->n_ports; i++) {
		uint32_t ifindex = (uint32_t)x->ports[i].ifindex;

		if (bpf_map_update_elem(devmap, &ifindex, &ifindex, 0) < 0 ||
		    egress_add(x, ifindex, &x->ports[i], 0) < 0)
			return -errno;
	}
	vlans_add(x);
	return 0;
}
