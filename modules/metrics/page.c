/* SPDX-License-Identifier: MIT */
/* modules/metrics/page.c - families and their samples, in both formats. */
#include "modules/metrics/page.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics_family {
	char name[METRICS_NAME_BYTES]; /* of its samples, without suffix */
	char owner[64]; /* the first one */
	char help[256];
	enum metrics_type type;
	bool shared; /* a series may come twice: of two modules, mostly */
	struct metrics_text lines;
};

/* ---- gathering ---- */

/* Source: both formats, the same grammar. */
static bool is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
	size_t n = strlen(s);

	if (n == 0 || n >= METRICS_NAME_BYTES || strchr(letters, s[0]) == NULL)
		return false;
	while (*s != '\0' &&
	       (strchr(letters, *s) != NULL || (*s >= '0' && *s <= '9')))
		s++;
	return *s == '\0';
}

/* Mostly it is the one that had the last sample. */
static struct metrics_family *find(struct metrics_page *p, const char *name)
{
	for (size_t i = p->n; i > 0; i--)
		if (strcmp(p->v[i - 1].name, name) == 0)
			return &p->v[i - 1];
	return NULL;
}

static bool grow(struct metrics_page *p)
{
	size_t size = p->size > 0 ? 2 * p->size : 64;
	struct metrics_family *v;

	if (p->n < p->size)
		return true;
	v = realloc(p->v, size * sizeof(*v));
	p->failed |= v == NULL;
	if (v == NULL)
		return false;
	p->v = v;
	p->size = size;
	return true;
}

static struct metrics_family *add(struct metrics_page *p, const char *name,
				  enum metrics_type type, const char *help,
				  const char *owner)
{
	struct metrics_family *f;

	if (!is_name(name) || !grow(p))
		return NULL;
	f = &p->v[p->n++];
	*f = (struct metrics_family){ .type = type };
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->owner, sizeof(f->owner), "%s", owner);
	snprintf(f->help, sizeof(f->help), "%s", help);
	return f;
}

struct metrics_family *metrics_family(struct metrics_page *p, const char *name,
				      enum metrics_type type, const char *help,
				      const char *owner)
{
	struct metrics_family *f = find(p, name);

	if (f == NULL)
		return add(p, name, type, help != NULL ? help : "", owner);
	f->shared |= strcmp(f->owner, owner) != 0;
	return f->type == type ? f : NULL;
}

void metrics_family_unique(struct metrics_family *f)
{
	if (f != NULL)
		f->shared = true;
}

/* Whether a line begins with this. */
static bool has_line(const struct metrics_text *lines, const char *head,
		     size_t n)
{
	size_t at = 0;

	while (at < lines->n) {
		const char *end = memchr(lines->v + at, '\n', lines->n - at);

		if (lines->n - at > n && memcmp(lines->v + at, head, n) == 0)
			return true;
		at = (size_t)(end - lines->v) + 1;
	}
	return false;
}

/* NAME_SUFFIX{LABELS} and a space stand at the end of the lines. Two modules
 * with the same series would make the page invalid: the first one's stays. */
static bool begin(struct metrics_family *f, const char *suffix,
		  const char *labels)
{
	struct metrics_text before = f->lines;
	size_t at = f->lines.n;

	metrics_puts(&f->lines, f->name);
	metrics_puts(&f->lines, suffix);
	if (labels != NULL && labels[0] != '\0') {
		metrics_puts(&f->lines, "{");
		metrics_puts(&f->lines, labels);
		metrics_puts(&f->lines, "}");
	}
	metrics_puts(&f->lines, " ");
	if (f->lines.failed || !f->shared)
		return true;
	before.v = f->lines.v;
	if (!has_line(&before, f->lines.v + at, f->lines.n - at))
		return true;
	f->lines.n = at;
	return false;
}

void metrics_sample(struct metrics_family *f, const char *labels, int64_t value)
{
	if (f == NULL || !begin(f, "", labels))
		return;
	metrics_put_int(&f->lines, value);
	metrics_puts(&f->lines, "\n");
}

void metrics_sample_text(struct metrics_family *f, const char *suffix,
			 const char *labels, const char *value)
{
	if (f == NULL || !begin(f, suffix, labels))
		return;
	metrics_puts(&f->lines, value);
	metrics_puts(&f->lines, "\n");
}

