/* SPDX-License-Identifier: MIT */
/* modules/metrics/derper.c - our numbers under the names that derper has for
 * them, so that alerts and dashboards made for it go on working. What derper
 * counts and we do not is left out: an alert on a number that stands at 0 for
 * ever would be worse than one that says "absent".
 *
 * Source: names and kinds of derper 1.102 (derp/derpserver, ExpVar) as
 * tsweb/varz writes them: prefix "derp_", no HELP, gauge_ and counter_ taken
 * off. */
#include <stdio.h>
#include <string.h>
#include "modules/metrics/metrics.h"

#define OWNER "derper"
#define SAME "As derper counts it"

/* Numbers of ours that add up to one of theirs. */
static const struct row {
	const char *name; /* theirs */
	enum metrics_type type;
	const char *labels; /* theirs; NULL: none */
	const char *ours, *with; /* our name; a part of our labels, or NULL */
	const char *help; /* where ours is counted in another way, how */
} rows[] = {
	{ "derp_accepts", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_upgrades_total", NULL, SAME },
	{ "derp_bytes_received", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_packet_bytes_received_total", NULL, SAME },
	{ "derp_bytes_sent", METRICS_COUNTER, NULL,
	  "hyper_derp_send_bytes_total", NULL,
	  "All bytes sent; derper counts what packets carry" },
	{ "derp_packets_received", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_packets_received_total", NULL, SAME },
	{ "derp_packets_received_kind", METRICS_COUNTER, "kind=\"disco\"",
	  "hyper_derp_derp_packets_received_total", "kind=\"disco\"", SAME },
	{ "derp_packets_received_kind", METRICS_COUNTER, "kind=\"other\"",
	  "hyper_derp_derp_packets_received_total", "kind=\"other\"", SAME },
	{ "derp_packets_sent", METRICS_COUNTER, NULL,
	  "hyper_derp_send_packets_total", NULL,
	  "Packets handed to receivers, those of other modules too" },
	{ "derp_current_connections", METRICS_GAUGE, NULL,
	  "hyper_derp_derp_clients", NULL, SAME },
	{ "derp_current_home_connections", METRICS_GAUGE, NULL,
	  "hyper_derp_derp_clients_home", NULL, SAME },
	{ "derp_unknown_frames", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_frames_unknown_total", NULL, SAME },
	{ "derp_got_ping", METRICS_COUNTER, NULL, "hyper_derp_derp_pings_total",
	  NULL, SAME },
	{ "derp_sent_pong", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_pings_total", NULL,
	  "Pings that came; of a burst some stay unanswered" },
	{ "derp_peer_gone_disconnected_frames", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_peer_gone_total", "reason=\"disconnected\"", SAME },
	{ "derp_peer_gone_not_here_frames", METRICS_COUNTER, NULL,
	  "hyper_derp_derp_peer_gone_total", "reason=\"not_here\"", SAME },
	{ "derp_sclient_write_timeouts", METRICS_COUNTER, NULL,
	  "hyper_derp_closes_total", "reason=\"slow\"", SAME },
};

struct sums {
	struct metrics_page *page;
	int64_t v[HD_ARRAY_N(rows)];
	bool seen[HD_ARRAY_N(rows)];
};

/* Their reasons are ours; the labels stand in the order of their struct. */
static void put_drop(struct metrics_page *p, const struct hd_sample *s)
{
	char reason[32], kind[16], labels[80];

	if (strcmp(s->name, "hyper_derp_send_drops_total") != 0 ||
	    s->labels == NULL ||
	    sscanf(s->labels, "reason=\"%31[^\"]\",kind=\"%15[^\"]\"", reason,
		   kind) != 2)
		return;
	snprintf(labels, sizeof(labels), "kind=\"%s\",reason=\"%s\"", kind,
		 reason);
	metrics_sample(metrics_family(p, "derp_packets_dropped",
				      METRICS_COUNTER,
				      "DERP packets dropped by reason and by "
				      "kind",
				      OWNER),
		       labels, s->value);
}

static void add(void *arg, const struct hd_sample *s)
{
	struct sums *sums = arg;

	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		if (strcmp(s->name, rows[i].ours) != 0)
			continue;
		if (rows[i].with != NULL &&
		    (s->labels == NULL ||
		     strstr(s->labels, rows[i].with) == NULL))
			continue;
		sums->v[i] += s->value;
		sums->seen[i] = true;
	}
	put_drop(sums->page, s);
}

void metrics_put_derper(struct metrics_page *p)
{
	struct sums s = { .page = p };

	hd_metrics_read(NULL, add, &s);
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		const struct row *r = &rows[i];

		if (s.seen[i])
			metrics_sample(metrics_family(p, r->name, r->type,
						      r->help, OWNER),
				       r->labels, s.v[i]);
	}
}
