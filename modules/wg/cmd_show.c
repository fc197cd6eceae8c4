/* SPDX-License-Identifier: MIT */
/* modules/wg/cmd_show.c - wg show: the relay in numbers, or one peer and its
 * links. */
#include "modules/wg/rows.h"
#include "modules/wg/state.h"

static void each_show(struct hd_module *mod, struct hd_call *c,
		      struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(c) : NULL;
	const char *name = hd_call_arg(c, "name");

	if (rows == NULL)
		return;
	if (name != NULL) {
		wg_each_link(mod, c, w);
		rows->found =
			wg_engine_peer_find(e, name, &rows->peer.info) == 0;
		snprintf(rows->peer.name, sizeof(rows->peer.name), "%s", name);
		return;
	}
	wg_paths_count(e); /* what the driver did until now, too */
	wg_engine_totals(e, &rows->totals);
	rows->xdp = e->below;
	if (e->xdp != NULL)
		wg_xdp_text(e->xdp, rows->xdp_text, sizeof(rows->xdp_text));
}

static void put_xdp(struct hd_call *c, const struct wg_rows *rows)
{
	const struct wg_relay_stats *s = &rows->xdp;

	hd_out_bool(c, "xdp_attached", rows->xdp_text[0] != '\0');
	if (rows->xdp_text[0] == '\0')
		return;
	hd_out_string(c, "xdp", rows->xdp_text);
	hd_out_uint(c, "xdp_rx_packets", s->rx_packets);
	hd_out_uint(c, "xdp_fwd_packets", s->fwd_packets);
	hd_out_uint(c, "xdp_fwd_bytes", s->fwd_bytes);
	hd_out_uint(c, "xdp_pass_no_peer", s->pass_no_peer);
	hd_out_uint(c, "xdp_pass_no_mac", s->pass_no_mac);
	hd_out_uint(c, "xdp_pass_no_route", s->pass_no_route);
	hd_out_uint(c, "xdp_pass_no_forwarding", s->pass_no_forwarding);
	hd_out_uint(c, "xdp_pass_handshake", s->pass_handshake);
	hd_out_uint(c, "xdp_pass_too_big", s->pass_too_big);
	hd_out_uint(c, "xdp_pass_checksum", s->pass_checksum);
	hd_out_uint(c, "xdp_pass_odd", s->pass_odd);
	hd_out_uint(c, "xdp_drop_blocklisted", s->drop_blocklisted);
	hd_out_uint(c, "xdp_drop_not_wg_shaped", s->not_wg_shaped);
}

/* The predecessor's names, and what it did not count. */
static void put_totals(struct hd_call *c, const struct wg_rows *rows)
{
	const struct wg_totals *t = &rows->totals;
	char name[64];

	hd_out_open(c, NULL, '{');
	hd_out_uint(c, "port", t->port);
	hd_out_uint(c, "peer_count", t->peers);
	hd_out_uint(c, "link_count", t->links);
	hd_out_uint(c, "peers_confirmed", t->confirmed);
	hd_out_uint(c, "sessions", t->sessions);
	hd_out_uint(c, "sessions_pending", t->pending);
	hd_out_bool(c, "pressure", t->pressure);
	hd_out_uint(c, "rx_packets", t->rx.packets);
	hd_out_uint(c, "rx_bytes", t->rx.bytes);
	hd_out_uint(c, "fwd_packets", t->fwd.packets);
	hd_out_uint(c, "fwd_bytes", t->fwd.bytes);
	hd_out_uint(c, "handshakes", t->handshakes);
	hd_out_uint(c, "endpoint_relearn", t->relearned);
	hd_out_uint(c, "cookies_sent", t->cookies_sent);
	for (unsigned i = 0; i < WG_DROP_N; i++) {
		snprintf(name, sizeof(name), "drop_%s", wg_drop_text(i));
		hd_out_uint(c, name, t->drops[i]);
	}
	put_xdp(c, rows);
	hd_out_close(c);
}

static void put_link(struct hd_call *c, const struct wg_link_row *row)
{
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "peer", row->b);
	wg_out_ago(c, "handshake_s", row->info.handshake_ms);
	hd_out_uint(c, "sessions", row->info.n_sessions);
	hd_out_uint(c, "bytes_to", row->info.a_to_b.bytes);
	hd_out_uint(c, "bytes_from", row->info.b_to_a.bytes);
	hd_out_close(c);
}

static void put_peer(struct hd_call *c, const struct wg_rows *rows)
{
	hd_out_open(c, NULL, '{');
	wg_out_peer(c, &rows->peer);
	hd_out_open(c, "links", '[');
	for (size_t i = 0; i < rows->n; i++)
		put_link(c, &rows->links[i]);
	hd_out_close(c);
	hd_out_close(c);
}

static void done_show(struct hd_module *mod, struct hd_call *c)
{
	struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	if (rows == NULL)
		return;
	if (hd_call_arg(c, "name") == NULL)
		put_totals(c, rows);
	else if (rows->found)
		put_peer(c, rows);
	else
		wg_name_refused(c);
	wg_rows_free(rows);
}

const struct hd_command wg_cmd_show[] = {
	{ .words = "wg show",
	  .args = "[NAME]",
	  .role = HD_ROLE_READ,
	  .help = "counters of the WireGuard relay; or a peer and its links",
	  .each = each_show,
	  .done = done_show },
	{ .words = NULL },
};
