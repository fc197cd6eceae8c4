/* SPDX-License-Identifier: MIT */
/* hyper-derp/metric.h - numbers that operators see: `hdctl metrics`, `hdctl
 * module status`, /metrics of the module metrics, the log when the relay stops.
 *
 * A module writes its numbers down as a struct of counters, gauges and
 * histograms, and a table that names each field:
 *
 *	struct chat_numbers {
 *		struct hd_counter lines;
 *		struct hd_gauge members;
 *		struct hd_histogram delivery;
 *	};
 *	static const struct hd_metric metrics[] = {
 *		HD_METRIC(struct chat_numbers, lines, "chat_lines_total", NULL,
 *			  "Lines of text that were delivered"),
 *		...
 *		HD_METRIC_END,
 *	};
 *	HD_MODULE(chat, .metrics = metrics,
 *		  .metrics_size = sizeof(struct chat_numbers), ...);
 *
 *	struct chat_numbers *n = hd_metrics(mod, w);
 *	hd_count(&n->lines, 1);
 *
 * Each worker has such a struct of its own and is its only writer, so nothing
 * here locks, and a count is one addition. Readers add up all workers. The
 * numbers go on over a reload: those of a row whose name, labels and kind are
 * in the new table too. So do counters and histograms over an upgrade. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hd_metric_kind {
	HD_METRIC_COUNTER,
	HD_METRIC_GAUGE,
	HD_METRIC_HISTOGRAM /* of times */
};

/* ---- the fields ----
 *
 * All begin at zero. In its own worker a module may look at what it has counted
 * there (`n->lines.n`). hd_metrics_read() gives the sum of all workers. */

/* Grows. Its name ends in _total; a unit stands before that: _bytes_total. */
struct hd_counter {
	uint64_t n;
};

/* Goes up and down. What is shown is the sum of all workers' parts, so one part
 * may be below zero: a connection is counted by the worker it is in. */
struct hd_gauge {
	int64_t n;
};

/* How long something takes; its name ends in _seconds. It counts in cells of a
 * quarter of a power of two of microseconds: 0, 1, 2, 3, 4, 5, 6, 7, 8-9,
 * 10-11, …, so each time is known to 1/4 of it. The last cell has all from
 * 2^25 us (34 s) on. */
#define HD_HISTOGRAM_EXP_MAX 25
#define HD_HISTOGRAM_CELLS (4 * (HD_HISTOGRAM_EXP_MAX - 1) + 1)

struct hd_histogram {
	struct hd_counter sum_ns, cells[HD_HISTOGRAM_CELLS];
};

/* ---- the table ---- */

struct hd_metric { /* a row; made by HD_METRIC() */
	const char *name; /* "hyper_derp_send_drops_total" */
	const char *labels; /* "reason=\"queue_head\",kind=\"disco\"" or NULL */
	const char *help;
	enum hd_metric_kind kind;
	uint32_t offset; /* of its field, in bytes */
};

/* HD_METRIC - the row of a field, which may be an element of an array:
 * HD_METRIC(struct chat_numbers, drops[CHAT_DROP_RATE], ...). The field's type
 * says which kind it is; any other type does not compile.
 *
 * name    letters, digits, underscores; it begins with the module's name. Rows
 *         of one name differ in their labels, and have the same help and kind.
 * labels  constants, as they stand between the braces of Prometheus' text;
 *         NULL: none
 * help    one sentence for operators, without a full stop
 *
 * A module whose table leaves out a field of its struct is not loaded. */
#define HD_METRIC(type, field, name_, labels_, help_)                          \
	{                                                                      \
		.name = (name_), .labels = (labels_), .help = (help_),         \
		.kind = HD_METRIC_KIND_(type, field),                          \
		.offset = offsetof(type, field),                               \
	}
#define HD_METRIC_END                                                          \
	{                                                                      \
		.name = NULL                                                   \
	}

/* hd_metrics - the struct of a module in a worker. Never NULL in a module that
 * has metrics_size. In worker w, from start() to stop(); after a reload start()
 * asks again: it has moved. Costs a call, so a loop asks once. */
HD_API void *hd_metrics(struct hd_module *mod, struct hd_worker *w);

/* ---- families: label values that come at run time ----
 *
 * For what the configuration or peers name: tenants, links. Each set of values
 * has a series of the whole struct. Their number is bounded: what comes beyond
 * counts in one series whose values are all "other", and the core counts it in
 * hyper_derp_series_refused_total and logs it once for a family. */
struct hd_family;
struct hd_family_def {
	const char *name; /* "links": for messages, and found by it again */
	const char *labels[5]; /* their names, 1 to 4, then NULL */
	const struct hd_metric *metrics; /* of one series' struct */
	uint32_t size; /* of that struct */
	uint32_t max; /* series at once, without `other`: 1 to 65536 */
};

struct hd_series { /* plain data, may stand in a state; zeroed: `other` */
	uint64_t gen;
	uint32_t slot;
};

/* hd_family_add - in load(). def is copied, but for its table, which is the
 * code's. It ends with the module. After a reload a family of the same name and
 * label names goes on with its series; rows and max may be others. Series that
 * were begun stay begun when the connections are kept; else they have ended.
 * Memory: max * size in each worker, of which only what is used is taken.
 * Returns 0; -EINVAL, -EEXIST, -ENOMEM: err says why. */
HD_API int hd_family_add(struct hd_module *mod, const struct hd_family_def *def,
			 struct hd_family **ret_family, struct hd_error *err);

