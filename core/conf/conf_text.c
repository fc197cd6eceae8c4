/* SPDX-License-Identifier: MIT */
/* core/conf/conf_text.c - a section as it stands in the file, for another
 * process: before option tables made it typed, on the lines where it was. */
#include <stdlib.h>
#include <string.h>
#include "core/base/state_file.h"
#include "core/conf/conf_value.h"

struct writing {
	FILE *file;
	const char *name; /* of the configuration's file */
	unsigned line;
};

static void go_to_line(struct writing *w, const struct hd_node *node)
{
	if (node->file == NULL || w->name == NULL ||
	    strcmp(node->file, w->name) != 0)
		return;
	for (; w->line < node->line; w->line++)
		fputc('\n', w->file);
}

static void put_quoted(struct writing *w, const char *text)
{
	fputc('"', w->file);
	for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++)
		if (*p == '"' || *p == '\\')
			fprintf(w->file, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(w->file, "\\x%02x", *p);
		else
			fputc(*p, w->file);
	fputc('"', w->file);
}

static void put_node(struct writing *w, const struct hd_node *node)
{
	bool map = node->type == HD_NODE_MAP;

	if (node->type == HD_NODE_SCALAR) {
		if (hd_node_is_null(node))
			fputc('~', w->file);
		else
			put_quoted(w, node->text);
		return;
	}
	fputs(map ? "{ " : "[ ", w->file);
	for (const struct hd_node *i = node->first; i != NULL; i = i->next) {
		go_to_line(w, i);
		if (map) {
			put_quoted(w, i->key);
			fputs(": ", w->file);
		}
		put_node(w, i);
		fputs(i->next != NULL ? ", " : " ", w->file);
	}
	fputc(map ? '}' : ']', w->file);
}

/* Braces around all of it: where a line is indented means nothing then. */
char *hd_conf_section_text(const struct hd_conf *conf, const char *name,
			   const char *module_file, const char **ret_file)
{
	const struct hd_node *node = hd_node_get(conf->priv->root, name);
	char *text = NULL;
	size_t len;
	struct writing w = {
		.file = open_memstream(&text, &len),
		.name = node != NULL ? node->file : NULL,
		.line = 1,
	};

	*ret_file = w.name;
	if (w.file == NULL)
		return NULL;
	fputs("{ ", w.file);
	if (node != NULL) {
		go_to_line(&w, node);
		put_quoted(&w, name);
		fputs(": ", w.file);
		put_node(&w, node);
		fputs(", ", w.file);
	}
	if (hd_state_dir() != NULL) {
		fputs("state_dir: ", w.file);
		put_quoted(&w, hd_state_dir());
		fputs(", ", w.file);
	}
	fputs("load_module: [ ", w.file);
	put_quoted(&w, module_file);
	fputs(" ] }\n", w.file);
	if (fclose(w.file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
