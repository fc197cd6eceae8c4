/* SPDX-License-Identifier: MIT */
/* modules/wg/upgrade.c - a new process takes over: endpoints, tunnels, numbers
 * and blocked addresses, as of the last packet. The UDP socket is the core's to
 * hand over, with what waits in it. A handshake whose answer is under way is
 * not: its client begins another one after 5 s. Cookies' secret is made anew.
 *
 * In the kernel: the new process loads its program when it starts, fills its
 * maps as it takes over, and puts it in the place of the old one, whose link it
 * has got. Until then that one forwards. In libxdp's dispatcher the old one is
 * taken out, then the new one joins: in between user space forwards.
 *
 * Versions: 1, the first; "state" is a file of saved.h, which has its own. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/wg/ops.h"
#include "modules/wg/saved.h"
#include "modules/wg/upgrade.h"
#include "modules/wg/xdp.h"

/* ---- the old process ---- */

/* What the kernel has forwarded until now. */
static void read_paths(struct wg_engine *e)
{
	uint32_t at = 0;
	struct wg_session *s;

	while ((s = wg_pool_next(&e->sessions, &at)) != NULL) {
		s->read_ms = 0;
		wg_paths_read(e, s);
		wg_session_fold(e, s);
	}
}

static void pack_peers(const struct wg_engine *e, struct hd_pack *to)
{
	const struct wg_peer *p;
	uint32_t at = 0;

	while ((p = wg_pool_next(&e->peers, &at)) != NULL) {
		if (p->rx.packets == 0 && p->tx.packets == 0)
			continue;
		hd_pack_open(to, "peer");
		hd_pack_text(to, "name", p->name);
		hd_pack_number(to, "rx_packets", p->rx.packets);
		hd_pack_number(to, "rx_bytes", p->rx.bytes);
		hd_pack_number(to, "tx_packets", p->tx.packets);
		hd_pack_number(to, "tx_bytes", p->tx.bytes);
		hd_pack_close(to);
	}
}

static void pack_blocks(const struct wg_engine *e, struct hd_pack *to)
{
	const struct wg_block *b;
	uint32_t at = 0;

	while ((b = wg_pool_next(&e->blocks.pool, &at)) != NULL) {
		hd_pack_open(to, "block");
		hd_pack_bytes(to, "addr", &b->keyed.addr,
			      sizeof(b->keyed.addr));
		hd_pack_number(to, "until_ms", b->until_ms);
		hd_pack_number(to, "port", b->port);
		hd_pack_bytes(to, "strike_ms", b->strike_ms,
			      sizeof(b->strike_ms));
		hd_pack_close(to);
	}
}

static int pack_worker(struct hd_module *mod, struct hd_worker *w,
		       struct hd_pack *to, struct hd_error *err)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	HD_AUTO(wg_saved_free) struct wg_saved *s = NULL;

	(void)err;
	if (e == NULL)
		return 0;
	e->now_ms = hd_now_ms(w);
	read_paths(e);
	wg_paths_count(e); /* the new one's counters begin with ours */
	s = wg_save_all(e);
	if (s == NULL || s->failed)
		return -ENOMEM;
	hd_pack_bytes(to, "state", s->v, s->n);
	pack_peers(e, to);
	wg_sums_pack(e, to);
	pack_blocks(e, to);
	wg_xdp_pack(e->xdp, to);
	return 0;
}

/* ---- the new process ---- */

static void unpack_peers(struct wg_engine *e, struct hd_unpack from)
{
	struct hd_unpack one;
	char name[WG_NAME_BYTES];

	while (hd_unpack_next(&from, "peer", &one)) {
		struct wg_peer *p =
			hd_unpack_text(&one, "name", name, sizeof(name)) == 0
				? wg_peer_by_name(e, name)
				: NULL;

		if (p == NULL) /* it has been removed meanwhile */
			continue;
		(void)hd_unpack_number(&one, "rx_packets", &p->rx.packets);
		(void)hd_unpack_number(&one, "rx_bytes", &p->rx.bytes);
		(void)hd_unpack_number(&one, "tx_packets", &p->tx.packets);
		(void)hd_unpack_number(&one, "tx_bytes", &p->tx.bytes);
	}
}

/* Those that the kernel is to drop, it drops once they strike again. */
static int unpack_blocks(struct wg_engine *e, struct hd_unpack from)
{
	struct hd_unpack one;
	struct wg_addr addr;
	uint64_t port;

	while (hd_unpack_next(&from, "block", &one)) {
		struct wg_block *b;

		if (hd_unpack_bytes(&one, "addr", &addr, sizeof(addr)) < 0)
			return -EBADMSG;
		b = wg_book_get(&e->blocks, &e->hash, &addr);
		if (b == NULL)
			return -ENOMEM;
		if (hd_unpack_number(&one, "until_ms", &b->until_ms) < 0 ||
		    hd_unpack_number(&one, "port", &port) < 0 ||
		    hd_unpack_bytes(&one, "strike_ms", b->strike_ms,
				    sizeof(b->strike_ms)) < 0)
			return -EBADMSG;
		b->port = (in_port_t)port;
	}
	return 0;
}

static int restore(struct wg_engine *e, const struct hd_unpack *from,
		   struct hd_error *err)
{
	HD_AUTO(wg_saved_free) struct wg_saved *s = calloc(1, sizeof(*s));
	const void *p;
	size_t n;
	int r = hd_unpack_view(from, "state", &p, &n);

	if (r < 0)
		return r;
	if (s != NULL) /* aligned, which the snapshot is not */
		s->v = malloc(n + 1);
	if (s == NULL || s->v == NULL)
		return -ENOMEM;
	memcpy(s->v, p, n);
	s->n = s->cap = n;
	if (!wg_restore(e, s))
		return hd_error_set(err, -EBADMSG,
				    "endpoints and tunnels are damaged, or of "
				    "another version");
	return 0;
}

static int unpack_worker(struct hd_module *mod, struct hd_worker *w,
			 struct hd_unpack *from, struct hd_error *err)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	int r;

	if (e == NULL)
		return 0;
	r = restore(e, from, err);
	if (r == -ENOENT) /* of a worker without the engine */
		return 0;
	if (r == 0)
		r = unpack_blocks(e, *from);
	unpack_peers(e, *from);
	wg_sums_unpack(e, from);
	wg_paths_all(e, true); /* into the maps; nobody reads them yet */
	wg_xdp_unpack(e->xdp, from);
	return r;
}

/* An operator may have changed it since this process has read it. */
static int unpack(struct hd_module *mod, struct hd_unpack *from,
		  struct hd_error *err)
{
	(void)from;
	return wg_ops_read_again(mod, err);
}

static int pack(struct hd_module *mod, struct hd_pack *to, struct hd_error *err)
{
	(void)mod;
	(void)to;
	(void)err;
	return 0;
}

/* It is too late to fail: user space forwards. */
static void taken(struct hd_module *mod)
{
	struct wg_engine *e = wg_engine_of(mod, hd_worker_at(0));
	struct hd_error err = { "" };

	if (e != NULL && wg_xdp_begin(&e->xdp, &err) < 0)
		hd_log_error("%s; everything goes through user space: "
			     "hdctl module reload wg tries again",
			     err.text);
}

const struct hd_upgrade_def wg_upgrade = {
	.version = 1,
	.oldest = 1,
	.pack = pack,
	.unpack = unpack,
	.pack_worker = pack_worker,
	.unpack_worker = unpack_worker,
	.taken = taken,
};
