/* SPDX-License-Identifier: MIT */
#include "tools/hdprobe/report.h"

#include <stdarg.h>
#include <string.h>

static const struct {
	const char *line, *sum;
	int status;
} verdicts[V_N] = {
	[V_OK] = { "ok", "ok", 0 },
	[V_SKIP] = { "skip", "ok", 0 },
	[V_WARN] = { "warn", "warning", 1 },
	[V_UNKNOWN] = { "FAIL", "unknown", 3 },
	[V_FAIL] = { "FAIL", "failed", 2 },
};

/* Much of it comes from the network: it must not command a terminal, and JSON
 * takes no broken UTF-8. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

#define RESULT_SET(r, v, fmt)                                                  \
	do {                                                                   \
		va_list ap_;                                                   \
		(r)->verdict = (v);                                            \
		(r)->remedy[0] = '\0';                                         \
		va_start(ap_, fmt);                                            \
		(void)vsnprintf((r)->detail, sizeof((r)->detail), fmt, ap_);   \
		va_end(ap_);                                                   \
		make_printable((r)->detail);                                   \
	} while (0)

void result_ok(struct result *r, const char *fmt, ...)
{
	RESULT_SET(r, V_OK, fmt);
}

void result_skip(struct result *r, const char *fmt, ...)
{
	RESULT_SET(r, V_SKIP, fmt);
}

void result_bad(struct result *r, enum verdict v, const char *remedy,
		const char *fmt, ...)
{
	RESULT_SET(r, v, fmt);
	if (remedy != NULL)
		(void)snprintf(r->remedy, sizeof(r->remedy), "%s", remedy);
}

void report_init(struct report *rep, FILE *out, const char *target, bool json,
		 bool quiet)
{
	*rep = (struct report){ .out = out,
				.target = target,
				.json = json,
				.quiet = quiet,
				.checks = json_array() };
}

static json_t *check_json(const char *name, const struct result *r)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "name", name, "result",
			      verdicts[r->verdict].line, "detail", r->detail);

	if (r->remedy[0] != '\0')
		json_object_set_new(o, "remedy", json_string(r->remedy));
	if (r->data != NULL)
		json_object_set(o, "data", r->data);
	return o;
}

static void print_line(struct report *rep, const char *name,
		       const struct result *r)
{
	if (rep->json || rep->quiet)
		return;
	fprintf(rep->out, "%-4s  %-13s %s\n", verdicts[r->verdict].line, name,
		r->detail);
	if (r->remedy[0] != '\0')
		fprintf(rep->out, "      %-13s -> %s\n", "", r->remedy);
	fflush(rep->out);
}

void report_add(struct report *rep, const char *name, struct result *r)
{
	rep->count[r->verdict]++;
	if (r->verdict > rep->worst) {
		rep->worst = r->verdict;
		(void)snprintf(rep->first_bad, sizeof(rep->first_bad), "%s: %s",
			       name, r->detail);
		memcpy(rep->first_remedy, r->remedy, sizeof(r->remedy));
	}
	json_array_append_new(rep->checks, check_json(name, r));
	print_line(rep, name, r);
	json_decref(r->data);
	r->data = NULL;
}

static void print_json(struct report *rep)
{
	json_t *o =
		json_pack("{s:s, s:s, s:i, s:O}", "target", rep->target,
			  "status", verdicts[rep->worst].sum, "exit",
			  verdicts[rep->worst].status, "checks", rep->checks);

	json_dumpf(o, rep->out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', rep->out);
	json_decref(o);
}

void report_print_sum(struct report *rep)
{
	bool fine = rep->worst <= V_SKIP;

	if (rep->json) {
		print_json(rep);
		return;
	}
	fprintf(rep->out,
		"%s%s: %s - %u ok, %u warnings, %u failed, %u skipped%s%s\n",
		rep->quiet ? "DERP " : "", rep->target,
		verdicts[rep->worst].sum, rep->count[V_OK], rep->count[V_WARN],
		rep->count[V_FAIL] + rep->count[V_UNKNOWN], rep->count[V_SKIP],
		fine ? "" : " - ", fine ? "" : rep->first_bad);
}

int report_status(const struct report *rep)
{
	return verdicts[rep->worst].status;
}

void report_clear(struct report *rep)
{
	json_decref(rep->checks);
	rep->checks = NULL;
}
