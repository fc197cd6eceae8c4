/* SPDX-License-Identifier: MIT */
/* modules/wg/cmd_block.c - wg blocklist list, clear; wg show drop-sources. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "modules/wg/rows.h"

static void put_ip(struct hd_call *c, const union hd_addr *ip)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (ip->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &ip->in.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &ip->in6.sin6_addr, text, sizeof(text));
	hd_out_string(c, "ip", text);
}

static void done_list(struct hd_module *mod, struct hd_call *c)
{
	struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	hd_out_open(c, NULL, '[');
	for (size_t i = 0; rows != NULL && i < rows->n; i++) {
		const struct wg_block_info *b = &rows->blocks[i];

		hd_out_open(c, NULL, '{');
		put_ip(c, &b->ip);
		hd_out_uint(c, "port", b->port);
		hd_out_bool(c, "blocked", b->blocked);
		hd_out_uint(c, "seconds_left", (b->left_ms + 999) / 1000);
		hd_out_uint(c, "total_strikes", b->strikes);
		hd_out_close(c);
	}
	hd_out_close(c);
	wg_rows_free(rows);
}

static bool parse_ip(const char *text, union hd_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1)
		ret->sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &ret->in6.sin6_addr) == 1)
		ret->sa.sa_family = AF_INET6;
	return ret->sa.sa_family != AF_UNSPEC;
}

static void each_clear(struct hd_module *mod, struct hd_call *c,
		       struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(c) : NULL;
	const char *text = hd_call_arg(c, "ip");
	union hd_addr ip;

	if (rows == NULL)
		return;
	if (text != NULL && !parse_ip(text, &ip)) {
		hd_call_refuse(
			c, "bad_args",
			"\"%.64s\" is not an address; \"wg blocklist list\" "
			"lists those there are",
			text);
		return;
	}
	rows->cleared = wg_engine_block_clear(e, text != NULL ? &ip : NULL);
}

static void done_clear(struct hd_module *mod, struct hd_call *c)
{
	const struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	hd_out_open(c, NULL, '{');
	hd_out_uint(c, "cleared", rows != NULL ? rows->cleared : 0);
	hd_out_close(c);
}

static int compare(const void *a, const void *b)
{
	const struct wg_source_info *x = a, *y = b;

	return (x->seen_ms > y->seen_ms) - (x->seen_ms < y->seen_ms);
}

static void put_source(struct hd_call *c, const struct wg_source_info *s)
{
	uint64_t all = 0;
	char name[64];

	for (unsigned i = 0; i < WG_DROP_N; i++)
		all += s->drops[i];
	hd_out_open(c, NULL, '{');
	put_ip(c, &s->ip);
	wg_out_ago(c, "seen_s", s->seen_ms);
	hd_out_uint(c, "drops", all);
	for (unsigned i = 0; i < WG_DROP_N; i++) {
		snprintf(name, sizeof(name), "drop_%s", wg_drop_text(i));
		hd_out_uint(c, name, s->drops[i]);
	}
	hd_out_close(c);
}

static void done_sources(struct hd_module *mod, struct hd_call *c)
{
	struct wg_rows *rows = wg_rows_of(c);

	(void)mod;
	if (rows == NULL)
		return;
	if (rows->n > 1)
		qsort(rows->sources, rows->n, sizeof(*rows->sources), compare);
	hd_out_open(c, NULL, '[');
	for (size_t i = 0; i < rows->n; i++)
		put_source(c, &rows->sources[i]);
	hd_out_close(c);
	wg_rows_free(rows);
}

const struct hd_command wg_cmd_block[] = {
	{ .words = "wg blocklist list",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "addresses whose handshakes came to nothing too often",
	  .each = wg_each_block,
	  .done = done_list },
	{ .words = "wg blocklist clear",
	  .args = "[IP]",
	  .role = HD_ROLE_OPERATE,
	  .help = "forget one of them, or all",
	  .each = each_clear,
	  .done = done_clear },
	{ .words = "wg show drop-sources",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "where dropped packets came from, the latest first",
	  .each = wg_each_source,
	  .done = done_sources,
	  .columns =
		  "ip seen_s drops drop_unknown_src drop_not_wg_shaped "
		  "drop_handshake_no_pubkey_match drop_blocklisted drop_rate" },
	{ .words = NULL },
};
