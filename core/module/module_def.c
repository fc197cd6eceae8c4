/* SPDX-License-Identifier: MIT */
/* core/module/module_def.c - the checks of a module's definition: who it is
 * for, how it is called, whether its option table fits its struct, what its
 * services and reasons are. */
#include "core/module/module_def.h"
#include <errno.h>
#include "core/conf/conf_value.h"
#include <string.h>
#include "core/base/close.h"
#include "core/base/metric_table.h"
#include "core/base/utf8.h"
#include "core/stream/ws_frame.h"

/* ABI 2.0 ended here; a later minor only appends. */
#define DEF_2_0_BYTES                                                          \
	(offsetof(struct hd_module_def, reasons) +                             \
	 sizeof(((struct hd_module_def *)0)->reasons))

enum {
	DEF_MAX_BYTES = 4096,
	CONF_MAX_BYTES = 1 << 20,
	ENTRY_MAX_BYTES = 16384,
	DEPTH_MAX = 4, /* also of a table that has itself in it */
	WORKER_MAX = 64 << 20,
	METRICS_MAX = 1 << 20,
	REASON_BYTES = 32 /* of a word, with its NUL */
};

static int check_abi(const struct hd_module_def *def, struct hd_error *err)
{
	if (def->magic != HD_MODULE_MAGIC)
		return hd_error_set(
			err, -ENOEXEC,
			"its hd_module symbol is not a "
			"module definition; define it with HD_MODULE()");
	if (def->abi_major != HD_ABI_MAJOR)
		return hd_error_set(err, -ENOEXEC,
				    "built for ABI %u.%u, this relay has "
				    "%u.%u; build the module against this "
				    "relay's headers",
				    def->abi_major, def->abi_minor,
				    HD_ABI_MAJOR, HD_ABI_MINOR);
	if (def->abi_minor > HD_ABI_MINOR)
		return hd_error_set(err, -ENOEXEC,
				    "needs ABI %u.%u, this relay has %u.%u; "
				    "update the relay",
				    def->abi_major, def->abi_minor,
				    HD_ABI_MAJOR, HD_ABI_MINOR);
	if (def->size < DEF_2_0_BYTES || def->size > DEF_MAX_BYTES)
		return hd_error_set(err, -ENOEXEC,
				    "its definition has %u bytes, which fits "
				    "no version of ABI %u; define it with "
				    "HD_MODULE()",
				    def->size, HD_ABI_MAJOR);
	return 0;
}

/* A table of options and the struct that it is about. */
struct table {
	const struct hd_option *rows;
	const char *path; /* "section.rules", for messages */
	uint32_t size;
	unsigned depth; /* 0: the section's own */
};

static int fail(const struct table *t, const struct hd_option *o,
		const char *what, struct hd_error *err)
{
	return hd_error_set(err, -ENOEXEC,
			    "option %s%s %s; correct the module's option table",
			    t->path, o->name, what);
}

static int fail_size(const struct table *t, const struct hd_option *o,
		     struct hd_error *err)
{
	char what[80];

	snprintf(what, sizeof(what), "lies outside the %u bytes of %s", t->size,
		 t->depth == 0 ? "conf_size" : "entry_size");
	return fail(t, o, what, err);
}

static int check_place(const struct table *t, const struct hd_option *o,
		       struct hd_error *err)
{
	const struct hd_option *key = t->rows;

	while (key->name != NULL && (key->type == HD_OPTION_PLACE ||
				     strcmp(key->name, o->name) != 0))
		key++;
	if (o->name[0] == '\0' || key->name != NULL)
		return 0;
	return fail(t, o, "is a place of no key: name it \"\"", err);
}

static int check_table(const struct table *t, struct hd_error *err);

static int check_entries(const struct table *up, const struct hd_option *o,
			 struct hd_error *err)
{
	char path[128];
	const struct table t = { .rows = o->entry,
				 .path = path,
				 .size = o->entry_size,
				 .depth = up->depth + 1 };

