/* SPDX-License-Identifier: MIT */
/* core/conf/conf_example.c - the example file: every option of the core and of
 * the loaded modules, commented out, with its default and what it means. */
#include "core/conf/conf_number.h"
#include "core/conf/conf_value.h"
#include <errno.h>
#include <string.h>

#define WIDTH 78

struct comment { /* a paragraph behind "# ", filled word by word */
	FILE *file;
	size_t column;
};

static void comment_add(struct comment *c, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (c->column == 0 || c->column + 1 + len > WIDTH) {
			fputs(c->column == 0 ? "#" : "\n#", c->file);
			c->column = 1;
		}
		fprintf(c->file, " %.*s", (int)len, text);
		c->column += 1 + len;
		text += len + strspn(text + len, " ");
	}
}

static void comment_range(struct comment *c, const struct hd_option *o)
{
	char min[HD_NUMBER_TEXT_BYTES], max[HD_NUMBER_TEXT_BYTES], text[128];

	if (o->min == 0 && o->max == 0)
		return;
	snprintf(text, sizeof(text), "(%s to %s%s%s)",
		 hd_number_text(o->type, (uint64_t)o->min, min),
		 hd_number_text(o->type, (uint64_t)o->max, max),
		 o->unit == NULL ? "" : " ", o->unit == NULL ? "" : o->unit);
	comment_add(c, text);
}

static void comment_choices(struct comment *c, const struct hd_option *o)
{
	char text[128];

	for (size_t i = 0; o->choices != NULL && o->choices[i] != NULL; i++) {
		snprintf(text, sizeof(text), "%s%s%s", i == 0 ? "(" : "| ",
			 o->choices[i], o->choices[i + 1] == NULL ? ")" : "");
		comment_add(c, text);
	}
}

static void comment_option(struct comment *c, const struct hd_option *o)
{
	comment_add(c, o->help == NULL ? o->name : o->help);
	comment_range(c, o);
	comment_choices(c, o);
}

/* "- name (needed): what it is called", a line each */
static void comment_entry(const struct hd_option *o, const char *up, FILE *file)
{
	char text[128];

	for (; o->name != NULL; o++) {
		struct comment c = { .file = file };

		if (o->type == HD_OPTION_PLACE)
			continue;
		snprintf(text, sizeof(text), "- %s%s%s:", up, o->name,
			 o->required ? " (needed)" : "");
		fputc('\n', file);
		comment_add(&c, text);
		comment_option(&c, o);
		if (o->def != NULL) {
			snprintf(text, sizeof(text), "(default %s)", o->def);
			comment_add(&c, text);
		}
		if (o->type != HD_OPTION_ENTRIES)
			continue;
		snprintf(text, sizeof(text), "%s%s.", up, o->name);
		comment_entry(o->entry, text, file);
	}
}

static void put_option(const struct hd_option *o, const char *indent,
		       FILE *file)
{
	struct comment c = { .file = file };
	const char *value = o->example != NULL ? o->example : o->def;
	/* An address with brackets would be a list. */
	bool quote = value != NULL && o->type == HD_OPTION_ADDR;

	if (o->type == HD_OPTION_PLACE)
		return;
	comment_option(&c, o);
	if (o->type == HD_OPTION_ENTRIES)
		comment_entry(o->entry, "", file);
	fprintf(file, "\n#%s%s:", indent, o->name);
	if (value != NULL)
		fprintf(file, quote ? " \"%s\"" : " %s", value);
	fputs("\n\n", file);
}

static void put_section(const char *name, const struct hd_option *table,
			FILE *file)
{
	for (; table->name != NULL; table++)
		put_option(table, name == NULL ? "" : "  ", file);
}

static const struct hd_option *special_of(const char *section)
{
	const struct hd_core_section *s = hd_special_sections;
	static const struct hd_option none[] = { HD_OPTION_END };

	while (s->table != NULL && !hd_same_text(s->name, section))
		s++;
	return s->table == NULL ? none : s->table;
}

int hd_conf_example(const struct hd_conf *conf, FILE *file)
{
	const struct hd_core_section *s;
	const struct hd_conf_section *m;

	fputs("# SPDX-License-Identifier: MIT\n"
	      "# hyper-derp.yaml - every option. What is commented out is the "
	      "default, or an\n# example where there is none. "
	      "See hyper-derp.yaml(5).\n\n",
	      file);
	for (s = hd_core_sections; s->table != NULL; s++) {
		if (s->name != NULL)
			fprintf(file, "#%s:\n\n", s->name);
		put_section(s->name, special_of(s->name), file);
		put_section(s->name, s->table, file);
	}
	for (m = conf->priv->sections; m != NULL; m = m->next) {
		if (m->table == NULL || m->table->name == NULL)
			continue;
		fprintf(file, "# ---- module %s ----\n#%s:\n\n", m->name,
			m->name);
		put_section(m->name, m->table, file);
	}
	return ferror(file) ? -EIO : 0;
}
