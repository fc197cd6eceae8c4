/* SPDX-License-Identifier: MIT */
/* hyper-derp/config.h - options are a table. The core parses, checks,
 * documents and completes from it. */
#pragma once
#include <hyper-derp/base.h>
#include <hyper-derp/secret.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HD_OPTION_...  in the struct            in the file
 *
 * BOOL           bool                     true, false
 * UINT           uint64_t                 42
 * DURATION_MS    uint64_t, milliseconds   500ms, 10s, 5m, 2h; 10 is seconds
 * SIZE_BYTES     uint64_t, bytes          4096, 256KiB, 1MiB
 * STRING         const char *             text, NULL when unset
 * PATH           const char *             text, NULL when unset
 * ADDR           union hd_addr            0.0.0.0:80, [::]:443
 * KEY            struct hd_key            64 hexadecimal digits
 * SECRET_FILE    struct hd_secret         path of a file that holds it
 * CHOICE         uint64_t, index          one of .choices
 * LIST           struct hd_list           texts: [a, b], or a for [a]; each one
 *                                         of .choices where there are some
 * ENTRIES        HD_ENTRIES_OF(struct x)  mappings: [{name: a}, {name: b}], or
 *                                         {name: a} where .max is 1
 * PLACE          struct hd_place          nothing, see there
 * SECRET_TEXT    const char *             text, NULL when unset; the relay
 *                                         shows *** in its place, which as a
 *                                         value is refused */
enum hd_option_type {
	HD_OPTION_BOOL,
	HD_OPTION_UINT,
	HD_OPTION_DURATION_MS,
	HD_OPTION_SIZE_BYTES,
	HD_OPTION_STRING,
	HD_OPTION_PATH,
	HD_OPTION_ADDR,
	HD_OPTION_KEY,
	HD_OPTION_SECRET_FILE,
	HD_OPTION_CHOICE,
	HD_OPTION_LIST,
	HD_OPTION_ENTRIES,
	HD_OPTION_PLACE,
	HD_OPTION_SECRET_TEXT,
};

struct hd_option { /* a table ends with an entry whose name is NULL */
	const char *name; /* "write_timeout" */
	enum hd_option_type type;
	uint32_t offset;  /* offsetof(struct x_conf, write_timeout_ms) */
	const char *def;  /* as it stands in the file: "2s"; NULL = unset */
	int64_t min, max; /* both 0: no range; LIST and ENTRIES: how many */
	const char *unit, *help;
	const char *const *choices; /* CHOICE, LIST: NULL at the end */
	bool live;                  /* may change while running; with ENTRIES
				     * all that is in them, or nothing */
	/* in the table of an entry only: */
	bool required; /* who leaves it out is refused, with the place */
	bool bare; /* once: what an entry sets that is no mapping but one text,
		    * so that [a] is [{name: a}] */
	const char *example; /* where there is no default: what the example
			      * file shows, a value that would be taken */
	/* ENTRIES: the options of each and sizeof(struct x), which the offsets
	 * there are about. Any type may be in it, ENTRIES too: four deep. */
	const struct hd_option *entry;
	uint32_t entry_size;
	uint32_t reserved_u32; /* 0, as those below: a table is an array, so
				* what ABI 2.x adds takes their places */
	const void *reserved[4];
};
/* HD_OPTION_END - the last row of a table. */
#define HD_OPTION_END                                                          \
	{                                                                      \
		.name = NULL                                                   \
	}

/* What an option fills lives as long as the struct that it stands in: a
 * module's section until changed() or unload() has returned, in every worker.
 * Nobody writes to it, so any thread may read it. */
struct hd_list {
	const char *const *v;
	size_t n;
};

/* HD_ENTRIES_OF - an array of structs, one per entry, in the order of the file
 * (of files: what is included comes behind). Each is zeroed, then filled from
 * its table.
 *
 *	struct rule { struct hd_place at; const char *from; uint64_t rate; };
 *	static const struct hd_option rule_options[] = {
 *		{ .name = "", .type = HD_OPTION_PLACE, AT(at) }, ...
 *
 *	struct policy_conf { HD_ENTRIES_OF(struct rule) rules; };
 *		{ .name = "rules", .type = HD_OPTION_ENTRIES, AT(rules),
 *		  .entry = rule_options, .entry_size = sizeof(struct rule) },
 *
 *	for (size_t i = 0; i < conf->rules.n; i++)
 *		use(&conf->rules.v[i]);
 */
#define HD_ENTRIES_OF(type)                                                    \
	struct {                                                               \
		const type *v;                                                 \
		size_t n;                                                      \
	}

/* HD_OPTION_PLACE - where the mapping stands whose table has this row, for
 * messages; the row's name is "". With the name of another row: where that key
 * stands, or the mapping if it is not set there. The row is no key, and has
 * nothing but name, type and offset.
 * @file  NULL: in no file, all of it are defaults */
struct hd_place {
	const char *file;
	unsigned line; /* 0: file is a flag of the command line */
};

/* hd_error_at - hd_error_set() with "FILE:LINE: " before the sentence: for
 * check() and load(), about what the table cannot know.
 * @err  may be NULL   Returns code. Any thread. */
HD_API int hd_error_at(const struct hd_place *at, struct hd_error *err,
		       int code, const char *fmt, ...) HD_PRINTF(4, 5);

/* What stands outside the section: for a module's check() in the configuration
 * that is checked, else in the one in force. Main thread.
 * hd_conf_has_listener - whether an entry of `listen` has this name.
 * hd_conf_login_timeout_ms - how long a login may take. */
HD_API bool hd_conf_has_listener(const char *name);
HD_API uint64_t hd_conf_login_timeout_ms(void);

#ifdef __cplusplus
}
#endif
