/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_take.c - the new process takes over what the old one has
 * written down, while its workers stand parked before their first turn. Most
 * connections come ahead, in parts; then comes what has changed since. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/daemon/upgrade_take.h"
#include "core/loop/worker.h"
#include "core/module/metric_snap.h"
#include "core/module/module.h"
#include "core/relay/debt.h"
#include "core/relay/held.h"
#include "core/relay/limits.h"
#include "core/relay/peer_snap.h"
#include "core/stream/stream_snap.h"
#include "core/stream/trace.h"
#include "core/stream/visitor.h"
#include "core/tls/tls_snap.h"

/* ---- all of them ---- */

static void take_streams(struct hd_taking *k, struct hd_worker *w)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_STREAM)
			hd_taking_stream(k, w, item.in);
}

/* What they owe who are here, and who have left: the first have entries now. */
static void take_owed(struct hd_taking *k, struct hd_worker *w)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	struct hd_error err;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_GONE || item.tag == HD_SNAP_AWAY)
			(void)hd_owed_take(w, item.in,
					   item.tag == HD_SNAP_AWAY, &err);
		else if (item.tag == HD_SNAP_DEBT)
			(void)hd_debt_take(w, item.in, &err);
}

static void take_here(struct hd_worker *w, void *arg)
{
	struct hd_taking *k = arg;
	struct hd_error err = { "" };
	int r = hd_modules_unpack_here(w, &k->modules, &err);

	if (r == 0) {
		hd_held_now(w);
		take_streams(k, w);
		hd_visitors_reload(w); /* they count for their addresses */
		take_owed(k, w);
		hd_adopted_begin(w);
		return;
	}
	pthread_mutex_lock(&k->lock);
	if (k->error == 0) {
		k->error = r;
		k->why = err;
	}
	pthread_mutex_unlock(&k->lock);
}

static void back_here(struct hd_worker *w, void *arg)
{
	hd_taking_back(arg, w);
}

static void part_here(struct hd_worker *w, void *arg)
{
	hd_held_later(w);
	take_streams(arg, w);
}

static int take_module(struct hd_taking *k, struct hd_snap_in in,
		       struct hd_error *err)
{
	char *name = NULL;
	uint64_t state = 0, pack = 0, unused;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_MODULE_NAME)
			r = hd_snap_to_text(&item, &name);
		else if (item.tag == HD_SNAP_MODULE_STATE)
			r = hd_snap_to_number(&item, &state);
		else if (item.tag == HD_SNAP_MODULE_PACK)
			r = hd_snap_to_number(&item, &pack);
		else if (item.tag == HD_SNAP_MODULE_PACK_OLDEST)
			r = hd_snap_to_number(&item, &unused);
		else
			r = hd_snap_unknown(&item, "a module", err);
		if (r < 0)
			break;
	}
	const struct hd_module *mod =
		name != NULL ? hd_modules_find(name) : NULL;

	if (mod != NULL) {
		k->state[mod->index] = state;
		k->modules.version[mod->index] = pack;
	}
	free(name);
	return r;
}

static int take_version(const struct hd_taking *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_version v = { 0 };
	struct hd_snap_item item;

	while (hd_snap_next(&in, &item) == 1)
		if (hd_snap_version_take(&v, &item) < 0)
			return -EBADMSG;
	if (v.format == 0)
		return -EBADMSG;
	if (hd_snap_version_fits(&v))
		return 0;
	return hd_error_set(err, -ENOTSUP,
			    "the running relay writes snapshots of version "
			    "%ju, this one reads %u to %u: restart it instead",
			    (uintmax_t)v.format, hd_snap_format_oldest,
			    hd_snap_format);
}

static bool is_later(unsigned tag)
{
	return tag == HD_SNAP_STREAM || tag == HD_SNAP_GONE ||
	       tag == HD_SNAP_AWAY ||
	       tag == HD_SNAP_DEBT || tag == HD_SNAP_PACK ||
	       tag == HD_SNAP_METRIC || tag == HD_SNAP_TRACE ||
	       tag == HD_SNAP_FUND;
}

/* What became of those that had come ahead. */
static int take_since(struct hd_taking *k, struct hd_snap_in in)
{
	struct hd_take *t = k->t;

	if (in.n != t->n_ahead || t->since != NULL)
		return -EBADMSG;
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] > HD_AHEAD_GONE)
			return -EBADMSG;
	t->since = in.p;
	return 0;
}