	snprintf(path, sizeof(path), "%s%s.", up->path, o->name);
	if (o->entry == NULL || o->entry_size == 0)
		return fail(up, o, "has no table of entries", err);
	if (t.depth > DEPTH_MAX || t.size > ENTRY_MAX_BYTES)
		return fail(up, o, "is too deep or too large", err);
	return check_table(&t, err);
}

static int check_flags(const struct table *t, const struct hd_option *o,
		       struct hd_error *err)
{
	unsigned n = 0;

	if (!o->bare && !o->required)
		return 0;
	if (t->depth == 0)
		return fail(t, o, "is in no list: not bare nor required", err);
	for (const struct hd_option *i = t->rows; i->name != NULL; i++)
		n += i->bare;
	return n <= 1 ? 0 : fail(t, o, "is not the only bare one", err);
}

static bool has_reserved(const struct hd_option *o)
{
	bool any = o->reserved_u32 != 0;

	for (size_t i = 0; i < HD_ARRAY_N(o->reserved); i++)
		any |= o->reserved[i] != NULL;
	return any;
}

static int check_option(const struct table *t, const struct hd_option *o,
			struct hd_error *err)
{
	size_t size = hd_value_size(o->type);

	if (size == 0)
		return fail(t, o, "has an unknown type", err);
	if (o->offset > t->size || size > t->size - o->offset)
		return fail_size(t, o, err);
	if (o->type == HD_OPTION_CHOICE &&
	    (o->choices == NULL || o->choices[0] == NULL))
		return fail(t, o, "has no choices", err);
	if (has_reserved(o))
		return fail(t, o, "sets reserved fields", err);
	if (o->min > o->max)
		return fail(t, o, "has a minimum above its maximum", err);
	if (o->type == HD_OPTION_PLACE)
		return check_place(t, o, err);
	int r = check_flags(t, o, err);
	return r == 0 && o->type == HD_OPTION_ENTRIES ? check_entries(t, o, err)
						      : r;
}

static int check_table(const struct table *t, struct hd_error *err)
{
	int r = 0;

	for (const struct hd_option *o = t->rows; r == 0 && o->name != NULL;
	     o++)
		r = check_option(t, o, err);
	return r;
}

static int check_metrics(const struct hd_module_def *def, struct hd_error *err)
{
	struct hd_error why;
	int r = hd_metrics_check(def->metrics, def->metrics_size, &why);

	return r < 0 ? hd_error_set(err, -ENOEXEC, "%s; correct the module",
				    why.text)
		     : 0;
}

static bool is_service_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");

	return n > 0 && n < HD_SERVICE_NAME_BYTES && name[n] == '\0' &&
	       strcmp(name, "http") != 0;
}

static const char *service_fault(const struct hd_service *s)
{
	bool ended = false;

	if (!is_service_name(s->name))
		return "its name is not 1 to 31 of a-z, 0-9, -, _ and ., or it "
		       "is http";
	if (s->proto == NULL || s->proto->name == NULL ||
	    s->proto->data == NULL)
		return "it has no proto with name and data()";
	for (unsigned i = 0; i < HD_SERVICE_ALPN_MAX; i++) {
		const char *token = s->alpn[i];

		if (token == NULL) {
			ended = true;
			continue;
		}
		if (ended || *token == '\0' || strlen(token) > 255 ||
		    strcmp(token, "http/1.1") == 0)
			return "its alpn has a gap, http/1.1, or what is not 1 "
			       "to 255 bytes long";
	}
	return NULL;
}

static int check_services(const struct hd_module_def *def, struct hd_error *err)
{
	for (const struct hd_service *s = def->services;
	     s != NULL && s->name != NULL; s++) {
		const char *fault = service_fault(s);

		if (fault != NULL)
			return hd_error_set(err, -ENOEXEC,
					    "service %.40s: %s; correct the "
					    "module's table of services",
					    s->name, fault);
	}
	return 0;
}

static bool is_word(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < REASON_BYTES && word[n] == '\0';
}

