/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp_attach.c - onto an interface, and off again.
 *
 *   nothing there        a bpf_link: the kernel detaches the program when the
 *                        last descriptor is closed, after kill -9 too
 *   libxdp's dispatcher  join it. It pins its programs in bpffs, so a killed
 *                        relay leaves one behind; it passes everything once
 *                        its lease is over, and the next start replaces it
 *   another program      is not ours to remove: say how
 *
 * Whether a program of our name belongs to a living relay is told by an
 * abstract socket per interface: its name lives in the network namespace, as
 * interfaces do, and dies with its process. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include "bpf/wg_relay.skel.h"
#include "modules/wg/xdp_private.h"

#define OUR_NAME "wg_relay"
#define OUR_SECTION "xdp"

static enum xdp_attach_mode mode_of(const struct wg_xdp *x)
{
	return x->mode == WG_XDP_DRV ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

/* Whoever has the link may hang another program on it: no packet meets none. */
static int attach_over(struct wg_xdp *x, struct wg_xdp_port *port,
		       struct hd_error *why)
{
	int r = bpf_link_update(port->link_fd,
				bpf_program__fd(x->bpf->progs.wg_relay), NULL);

	return r < 0 ? hd_error_set(why, r,
				    "cannot replace the program of the "
				    "process before: %s",
				    strerror(-r))
		     : 0;
}

static int own(struct wg_xdp_port *port, struct hd_error *why)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1,
			 "hyper-derp/wg-xdp/%d", port->ifindex);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    (size_t)n);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return hd_error_set(why, -errno, "socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&un, len) == 0) {
		port->owner_fd = fd;
		return 0;
	}
	int r = -errno;
	close(fd);
	return hd_error_set(
		why, r,
		r == -EADDRINUSE
			? "another running hyper-derp has this interface"
			: "cannot bind a local socket");
}

static const char *attach_reason(int r)
{
	switch (r) {
	case -EOPNOTSUPP:
		return "the driver cannot run XDP programs itself; xdp: skb "
		       "runs them in the kernel's generic path";
	case -ERANGE:
		return "the MTU is too large for the driver's XDP";
	case -EPERM:
	case -EACCES:
		return "not permitted: CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON "
		       "are needed, CAP_SYS_ADMIN too if there are programs";
	case -EBUSY:
	case -EEXIST:
		return "a program is attached in another mode; ip link set "
		       "dev IFACE xdp off removes it";
	case -ENOENT:
		return "no bpf file system: mount -t bpf bpf /sys/fs/bpf";
	case -ENODEV:
		return "there is no such interface";
	}
	return strerror(-r);
}

static int attach_alone(struct wg_xdp *x, struct wg_xdp_port *port,
			struct hd_error *why)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = x->mode == WG_XDP_DRV ? XDP_FLAGS_DRV_MODE
						   : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(bpf_program__fd(x->bpf->progs.wg_relay),
				 port->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return hd_error_set(why, fd, "%s", attach_reason(fd));
	port->link_fd = fd;
	return 0;
}

/* A copy of the program on the maps of the first: libxdp loads it as a
 * function of the dispatcher. */
static int copy_open(struct wg_xdp *x, struct wg_xdp_port *port)
{
	struct bpf_map *map, *mine;

	port->bpf = wg_relay_bpf__open();
	if (port->bpf == NULL)
		return -errno;
	*port->bpf->rodata = *x->bpf->rodata;
	bpf_object__for_each_map(map, port->bpf->obj)
	{
		const char *name = bpf_map__name(map);

		if (strstr(name, ".rodata") != NULL)
			continue; /* each has its own, of the same content */
		mine = bpf_object__find_map_by_name(x->bpf->obj, name);
		int r = mine ? bpf_map__reuse_fd(map, bpf_map__fd(mine))
			     : -ENOENT;
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_join(struct wg_xdp *x, struct wg_xdp_port *port,
		       struct hd_error *why)
{
	int r = copy_open(x, port);

	if (r < 0)
		return hd_error_set(why, r, "cannot copy the program: %s",
				    strerror(-r));
	struct xdp_program *prog =
		xdp_program__from_bpf_obj(port->bpf->obj, OUR_SECTION);
	r = (int)libxdp_get_error(prog);
	if (r < 0)
		return hd_error_set(why, r, "libxdp: %s", strerror(-r));
	port->member = prog;
	r = xdp_program__attach(prog, port->ifindex, mode_of(x), 0);
	if (r < 0) {
		xdp_program__close(prog);
		port->member = NULL;
		return hd_error_set(why, r,
				    "cannot join the programs there: "
				    "%s",
				    attach_reason(r));
	}
	return 0;
}

/* ---- what is there already ---- */

static bool is_ours(const struct xdp_program *prog)
{
	const char *name = prog ? xdp_program__name(prog) : NULL;

	return name != NULL && strcmp(name, OUR_NAME) == 0;
}

/* The owner is gone, the link not quite: descriptors are closed one by one. */
static void link_detach(int ifindex)
{
	struct bpf_link_info info;
	uint32_t id = 0, len = sizeof(info);

	while (bpf_link_get_next_id(id, &id) == 0) {
		int fd = bpf_link_get_fd_by_id(id);

		memset(&info, 0, sizeof(info));
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    info.type == BPF_LINK_TYPE_XDP &&
		    info.xdp.ifindex == (uint32_t)ifindex)
			bpf_link_detach(fd);
		close(fd);
	}
}

static int alone_there(const struct xdp_multiprog *mp, int ifindex,
		       struct hd_error *why)
{
	struct xdp_program *prog = xdp_multiprog__main_prog(mp);

	if (!is_ours(prog))
		return hd_error_set(
			why, -EBUSY,
			"the XDP program %s (id %u) of somebody "
			"else is there, and it is not a dispatcher "
			"of libxdp that could be joined; ip link set "
			"dev IFACE xdp off removes it",
			prog ? xdp_program__name(prog) : "?",
			prog ? xdp_program__id(prog) : 0);
	link_detach(ifindex);
	bpf_xdp_detach(ifindex, 0, NULL); /* had it no link */
	return 0;
}

/* Programs of dead relays out of the dispatcher. Returns how many others stay
 * in it, or -errno. */
static int members_there(struct wg_xdp *x, struct xdp_multiprog *mp,
			 int ifindex, struct hd_error *why)
{
	struct xdp_program *prog = NULL, *dead = NULL;
	int others = 0;

	while ((prog = xdp_multiprog__next_prog(prog, mp)) != NULL) {
		if (is_ours(prog))
			dead = prog;
		else
			others++;
	}
	int r = dead ? xdp_program__detach(dead, ifindex, mode_of(x), 0) : 0;
	return r < 0 ? hd_error_set(why, r,
				    "cannot remove what a dead relay "
				    "left behind: %s",
				    attach_reason(r))
		     : others;
}

/* Returns 1: a dispatcher to join; 0: nothing is there; < 0 why not. */
static int look(struct wg_xdp *x, int ifindex, struct hd_error *why)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	int r = (int)libxdp_get_error(mp);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return hd_error_set(why, r,
				    "cannot see which programs are "
				    "there: %s",
				    attach_reason(r));
	r = xdp_multiprog__is_legacy(mp) ? alone_there(mp, ifindex, why)
					 : members_there(x, mp, ifindex, why);
	xdp_multiprog__close(mp);
	return r > 0 ? 1 : r;
}

