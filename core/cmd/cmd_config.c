/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_config.c - the configuration: as it is, as the file has it, and
 * what could stand there. */
#include <stdio.h>
#include <stdlib.h>
#include "core/cmd/cmd.h"
#include "core/conf/conf_value.h"
#include "core/control/control.h"
#include "core/module/module.h"

static void run_check(struct hd_module *mod, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)mod;
	if (hd_daemon_ops->check_reload(&err) < 0)
		hd_call_error(c, "%s", err.text);
	else
		hd_out_string(c, NULL, "a reload would take it");
}

static void run_show(struct hd_module *mod, struct hd_call *c)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	(void)mod;
	if (file == NULL) {
		hd_call_fail(c, "no_memory", "out of memory");
		return;
	}
	int r = hd_conf_print(hd_daemon_ops->conf(), file);

	if (fclose(file) != 0 || r < 0)
		hd_call_fail(c, "no_memory", "out of memory");
	else
		hd_out_string(c, NULL, text);
	free(text);
}

static const char *type_text(enum hd_option_type type)
{
	static const char *const text[] = {
		[HD_OPTION_BOOL] = "bool",
		[HD_OPTION_UINT] = "number",
		[HD_OPTION_DURATION_MS] = "duration",
		[HD_OPTION_SIZE_BYTES] = "size",
		[HD_OPTION_STRING] = "string",
		[HD_OPTION_PATH] = "path",
		[HD_OPTION_ADDR] = "address",
		[HD_OPTION_KEY] = "key",
		[HD_OPTION_SECRET_FILE] = "secret",
		[HD_OPTION_CHOICE] = "choice",
		[HD_OPTION_LIST] = "list",
		[HD_OPTION_ENTRIES] = "entries",
		[HD_OPTION_SECRET_TEXT] = "secret text",
	};

	return text[type];
}

static void put_option(struct hd_call *c, const char *section,
		       const struct hd_option *o, bool live)
{
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "section", section);
	hd_out_string(c, "name", o->name);
	hd_out_string(c, "type", type_text(o->type));
	hd_out_string(c, "default", o->def);
	if (o->example != NULL)
		hd_out_string(c, "example", o->example);
	if (o->max > 0) {
		hd_out_uint(c, "min", (uint64_t)o->min);
		hd_out_uint(c, "max", (uint64_t)o->max);
	}
	hd_out_string(c, "unit", o->unit);
	if (o->choices != NULL) {
		hd_out_open(c, "choices", '[');
		for (const char *const *v = o->choices; *v != NULL; v++)
			hd_out_string(c, NULL, *v);
		hd_out_close(c);
	}
	hd_out_bool(c, "live", live);
	if (o->required)
		hd_out_bool(c, "required", true);
	if (o->bare)
		hd_out_bool(c, "bare", true);
	hd_out_string(c, "help", o->help);
	hd_out_close(c);
}

/* The keys of entries: "wg.peers[]" is their section. */
static void put_entry(struct hd_call *c, const char *section,
		      const struct hd_option *list, bool live)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s[]", section != NULL ? section : "",
		 section != NULL ? "." : "", list->name);
	for (const struct hd_option *o = list->entry; o->name != NULL; o++) {
		if (o->type == HD_OPTION_PLACE)
			continue;
		put_option(c, path, o, live);
		if (o->type == HD_OPTION_ENTRIES)
			put_entry(c, path, o, live);
	}
}

static void put_table(struct hd_call *c, const char *section,
		      const struct hd_option *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if (o->type == HD_OPTION_PLACE)
			continue;
		put_option(c, section, o, o->live);
		if (o->type == HD_OPTION_ENTRIES)
			put_entry(c, section, o, o->live);
	}
}

static void run_schema(struct hd_module *mod, struct hd_call *c)
{
	const struct hd_core_section *const all[] = { hd_special_sections,
						      hd_core_sections };

	(void)mod;
	hd_out_open(c, NULL, '[');
	for (unsigned i = 0; i < HD_ARRAY_N(all); i++)
		for (const struct hd_core_section *s = all[i]; s->table != NULL;
		     s++)
			put_table(c, s->name, s->table);
	for (unsigned i = 0; i < hd_modules_n(); i++)
		put_table(c, hd_modules_at(i)->name,
			  hd_modules_at(i)->def->options);
	hd_out_close(c);
}

const struct hd_command hd_cmd_config[] = {
	{ .words = "config check",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "whether a reload would take the file as it is now",
	  .run = run_check },
	{ .words = "config show",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "the configuration in effect, with defaults",
	  .run = run_show },
	{ .words = "config schema",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "every option: type, default, range, meaning",
	  .run = run_schema,
	  .columns = "section name type default live help" },
	{ .words = NULL },
};
