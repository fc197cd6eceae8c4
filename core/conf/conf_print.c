/* SPDX-License-Identifier: MIT */
/* core/conf/conf_print.c - a configuration as text that loads again: the
 * effective one for -T, and the example file that explains every option. */
#include "core/conf/conf_number.h"
#include "core/conf/conf_value.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Words that need no quotes wherever they stand. */
static bool is_bare(const char *s)
{
	const struct hd_node as = { .plain = true, .text = s };

	if (hd_node_is_null(&as) || !isalnum((unsigned char)s[0]))
		return s[0] == '/' && s[strspn(s, "/")] != '\0' &&
		       is_bare(s + strspn(s, "/"));
	for (const char *p = s; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("_-./", *p) == NULL)
			return false;
	return true;
}

/* YAML's double quotes. What is no ASCII is a letter, or UTF-8's NEL, LS or PS,
 * which would break the line: their lead bytes are written as code points. */
static size_t put_escaped(const unsigned char *p, FILE *file)
{
	if (*p == '"' || *p == '\\') {
		fprintf(file, "\\%c", *p);
	} else if (*p < 0x20 || *p == 0x7f) {
		fprintf(file, "\\x%02x", *p);
	} else if (*p == 0xc2 && p[1] != 0) {
		fprintf(file, "\\x%02x", p[1]);
		return 2;
	} else if (*p == 0xe2 && p[1] != 0 && p[2] != 0) {
		fprintf(file, "\\u%04x",
			0x2000 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f));
		return 3;
	} else {
		fputc(*p, file);
	}
	return 1;
}

static void put_text(const char *s, FILE *file)
{
	const unsigned char *p = (const unsigned char *)s;

	if (is_bare(s)) {
		fputs(s, file);
		return;
	}
	fputc('"', file);
	while (*p != '\0')
		p += put_escaped(p, file);
	fputc('"', file);
}

static void put_string(const char *s, FILE *file)
{
	if (s == NULL)
		fputc('~', file);
	else
		put_text(s, file);
}

static void put_addr(const union hd_addr *addr, FILE *file)
{
	char buf[HD_ADDR_TEXT_BYTES];

	if (addr->sa.sa_family == AF_UNSPEC)
		fputc('~', file);
	else
		fprintf(file, "\"%s\"", hd_addr_text(addr, buf));
}

/* ---- one function per type of option ---- */

struct printing {
	const struct hd_option *opt;
	const void *at; /* the value */
	const struct hd_node *node; /* in the file; NULL: the default */
	FILE *file;
};

static void print_bool(const struct printing *p)
{
	fputs(*(const bool *)p->at ? "true" : "false", p->file);
}

static void print_number(const struct printing *p)
{
	char buf[HD_NUMBER_TEXT_BYTES];

	fputs(hd_number_text(p->opt->type, *(const uint64_t *)p->at, buf),
	      p->file);
}

static void print_string(const struct printing *p)
{
	put_string(*(const char *const *)p->at, p->file);
}

static void print_addr(const struct printing *p)
{
	put_addr(p->at, p->file);
}

static void print_key(const struct printing *p)
{
	const struct hd_key *key = p->at;

	if (p->node == NULL && p->opt->def == NULL)
		fputc('~', p->file);
	else
		for (size_t i = 0; i < HD_KEY_BYTES; i++)
			fprintf(p->file, "%02x", key->b[i]);
}

/* The path, never what is in the file. */
static void print_secret(const struct printing *p)
{
	put_string(p->node == NULL ? p->opt->def : p->node->text, p->file);
}

/* Whether there is one is no secret. */
static void print_secret_text(const struct printing *p)
{
	put_string(*(const char *const *)p->at != NULL ? HD_SECRET_TEXT_SHOWN
						       : NULL,
		   p->file);
}

static void print_choice(const struct printing *p)
{
	fputs(p->opt->choices[*(const uint64_t *)p->at], p->file);
}

static void print_list(const struct printing *p)
{
	const struct hd_list *list = p->at;

	fputc('[', p->file);
	for (size_t i = 0; i < list->n; i++) {
		fputs(i == 0 ? "" : ", ", p->file);
		put_text(list->v[i], p->file);
	}
	fputc(']', p->file);
}

static const struct hd_node *entry_node(const struct hd_node *list, size_t i)
{
	if (list == NULL || list->type != HD_NODE_LIST)
		return list;
	const struct hd_node *node = list->first;

	while (node != NULL && i-- > 0)
		node = node->next;
	return node;
}

