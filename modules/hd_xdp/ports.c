/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/ports.c - all interfaces, with a socket for each of their
 * receive queues. Context: the main thread, but for hxp_ports_detach(). */
#include <bpf/bpf.h>
#include <dirent.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/hd_udp.skel.h"
#include "modules/hd_xdp/hd_xdp.h"

/* At least one. */
static unsigned queues_of(const char *name)
{
	char path[64 + IF_NAMESIZE];
	const struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += strncmp(e->d_name, "rx-", 3) == 0;
	if (d != NULL)
		closedir(d);
	return HD_MIN(HD_MAX(n, 1u), (unsigned)HD_UDP_QUEUES);
}

static int open_queues(struct hxp_port *port, struct hd_error *err)
{
	unsigned n = queues_of(port->name);
	int r = 0;

	while (r == 0 && port->n_queues < n) {
		r = hxp_queue_open(port, port->n_queues,
				   &port->queues[port->n_queues], err);
		port->n_queues += r == 0;
	}
	return r;
}

/* The program first: some drivers want one before they give a queue away. A
 * queue without a socket passes to the kernel meanwhile. */
static int port_open(struct hxp_port *port, struct hd_error *err)
{
	int r = hxp_load(port, err);

	if (r == 0)
		r = hxp_attach(port, err);
	return r == 0 ? open_queues(port, err) : r;
}

static void log_open(const struct hxp_port *port)
{
	bool all = true;

	for (unsigned i = 0; i < port->n_queues; i++)
		all = all && hxp_queue_is_zero_copy(port->queues[i]);
	hd_log_notice("hd_xdp: attached: iface=%s mode=%s queues=%u "
		      "zero_copy=%s",
		      port->name, hxp_modes[hxp_conf()->mode], port->n_queues,
		      all ? "yes" : "no");
}

int hxp_ports_open(struct hd_error *err)
{
	int r = 0;

	for (unsigned i = 0; i < hxp.n_ports && r == 0; i++)
		r = port_open(&hxp.ports[i], err);
	if (r < 0) {
		hxp_ports_close();
		return r;
	}
	for (unsigned i = 0; i < hxp.n_ports; i++)
		log_open(&hxp.ports[i]);
	hxp_locals_tell();
	hxp.open = true;
	return 0;
}

void hxp_ports_detach(void)
{
	for (unsigned i = 0; i < hxp.n_ports; i++) {
		int fd = __atomic_exchange_n(&hxp.ports[i].link_fd, -1,
					     __ATOMIC_ACQ_REL);

		if (fd >= 0)
			close(fd);
	}
}

int hxp_ports_attach(struct hd_error *err)
{
	int r = 0;

	for (unsigned i = 0; i < hxp.n_ports && r == 0; i++)
		if (hxp.ports[i].link_fd < 0)
			r = hxp_attach(&hxp.ports[i], err);
	return r;
}

void hxp_ports_close(void)
{
	hxp_ports_detach();
	for (unsigned i = 0; i < hxp.n_ports; i++) {
		struct hxp_port *port = &hxp.ports[i];

		while (port->n_queues > 0)
			hxp_queue_close(&port->queues[--port->n_queues]);
		hd_udp_bpf__destroy(port->bpf);
		port->bpf = NULL;
	}
	hxp.open = false;
}

static void add_stats(const struct hxp_port *port, struct hd_udp_stats *sum)
{
	int n = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	struct hd_udp_stats *all;

	if (n <= 0 || (all = calloc((size_t)n, sizeof(*all))) == NULL)
		return;
	if (bpf_map_lookup_elem(bpf_map__fd(port->bpf->maps.hd_udp_numbers),
				&zero, all) == 0)
		for (int i = 0; i < n; i++) {
			sum->taken += all[i].taken;
			sum->passed_lapsed += all[i].passed_lapsed;
			sum->passed_odd += all[i].passed_odd;
		}
	free(all);
}

void hxp_ports_stats(struct hd_udp_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < hxp.n_ports; i++)
		if (hxp.ports[i].bpf != NULL)
			add_stats(&hxp.ports[i], ret);
}