static bool reason_fits(const struct hd_close_reason *r)
{
	size_t n;

	if (r->ws_reason == NULL)
		return true;
	n = strlen(r->ws_reason);
	return n <= HD_WS_CONTROL_MAX_BYTES - 2 &&
	       hd_utf8_valid(r->ws_reason, n);
}

static const char *reason_fault(const struct hd_close_reason *all,
				const struct hd_close_reason *r)
{
	if (r - all >= HD_CLOSE_REASONS_MAX)
		return "there are more than 64";
	if (!is_word(r->word) || hd_close_is_core(r->word))
		return "its word is not 1 to 31 of a-z, 0-9 and _, or it is "
		       "one of the relay's own";
	for (const struct hd_close_reason *i = all; i < r; i++)
		if (strcmp(i->word, r->word) == 0)
			return "there is another one of that name";
	if ((unsigned)r->like >= HD_CLOSE_N)
		return "its `like` is none of the relay's reasons";
	if (r->ws_code != 0 && !hd_ws_code_valid(r->ws_code))
		return "its ws_code may not be sent";
	return reason_fits(r) ? NULL
			      : "its ws_reason is not UTF-8 of up to 123 bytes";
}

static int check_reasons(const struct hd_module_def *def, struct hd_error *err)
{
	for (const struct hd_close_reason *r = def->reasons;
	     r != NULL && r->word != NULL; r++) {
		const char *fault = reason_fault(def->reasons, r);

		if (fault != NULL)
			return hd_error_set(err, -ENOEXEC,
					    "close reason %.40s: %s; correct "
					    "the module's table of reasons",
					    r->word, fault);
	}
	return 0;
}

/* What one writes the other has to read. */
static int check_upgrade(const struct hd_module_def *def, struct hd_error *err)
{
	const struct hd_upgrade_def *u = def->upgrade;
	const char *fault = NULL;

	if (u == NULL)
		return 0;
	if (u->version == 0 || u->oldest == 0 || u->oldest > u->version)
		fault = "its versions are not 1 <= oldest <= version";
	else if ((u->pack == NULL) != (u->unpack == NULL) ||
		 (u->pack_worker == NULL) != (u->unpack_worker == NULL) ||
		 (u->pack_peer == NULL) != (u->unpack_peer == NULL))
		fault = "it packs what it does not unpack, or the other way "
			"round";
	else if ((def->flags & HD_MODULE_UPGRADES) == 0)
		fault = "the module has no HD_MODULE_UPGRADES";
	return fault == NULL ? 0
			     : hd_error_set(err, -ENOEXEC,
					    "its upgrade: %s; correct the "
					    "module",
					    fault);
}

static int check_tables(const struct hd_module_def *def, struct hd_error *err)
{
	if (def->conf_size > CONF_MAX_BYTES || def->worker_size > WORKER_MAX ||
	    def->metrics_size > METRICS_MAX)
		return hd_error_set(err, -ENOEXEC,
				    "conf_size %u, worker_size %u or "
				    "metrics_size %u is beyond reason; correct "
				    "the module",
				    def->conf_size, def->worker_size,
				    def->metrics_size);
	int r = check_metrics(def, err);
	if (r == 0)
		r = check_services(def, err);
	if (r == 0)
		r = check_reasons(def, err);
	if (r == 0)
		r = check_upgrade(def, err);
	if (r < 0 || def->options == NULL)
		return r;
	return check_table(&(struct table){ .rows = def->options,
					    .path = "",
					    .size = def->conf_size },
			   err);
}

int hd_module_def_check(const struct hd_module_def *def, const char *name,
			struct hd_module_def *ret, struct hd_error *err)
{
	int r = check_abi(def, err);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, def, HD_MIN(def->size, sizeof(*ret)));
	if (ret->name == NULL || strcmp(ret->name, name) != 0)
		return hd_error_set(err, -ENOEXEC,
				    "the module calls itself %s; its file must "
				    "be named after it",
				    ret->name != NULL ? ret->name : "nothing");
	return check_tables(ret, err);
}