/* What an entry leaves out. */
static bool is_blank(const struct hd_option *o, const void *at,
		     const struct hd_node *node)
{
	switch (o->type) {
	case HD_OPTION_PLACE:
		return true;
	case HD_OPTION_STRING:
	case HD_OPTION_PATH:
	case HD_OPTION_SECRET_TEXT:
		return *(const char *const *)at == NULL;
	case HD_OPTION_ADDR:
		return ((const union hd_addr *)at)->sa.sa_family == AF_UNSPEC;
	default:
		return node == NULL && o->def == NULL;
	}
}

static void print_value(const struct hd_option *opt, const void *base,
			const struct hd_node *node, FILE *file);

/* {name: a, rate: 5} */
static void print_entry(const struct hd_option *o, const void *base,
			const struct hd_node *node, FILE *file)
{
	const char *before = "{";

	for (; o->name != NULL; o++) {
		const struct hd_node *v = hd_row_node(o, node);

		if (is_blank(o, (const char *)base + o->offset, v))
			continue;
		fprintf(file, "%s%s: ", before, o->name);
		print_value(o, base, v, file);
		before = ", ";
	}
	fputs(before[0] == '{' ? "{}" : "}", file);
}

static void print_entries(const struct printing *p)
{
	size_t n = hd_entries_n(p->at);

	fputc('[', p->file);
	for (size_t i = 0; i < n; i++) {
		fputs(i == 0 ? "" : ", ", p->file);
		print_entry(p->opt->entry, hd_entries_get(p->opt, p->at, i),
			    entry_node(p->node, i), p->file);
	}
	fputc(']', p->file);
}

static void (*const types[])(const struct printing *p) = {
	[HD_OPTION_BOOL] = print_bool,
	[HD_OPTION_UINT] = print_number,
	[HD_OPTION_DURATION_MS] = print_number,
	[HD_OPTION_SIZE_BYTES] = print_number,
	[HD_OPTION_STRING] = print_string,
	[HD_OPTION_PATH] = print_string,
	[HD_OPTION_ADDR] = print_addr,
	[HD_OPTION_KEY] = print_key,
	[HD_OPTION_SECRET_FILE] = print_secret,
	[HD_OPTION_CHOICE] = print_choice,
	[HD_OPTION_LIST] = print_list,
	[HD_OPTION_ENTRIES] = print_entries,
	[HD_OPTION_SECRET_TEXT] = print_secret_text,
};

static void print_value(const struct hd_option *opt, const void *base,
			const struct hd_node *node, FILE *file)
{
	const struct printing p = { opt, (const char *)base + opt->offset, node,
				    file };

	types[opt->type](&p);
}

/* One line each: there may be many. */
static void put_entries(const struct hd_option *o, const void *base,
			const struct hd_node *node, const char *indent,
			FILE *file)
{
	const void *at = (const char *)base + o->offset;
	size_t n = hd_entries_n(at);
	const struct hd_node *i = entry_node(node, 0);

	fputs(n == 0 ? " []\n" : "\n", file);
	for (size_t k = 0; k < n; k++, i = i != NULL ? i->next : NULL) {
		fprintf(file, "%s  - ", indent);
		print_entry(o->entry, hd_entries_get(o, at, k), i, file);
		fputc('\n', file);
	}
}

static void put_table(const struct hd_option *table, const struct hd_node *map,
		      const void *base, const char *indent, FILE *file)
{
	for (; table->name != NULL; table++) {
		const struct hd_node *node = hd_node_get(map, table->name);

		if (table->type == HD_OPTION_PLACE)
			continue;
		fprintf(file, "%s%s:", indent, table->name);
		if (table->type == HD_OPTION_ENTRIES) {
			put_entries(table, base, node, indent, file);
			continue;
		}
		fputc(' ', file);
		print_value(table, base, node, file);
		fputc('\n', file);
	}
}

int hd_conf_print(const struct hd_conf *conf, FILE *file)
{
	const struct hd_node *root = conf->priv->root;
	const struct hd_conf_section *m;

	for (const struct hd_core_section *s = hd_core_sections;
	     s->table != NULL; s++) {
		if (s->name == NULL) {
			put_table(s->table, root, conf, "", file);
			continue;
		}
		fprintf(file, "%s:\n", s->name);
		put_table(s->table, hd_node_get(root, s->name), conf, "  ",
			  file);
	}
	for (m = conf->priv->sections; m != NULL; m = m->next) {
		if (m->table == NULL)
			continue;
		fprintf(file, "%s:\n", m->name);
		put_table(m->table, hd_node_get(root, m->name), m->data, "  ",
			  file);
	}
	return ferror(file) ? -EIO : 0;
}
