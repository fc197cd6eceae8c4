/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_find.c - what is there: which file is ours to write,
 * and what it and the others say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/setup/setup.h"

#define FRAGMENTS "conf.d/*.yaml"
#define FRAGMENT "conf.d/setup.yaml"

static json_t *read_tree(const char *path, char **ret_text,
			 struct hd_error *err)
{
	json_t *tree = NULL;

	if (file_arg_read(path, ret_text, err) == HDCTL_OK)
		tree = yaml_tree_parse(*ret_text, strlen(*ret_text), path,
				       err);
	return tree;
}

static bool is_fragments(const struct setup *s, const json_t *pattern)
{
	const char *text = json_string_value(pattern);
	size_t n = strlen(s->folder);

	if (text == NULL)
		return false;
	if (strncmp(text, s->folder, n) == 0 && text[n] == '/')
		text += n + 1;
	return strcmp(text, FRAGMENTS) == 0;
}

static bool includes_fragments(const struct setup *s, const json_t *main_tree)
{
	const json_t *include = json_object_get(main_tree, "include"), *item;
	size_t i;

	if (is_fragments(s, include))
		return true;
	json_array_foreach(include, i, item)
		if (is_fragments(s, item))
			return true;
	return false;
}

/* A file that is ours alone, where the configuration includes some. */
static int take_fragment(struct setup *s, struct hd_error *err)
{
	s->fragment = true;
	(void)snprintf(s->target, sizeof(s->target), "%s/" FRAGMENT,
		       s->folder);
	free(s->old_text);
	s->old_text = NULL;
	json_decref(s->tree);
	s->fresh = access(s->target, F_OK) < 0 && errno == ENOENT;
	s->tree = s->fresh ? json_object()
			   : read_tree(s->target, &s->old_text, err);
	return s->tree != NULL ? 0 : -EINVAL;
}

static int read_all(struct setup *s, struct hd_error *err)
{
	int r = 0;

	s->tree = read_tree(s->w.config, &s->old_text, err);
	if (s->tree == NULL)
		return -EINVAL;
	if (includes_fragments(s, s->tree))
		r = take_fragment(s, err);
	if (r == 0)
		s->others = yaml_tree_read(s->w.config, s->target, err);
	return s->others != NULL ? r : -EINVAL;
}

const json_t *setup_conf(const struct setup *s, const char *path)
{
	const json_t *v = tree_get(s->tree, path);

	return v != NULL ? v : tree_get(s->others, path);
}

/* A relay that has been set up has a certificate for its name. */
static void default_host(struct setup *s)
{
	const json_t *list = setup_conf(s, "tls.certificates");
	const json_t *acme = setup_conf(s, "acme.hosts");
	const char *path = tree_text(json_array_get(list, 0), "cert", NULL);
	const char *host = json_string_value(json_array_get(acme, 0));
	char names[PEM_NAMES_BYTES] = "";
	struct pem p = { .leaf = NULL };
	struct hd_error err;

	if (path != NULL && pem_read(&p, path, NULL, &err) == 0)
		host = pem_names(p.leaf, names);
	if (host != NULL && strchr(host, ' ') == NULL && host[0] != '*') {
		(void)snprintf(s->host, sizeof(s->host), "%s", host);
		s->w.host = s->host;
	}
	pem_free(&p);
}

/* Paths that are written down are whole ones. */
static int set_folder(struct setup *s)
{
	char here[SETUP_PATH_BYTES] = "";
	int n;

	if (s->w.config[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return hdctl_fail(HDCTL_REFUSED,
				  "cannot find out the current folder: %s",
				  strerror(errno));
	n = snprintf(s->config, sizeof(s->config), "%s%s%s", here,
		     here[0] != '\0' ? "/" : "", s->w.config);
	if (n < 0 || n >= SETUP_PATH_BYTES)
		return hdctl_fail(HDCTL_USAGE, "the path is too long");
	s->w.config = s->config;
	(void)snprintf(s->folder, sizeof(s->folder), "%.*s",
		       (int)(strrchr(s->config, '/') - s->config), s->config);
	return HDCTL_OK;
}

int setup_find(struct setup *s)
{
	struct hd_error err;
	int r = set_folder(s);

	if (r != HDCTL_OK)
		return r;
	(void)snprintf(s->target, sizeof(s->target), "%s", s->w.config);
	if (access(s->w.config, F_OK) < 0 && errno == ENOENT) {
		s->fresh = true;
		s->tree = json_object();
		s->others = json_object();
	} else if (read_all(s, &err) < 0) {
		return hdctl_fail(HDCTL_REFUSED, "%s; setup changes only what "
				  "it can read", err.text);
	}
	if (s->w.host == NULL)
		default_host(s);
	if (s->old_text == NULL)
		s->old_text = strdup("");
	return s->old_text != NULL ? HDCTL_OK : HDCTL_REFUSED;
}
