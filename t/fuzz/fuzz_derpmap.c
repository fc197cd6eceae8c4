/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_derpmap.c - any file that hdprobe --mesh --map may be given, in
 * JSON or YAML: refused with a reason, or relays that can be dialled.
 *
 * Input: 1 byte for the options, then the file. */
#include "tools/hdprobe/mesh.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Nothing is dialled here, so there is nothing of TLS. */
bool probe_init(struct probe *p)
{
	return p->opt.host != NULL;
}

void probe_clear(struct probe *p)
{
	(void)p;
}

static void check_relay(const struct mesh_relay *m)
{
	long port = strtol(m->port, NULL, 10);

	hd_assert(m->label[0] != '\0' && m->host[0] != '\0');
	hd_assert(m->p.opt.host == m->host && m->p.opt.port == m->port);
	hd_assert(m->p.opt.name != NULL && m->p.opt.name[0] != '\0');
	hd_assert(port >= 1 && port <= 65535);
	hd_assert(m->pin == NULL || m->p.opt.pin == m->pin);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct mesh_region region = { 0 };
	struct hd_error err = { "" };
	struct options opt = { .map = "map", .mesh = true };

	if (n == 0)
		return 0;
	opt.family = families[p[0] % 3];
	opt.region_id = p[0] & 0x80 ? 900 : 0;
	if (mesh_list_map(&opt, (const char *)p + 1, n - 1, &region, &err) < 0)
		hd_assert(err.text[0] != '\0');
	else
		for (size_t i = 0; i < region.n; i++)
			check_relay(&region.v[i]);
	hd_assert(region.n <= MESH_RELAYS_MAX);
	mesh_list_free(&region);
	return 0;
}
