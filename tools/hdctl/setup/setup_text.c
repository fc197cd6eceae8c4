/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_text.c - from the tree to the file's text, and what
 * a person sees of it before it is written. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/setup/setup.h"

/* The order in which a person reads them. */
static const char *const keys[] = { "listen",	   "port",    "tls",
				    "tls_cert",	   "tls_key", "acme",
				    "load_module", "stun",    "policy",
				    "user" };

#define HEAD                                                                   \
	"# Written by `hdctl setup`, which changes it when it runs again; "    \
	"what you add stays.\n"                                                \
	"# Every key: hyper-derp.yaml(5). Check: hyper-derp -t.\n"

static int edit_key(struct setup *s, const char *key)
{
	const json_t *was = json_object_get(s->tree, key);
	const json_t *shall = json_object_get(s->want, key);
	unsigned line;
	char *text;

	if (was == shall || json_equal(was, shall))
		return HDCTL_OK;
	text = setup_edit(s->new_text, key, shall, &line);
	if (text == NULL)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	if (line > 0 && s->why_not[0] == '\0')
		(void)snprintf(s->why_not, sizeof(s->why_not),
			       "the section `%s` has a comment, which would be "
			       "lost", key);
	free(s->new_text);
	s->new_text = text;
	return HDCTL_OK;
}

/* What is written must read as what is meant. */
static void check_text(struct setup *s)
{
	struct hd_error err = { "" };
	json_t *read = yaml_tree_parse(s->new_text, strlen(s->new_text),
				       s->target, &err);

	if (!json_equal(read, s->want) && s->why_not[0] == '\0')
		(void)snprintf(s->why_not, sizeof(s->why_not),
			       "it is written in a way that setup does not "
			       "know%s%s", err.text[0] != '\0' ? ": " : "",
			       err.text);
	json_decref(read);
}

int setup_text(struct setup *s)
{
	int r = HDCTL_OK;

	bool begins = s->fresh && !json_equal(s->tree, s->want);

	s->new_text = strdup(begins ? HEAD : s->old_text);
	if (s->new_text == NULL)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	for (size_t i = 0; r == HDCTL_OK && i < HD_ARRAY_N(keys); i++)
		r = edit_key(s, keys[i]);
	if (r == HDCTL_OK)
		check_text(s);
	return r;
}

/* ---- shown ---- */

static bool text_changes(const struct setup *s)
{
	return strcmp(s->old_text, s->new_text) != 0;
}

bool setup_changes(const struct setup *s)
{
	return text_changes(s) || s->put_cert ||
	       json_array_size(s->enable) > 0 ||
	       json_array_size(s->disable) > 0;
}

static void show_modules(const char *what, const json_t *list)
{
	const json_t *name;
	size_t i;

	json_array_foreach(list, i, name)
		printf("module %s: %s\n", json_string_value(name), what);
}

static void show_all(const struct setup *s)
{
	char names[PEM_NAMES_BYTES];

	if (s->put_cert)
		printf("certificate: %s, %s %s\n", s->cert,
		       s->w.certificate == SETUP_CERT_SELF
			       ? "self-signed, for"
			       : "a copy, for",
		       pem_names(s->pem.leaf, names));
	show_modules("enable", s->enable);
	show_modules("disable", s->disable);
	if (text_changes(s))
		setup_diff(s->fresh ? "/dev/null" : s->target, s->target,
			   s->old_text, s->new_text);
}

/* Not this file, but one beside it, for a person to compare. */
static int write_beside(const struct setup *s)
{
	char path[SETUP_PATH_BYTES + 64];

	(void)snprintf(path, sizeof(path), "%s.new", s->target);
	if (!s->w.dry_run &&
	    setup_replace(path, s->new_text, s->target) == HDCTL_OK)
		return hdctl_fail(HDCTL_REFUSED,
				  "%s stays as it is: %s. What setup would "
				  "write is in %s: compare, and take what you "
				  "want of it", s->target, s->why_not, path);
	return hdctl_fail(HDCTL_REFUSED, "%s stays as it is: %s", s->target,
			  s->why_not);
}

static int confirm(const struct setup *s)
{
	char answer[16] = "";

	if (s->w.yes || s->w.dry_run)
		return HDCTL_OK;
	if (!isatty(STDIN_FILENO))
		return hdctl_fail(HDCTL_USAGE, "nothing is changed: --yes does "
					       "it without a question");
	printf("\nchange this? [y/N] ");
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (answer[0] == 'y' || answer[0] == 'Y'))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_REFUSED, "nothing is changed");
}

int setup_show(struct setup *s)
{
	if (!setup_changes(s)) {
		printf("%s: nothing to change\n", s->target);
		return HDCTL_OK;
	}
	show_all(s);
	if (s->why_not[0] != '\0')
		return write_beside(s);
	return confirm(s);
}