void metrics_sample_real(struct metrics_family *f, const char *labels,
			 double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9g", value);
	metrics_sample_text(f, "", labels, text);
}

/* Buckets end at powers of two of microseconds, as the cells do: 16 us to
 * 16.8 s. */
enum { BUCKET_FIRST = 4, BUCKET_LAST = 24 };

static void put_bucket(struct metrics_family *f, const char *labels,
		       const char *le, uint64_t n)
{
	char all[1024], value[24];

	int len = snprintf(all, sizeof(all), "%s%sle=\"%s\"",
			   labels ? labels : "", labels ? "," : "", le);

	if (len < 0 || (size_t)len >= sizeof(all))
		return;
	snprintf(value, sizeof(value), "%ju", (uintmax_t)n);
	metrics_sample_text(f, "_bucket", all, value);
}

void metrics_sample_times(struct metrics_family *f, const char *labels,
			  const struct hd_times *times)
{
	char text[32];

	if (f == NULL)
		return;
	for (unsigned exp = BUCKET_FIRST; exp <= BUCKET_LAST; exp++) {
		snprintf(text, sizeof(text), "%.9g", (double)(1u << exp) / 1e6);
		put_bucket(f, labels, text, hd_times_below(times, exp));
	}
	put_bucket(f, labels, "+Inf", times->n);
	snprintf(text, sizeof(text), "%.9f", (double)times->sum_ns / 1e9);
	metrics_sample_text(f, "_sum", labels, text);
	snprintf(text, sizeof(text), "%ju", (uintmax_t)times->n);
	metrics_sample_text(f, "_count", labels, text);
}

/* ---- writing ---- */

static size_t without(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0 ? n - m : 0;
}

/* What # lines call the family: OpenMetrics knows counters and infos by the
 * name without their suffix, and cannot have a counter without one. */
struct head {
	size_t name_len;
	const char *type;
};

static struct head head_of(const struct metrics_family *f, bool open)
{
	static const char *const plain[] = {
		[METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge",
		[METRICS_HISTOGRAM] = "histogram",
		[METRICS_INFO] = "gauge",
	};
	size_t all = strlen(f->name);
	size_t total = without(f->name, "_total");
	size_t info = without(f->name, "_info");

	if (open && f->type == METRICS_COUNTER)
		return total > 0 ? (struct head){ total, "counter" }
				 : (struct head){ all, "unknown" };
	if (open && f->type == METRICS_INFO && info > 0)
		return (struct head){ info, "info" };
	return (struct head){ all, plain[f->type] };
}

static void put_unit(const struct metrics_family *f, const struct head *head,
		     struct metrics_text *out)
{
	static const char *const units[] = { "seconds", "bytes" };

	for (size_t i = 0; i < HD_ARRAY_N(units); i++) {
		size_t n = strlen(units[i]);

		if (head->name_len > n + 1 &&
		    f->name[head->name_len - n - 1] == '_' &&
		    memcmp(f->name + head->name_len - n, units[i], n) == 0)
			metrics_printf(out, "# UNIT %.*s %s\n",
				       (int)head->name_len, f->name, units[i]);
	}
}

static void write_family(const struct metrics_family *f, bool open,
			 struct metrics_text *out)
{
	const struct head head = head_of(f, open);

	metrics_printf(out, "# HELP %.*s ", (int)head.name_len, f->name);
	metrics_put_help(out, f->help, open);
	metrics_printf(out, "\n# TYPE %.*s %s\n", (int)head.name_len, f->name,
		       head.type);
	if (open)
		put_unit(f, &head, out);
	metrics_put(out, f->lines.v, f->lines.n);
}

void metrics_write(const struct metrics_page *p, bool open,
		   struct metrics_text *out)
{
	out->failed |= p->failed;
	for (size_t i = 0; i < p->n; i++) {
		out->failed |= p->v[i].lines.failed;
		if (p->v[i].lines.n > 0)
			write_family(&p->v[i], open, out);
	}
	if (open)
		metrics_puts(out, "# EOF\n");
}

void metrics_page_free(struct metrics_page *p)
{
	for (size_t i = 0; i < p->n; i++)
		metrics_text_free(&p->v[i].lines);
	free(p->v);
	*p = (struct metrics_page){ 0 };
}
