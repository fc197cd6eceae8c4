/* SPDX-License-Identifier: MIT */
/* modules/wg/cmd_link.c - wg link add, remove, list. */
#include <stdlib.h>
#include <string.h>
#include "modules/wg/rows.h"

static void put_link(struct hd_call *c)
{
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "a", hd_call_arg(c, "a"));
	hd_out_string(c, "b", hd_call_arg(c, "b"));
	hd_out_close(c);
}

static void run_add(struct hd_module *mod, struct hd_call *c)
{
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	int r = wg_change_link(&changes, wg_ops_roster(), hd_call_arg(c, "a"),
			       hd_call_arg(c, "b"), &why);

	if (wg_ops_commit(mod, c, &changes, r, &why))
		put_link(c);
}

static void run_remove(struct hd_module *mod, struct hd_call *c)
{
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	int r = wg_change_unlink(&changes, wg_ops_roster(), hd_call_arg(c, "a"),
				 hd_call_arg(c, "b"), &why);

	if (wg_ops_commit(mod, c, &changes, r, &why))
		put_link(c);
}

static int compare(const void *a, const void *b)
{
	const struct wg_link_row *x = a, *y = b;
	int d = strcmp(x->a, y->a);

	return d != 0 ? d : strcmp(x->b, y->b);
}

static void put_row(struct hd_call *c, const struct wg_link_row *row)
{
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "a", row->a);
	hd_out_string(c, "b", row->b);
	wg_out_ago(c, "handshake_s", row->info.handshake_ms);
	hd_out_uint(c, "sessions", row->info.n_sessions);
	hd_out_uint(c, "bytes_a_to_b", row->info.a_to_b.bytes);
	hd_out_uint(c, "bytes_b_to_a", row->info.b_to_a.bytes);
	hd_out_uint(c, "packets_a_to_b", row->info.a_to_b.packets);
	hd_out_uint(c, "packets_b_to_a", row->info.b_to_a.packets);
	hd_out_close(c);
}

static void done_list(struct hd_module *mod, struct hd_call *c)
{
	struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	if (rows == NULL)
		return;
	if (rows->n == 0 && wg_name_refused(c))
		return;
	if (rows->n > 1)
		qsort(rows->links, rows->n, sizeof(*rows->links), compare);
	hd_out_open(c, NULL, '[');
	for (size_t i = 0; i < rows->n; i++)
		put_row(c, &rows->links[i]);
	hd_out_close(c);
	wg_rows_free(rows);
}

const struct hd_command wg_cmd_link[] = {
	{ .words = "wg link add",
	  .args = "A B",
	  .role = HD_ROLE_OPERATE,
	  .help = "let two peers exchange packets",
	  .run = run_add },
	{ .words = "wg link remove",
	  .args = "A B",
	  .role = HD_ROLE_OPERATE,
	  .help = "cut them apart, at once",
	  .run = run_remove },
	{ .words = "wg link list",
	  .args = "[NAME]",
	  .role = HD_ROLE_READ,
	  .help = "links: last handshake, sessions, bytes",
	  .each = wg_each_link,
	  .done = done_list,
	  .columns = "a b handshake_s sessions bytes_a_to_b bytes_b_to_a" },
	{ .words = NULL },
};
