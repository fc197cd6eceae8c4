/* SPDX-License-Identifier: MIT */
/* modules/wg/cmd_peer.c - wg peer add, update, remove, pubkey, nic, list. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/wg/rows.h"

/* ---- changes ---- */

static void put_peer(struct hd_call *c, const char *name)
{
	const struct wg_entry *p = wg_roster_find(wg_ops_roster(), name);
	char key[WG_KEY_TEXT_BYTES];

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "name", p->name);
	hd_out_string(c, "pubkey",
		      wg_entry_has_key(p) ? wg_key_text(&p->key, key) : NULL);
	wg_out_endpoint(c, "endpoint", wg_entry_has_endpoint(p), &p->endpoint);
	hd_out_string(c, "label", p->label);
	hd_out_string(c, "nic", p->nic[0] != '\0' ? p->nic : NULL);
	hd_out_close(c);
}

/* A key, an endpoint and a label are told apart by their looks, as are a key
 * and an endpoint with a mistake in it: they must not become a label. The first
 * two words may be any of them, whatever follows is the label.
 * @label  where it is put together */
static void sort_words(struct hd_call *c, struct wg_entry_text *t, char *label,
		       size_t size)
{
	const char *words[] = { hd_call_arg(c, "pubkey"),
				hd_call_arg(c, "endpoint"),
				hd_call_arg(c, "label") };
	size_t n = 0;

	label[0] = '\0';
	for (size_t i = 0; i < HD_ARRAY_N(words) && words[i] != NULL; i++) {
		const char *word = words[i];

		if (i < 2 && t->pubkey == NULL && wg_looks_like_key(word))
			t->pubkey = word;
		else if (i < 2 && t->endpoint == NULL &&
			 wg_looks_like_addr(word))
			t->endpoint = word;
		else if (n < size)
			n += (size_t)snprintf(label + n, size - n, "%s%s",
					      n > 0 ? " " : "", word);
	}
	if (n > 0)
		t->label = label;
}

static void run_add(struct hd_module *mod, struct hd_call *c)
{
	struct wg_entry_text t = { .name = hd_call_arg(c, "name") };
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	char label[WG_LABEL_MAX_BYTES + 2];
	int r;

	sort_words(c, &t, label, sizeof(label));
	r = wg_change_add(&changes, wg_ops_roster(), &t, &why);
	if (wg_ops_commit(mod, c, &changes, r, &why))
		put_peer(c, t.name);
}

static void change(struct hd_module *mod, struct hd_call *c,
		   const struct wg_entry_text *t)
{
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	int r = wg_change_update(&changes, wg_ops_roster(), t, &why);

	if (wg_ops_commit(mod, c, &changes, r, &why))
		put_peer(c, t->name);
}

static void run_update(struct hd_module *mod, struct hd_call *c)
{
	const struct wg_entry_text t = { .name = hd_call_arg(c, "name"),
					 .endpoint = hd_call_arg(c, "endpoint"),
					 .pubkey = hd_call_arg(c, "pubkey"),
					 .label = hd_call_arg(c, "label"),
					 .nic = hd_call_arg(c, "nic") };

	change(mod, c, &t);
}

static void run_pubkey(struct hd_module *mod, struct hd_call *c)
{
	const struct wg_entry_text t = { .name = hd_call_arg(c, "name"),
					 .pubkey = hd_call_arg(c, "pubkey") };

	change(mod, c, &t);
}

static void run_nic(struct hd_module *mod, struct hd_call *c)
{
	const char *nic = hd_call_arg(c, "nic");
	const struct wg_entry_text t = { .name = hd_call_arg(c, "name"),
					 .nic = nic != NULL ? nic : "-" };

	change(mod, c, &t);
}

static void run_remove(struct hd_module *mod, struct hd_call *c)
{
	const char *name = hd_call_arg(c, "name");
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	int r = wg_change_remove(&changes, wg_ops_roster(), name, &why);
	uint32_t links = r == 0 ? changes.v[0].a->n_edges : 0;

	if (!wg_ops_commit(mod, c, &changes, r, &why))
		return;
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "name", name);
	hd_out_uint(c, "links_removed", links);
	hd_out_close(c);
}

/* ---- list ---- */

