/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp_paths.c - what user space has confirmed, into the maps.
 *
 * The kernel counts in the entry itself; what was read last time stands in
 * ours, so that every read gives the difference. A session that moved keeps
 * its counts: they are carried over into the new entry. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>
#include "bpf/wg_relay.skel.h"
#include "modules/wg/xdp_private.h"

#define NS_PER_MS UINT64_C(1000000)

struct wg_xdp_entry {
	struct wg_relay_key key;
	uint64_t packets, bytes; /* as of the last read */
	UT_hash_handle hh;
};

uint64_t wg_xdp_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct wg_relay_addr to_addr(const union hd_addr *a)
{
	struct wg_relay_addr r = { { 0 } };

	if (a->sa.sa_family == AF_INET6) {
		memcpy(&r, &a->in6.sin6_addr, sizeof(r));
	} else {
		r.w[2] = htonl(0xffff);
		r.w[3] = a->in.sin_addr.s_addr;
	}
	return r;
}

static uint16_t to_port(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;
}

static struct wg_relay_key to_key(const struct wg_path *path)
{
	return (struct wg_relay_key){
		.from = to_addr(&path->from),
		.index = path->index,
		.from_port = to_port(&path->from),
	};
}

static bool is_routable(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET ||
	       !IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr);
}

/* The driver changes addresses, not the protocol that carries them. */
static bool fits(const struct wg_path *p)
{
	sa_family_t family = p->from.sa.sa_family;

	return (family == AF_INET || family == AF_INET6) &&
	       p->in.sa.sa_family == family && p->out.sa.sa_family == family &&
	       p->to.sa.sa_family == family && is_routable(&p->to);
}

static struct wg_xdp_entry *entry_find(struct wg_xdp *x,
				       const struct wg_relay_key *key)
{
	struct wg_xdp_entry *e;

	HASH_FIND(hh, x->entries, key, sizeof(*key), e);
	return e;
}

static struct wg_xdp_entry *entry_get(struct wg_xdp *x,
				      const struct wg_relay_key *key)
{
	struct wg_xdp_entry *e = entry_find(x, key);

	if (e != NULL)
		return e;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, x->entries, key, sizeof(e->key), e);
	return e;
}

static void entry_drop(struct wg_xdp *x, struct wg_xdp_entry *e)
{
	HASH_DEL(x->entries, e);
	free(e);
}

void wg_xdp_paths_forget(struct wg_xdp *x)
{
	struct wg_xdp_entry *e, *next;

	HASH_ITER (hh, x->entries, e, next)
		entry_drop(x, e);
}

bool wg_xdp_put(struct wg_xdp *x, const struct wg_path *path)
{
	if (x == NULL || !fits(path))
		return false;
	struct wg_relay_key key = to_key(path);
	int fd = bpf_map__fd(x->bpf->maps.wg_paths);
	struct wg_relay_path value = { 0 };
	uint32_t one = 1;

	bpf_map_lookup_elem(fd, &key, &value); /* its counts, if it moved */
	value.at = to_addr(&path->in);
	value.from = to_addr(&path->out);
	value.to = to_addr(&path->to);
	value.to_port = to_port(&path->to);
	struct wg_xdp_entry *e = entry_get(x, &key);
	if (e == NULL)
		return false;
	if (bpf_map_update_elem(fd, &key, &value, BPF_ANY) < 0) {
		wg_xdp_remove(x, path);
		return false;
	}
	/* Full means many addresses: then junk is passed up, not dropped. */
	bpf_map_update_elem(bpf_map__fd(x->bpf->maps.wg_locals), &value.at,
			    &one, BPF_ANY);
	return true;
}

void wg_xdp_remove(struct wg_xdp *x, const struct wg_path *path)
{
	if (x == NULL)
		return;
	struct wg_relay_key key = to_key(path);
	struct wg_xdp_entry *e = entry_find(x, &key);

	bpf_map_delete_elem(bpf_map__fd(x->bpf->maps.wg_paths), &key);
	if (e != NULL)
		entry_drop(x, e);
}

static uint64_t idle_ms(uint64_t last_ns)
{
	uint64_t now_ns = wg_xdp_now_ns();

	if (last_ns == 0)
		return UINT64_MAX;
	return now_ns > last_ns ? (now_ns - last_ns) / NS_PER_MS : 0;
}

bool wg_xdp_read(struct wg_xdp *x, const struct wg_path *path,
		 struct wg_path_use *ret)
{
	struct wg_relay_path value;

	memset(ret, 0, sizeof(*ret));
	ret->idle_ms = UINT64_MAX;
	if (x == NULL)
		return false;
	struct wg_relay_key key = to_key(path);
	struct wg_xdp_entry *e = entry_find(x, &key);
	if (e == NULL || bpf_map_lookup_elem(bpf_map__fd(x->bpf->maps.wg_paths),
					     &key, &value) < 0)
		return false;
	ret->sum.packets = value.packets - e->packets;
	ret->sum.bytes = value.bytes - e->bytes;
	ret->idle_ms = idle_ms(value.last_ns);
	ret->counter = value.counter;
	e->packets = value.packets;
	e->bytes = value.bytes;
	return true;
}

static struct wg_relay_addr block_key(const union hd_addr *ip)
{
	struct wg_relay_addr key = to_addr(ip);

	if (ip->sa.sa_family == AF_INET6)
		key.w[2] = key.w[3] = 0;
	return key;
}

/* What has ended makes room. */
void wg_xdp_blocks_sweep(struct wg_xdp *x)
{
	int fd = bpf_map__fd(x->bpf->maps.wg_blocklist);
	uint64_t now_ns = wg_xdp_now_ns(), until_ns;
	struct wg_relay_addr at, next;
	struct wg_relay_addr *prev = NULL;

	while (bpf_map_get_next_key(fd, prev, &next) == 0) {
		if (bpf_map_lookup_elem(fd, &next, &until_ns) == 0 &&
		    until_ns <= now_ns && bpf_map_delete_elem(fd, &next) == 0) {
			x->bpf->bss->block_count--;
			continue; /* from the same place again */
		}
		at = next;
		prev = &at;
	}
}

void wg_xdp_block(struct wg_xdp *x, const union hd_addr *ip, uint64_t for_ms)
{
	if (x == NULL)
		return;
	struct wg_relay_addr key = block_key(ip);
	int fd = bpf_map__fd(x->bpf->maps.wg_blocklist);
	uint64_t until_ns = wg_xdp_now_ns() + for_ms * NS_PER_MS;

	if (for_ms == 0) {
		if (bpf_map_delete_elem(fd, &key) == 0)
			x->bpf->bss->block_count--;
		return;
	}
	/* Full: user space drops, as it would without us. */
	if (bpf_map_update_elem(fd, &key, &until_ns, BPF_NOEXIST) == 0)
		x->bpf->bss->block_count++;
	else
		bpf_map_update_elem(fd, &key, &until_ns, BPF_EXIST);
}