static int take_head(struct hd_taking *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_MODULE)
			r = take_module(k, item.in, err);
		else if (item.tag == HD_SNAP_AHEAD)
			r = take_since(k, item.in);
		else if (item.tag != HD_SNAP_VERSION && !is_later(item.tag))
			r = hd_snap_unknown(&item, "a relay", err);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_secret(struct hd_taking *k, const struct hd_snap_item *item)
{
	uint64_t i;

	if (item->tag != HD_SNAP_RECORDS ||
	    hd_tls_secret_of(item->in, &i) < 0 || i < k->first || i >= k->t->n)
		return -EBADMSG;
	k->secret[i - k->first] = item->in;
	return 0;
}

static int take_secrets(struct hd_taking *k)
{
	struct hd_snap_in in = { k->t->secrets, k->t->secrets_bytes };
	struct hd_snap_item item;
	int r;

	k->secret = calloc(k->t->n - k->first + 1, sizeof(*k->secret));
	if (k->secret == NULL)
		return -ENOMEM;
	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (item.tag == HD_SNAP_PACK_KEY &&
		    item.in.n == HD_PACK_KEY_BYTES)
			k->modules.fds.key = item.in.p;
		else if (take_secret(k, &item) < 0)
			return -EBADMSG;
	}
	return r;
}

static int take_metrics(struct hd_taking *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	int r = 0;

	while (r == 0 && hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_METRIC)
			r = hd_metric_unpack(item.in, err);
	return r;
}

/* What many have together: tenants have their peers by now. */
static int take_funds(const struct hd_taking *k, struct hd_error *err)
{
	struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	struct hd_snap_item item;
	int r = 0;

	while (r == 0 && hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_FUND)
			r = hd_fund_take(item.in, err);
	return r;
}

static int take_last(const struct hd_taking *k, struct hd_error *err)
{
	const struct hd_snap_in in = { k->t->snapshot, k->t->snapshot_bytes };
	int r = take_funds(k, err);

	return r == 0 ? hd_traces_take(in, err) : r;
}

static int take_all(struct hd_taking *k, struct hd_error *err)
{
	int r = k->t->n_ahead > 0 && k->t->since == NULL ? -EBADMSG : 0;

	if (r < 0)
		return r;
	/* first: then it is as if it had never come, for modules, too */
	hd_workers_run_parked(back_here, k); /* each looks at all of them */
	r = hd_modules_unpack(&k->modules, err);
	if (r == 0)
		r = take_metrics(k, err);
	if (r < 0)
		return r;
	hd_workers_run_parked(take_here, k);
	if (k->error < 0)
		*err = k->why;
	return k->error < 0 ? k->error : take_last(k, err);
}

/* What stands at the head of each of the parts, and of the last. */
static int take_heads(struct hd_taking *k, struct hd_error *err)
{
	int r = take_version(k, err);

	if (r == 0)
		r = take_head(k, err);
	return r == 0 ? take_secrets(k) : r;
}

static int said(int r, struct hd_error *err)
{
	if (r < 0 && err->text[0] == '\0')
		hd_error_set(err, r, "the snapshot is broken: %s",
			     strerror(-r));
	return r;
}

int hd_take_all(struct hd_take *t, struct hd_error *err)
{
	struct hd_taking k = {
		.t = t,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.modules = { .in = { t->snapshot, t->snapshot_bytes },
			     .fds = { t->fds + t->n, t->n_module_fds, NULL } },
	};

	err->text[0] = '\0';
	int r = take_heads(&k, err);

	if (r == 0)
		r = take_all(&k, err);
	free(k.secret);
	return said(r, err);
}

int hd_take_part(struct hd_take *t, struct hd_error *err)
{
	struct hd_taking k = { .t = t,
			       .first = t->n_ahead,
			       .lock = PTHREAD_MUTEX_INITIALIZER };

	err->text[0] = '\0';
	int r = take_heads(&k, err);

	if (r == 0 && t->since != NULL)
		r = -EBADMSG;
	if (r == 0) {
		hd_workers_run_parked(part_here, &k);
		t->n_ahead = t->n;
	}
	free(k.secret);
	return said(r, err);
}