/* hd_series_open - the series of these values, one value for each label.
 * Several may open the same one: each ends it. Any thread. It takes a lock and
 * allocates, so call it once for a connection, not for each packet.
 * @values  UTF-8; cut at 64 bytes; the core escapes them
 * hd_series_end - as often as it was opened; *series is `other` after it. When
 * the last one has ended it, its numbers are still shown until the room is
 * needed for other values. Opened again before that, they go on. Take back what
 * was added to gauges first. Any thread. */
HD_API struct hd_series hd_series_open(struct hd_family *family,
				       const char *const *values);
HD_API void hd_series_end(struct hd_family *family, struct hd_series *series);

/* hd_series_numbers - the struct of a series in a worker, never NULL; of one
 * that has ended and whose room is taken: `other`. In worker w, from start() to
 * stop(). Ask for each event: about 25 instructions. */
HD_API void *hd_series_numbers(struct hd_family *family, struct hd_worker *w,
			       struct hd_series series);

/* ---- counting: in the worker the numbers are of ----
 *
 * Each is a macro too, so that a wrong kind of metric does not compile: to
 * observe a time with a counter, or to count with a gauge. */

/* One writer: no lock prefix, and no torn reads elsewhere. */
#define HD_METRIC_ADD_(v, n) __atomic_store_n(&(v), (v) + (n), __ATOMIC_RELAXED)

/* hd_count - n more. */
static inline void hd_count(struct hd_counter *c, uint64_t n)
{
	HD_METRIC_ADD_(c->n, n);
}

/* hd_gauge_add - n more, or fewer. hd_gauge_set - this worker's part. */
static inline void hd_gauge_add(struct hd_gauge *g, int64_t n)
{
	HD_METRIC_ADD_(g->n, n);
}

static inline void hd_gauge_set(struct hd_gauge *g, int64_t n)
{
	__atomic_store_n(&g->n, n, __ATOMIC_RELAXED);
}

/* hd_histogram_cell - of so many microseconds. */
static inline unsigned hd_histogram_cell(uint64_t us)
{
	unsigned exp;

	if (us < 4)
		return (unsigned)us;
	exp = 63u - (unsigned)__builtin_clzll(us);
	if (exp >= HD_HISTOGRAM_EXP_MAX)
		return HD_HISTOGRAM_CELLS - 1;
	return 4 * (exp - 1) + (unsigned)(us >> (exp - 2) & 3);
}

/* hd_observe - it took ns nanoseconds once more. Two additions. */
static inline void hd_observe(struct hd_histogram *h, uint64_t ns)
{
	hd_count(&h->sum_ns, ns);
	hd_count(&h->cells[hd_histogram_cell(ns / 1000)], 1);
}

/* ---- reading ---- */

struct hd_times { /* a histogram that was read */
	uint64_t n, sum_ns; /* observations and their sum */
	uint64_t cells[HD_HISTOGRAM_CELLS];
};

/* hd_times_below - how many took less than 2^exp us. @exp 2..25
 * hd_times_us - what the share q took at most: 0.99, for the 99th percentile;
 * 0 when there is nothing. */
HD_API uint64_t hd_times_below(const struct hd_times *t, unsigned exp);
HD_API uint64_t hd_times_us(const struct hd_times *t, double q);

struct hd_sample { /* a series: all of it is borrowed until fn returns */
	const char *module; /* "core", or the module's name */
	const char *name, *help;
	const char *labels; /* as in Prometheus' text, escaped; NULL: none */
	enum hd_metric_kind kind;
	int64_t value; /* of a histogram: how many observations */
	const struct hd_times *times; /* of a histogram, else NULL */
};

/* hd_metrics_read - every series of the core and of all modules: the sum over
 * workers, or what worker w has alone. Those of a table come together, in its
 * order. Any thread; takes no lock a worker waits for. A sum may be a packet
 * behind. Numbers of a module that is being loaded or reloaded are left out. */
typedef void hd_sample_fn(void *arg, const struct hd_sample *sample);
HD_API void hd_metrics_read(struct hd_worker *w, hd_sample_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

/* ---- types that the compiler checks ---- */

#ifdef __cplusplus
template <enum hd_metric_kind K> struct hd_kind_const_ {
	static constexpr enum hd_metric_kind kind = K;
};
hd_kind_const_<HD_METRIC_COUNTER> hd_kind_of_(const struct hd_counter &);
hd_kind_const_<HD_METRIC_GAUGE> hd_kind_of_(const struct hd_gauge &);
hd_kind_const_<HD_METRIC_HISTOGRAM> hd_kind_of_(const struct hd_histogram &);
template <class T> T &hd_any_(void);
#define HD_METRIC_KIND_(type, field)                                           \
	decltype(hd_kind_of_(hd_any_<type>().field))::kind
#else
#define HD_METRIC_KIND_(type, field)                                           \
	_Generic(((type *)0)->field, struct hd_counter                         \
		 : HD_METRIC_COUNTER, struct hd_gauge                          \
		 : HD_METRIC_GAUGE, struct hd_histogram                        \
		 : HD_METRIC_HISTOGRAM)
#define hd_count(c, n) _Generic((c), struct hd_counter * : hd_count)((c), (n))
#define hd_gauge_add(g, n)                                                     \
	_Generic((g), struct hd_gauge * : hd_gauge_add)((g), (n))
#define hd_gauge_set(g, n)                                                     \
	_Generic((g), struct hd_gauge * : hd_gauge_set)((g), (n))
#define hd_observe(h, ns)                                                      \
	_Generic((h), struct hd_histogram * : hd_observe)((h), (ns))
#endif
