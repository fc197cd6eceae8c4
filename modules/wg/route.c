/* SPDX-License-Identifier: MIT */
/* modules/wg/route.c - one datagram in, at most as many bytes out. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

/* By message type; a size that does not fit is nobody's. */
static const struct handler {
	uint32_t min, max;
	void (*handle)(struct wg_engine *e, const struct wg_in *in);
} handlers[] = {
	[WG_INIT] = { WG_INIT_BYTES, WG_INIT_BYTES, wg_on_init },
	[WG_RESPONSE] = { WG_RESPONSE_BYTES, WG_RESPONSE_BYTES,
			  wg_on_response },
	[WG_COOKIE] = { WG_COOKIE_BYTES, WG_COOKIE_BYTES, wg_on_cookie },
	[WG_DATA] = { WG_DATA_MIN_BYTES, 65535, wg_on_data },
};

/* The type is a byte with three zero bytes behind it. */
static const struct handler *handler_of(const struct wg_in *in)
{
	const struct handler *h;
	uint32_t type;

	if (in->len < WG_DATA_MIN_BYTES)
		return NULL;
	type = wg_get32(in->data);
	if (type < WG_INIT || type > WG_DATA)
		return NULL;
	h = &handlers[type];
	return in->len >= h->min && in->len <= h->max ? h : NULL;
}

void wg_route(struct wg_engine *e, const struct hd_datagram *dg)
{
	const struct wg_in in = { .from = wg_addr_of(&dg->from),
				  .local = wg_addr_of(&dg->to),
				  .data = dg->data,
				  .len = dg->len_bytes };
	const struct handler *h = handler_of(&in);

	e->sum.rx.packets++;
	e->sum.rx.bytes += in.len;
	hd_count(&e->metrics->rx.packets, 1);
	hd_count(&e->metrics->rx.bytes, in.len);
	if (h != NULL)
		h->handle(e, &in);
	else
		wg_drop(e, WG_DROP_NOT_WG_SHAPED, &in.from, NULL);
}

bool wg_forward(struct wg_engine *e, const struct wg_in *in,
		const struct wg_addr *to, const struct wg_addr *local)
{
	union hd_addr dst, src;

	wg_addr_get(to, &dst);
	wg_addr_get(local, &src);
	if (hd_udp_send(e->udp, &dst, local->set ? &src : NULL, in->data,
			in->len) < 0) {
		wg_drop(e, WG_DROP_SEND, to, NULL);
		return false;
	}
	e->sum.fwd.packets++;
	e->sum.fwd.bytes += in->len;
	hd_count(&e->metrics->fwd.packets, 1);
	hd_count(&e->metrics->fwd.bytes, in->len);
	return true;
}

/* The tables are larger than the caches: what a batch needs of them is fetched
 * while the first of it is worked on. */
void wg_route_all(struct wg_engine *e, const struct hd_datagram *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].len_bytes >= WG_DATA_MIN_BYTES)
			wg_session_fetch_slot(e, wg_get32(v[i].data + 4));
	for (unsigned i = 0; i < n; i++)
		if (v[i].len_bytes >= WG_DATA_MIN_BYTES)
			wg_session_fetch(e, wg_get32(v[i].data + 4));
	for (unsigned i = 0; i < n; i++)
		wg_route(e, &v[i]);
}
