/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_find.c - which files are the configuration,
 * and whether a relay runs with it. */
#include "tools/hdctl/configure/configure.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/file_arg.h"

#define DEFAULT_CONFIG HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml"
enum { INCLUDE_DEPTH_MAX = 8, FILES_MAX = 256 };

/* The file of the relay that answers; "": none does, or it has none. */
static void ask_relay(struct hdctl *h, char path[PATH_MAX])
{
	struct hd_error err;
	json_t *status = NULL;
	const char *config;

	path[0] = '\0';
	if (h->ask.fd < 0 && ask_open(&h->ask, h->socket, &err) != HDCTL_OK)
		return;
	if (ask_words(&h->ask, "status", &status, &err) != HDCTL_OK) {
		ask_close(&h->ask);
		return;
	}
	config = json_string_value(json_object_get(status, "config"));
	if (config != NULL && config[0] == '/')
		snprintf(path, PATH_MAX, "%s", config);
	json_decref(status);
}

int configure_find(struct configure *c, const char *file)
{
	char relays[PATH_MAX], *slash;

	ask_relay(c->h, relays);
	if (file == NULL)
		file = relays[0] != '\0' ? relays : DEFAULT_CONFIG;
	if (realpath(file, c->config) == NULL && errno == ENOENT)
		return hdctl_fail(HDCTL_REFUSED,
				  "there is no configuration at %s; write one "
				  "with: hdctl setup, or name it: configure -c "
				  "FILE", file);
	if (c->config[0] == '\0')
		return hdctl_fail(errno == EACCES ? HDCTL_NOT_PERMITTED
						  : HDCTL_REFUSED,
				  "%s: %s", file, strerror(errno));
	c->relay = strcmp(c->config, relays) == 0;
	slash = strrchr(c->config, '/');
	snprintf(c->folder, sizeof(c->folder), "%.*s/configure",
		 (int)(slash - c->config), c->config);
	return HDCTL_OK;
}

/* ---- files ---- */

bool configure_is_ours(const struct configure *c, const char *path)
{
	size_t n = (size_t)(strrchr(c->config, '/') - c->config) + 1;

	return strncmp(path, c->config, n) == 0;
}

char *configure_text(const struct configure *c, const char *path)
{
	const json_t *file =
		json_object_get(json_object_get(c->cand, "files"), path);
	const char *text = json_string_value(json_object_get(file, "text"));
	struct hd_error err = { "" };
	char *copy = NULL;

	if (text != NULL)
		return strdup(text);
	if (file_arg_read(path, &copy, &err) != HDCTL_OK)
		hdctl_fail(HDCTL_REFUSED, "%s", err.text);
	return copy;
}

static void add_file(const struct configure *c, json_t *files, const char *path,
		     unsigned depth);

static void add_pattern(const struct configure *c, json_t *files,
			const char *path, const char *text, unsigned depth)
{
	const char *slash = strrchr(path, '/');
	char pattern[2 * PATH_MAX], real[PATH_MAX];
	glob_t found = { 0 };

	if (text[0] == '/')
		snprintf(pattern, sizeof(pattern), "%s", text);
	else
		snprintf(pattern, sizeof(pattern), "%.*s/%s",
			 (int)(slash - path), path, text);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (realpath(found.gl_pathv[i], real) != NULL &&
			    access(real, R_OK) == 0)
				add_file(c, files, real, depth + 1);
	globfree(&found);
}

static void add_includes(const struct configure *c, json_t *files,
			 const char *path, unsigned depth)
{
	char *text = configure_text(c, path);
	json_t *include = text != NULL ? edit_value(text, "include") : NULL;
	const json_t *item;
	size_t i;

	if (include == NULL && depth == 0)
		add_pattern(c, files, path, "modules-enabled/*.yaml", depth);
	if (json_is_string(include))
		add_pattern(c, files, path, json_string_value(include), depth);
	json_array_foreach(include, i, item)
		if (json_is_string(item))
			add_pattern(c, files, path, json_string_value(item),
				    depth);
	json_decref(include);
	free(text);
}

static void add_file(const struct configure *c, json_t *files, const char *path,
		     unsigned depth)
{
	const json_t *file;
	size_t i;

	json_array_foreach(files, i, file)
		if (strcmp(json_string_value(file), path) == 0)
			return;
	if (depth > INCLUDE_DEPTH_MAX || json_array_size(files) == FILES_MAX)
		return;
	json_array_append_new(files, json_string(path));
	add_includes(c, files, path, depth);
}

json_t *configure_files(const struct configure *c)
{
	json_t *files = json_array();

	add_file(c, files, c->config, 0);
	return files;
}
