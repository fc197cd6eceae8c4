/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp.c - the fast path as a whole: open, renew, close. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include <hyper-derp/log.h>
#include "bpf/wg_relay.skel.h"
#include "modules/wg/xdp_private.h"

enum { SWEEP_RENEWALS = 64 };

static const char *mode_text(enum wg_xdp_mode mode)
{
	static const char *const text[] = { "off", "auto", "drv", "skb" };

	return text[mode];
}

/* What the two libraries want to print is in our errors already. */
static void be_quiet(void)
{
	libbpf_set_print(NULL);
	libxdp_set_print(NULL);
}

/* ---- the words of a failure ---- */

static void driver_of(const char *name, char *buf, size_t size)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { .ifr_data = (void *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	bool known = fd >= 0 && ioctl(fd, SIOCETHTOOL, &ifr) == 0;
	snprintf(buf, size, "%.31s", known ? info.driver : "unknown");
	if (fd >= 0)
		close(fd);
}

static int attach_failed(const struct wg_xdp *x, const struct wg_xdp_port *port,
			 int r, const struct hd_error *why,
			 struct hd_error *err)
{
	struct utsname un = { .release = "?" };
	char driver[32];

	uname(&un);
	driver_of(port->name, driver, sizeof(driver));
	return hd_error_set(err, r,
			    "xdp_attach_failed iface=%s ifindex=%d mode=%s "
			    "driver=%s kernel=%s reason=\"%s\"",
			    port->name, port->ifindex, mode_text(x->mode),
			    driver, un.release, why->text);
}

/* ---- interfaces ---- */

static int ports_parse(struct wg_xdp *x, const char *names,
		       struct hd_error *err)
{
	static const char apart[] = ", \t";

	for (const char *p = names ? names : ""; *p != '\0';) {
		size_t len = strcspn(p, apart);

		if (len >= IF_NAMESIZE)
			return hd_error_set(err, -EINVAL,
					    "wg.xdp_interface: %.*s is too "
					    "long for an interface",
					    (int)len, p);
		if (len > 0 && x->n_ports == WG_RELAY_PORTS)
			return hd_error_set(err, -E2BIG,
					    "wg.xdp_interface: at most %d",
					    WG_RELAY_PORTS);
		if (len > 0)
			memcpy(x->ports[x->n_ports++].name, p, len);
		p += len;
		p += strspn(p, apart);
	}
	return 0;
}

static void detach_all(struct wg_xdp *x)
{
	for (uint32_t i = 0; i < x->n_ports; i++)
		wg_xdp_detach(x, &x->ports[i]);
}

/* All in one mode: a driver cannot send where another has no XDP. */
static int attach_all(struct wg_xdp *x, enum wg_xdp_mode mode,
		      struct hd_error *err)
{
	struct hd_error why = { "" };

	x->mode = mode;
	for (uint32_t i = 0; i < x->n_ports; i++) {
		int r = wg_xdp_attach(x, &x->ports[i], &why);

		if (r < 0) {
			attach_failed(x, &x->ports[i], r, &why, err);
			detach_all(x);
			return r;
		}
	}
	return 0;
}

/* A link of the process before keeps its mode. */
static void drop_links(struct wg_xdp *x)
{
	for (uint32_t i = 0; i < x->n_ports; i++) {
		if (x->ports[i].link_fd > 0)
			close(x->ports[i].link_fd);
		x->ports[i].link_fd = 0;
	}
}

static int attach_best(struct wg_xdp *x, enum wg_xdp_mode mode,
		       struct hd_error *err)
{
	struct hd_error first = { "" };

	if (mode == WG_XDP_AUTO && x->before != WG_XDP_OFF)
		mode = x->before;
	if (mode != x->before)
		drop_links(x);
	if (mode != WG_XDP_AUTO)
		return attach_all(x, mode, err);
	if (attach_all(x, WG_XDP_DRV, &first) == 0)
		return 0;
	hd_log_warn("%s", first.text);
	return attach_all(x, WG_XDP_SKB, err);
}

/* ---- what the kernel must allow ---- */

static bool forwards(const char *file)
{
	char c = '1'; /* no file: no such protocol, nothing to say */
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return true;
	if (fread(&c, 1, 1, f) != 1)
		c = '1';
	fclose(f);
	return c != '0';
}

/* The kernel answers bpf_fib_lookup() only where forwarding is on. That of lo
 * is enough, and lets no packet of others through. */
static void warn_forwarding(void)
{
	if (!forwards("/proc/sys/net/ipv4/conf/lo/forwarding"))
		hd_log_warn("xdp: IPv4 stays in user space: the kernel looks "
			    "up no route; remedy: sysctl -w "
			    "net.ipv4.conf.lo.forwarding=1");
	if (!forwards("/proc/sys/net/ipv6/conf/lo/forwarding"))
		hd_log_warn("xdp: IPv6 stays in user space: the kernel looks "
			    "up no route; remedy: sysctl -w "
			    "net.ipv6.conf.lo.forwarding=1");
}

/* ---- life ---- */

static int load(struct wg_xdp *x, const struct wg_xdp_conf *conf,
		struct hd_error *err)
{
	x->bpf = wg_relay_bpf__open();
	if (x->bpf == NULL)
		return hd_error_set(err, -errno, "xdp: cannot open: %s",
				    strerror(errno));
	x->bpf->rodata->relay_port = htons(conf->port);
	bpf_map__set_max_entries(x->bpf->maps.wg_paths, conf->paths_max);
	int r = wg_relay_bpf__load(x->bpf);
	if (r < 0)
		return hd_error_set(err, r,
				    "xdp: the kernel does not take the "
				    "program: %s; CAP_BPF, CAP_NET_ADMIN and "
				    "CAP_PERFMON are needed, and Linux 5.15 "
				    "or later",
				    strerror(-r));
	return 0;
}

static int attach(struct wg_xdp *x, struct hd_error *err)
{
	int r = attach_best(x, x->wanted, err);

	if (r < 0)
		return r;
	r = wg_xdp_egress_fill(x);
	return r == 0 ? 0
		      : hd_error_set(err, r,
				     "xdp: cannot enter the "
				     "interfaces: %s",
				     strerror(-r));
}

static int open_all(struct wg_xdp *x, const struct wg_xdp_conf *conf,
		    struct hd_error *err)
{
	int r = ports_parse(x, conf->interfaces, err);

	if (r < 0)
		return r;
	if (x->n_ports == 0)
		return hd_error_set(err, -EINVAL,
				    "wg.xdp: no interface is "
				    "named in wg.xdp_interface");
	r = load(x, conf, err);
	return r < 0 || x->later ? r : attach(x, err);
}

static void log_attached(const struct wg_xdp *x)
{
	for (uint32_t i = 0; i < x->n_ports; i++)
		hd_log_notice("xdp_attached iface=%s ifindex=%d mode=%s "
			      "dispatcher=%s",
			      x->ports[i].name, x->ports[i].ifindex,
			      mode_text(x->mode),
			      x->ports[i].member ? "joined" : "none");
	warn_forwarding();
}

/* What somebody asked for must be; what nobody asked for need not. */
static bool wanted(const struct wg_xdp_conf *conf)
{
	if (conf->mode == WG_XDP_AUTO)
		return conf->interfaces && *conf->interfaces != '\0';
	return conf->mode != WG_XDP_OFF;
}

int wg_xdp_open(const struct wg_xdp_conf *conf, struct wg_xdp **ret,
		struct hd_error *err)
{
	struct hd_error why = { "" };

	*ret = NULL;
	if (!wanted(conf))
		return 0;
	HD_AUTO(wg_xdp_close) struct wg_xdp *x = calloc(1, sizeof(*x));
	if (x == NULL)
		return hd_error_set(err, -ENOMEM, "xdp: out of memory");
	x->magic = WG_XDP_MAGIC;
	x->relay_port = conf->port;
	x->wanted = conf->mode;
	x->later = conf->later;
	be_quiet();
	int r = open_all(x, conf, &why);
	if (r < 0 && conf->mode == WG_XDP_AUTO) {
		hd_log_warn("%s; everything goes through user space", why.text);
		return 0;
	}
	if (r < 0)
		return hd_error_set(err, r, "%s", why.text);
	wg_xdp_renew(x);
	if (!x->later)
		log_attached(x);
	*ret = hd_steal(&x);
	return 0;
}

int wg_xdp_begin(struct wg_xdp **at, struct hd_error *err)
{
	struct wg_xdp *x = *at;
	struct hd_error why = { "" };
	int r;

	if (x == NULL || !x->later)
		return 0;
	x->later = false;
	r = attach(x, &why);
	if (r == 0) {
		wg_xdp_renew(x);
		log_attached(x);
		return 0;
	}
	if (x->wanted == WG_XDP_AUTO)
		hd_log_warn("%s; everything goes through user space", why.text);
	else
		hd_error_set(err, r, "%s", why.text);
	r = x->wanted == WG_XDP_AUTO ? 0 : r;
	wg_xdp_close(at);
	return r;
}

void wg_xdp_close(struct wg_xdp **x)
{
	if (*x == NULL)
		return;
	HD_CHECK_MAGIC(*x, WG_XDP_MAGIC);
	detach_all(*x);
	wg_xdp_paths_forget(*x);
	wg_relay_bpf__destroy((*x)->bpf);
	free(*x);
	*x = NULL;
}

void wg_xdp_renew(struct wg_xdp *x)
{
	if (x == NULL)
		return;
	x->bpf->bss->lease_ns =
		wg_xdp_now_ns() + WG_RELAY_LEASE_S * UINT64_C(1000000000);
	if (++x->renewals % SWEEP_RENEWALS == 0)
		wg_xdp_blocks_sweep(x);
}

/* Nothing but counters: a row of words. */
enum { STATS_N = sizeof(struct wg_relay_stats) / sizeof(__u64) };

static void add(struct wg_relay_stats *to, const struct wg_relay_stats *what,
		bool minus)
{
	const __u64 *v = (const __u64 *)what;
	__u64 *sum = (__u64 *)to;

	for (size_t i = 0; i < STATS_N; i++)
		sum[i] += minus ? -v[i] : v[i];
}

void wg_xdp_stats(const struct wg_xdp *x, struct wg_relay_stats *ret)
{
	int n = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	memset(ret, 0, sizeof(*ret));
	if (x == NULL || n <= 0)
		return;
	struct wg_relay_stats *all = calloc((size_t)n, sizeof(*all));
	if (all == NULL)
		return;
	if (bpf_map_lookup_elem(bpf_map__fd(x->bpf->maps.wg_xdp_stats), &zero,
				all) == 0)
		for (int i = 0; i < n; i++)
			add(ret, &all[i], false);
	free(all);
}

void wg_xdp_news(struct wg_xdp *x, struct wg_relay_stats *ret)
{
	wg_xdp_stats(x, ret);
	if (x == NULL)
		return;
	struct wg_relay_stats before = x->told;
	x->told = *ret;
	add(ret, &before, true);
}

const char *wg_xdp_text(const struct wg_xdp *x, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "%s",
				    mode_text(x ? x->mode : WG_XDP_OFF));

	for (uint32_t i = 0; x && i < x->n_ports && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, " %s",
				      x->ports[i].name);
	return buf;
}
