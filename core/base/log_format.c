/* SPDX-License-Identifier: MIT */
/* core/base/log_format.c - RFC 3339 text, JSON lines (jansson), or the <N>
 * prefix that systemd's journal reads (sd-daemon(3)). */
#include "core/base/log_format.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

static const struct {
	const char *text;
	int syslog;
} levels[] = {
	[HD_LOG_ERROR] = { "error", LOG_ERR },
	[HD_LOG_WARN] = { "warn", LOG_WARNING },
	[HD_LOG_NOTICE] = { "notice", LOG_NOTICE },
	[HD_LOG_INFO] = { "info", LOG_INFO },
	[HD_LOG_DEBUG] = { "debug", LOG_DEBUG },
};

int hd_log_level_parse(const char *text)
{
	for (unsigned i = 0; i < HD_ARRAY_N(levels); i++)
		if (strcmp(text, levels[i].text) == 0)
			return (int)i;
	return -EINVAL;
}

const char *hd_log_level_text(enum hd_log_level level)
{
	hd_assert((unsigned)level < HD_ARRAY_N(levels));
	return levels[level].text;
}

static void time_text(char out[static 32], uint64_t time_ms)
{
	time_t s = (time_t)(time_ms / 1000);
	struct tm tm;
	char date[24];

	gmtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 32, "%s.%03uZ", date, (unsigned)(time_ms % 1000));
}

static size_t copy_safe(char *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		out[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	return n;
}

static size_t format_text(char *out, const struct hd_log_record *rec,
			  const char *text)
{
	char when[32];

	time_text(when, rec->time_ms);
	size_t n = (size_t)sprintf(out, "%s %s ", when,
				   hd_log_level_text(rec->level));
	n += copy_safe(out + n, text, rec->len_bytes);
	out[n++] = '\n';
	return n;
}

static size_t format_journal(char *out, const struct hd_log_record *rec,
			     const char *text)
{
	size_t n = (size_t)sprintf(out, "<%d>", levels[rec->level].syslog);

	n += copy_safe(out + n, text, rec->len_bytes);
	out[n++] = '\n';
	return n;
}

/* A JSON string is UTF-8; bytes that are not become '?'. */
static json_t *json_text(const char *text, size_t n)
{
	json_t *s = json_stringn(text, n);

	if (s != NULL)
		return s;
	char ascii[HD_LOG_LINE_MAX_BYTES];
	for (size_t i = 0; i < n; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	return json_stringn(ascii, n);
}

static size_t format_json(char *out, const struct hd_log_record *rec,
			  const char *text)
{
	char when[32];

	time_text(when, rec->time_ms);
	json_t *line = json_pack("{s:s, s:s, s:o*}", "time", when, "level",
				 hd_log_level_text(rec->level), "msg",
				 json_text(text, rec->len_bytes));
	size_t n = 0;
	if (line != NULL)
		n = json_dumpb(line, out, HD_LOG_OUT_MAX_BYTES - 1,
			       JSON_COMPACT);
	json_decref(line);
	if (n == 0 || n >= HD_LOG_OUT_MAX_BYTES)
		return format_text(out, rec, text); /* out of memory */
	out[n++] = '\n';
	return n;
}

size_t hd_log_line(char out[static HD_LOG_OUT_MAX_BYTES],
		   enum hd_log_style style, const struct hd_log_record *rec,
		   const char *text)
{
	static size_t (*const format[])(char *, const struct hd_log_record *,
					const char *) = {
		[HD_LOG_STYLE_TEXT] = format_text,
		[HD_LOG_STYLE_JSON] = format_json,
		[HD_LOG_STYLE_JOURNAL] = format_journal,
	};

	hd_assert(rec->len_bytes <= HD_LOG_LINE_MAX_BYTES);
	return format[style](out, rec, text);
}
