/* SPDX-License-Identifier: MIT */
/* tools/hdbench/report.c - the figures, once for people and once for jq. */
#include "tools/hdbench/report.h"
#include "tools/hdbench/clock.h"
#include "tools/hdbench/gcm.h"
#include <jansson.h>
#include <stdio.h>

static const struct {
	const char *name;
	double percent;
} percentiles[] = {
	{ "p50", 50 },	   { "p90", 90 },  { "p99", 99 },
	{ "p99.9", 99.9 }, { "max", 100 },
};

static double us_at(const struct hist *h, double percent)
{
	return (double)hist_percentile(h, percent) / (double)NS_PER_US;
}

/* JSON */

static void add_real(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, json_real(v));
}

static void add_count(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void add_hist(json_t *o, const char *key, const struct hist *h)
{
	json_t *p = json_object();

	for (size_t i = 0; i < HD_ARRAY_N(percentiles); i++)
		add_real(p, percentiles[i].name,
			 us_at(h, percentiles[i].percent));
	json_object_set_new(o, key, p);
}

/* Of this program, not of the relay. */
static const char *crypto(void)
{
	return gcm_about() != NULL ? gcm_about() : "openssl";
}

static json_t *json_head(const struct opts *o, const char *mode)
{
	json_t *j = json_object();

	json_object_set_new(j, "mode", json_string(mode));
	json_object_set_new(j, "host", json_string(o->host));
	json_object_set_new(j, "port", json_string(o->port));
	json_object_set_new(j, "tls", json_boolean(!o->is_plain));
	json_object_set_new(j, "protocol",
			    json_string(o->is_hd_udp ? "hd-udp"
					: o->is_hd   ? "hd"
						     : "derp"));
	if (!o->is_plain && !o->is_hd)
		json_object_set_new(j, "load_crypto", json_string(crypto()));
	json_object_set_new(j, "fast_start", json_boolean(o->is_fast));
	return j;
}

static void json_print(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static json_t *json_run(const struct opts *o, const struct run_result *r,
			const char *mode)
{
	json_t *j = json_head(o, mode);

	add_count(j, "pairs", o->pairs);
	add_count(j, "size_bytes", o->size_bytes);
	add_count(j, "batch", o->batch);
	add_count(j, "burst", o->burst);
	add_count(j, "threads", o->threads);
	add_real(j, "duration_s", r->window_s);
	add_real(j, "offered_pps", r->offered_pps);
	add_real(j, "sent_pps", r->sent_pps);
	add_real(j, "delivered_pps", r->delivered_pps);
	add_real(j, "delivered_share", r->share);
	add_real(j, "lost_share", r->lost_share);
	add_count(j, "lost", r->lost);
	add_count(j, "unsent", r->unsent);
	add_count(j, "reordered", r->reordered);
	add_count(j, "foreign", r->foreign);
	add_count(j, "closed", r->closed);
	add_hist(j, "latency_us", &r->latency);
	add_hist(j, "late_us", &r->late);
	add_hist(j, "since_sent_us", &r->since_sent);
	if (o->is_silence)
		add_hist(j, "silence_us", &r->silence);
	add_real(j, "load_busy", r->busy);
	add_real(j, "load_cores", r->load_cores);
	if (r->cpu_cores >= 0) {
		add_real(j, "cpu_cores", r->cpu_cores);
		add_real(j, "cpu_us_per_packet", r->cpu_us_per_packet);
	}
	if (r->others_cores >= 0)
		add_real(j, "others_cores", r->others_cores);
	return j;
}

/* Tables */

static void print_head(const struct opts *o)
{
	const char *tls = o->is_plain ? "plain TCP"
			  : o->ca_file != NULL
				  ? "TLS"
				  : "TLS, certificate not verified";

	printf("%s:%s (%s%s)\n", o->host, o->port,
	       o->is_hd_udp ? "HD over UDP, "
	       : o->is_hd   ? "HD, "
			    : "",
	       tls);
}

static void print_hist(const char *name, const struct hist *h)
{
	printf("  %-18s", name);
	for (size_t i = 0; i < HD_ARRAY_N(percentiles); i++)
		printf(" %s %.0f us%s", percentiles[i].name,
		       us_at(h, percentiles[i].percent),
		       i + 1 < HD_ARRAY_N(percentiles) ? "," : "\n");
}

static void print_odd(const struct run_result *r)
{
	if (r->unsent > 0)
		printf("  not sent           %llu packets: the relay did not "
		       "take them\n",
		       (unsigned long long)r->unsent);
	if (r->reordered > 0)
		printf("  out of order       %llu packets\n",
		       (unsigned long long)r->reordered);
	if (r->foreign > 0)
		printf("  not ours           %llu packets\n",
		       (unsigned long long)r->foreign);
	if (r->closed > 0)
		printf("  connections lost   %llu: %s\n",
		       (unsigned long long)r->closed, r->error.text);
}

static void print_run(const struct opts *o, const struct run_result *r)
{
	printf("  pairs, size        %llu, %llu bytes\n",
	       (unsigned long long)o->pairs, (unsigned long long)o->size_bytes);
	printf("  offered            %.0f packets/s\n", r->offered_pps);
	printf("  sent               %.0f packets/s\n", r->sent_pps);
	printf("  delivered          %.0f packets/s (%.2f %%), %.2f Gbit/s\n",
	       r->delivered_pps, 100 * r->share,
	       r->delivered_pps * (double)o->size_bytes * 8e-9);
	printf("  lost               %llu packets (%.3f %% of the sent)\n",
	       (unsigned long long)r->lost, 100 * r->lost_share);
	print_odd(r);
	print_hist("latency", &r->latency);
	print_hist("sent late by", &r->late);
	print_hist("since it was sent", &r->since_sent);
	if (o->is_silence)
		print_hist("longest silence", &r->silence);
	if (r->cpu_cores >= 0)
		printf("  relay's CPU        %.3f cores, %.3f us per packet\n",
		       r->cpu_cores, r->cpu_us_per_packet);
	if (r->others_cores > DISTURBED_CORES)
		printf("  other programs     %.2f cores: they disturb\n",
		       r->others_cores);
	printf("  hdbench was busy   %.0f %% of the time%s\n", 100 * r->busy,
	       r->busy > 0.97 ? ": it may be what limits" : "");
}

void report_run(const struct opts *o, const struct run_result *r)
{
	if (o->is_json) {
		json_print(json_run(o, r, "rate"));
		return;
	}
	print_head(o);
	print_run(o, r);
}

void report_found(const struct opts *o, const struct found *f)
{
	if (o->is_json) {
		json_t *j = f->is_any ? json_run(o, &f->best, "find")
				      : json_head(o, "find");

		add_real(j, "found_pps", f->is_any ? f->best.offered_pps : 0);
		add_real(j, "failed_pps", f->failed_pps);
		add_real(j, "wanted_share", o->share_percent / 100);
		add_count(j, "steps", f->steps);
		json_print(j);
		return;
	}
	print_head(o);
	if (!f->is_any) {
		printf("  no rate was delivered to %.4g %%; the lowest tried "
		       "was %.0f packets/s\n",
		       o->share_percent, f->failed_pps);
		return;
	}
	printf("  highest rate       %.0f packets/s with >= %.4g %% delivered "
	       "(%.0f failed)\n",
	       f->best.offered_pps, o->share_percent, f->failed_pps);
	print_run(o, &f->best);
}

void report_idle(const struct opts *o, const struct idle_result *r)
{
	double per_peer =
		((double)r->after_kb - (double)r->before_kb) / (double)r->peers;

	if (o->is_json) {
		json_t *j = json_head(o, "idle");

		add_count(j, "peers", r->peers);
		add_count(j, "closed", r->lost);
		add_count(j, "rss_before_kb", r->before_kb);
		add_count(j, "rss_after_kb", r->after_kb);
		add_real(j, "kb_per_peer", per_peer);
		json_print(j);
		return;
	}
	print_head(o);
	printf("  idle peers         %llu\n", (unsigned long long)r->peers);
	printf("  relay's memory     %.1f MiB before, %.1f MiB with them\n",
	       (double)r->before_kb / 1024, (double)r->after_kb / 1024);
	printf("  per peer           %.2f KiB\n", per_peer);
	if (r->lost > 0)
		printf("  connections lost   %llu\n",
		       (unsigned long long)r->lost);
}

void report_logins(const struct opts *o, const struct login_result *r)
{
	double ms_each = r->cpu_s * 1e3 / (double)r->n;

	if (o->is_json) {
		json_t *j = json_head(o, "logins");

		add_count(j, "logins", r->n);
		add_real(j, "seconds", r->seconds);
		add_real(j, "logins_per_s", (double)r->n / r->seconds);
		add_hist(j, "time_us", &r->time);
		if (r->cpu_s >= 0)
			add_real(j, "cpu_ms_per_login", ms_each);
		json_print(j);
		return;
	}
	print_head(o);
	printf("  logins             %llu in %.2f s: %.0f per second\n",
	       (unsigned long long)r->n, r->seconds, (double)r->n / r->seconds);
	print_hist("time", &r->time);
	if (r->cpu_s >= 0)
		printf("  relay's CPU        %.3f ms per login\n", ms_each);
}
