/* SPDX-License-Identifier: MIT */
/* modules/metrics/peers.c - who is connected. A worker writes rows in portions
 * that fit between packets; 10,000 peers are never in memory at once.
 * Keys are what the relay is about; where clients are is shown by /debug/peers
 * only, which has to be asked for in the configuration. */
#include <hyper-derp/about.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/metrics/metrics.h"

enum { LOOK_UPS_PER_TURN = 128 };

struct list {
	bool with_addr;
	uint64_t n;
};

struct portion {
	struct list *list;
	struct metrics_text t;
	unsigned worker;
};

static void put_addr(struct metrics_text *t, const union hd_addr *addr)
{
	char text[HD_ADDR_TEXT_BYTES];

	metrics_puts(t, ",\"addr\":");
	metrics_put_json(t, hd_addr_text(addr, text));
}

static void put_number(struct metrics_text *t, const char *name, uint64_t n)
{
	metrics_puts(t, name);
	metrics_put_uint(t, n);
}

static void put_peer(void *arg, const struct hd_about_peer *p)
{
	struct portion *portion = arg;
	struct metrics_text *t = &portion->t;

	metrics_puts(t, portion->list->n++ > 0 ? ",\n{\"key\":\"" :
						 "\n{\"key\":\"");
	metrics_put_key(t, p->key);
	metrics_puts(t, "\",\"proto\":");
	metrics_put_json(t, p->proto);
	metrics_puts(t, ",\"agent\":");
	metrics_put_json(t, p->agent);
	metrics_puts(t, ",\"tenant\":");
	metrics_put_json(t, p->tenant);
	metrics_puts(t, ",\"tls\":");
	if (p->tls != NULL)
		metrics_put_json(t, p->tls);
	else
		metrics_puts(t, "null");
	if (portion->list->with_addr)
		put_addr(t, p->addr);
	put_number(t, ",\"realm\":", p->realm);
	metrics_puts(t, p->active ? ",\"active\":true" : ",\"active\":false");
	put_number(t, ",\"worker\":", portion->worker);
	put_number(t, ",\"seconds\":", p->age_ms / 1000);
	put_number(t, ",\"bytes_in\":", p->bytes_in);
	put_number(t, ",\"bytes_out\":", p->bytes_out);
	put_number(t, ",\"queued\":", p->queued_bytes);
	put_number(t, ",\"drops\":", p->drops);
	metrics_puts(t, "}");
}

static void each_worker(struct hd_module *mod, struct hd_answer *a,
			struct hd_worker *w)
{
	struct portion portion = { .list = hd_answer_data(a),
				   .worker = hd_worker_index(w) };
	uint64_t *at = hd_answer_cursor(a);

	(void)mod;
	if (!hd_about_peers(w, at, LOOK_UPS_PER_TURN, put_peer, &portion))
		*at = 0;
	if (portion.t.failed)
		hd_answer_fail(a);
	else
		hd_answer_put(a, portion.t.v, portion.t.n);
	metrics_text_free(&portion.t);
}

static void last(struct hd_module *mod, struct hd_answer *a)
{
	const struct list *list = hd_answer_data(a);
	struct metrics_text t = { 0 };

	(void)mod;
	put_number(&t, "],\n\"count\":", list->n);
	metrics_puts(&t, "}\n");
	hd_answer_put(a, t.v, t.n);
	metrics_text_free(&t);
}

static void answer(struct hd_request *req, bool with_addr)
{
	static const struct hd_body body = { .each = each_worker,
					     .last = last };
	static const char begin[] = "{\"peers\":[";
	struct hd_answer *a;

	hd_reply_header(req, "Cache-Control", "no-store");
	a = hd_reply_body(req, 200, "application/json", &body,
			  sizeof(struct list));
	if (a == NULL)
		return;
	((struct list *)hd_answer_data(a))->with_addr = with_addr;
	hd_answer_put(a, begin, sizeof(begin) - 1);
}

void metrics_answer_peers(struct hd_module *mod, struct hd_request *req)
{
	(void)mod;
	answer(req, false);
}

void metrics_answer_debug_peers(struct hd_module *mod, struct hd_request *req)
{
	if (metrics_may_debug(mod, req))
		answer(req, true);
}
