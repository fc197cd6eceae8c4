/* SPDX-License-Identifier: MIT */
/* modules/wg/rows.c - see rows.h. */
#include "modules/wg/rows.h"
#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_TURN = 256 };

struct wg_rows *wg_rows_of(struct hd_call *call)
{
	return hd_call_data(call, sizeof(struct wg_rows));
}

void wg_rows_free(struct wg_rows *rows)
{
	if (rows == NULL)
		return;
	free(rows->v);
	rows->v = NULL;
	rows->n = 0;
}

bool wg_name_refused(struct hd_call *call)
{
	const char *name = hd_call_arg(call, "name");
	struct wg_refusal why;

	if (name == NULL ||
	    wg_roster_peer(wg_ops_roster(), name, &why) != NULL)
		return false;
	hd_call_refuse(call, why.code, "%s", why.err.text);
	return true;
}

static void no_memory(struct hd_call *call, struct wg_rows *rows)
{
	wg_rows_free(rows);
	*hd_call_cursor(call) = 0;
	hd_call_refuse(call, "no_memory", "out of memory");
}

/* Room for another. Returns NULL: the call is refused. */
static void *row_add(struct hd_call *call, struct wg_rows *rows, size_t bytes)
{
	size_t size = rows->size > 0 ? 2 * rows->size : 16;
	void *v = rows->v;

	if (rows->n == rows->size) {
		v = reallocarray(v, size, bytes);
		if (v == NULL) {
			no_memory(call, rows);
			return NULL;
		}
		rows->v = v;
		rows->size = size;
	}
	return memset((char *)v + bytes * rows->n++, 0, bytes);
}

static bool peer_add(struct hd_call *call, struct wg_rows *rows,
		     const struct wg_peer_info *info)
{
	struct wg_peer_row *row = row_add(call, rows, sizeof(*row));

	if (row == NULL)
		return false;
	row->info = *info;
	strncpy(row->name, info->name, sizeof(row->name) - 1);
	return true;
}

static bool link_add(struct hd_call *call, struct wg_rows *rows,
		     const struct wg_link_info *info)
{
	struct wg_link_row *row = row_add(call, rows, sizeof(*row));

	if (row == NULL)
		return false;
	row->info = *info;
	strncpy(row->a, info->a, sizeof(row->a) - 1);
	strncpy(row->b, info->b, sizeof(row->b) - 1);
	return true;
}

void wg_each_peer(struct hd_module *mod, struct hd_call *call,
		  struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(call) : NULL;
	const char *name = hd_call_arg(call, "name");
	uint64_t *at = hd_call_cursor(call);
	struct wg_peer_info info;

	if (rows == NULL)
		return;
	if (name != NULL) {
		rows->found = wg_engine_peer_find(e, name, &info) == 0;
		if (rows->found)
			peer_add(call, rows, &info);
		return;
	}
	for (unsigned i = 0; i < ROWS_PER_TURN; i++)
		if (!wg_engine_peer_next(e, at, &info)) {
			*at = 0;
			return;
		} else if (!peer_add(call, rows, &info)) {
			return;
		}
}

static bool link_next(struct wg_engine *e, const char *name, uint64_t *at,
		      struct wg_link_info *ret)
{
	return name != NULL ? wg_engine_link_of(e, name, at, ret)
			    : wg_engine_link_next(e, at, ret);
}

void wg_each_link(struct hd_module *mod, struct hd_call *call,
		  struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(call) : NULL;
	const char *name = hd_call_arg(call, "name");
	uint64_t *at = hd_call_cursor(call);
	struct wg_link_info info;

	if (rows == NULL)
		return;
	for (unsigned i = 0; i < ROWS_PER_TURN; i++)
		if (!link_next(e, name, at, &info)) {
			*at = 0;
			return;
		} else if (!link_add(call, rows, &info)) {
			return;
		}
}

void wg_each_block(struct hd_module *mod, struct hd_call *call,
		   struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(call) : NULL;
	uint64_t *at = hd_call_cursor(call);
	struct wg_block_info info, *row;

	for (unsigned i = 0; rows != NULL && i < ROWS_PER_TURN; i++) {
		if (!wg_engine_block_next(e, at, &info)) {
			*at = 0;
			return;
		}
		row = row_add(call, rows, sizeof(*row));
		if (row == NULL)
			return;
		*row = info;
	}
}

void wg_each_source(struct hd_module *mod, struct hd_call *call,
		    struct hd_worker *w)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct wg_rows *rows = e != NULL ? wg_rows_of(call) : NULL;
	uint64_t *at = hd_call_cursor(call);
	struct wg_source_info info, *row;

	for (unsigned i = 0; rows != NULL && i < ROWS_PER_TURN; i++) {
		if (!wg_engine_source_next(e, at, &info)) {
			*at = 0;
			return;
		}
		row = row_add(call, rows, sizeof(*row));
		if (row == NULL)
			return;
		*row = info;
	}
}

/* ---- members of an answer ---- */

void wg_out_endpoint(struct hd_call *call, const char *name, bool has,
		     const union hd_addr *addr)
{
	char text[HD_ADDR_TEXT_BYTES];

	hd_out_string(call, name, has ? hd_addr_text(addr, text) : NULL);
}

void wg_out_ago(struct hd_call *call, const char *name, uint64_t ago_ms)
{
	if (ago_ms == UINT64_MAX)
		hd_out_string(call, name, NULL);
	else
		hd_out_double(call, name, (double)ago_ms / 1000);
}