static int compare(const void *a, const void *b)
{
	const struct wg_peer_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What the engine knows. The predecessor's names where it had them. */
static void put_use(struct hd_call *c, const struct wg_peer_info *i)
{
	uint64_t drops = 0;

	for (unsigned d = 0; d < WG_DROP_N; d++)
		drops += i->drops[d];
	wg_out_ago(c, "handshake_s", i->handshake_ms);
	wg_out_ago(c, "seen_s", i->seen_ms);
	hd_out_uint(c, "last_seen_ns",
		    i->seen_ms == UINT64_MAX ? 0
					     : now_ns() - i->seen_ms * 1000000);
	hd_out_uint(c, "rx_bytes", i->rx.bytes);
	hd_out_uint(c, "rx_packets", i->rx.packets);
	hd_out_uint(c, "fwd_bytes", i->tx.bytes);
	hd_out_uint(c, "fwd_packets", i->tx.packets);
	hd_out_string(c, "path",
		      i->xdp		  ? "xdp"
		      : i->n_sessions > 0 ? "user"
					  : NULL);
	hd_out_uint(c, "sessions", i->n_sessions);
	hd_out_uint(c, "endpoint_relearn", i->relearned);
	hd_out_uint(c, "drop_no_link", i->drops[WG_DROP_NO_LINK]);
	hd_out_uint(c, "drop_pubkey_mismatch",
		    i->drops[WG_DROP_PUBKEY_MISMATCH]);
	hd_out_uint(c, "drops", drops);
}

void wg_out_peer(struct hd_call *c, const struct wg_peer_row *row)
{
	const struct wg_entry *p = wg_roster_find(wg_ops_roster(), row->name);
	struct hd_key key;
	char text[WG_KEY_TEXT_BYTES];

	memcpy(key.b, row->info.key, sizeof(key.b));
	hd_out_string(c, "name", row->name);
	wg_out_endpoint(c, "endpoint", row->info.has_endpoint,
			&row->info.endpoint);
	hd_out_bool(c, "endpoint_fixed", row->info.fixed);
	hd_out_string(c, "pubkey",
		      row->info.has_key ? wg_key_text(&key, text) : NULL);
	hd_out_string(c, "label", p != NULL ? p->label : NULL);
	hd_out_string(c, "nic", p != NULL && p->nic[0] != '\0' ? p->nic : NULL);
	hd_out_open(c, "linked_to", '[');
	for (uint32_t i = 0; p != NULL && i < p->n_edges; i++)
		hd_out_string(c, NULL, p->edges[i].peer->name);
	hd_out_close(c);
	put_use(c, &row->info);
}

static void done_list(struct hd_module *mod, struct hd_call *c)
{
	struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	if (rows == NULL)
		return;
	if (!rows->found && wg_name_refused(c))
		return;
	if (rows->n > 1)
		qsort(rows->peers, rows->n, sizeof(*rows->peers), compare);
	hd_out_open(c, NULL, '[');
	for (size_t i = 0; i < rows->n; i++) {
		hd_out_open(c, NULL, '{');
		wg_out_peer(c, &rows->peers[i]);
		hd_out_close(c);
	}
	hd_out_close(c);
	wg_rows_free(rows);
}

const struct hd_command wg_cmd_peer[] = {
	{ .words = "wg peer add",
	  .args = "NAME [PUBKEY] [ENDPOINT] [LABEL...]",
	  .role = HD_ROLE_OPERATE,
	  .help = "a new peer: a public key, or a fixed endpoint, or both",
	  .run = run_add },
	{ .words = "wg peer update",
	  .args = "NAME [--pubkey PUBKEY] [--endpoint ENDPOINT] "
		  "[--label LABEL] [--nic NIC]",
	  .role = HD_ROLE_OPERATE,
	  .help = "change what is given; - takes it away",
	  .run = run_update },
	{ .words = "wg peer pubkey",
	  .args = "NAME PUBKEY",
	  .role = HD_ROLE_OPERATE,
	  .help = "another public key",
	  .run = run_pubkey },
	{ .words = "wg peer nic",
	  .args = "NAME [NIC]",
	  .role = HD_ROLE_OPERATE,
	  .help = "the interface that the peer is behind; none: any",
	  .run = run_nic },
	{ .words = "wg peer remove",
	  .args = "NAME",
	  .role = HD_ROLE_OPERATE,
	  .help = "take a peer and its links out; cuts its tunnels",
	  .run = run_remove },
	{ .words = "wg peer list",
	  .args = "[NAME]",
	  .role = HD_ROLE_READ,
	  .help = "peers: endpoint, last handshake, bytes, path",
	  .each = wg_each_peer,
	  .done = done_list,
	  .columns = "name endpoint handshake_s rx_bytes fwd_bytes path "
		     "linked_to label" },
	{ .words = NULL },
};
