/* SPDX-License-Identifier: MIT */
/* core/daemon/trial_modules.c - modules that came with a configuration on trial
 * go with it: whoever loaded them meant the trial, or a restart in it did. */
#include "core/daemon/trial_modules.h"
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/conf/conf.h"
#include "core/module/module.h"
#include "core/module/module_file.h"
#include "core/module/module_listed.h"
#include "core/module/module_live.h"

#define LOADED "loaded" /* in the JSON: those that were there before */

struct leaver {
	struct hd_change change;
	char name[HD_MODULE_NAME_BYTES];
};

void hd_trial_modules_note(json_t *trial, const json_t *before)
{
	json_t *names = before != NULL
				? json_incref(json_object_get(before, LOADED))
				: json_array();

	for (unsigned i = 0; before == NULL && i < hd_modules_n(); i++)
		json_array_append_new(names,
				      json_string(hd_modules_at(i)->name));
	json_object_set_new(trial, LOADED, names);
}

static bool was_there(const json_t *trial, const char *name)
{
	const json_t *other;
	size_t i;

	json_array_foreach(json_object_get(trial, LOADED), i, other)
		if (json_is_string(other) &&
		    strcmp(json_string_value(other), name) == 0)
			return true;
	return false;
}

static void on_left(struct hd_change *c)
{
	struct leaver *l = hd_container_of(c, struct leaver, change);

	if (c->result < 0)
		hd_log_warn("module %s came with the configuration on trial, "
			    "and stays: %s",
			    l->name, c->err.text);
	free(l);
}

/* By force: without it a module that says who may log in would stay, and the
 * files do not ask for one. */
static void leave(const char *name)
{
	struct leaver *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return;
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->change = (struct hd_change){ .name = l->name,
					.step = hd_module_live_unload,
					.force = true,
					.done = on_left };
	hd_log_notice("module %s goes with the configuration on trial", name);
	hd_change_begin(&l->change);
}

/* The last one first: others may need those before it. */
void hd_trial_modules_end(const json_t *trial, const struct hd_conf *tried,
			  const struct hd_conf *files)
{
	char name[HD_MODULE_NAME_BYTES];

	for (unsigned i = hd_modules_n(); i-- > 0;) {
		strcpy(name, hd_modules_at(i)->name);
		if (hd_module_is_listed(tried, name) &&
		    !was_there(trial, name) &&
		    !hd_module_is_listed(files, name))
			leave(name);
	}
}
