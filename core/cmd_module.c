/* SPDX-License-Identifier: MIT */
/* core/cmd_module.c - which modules there are, and what they bring. */
#include <stdio.h>
#include <string.h>
#include "core/control.h"
#include "core/http.h"
#include "core/module.h"

static void put_commands(struct hd_call *c, const struct hd_module *mod)
{
	hd_out_open(c, "commands", '[');
	for (unsigned i = 0; i < hd_commands_n(); i++)
		if (hd_commands_at(i)->mod == mod)
			hd_out_string(c, NULL,
				      hd_commands_at(i)->command->words);
	hd_out_close(c);
}

static void put_hooks(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_hooks *h = hd_modules_hooks();

	hd_out_open(c, "hooks", '[');
	for (unsigned i = 0; i < h->n_admit; i++)
		if (h->admit[i].mod == mod)
			hd_out_string(c, NULL, "admit");
	for (unsigned i = 0; i < h->n_packet; i++)
		if (h->packet[i].mod == mod)
			hd_out_string(c, NULL, "packet");
	hd_out_close(c);
}

static void put_routes(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_route_entry *e = hd_routes_first();

	hd_out_open(c, "routes", '[');
	for (; e != NULL; e = e->next)
		if (e->mod == mod)
			hd_out_string(c, NULL, e->route.path);
	hd_out_close(c);
}

struct counters {
	struct hd_call *call;
	const char *module;
};

static void put_counter(void *arg, const char *module,
			const struct hd_metric *metric, uint64_t sum)
{
	struct counters *k = arg;
	char name[160];

	if (strcmp(module, k->module) != 0)
		return;
	snprintf(name, sizeof(name), "%s%s%s%s", metric->name,
		 metric->labels != NULL ? "{" : "",
		 metric->labels != NULL ? metric->labels : "",
		 metric->labels != NULL ? "}" : "");
	hd_out_uint(k->call, name, sum);
}

static void put_counters(struct hd_call *c, const struct hd_module *mod)
{
	struct counters k = { c, mod->name };

	hd_out_open(c, "counters", '{');
	hd_metrics_each(put_counter, &k);
	hd_out_close(c);
}

static void put_module(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_module_def *def = mod->def;
	char abi[16];

	snprintf(abi, sizeof(abi), "%u.%u", def->abi_major, def->abi_minor);
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "name", mod->name);
	hd_out_string(c, "version", def->version);
	hd_out_string(c, "licence", def->licence);
	hd_out_string(c, "summary", def->summary);
	hd_out_string(c, "abi", abi);
	hd_out_uint(c, "state_version", def->state_version);
	hd_out_string(c, "state", "loaded");
	hd_out_string(c, "file", mod->path); /* null: built in */
	hd_out_open(c, "requires", '[');
	for (const char *const *r = def->requires_; r != NULL && *r != NULL;
	     r++)
		hd_out_string(c, NULL, *r);
	hd_out_close(c);
	put_hooks(c, mod);
	put_routes(c, mod);
	put_commands(c, mod);
	put_counters(c, mod);
	hd_out_close(c);
}

static void run_status(struct hd_module *unused, struct hd_call *c)
{
	const char *name = hd_call_arg(c, "module");
	unsigned n = 0;

	(void)unused;
	hd_out_open(c, NULL, '[');
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (name != NULL && strcmp(name, mod->name) != 0)
			continue;
		put_module(c, mod);
		n++;
	}
	hd_out_close(c);
	if (name != NULL && n == 0)
		hd_call_error(c,
			      "no module %s is loaded; \"module status\" "
			      "lists those that are",
			      name);
}

const struct hd_command hd_cmd_module[] = {
	{ .words = "module status",
	  .args = "[MODULE]",
	  .role = HD_ROLE_READ,
	  .help = "modules: version, ABI, file, what they provide, counters",
	  .run = run_status,
	  .columns = "name version abi state hooks routes commands file" },
	{ .words = NULL },
};
