/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_modules.c - which modules are loaded: a list in the
 * file, or links beside it, as they are there. */
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/installed.h"
#include "tools/hdctl/setup/setup.h"

static const char *const ours[] = { "derp", "stun", "policy", "acme" };

static const char *name_of(const json_t *entry)
{
	return json_is_string(entry) ? json_string_value(entry)
				     : tree_text(entry, "name", "");
}

static bool is_in(const json_t *list, const char *module)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (strcmp(name_of(entry), module) == 0)
			return true;
	return false;
}

static bool is_default(const char *module)
{
	return strcmp(module, "derp") == 0 || strcmp(module, "stun") == 0;
}

bool setup_lists(const struct setup *s, const char *module)
{
	const json_t *here = json_object_get(s->tree, "load_module");
	const json_t *there = json_object_get(s->others, "load_module");

	if (here == NULL && there == NULL)
		return is_default(module);
	return is_in(here, module) || is_in(there, module);
}

bool setup_has(const struct setup *s, const char *module)
{
	bool here = json_object_get(s->tree, "module_path") != NULL;

	return installed(here ? s->tree : s->others, module);
}

/* 1 it shall be loaded, 0 not, -1 as it is. */
static int wish_for(const struct setup *s, const char *module)
{
	const json_t *policy = json_object_get(s->want, "policy");
	bool rules = json_object_get(policy, "rules") != NULL;

	if (strcmp(module, "derp") == 0)
		return 1;
	if (strcmp(module, "stun") == 0)
		return s->w.stun != SETUP_AS_IT_IS ? s->w.stun
		       : s->fresh && !s->fragment ? 1
						    : SETUP_AS_IT_IS;
	if (strcmp(module, "policy") == 0)
		return s->w.who == NULL ? SETUP_AS_IT_IS : rules;
	return s->w.certificate == SETUP_CERT_KEEP
		       ? SETUP_AS_IT_IS
		       : s->w.certificate == SETUP_CERT_ACME;
}

bool setup_wants(const struct setup *s, const char *module)
{
	int wish = wish_for(s, module);

	return wish == SETUP_AS_IT_IS ? setup_lists(s, module) : wish == 1;
}

/* All that are missing, so that one command gets them. */
static int look_whether_installed(const struct setup *s)
{
	char names[128] = "", packages[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < HD_ARRAY_N(ours); i++) {
		if (wish_for(s, ours[i]) != 1 || setup_has(s, ours[i]))
			continue;
		(void)snprintf(names + strlen(names),
			       sizeof(names) - strlen(names), "%s%s",
			       n > 0 ? ", " : "", ours[i]);
		(void)snprintf(packages + strlen(packages),
			       sizeof(packages) - strlen(packages),
			       " hyper-derp-mod-%s", ours[i]);
		n++;
	}
	return n == 0 ? HDCTL_OK
		      : hdctl_fail(HDCTL_REFUSED,
				   "the module%s %s %s not installed: apt "
				   "install%s, or build %s",
				   n > 1 ? "s" : "", names,
				   n > 1 ? "are" : "is", packages,
				   n > 1 ? "them" : "it");
}

static bool has_link(const struct setup *s, const char *module)
{
	char path[SETUP_PATH_BYTES + 64];

	(void)snprintf(path, sizeof(path), "%s/modules-enabled/%s.yaml",
		       s->folder, module);
	return access(path, F_OK) == 0;
}

/* ---- by a list ---- */

static json_t *list_to_change(struct setup *s)
{
	json_t *list = json_object_get(s->want, "load_module");

	if (json_is_array(list))
		return list;
	list = json_array();
	for (size_t i = 0; !s->fresh && i < HD_ARRAY_N(ours); i++)
		if (setup_lists(s, ours[i]) && is_default(ours[i]) &&
		    !has_link(s, ours[i]))
			json_array_append_new(list, json_string(ours[i]));
	json_object_set_new(s->want, "load_module", list);
	return list;
}

static void add_to_list(struct setup *s, const char *module)
{
	json_array_append_new(list_to_change(s), json_string(module));
}

static void take_from_list(struct setup *s, const char *module)
{
	json_t *list = list_to_change(s);

	for (size_t i = json_array_size(list); i > 0; i--)
		if (strcmp(name_of(json_array_get(list, i - 1)), module) == 0)
			json_array_remove(list, i - 1);
}

/* ---- one module ---- */

static void load(struct setup *s, const char *module)
{
	if (s->fragment)
		json_array_append_new(s->enable, json_string(module));
	else
		add_to_list(s, module);
}

static void do_not_load(struct setup *s, const char *module)
{
	if (has_link(s, module))
		json_array_append_new(s->disable, json_string(module));
	else if (s->fragment)
		(void)snprintf(s->why_not, sizeof(s->why_not),
			       "load_module of another file lists %s: remove "
			       "it there first", module);
	else
		take_from_list(s, module);
}

int setup_plan_modules(struct setup *s)
{
	int r = s->w.dry_run ? HDCTL_OK : look_whether_installed(s);

	for (size_t i = 0; i < HD_ARRAY_N(ours); i++) {
		bool is = setup_lists(s, ours[i]) &&
			  !(s->fresh && !s->fragment);
		int wish = wish_for(s, ours[i]);

		if (wish == 1 && !is)
			load(s, ours[i]);
		if (wish == 0 && is)
			do_not_load(s, ours[i]);
	}
	return r;
}
