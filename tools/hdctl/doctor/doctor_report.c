/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_report.c - lines as hdprobe has them. */
#include <stdarg.h>
#include <string.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/doctor/doctor.h"

static const struct {
	const char *line, *sum;
	int status;
} verdicts[DOCTOR_N] = {
	[DOCTOR_OK] = { "ok", "ok", DOCTOR_EXIT_OK },
	[DOCTOR_SKIP] = { "skip", "ok", DOCTOR_EXIT_OK },
	[DOCTOR_WARN] = { "warn", "warning", DOCTOR_EXIT_WARN },
	[DOCTOR_FAIL] = { "FAIL", "failed", DOCTOR_EXIT_FAIL },
};

static const char *member(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text != NULL ? text : "";
}

/* What comes from files and the network may be no UTF-8, which JSON takes
 * not. */
static json_t *text_new(char *text)
{
	json_t *s = json_string(text);

	if (s != NULL)
		return s;
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
	return NULL;
}

HD_PRINTF(3, 0)
static void set_text(json_t *line, const char *name, const char *fmt,
		     va_list ap)
{
	char text[2048];
	json_t *s;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	s = text_new(text);
	json_object_set_new(line, name, s != NULL ? s : json_string(text));
}

/* A line is printed when the next one comes: its remedy is known then. */
static void print_last(struct doctor *d)
{
	if (d->line == NULL || d->json)
		return;
	printf("%-4s  %-13s ", member(d->line, "result"),
	       member(d->line, "name"));
	clean_put(stdout, member(d->line, "detail"), false);
	if (member(d->line, "remedy")[0] != '\0') {
		printf("\n      %-13s -> ", "");
		clean_put(stdout, member(d->line, "remedy"), false);
	}
	putchar('\n');
	fflush(stdout);
}

void doctor_say(struct doctor *d, enum doctor_verdict v, const char *fmt, ...)
{
	va_list ap;

	print_last(d);
	d->line = json_pack("{s:s, s:s}", "name", d->check, "result",
			    verdicts[v].line);
	va_start(ap, fmt);
	set_text(d->line, "detail", fmt, ap);
	va_end(ap);
	json_array_append_new(d->lines, d->line);
	d->count[v]++;
}

void doctor_remedy(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(d->line, "remedy", fmt, ap);
	va_end(ap);
}

enum doctor_verdict doctor_worst(const struct doctor *d)
{
	enum doctor_verdict v = DOCTOR_FAIL;

	while (v > DOCTOR_OK && d->count[v] == 0)
		v--;
	return v;
}

int doctor_end(struct doctor *d)
{
	enum doctor_verdict v = doctor_worst(d);
	json_t *all;

	print_last(d);
	if (!d->json) {
		printf("%s: %s - %u ok, %u warnings, %u failed, %u skipped\n",
		       d->config, verdicts[v].sum, d->count[DOCTOR_OK],
		       d->count[DOCTOR_WARN], d->count[DOCTOR_FAIL],
		       d->count[DOCTOR_SKIP]);
	} else {
		all = json_pack("{s:s, s:s, s:i, s:O}", "config", d->config,
				"status", verdicts[v].sum, "exit",
				verdicts[v].status, "checks", d->lines);
		clean_json(stdout, all, JSON_INDENT(2));
		json_decref(all);
	}
	return verdicts[v].status;
}
