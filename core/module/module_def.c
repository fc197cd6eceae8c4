/* SPDX-License-Identifier: MIT */
/* core/module/module_def.c - the checks of a module's definition: who it is
 * for, how it is called, whether its option table fits its struct. */
#include "core/module/module_def.h"
#include <errno.h>
#include <string.h>

/* ABI 2.0 ended here; a later minor only appends. */
#define DEF_2_0_BYTES                                                          \
	(offsetof(struct hd_module_def, events) +                              \
	 sizeof(((struct hd_module_def *)0)->events))

enum { DEF_MAX_BYTES = 4096, CONF_MAX_BYTES = 1 << 20, WORKER_MAX = 64 << 20 };

static const uint32_t type_bytes[] = {
	[HD_OPTION_BOOL] = sizeof(bool),
	[HD_OPTION_UINT] = sizeof(uint64_t),
	[HD_OPTION_DURATION_MS] = sizeof(uint64_t),
	[HD_OPTION_SIZE_BYTES] = sizeof(uint64_t),
	[HD_OPTION_STRING] = sizeof(const char *),
	[HD_OPTION_PATH] = sizeof(const char *),
	[HD_OPTION_ADDR] = sizeof(union hd_addr),
	[HD_OPTION_KEY] = sizeof(struct hd_key),
	[HD_OPTION_SECRET_FILE] = sizeof(struct hd_secret),
	[HD_OPTION_CHOICE] = sizeof(uint64_t),
	[HD_OPTION_LIST] = sizeof(struct hd_list),
};

static int check_abi(const struct hd_module_def *def, struct hd_error *err)
{
	if (def->magic != HD_MODULE_MAGIC)
		return hd_error_set(err, -ENOEXEC,
				    "its hd_module symbol is no module "
				    "definition; define it with HD_MODULE()");
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

static int check_option(const struct hd_module_def *def,
			const struct hd_option *o, struct hd_error *err)
{
	if ((unsigned)o->type >= HD_ARRAY_N(type_bytes))
		return hd_error_set(err, -ENOEXEC,
				    "option %s has the unknown type %u; "
				    "correct the module's option table",
				    o->name, (unsigned)o->type);
	if (o->offset > def->conf_size ||
	    type_bytes[o->type] > def->conf_size - o->offset)
		return hd_error_set(err, -ENOEXEC,
				    "option %s lies outside the %u bytes of "
				    "conf_size; correct the module's option "
				    "table",
				    o->name, def->conf_size);
	if (o->type == HD_OPTION_CHOICE &&
	    (o->choices == NULL || o->choices[0] == NULL))
		return hd_error_set(err, -ENOEXEC,
				    "option %s has no choices; correct the "
				    "module's option table",
				    o->name);
	if (o->min > o->max)
		return hd_error_set(err, -ENOEXEC,
				    "option %s has a minimum above its "
				    "maximum; correct the module's option "
				    "table",
				    o->name);
	return 0;
}

static int check_tables(const struct hd_module_def *def, struct hd_error *err)
{
	if (def->conf_size > CONF_MAX_BYTES || def->worker_size > WORKER_MAX)
		return hd_error_set(err, -ENOEXEC,
				    "conf_size %u or worker_size %u is beyond "
				    "reason; correct the module",
				    def->conf_size, def->worker_size);
	if (def->options == NULL)
		return 0;
	for (const struct hd_option *o = def->options; o->name != NULL; o++) {
		int r = check_option(def, o, err);

		if (r < 0)
			return r;
	}
	return 0;
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
