/* SPDX-License-Identifier: MIT */
/* core/module/metric_family.h - series whose label values come at run time.
 *
 *   struct hd_family --- series[slot]: label text, gen, references   (lock)
 *          |
 *          `--- parts[worker]: cells[slot]: gen, the module's struct
 *
 * A slot that goes to another label set gets a new gen. Only a worker writes
 * its cells: it zeroes one when it comes with a newer gen than the cell's.
 * Readers add up the cells of the slot's gen. Slot 0 is `other`, gen 0. */
#pragma once
#include <hyper-derp/metric.h>
#include <pthread.h>
#include "core/base/module_id.h"
#include "core/module/module_file.h"

enum {
	HD_FAMILY_LABELS = 4,
	HD_FAMILY_NAME_BYTES = 32, /* of the family, and of a label */
	HD_FAMILY_VALUE_BYTES = 64, /* of a label, before escapes */
	HD_FAMILY_TEXT_BYTES = 768, /* 4 * (31 + 3 + 2 * 64 + 1), and an end */
	HD_FAMILY_SERIES_MAX = 65536,
	HD_FAMILY_WORKERS = 256, /* the option `workers` has this bound */
};

struct hd_series_slot {
	char *text; /* labels with their values, escaped */
	uint64_t gen, ended; /* ended: when, in ends */
	uint32_t slot, refs;
};

struct hd_family_part { /* of a worker */
	char *cells;
	const struct hd_metric *metrics; /* what they are laid out for */
	uint32_t size, n; /* of a struct; cells */
};

struct hd_family {
	struct hd_family *next;
	bool shown; /* else nobody's, until reclaim() */
	char module[HD_MODULE_NAME_BYTES], name[HD_FAMILY_NAME_BYTES];
	char labels[HD_FAMILY_LABELS][HD_FAMILY_NAME_BYTES];
	unsigned n_labels;
	const struct hd_metric *metrics;
	uint32_t size, max;

	pthread_mutex_t lock; /* of all below but parts */
	void *by_text; /* tsearch() */
	struct hd_series_slot **series; /* [0] is `other` */
	uint32_t n_slots, n_used, n_ended; /* of series: room, in it, ended */
	uint64_t ends, refused;
	bool said;

	struct hd_family_part parts[HD_FAMILY_WORKERS];
};

extern const struct hd_kind hd_family_kind;

/* hd_families_prepare - memory of a worker for the families of a module, laid
 * out for the code that it has now. In that worker, or while it is parked.
 * Returns 0, -ENOMEM. */
int hd_families_prepare(const struct hd_module *mod, unsigned worker);
/* hd_family_next - the families of a module: NULL for the first. Who may look
 * at hd_modules_slot() may. */
struct hd_family *hd_family_next(const struct hd_family *f,
				 const struct hd_module *mod);
/* hd_family_read - metric.c: as hd_metrics_read(), of one family. */
void hd_family_read(struct hd_worker *w, struct hd_family *f, hd_sample_fn *fn,
		    void *arg);

/* ---- metric_series.c ---- */

/* hd_series_init - `other`. hd_series_room - for max series; what is there
 * stays. Both return 0, -ENOMEM. hd_series_free - all of them.
 * hd_series_end_all - none has a reference any more. */
int hd_series_init(struct hd_family *f);
int hd_series_room(struct hd_family *f, uint32_t max);
void hd_series_free(struct hd_family *f);
void hd_series_end_all(struct hd_family *f);
/* hd_series_cell - of a part: its gen, and behind it the struct. */
static inline uint64_t *hd_series_cell(const struct hd_family_part *p,
				       uint32_t slot)
{
	return (uint64_t *)(void *)(p->cells +
				    (size_t)slot *
					    (sizeof(uint64_t) + p->size));
}
/* hd_series_has - the struct of a worker, which does not run, as it is; NULL:
 * it has counted nothing. hd_series_take - the series with these labels, of
 * another process: it has ended until somebody opens it; without room it is
 * `other`. */
const void *hd_series_has(const struct hd_family *f,
			  const struct hd_series_slot *s, unsigned worker);
struct hd_series hd_series_take(struct hd_family *f, const char *text);
/* hd_family_text - labels as they are shown; NULL values: `other`. */
void hd_family_text(const struct hd_family *f, const char *const *values,
		    char text[static HD_FAMILY_TEXT_BYTES]);