int wg_xdp_attach(struct wg_xdp *x, struct wg_xdp_port *port,
		  struct hd_error *why)
{
	port->ifindex = (int)if_nametoindex(port->name);
	if (port->ifindex == 0)
		return hd_error_set(why, -ENODEV, "%s", attach_reason(-ENODEV));
	if (port->link_fd > 0)
		return attach_over(x, port, why);
	int r = port->owner_fd > 0 ? 0 : own(port, why);
	if (r < 0)
		return r;
	r = look(x, port->ifindex, why);
	if (r == 0)
		return attach_alone(x, port, why);
	return r < 0 ? r : attach_join(x, port, why);
}

void wg_xdp_detach(struct wg_xdp *x, struct wg_xdp_port *port)
{
	if (port->link_fd > 0)
		close(port->link_fd);
	port->link_fd = 0;
	if (port->member != NULL) {
		xdp_program__detach(port->member, port->ifindex, mode_of(x), 0);
		xdp_program__close(port->member);
	}
	port->member = NULL;
	wg_relay_bpf__destroy(port->bpf);
	port->bpf = NULL;
	if (port->owner_fd > 0)
		close(port->owner_fd);
	port->owner_fd = 0;
}

/* ---- another process takes over ---- */

void wg_xdp_pack(const struct wg_xdp *x, struct hd_pack *to)
{
	for (uint32_t i = 0; x != NULL && i < x->n_ports; i++) {
		const struct wg_xdp_port *p = &x->ports[i];

		hd_pack_open(to, "port");
		hd_pack_text(to, "name", p->name);
		hd_pack_number(to, "mode", x->mode);
		if (p->owner_fd > 0)
			hd_pack_fd(to, "owner", p->owner_fd);
		if (p->link_fd > 0)
			hd_pack_fd(to, "link", p->link_fd);
		hd_pack_close(to);
	}
}

static struct wg_xdp_port *port_named(struct wg_xdp *x, const char *name)
{
	for (uint32_t i = 0; i < x->n_ports; i++)
		if (strcmp(x->ports[i].name, name) == 0)
			return &x->ports[i];
	return NULL;
}

/* 0: none. */
static int take_fd(const struct hd_unpack *from, const char *name)
{
	int fd = hd_unpack_fd(from, name);

	return fd > 0 ? fd : 0;
}

/* What is not taken is closed, and the old process's to detach as it ends. */
static void take_port(struct wg_xdp *x, const struct hd_unpack *from)
{
	char name[IF_NAMESIZE] = "";
	struct wg_xdp_port *p = NULL;
	uint64_t mode;

	if (hd_unpack_text(from, "name", name, sizeof(name)) == 0)
		p = port_named(x, name);
	if (p == NULL)
		return;
	if (hd_unpack_number(from, "mode", &mode) == 0 &&
	    (mode == WG_XDP_DRV || mode == WG_XDP_SKB))
		x->before = (enum wg_xdp_mode)mode;
	p->owner_fd = take_fd(from, "owner");
	p->link_fd = take_fd(from, "link");
}

void wg_xdp_unpack(struct wg_xdp *x, const struct hd_unpack *from)
{
	struct hd_unpack all = *from, one;

	while (x != NULL && hd_unpack_next(&all, "port", &one))
		take_port(x, &one);
}
