/* SPDX-License-Identifier: MIT */
/* core/conf/conf_keys.c - which keys may be in a file at all. */
#include "core/conf/conf_value.h"
#include <string.h>

#define NAMES_MAX 256

struct names {
	const char *v[NAMES_MAX];
	size_t n;
};

static void name_add(struct names *names, const char *name)
{
	if (names->n < NAMES_MAX)
		names->v[names->n++] = name;
}

static bool name_has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return true;
	return false;
}

/* Names of the options that a section of the core has; NULL: the top. */
static void names_of(struct names *names, const char *section)
{
	const struct hd_core_section *all[] = { hd_core_sections,
						hd_special_sections };

	for (size_t i = 0; i < HD_ARRAY_N(all); i++)
		for (const struct hd_core_section *s = all[i]; s->table != NULL;
		     s++) {
			const struct hd_option *o = s->table;

			if (section == NULL && s->name != NULL)
				name_add(names, s->name);
			if ((s->name == NULL) != (section == NULL) ||
			    (section != NULL && strcmp(s->name, section) != 0))
				continue;
			for (; o->name != NULL; o++)
				name_add(names, o->name);
		}
}

bool hd_is_core_key(const char *key)
{
	struct names names = { .n = 0 };

	names_of(&names, NULL);
	return name_has(&names, key);
}

/* "chat" for /opt/example/chat.so */
static const char *section_of_module(struct hd_arena *arena, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash == NULL ? name : slash + 1;

	return hd_arena_text(arena, base, strcspn(base, "."));
}

static int check_section(const struct hd_node *map, const char *section,
			 struct hd_error *err)
{
	struct names names = { .n = 0 };

	if (map == NULL)
		return 0;
	if (map->type != HD_NODE_MAP)
		return hd_not_map(map, section, err);
	names_of(&names, section);
	for (const struct hd_node *i = map->first; i != NULL; i = i->next)
		if (!name_has(&names, i->key))
			return hd_unknown_key(i, section, names.v, names.n,
					      err);
	return 0;
}

int hd_conf_check_sections(const struct hd_node *root, struct hd_error *err)
{
	int r = 0;

	for (const struct hd_core_section *s = hd_core_sections;
	     r == 0 && s->table != NULL; s++)
		if (s->name != NULL)
			r = check_section(hd_node_get(root, s->name), s->name,
					  err);
	return r;
}

static void names_of_modules(struct names *names, struct hd_conf *conf)
{
	for (size_t i = 0; i < conf->n_load_module; i++) {
		const char *name = section_of_module(&conf->priv->arena,
						     conf->load_module[i].name);

		if (name != NULL)
			name_add(names, name);
	}
	for (size_t i = 0; hd_known_modules[i] != NULL; i++)
		name_add(names, hd_known_modules[i]);
}

/* Somebody's module that may be loaded later, or is. */
static bool is_module(const struct hd_conf *conf, hd_is_module_fn *fn,
		      const char *key)
{
	return fn != NULL && fn(key, &conf->module_path);
}

int hd_conf_check_keys(struct hd_conf *conf, hd_is_module_fn *fn,
		       struct hd_error *err)
{
	struct names names = { .n = 0 };
	const struct hd_node *i;

	names_of(&names, NULL);
	names_of_modules(&names, conf);
	names.n += hd_compat_names(names.v + names.n, NAMES_MAX - names.n);
	for (i = conf->priv->root->first; i != NULL; i = i->next)
		if (!name_has(&names, i->key) && !is_module(conf, fn, i->key))
			return hd_unknown_key(i, NULL, names.v, names.n, err);
	return 0;
}
