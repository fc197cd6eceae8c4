/* SPDX-License-Identifier: MIT */
/* modules/metrics/page.h - a page of metrics in the making: families in the
 * order in which they were first seen, each with its samples.
 *
 * Formats: Prometheus text 0.0.4
 *   https://prometheus.io/docs/instrumenting/exposition_formats/
 * and OpenMetrics 1.0 (in both a name means the same series)
 *   https://github.com/prometheus/OpenMetrics, OpenMetrics.md */
#pragma once
#include <hyper-derp/metric.h>
#include "modules/metrics/text.h"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
	METRICS_INFO, /* its name ends in _info, its value is 1 */
};

struct metrics_page { /* zeroed: empty */
	struct metrics_family *v;
	size_t n, size;
	bool failed; /* out of memory */
};

#define METRICS_NAME_BYTES 128

/* metrics_family - of this name; new ones get the rest.
 * @owner  the module that the samples are of
 * Returns NULL: there is one of another type, the name is none, or there is no
 * memory; then its samples are left out. */
struct metrics_family *metrics_family(struct metrics_page *p, const char *name,
				      enum metrics_type type, const char *help,
				      const char *owner);
/* metrics_family_unique - its samples may come twice: the first one stays.
 * @f  NULL: nothing happens */
void metrics_family_unique(struct metrics_family *f);

/* metrics_sample - @labels as they stand between the braces; NULL: none. One
 * that another module has already is left out.
 * metrics_sample_real - the same with a value that is no whole number.
 * metrics_sample_text - @suffix behind the family's name. */
void metrics_sample(struct metrics_family *f, const char *labels,
		    int64_t value);
void metrics_sample_real(struct metrics_family *f, const char *labels,
			 double value);
void metrics_sample_text(struct metrics_family *f, const char *suffix,
			 const char *labels, const char *value);

/* metrics_sample_times - a histogram, in seconds. */
void metrics_sample_times(struct metrics_family *f, const char *labels,
			  const struct hd_times *times);

/* metrics_write - the whole page. @open OpenMetrics. */
void metrics_write(const struct metrics_page *p, bool open,
		   struct metrics_text *out);
void metrics_page_free(struct metrics_page *p);
