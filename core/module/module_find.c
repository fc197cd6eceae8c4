/* SPDX-License-Identifier: MIT */
/* core/module/module_find.c - from a name to a file: built in, in the build
 * tree beside the daemon, in module_path. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/module/module_file.h"

#define BUILD_FOLDER "modules.d"

static void free_text(char **text)
{
	free(*text);
	*text = NULL;
}

int hd_module_name(const char *entry, char ret[static HD_MODULE_NAME_BYTES])
{
	const char *slash = strrchr(entry, '/');
	const char *base = slash != NULL ? slash + 1 : entry;
	size_t n = strlen(base);

	if (slash != NULL && n > 3 && strcmp(base + n - 3, ".so") == 0)
		n -= 3;
	if (n == 0 || n >= HD_MODULE_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", base[i]) ==
		    NULL)
			return -EINVAL;
	memcpy(ret, base, n);
	ret[n] = '\0';
	return 0;
}

/* build/modules.d beside a daemon that runs from its build tree; "" else. */
static const char *build_folder(void)
{
	static char path[PATH_MAX];
	struct stat exe, dir;

	if (path[0] != '\0')
		return path;
	ssize_t n = readlink("/proc/self/exe", path,
			     sizeof(path) - sizeof(BUILD_FOLDER));
	if (n <= 0)
		return strcpy(path, "");
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	strcpy(slash + 1, BUILD_FOLDER);
	if (stat("/proc/self/exe", &exe) < 0 || stat(path, &dir) < 0 ||
	    !S_ISDIR(dir.st_mode) || dir.st_uid != exe.st_uid)
		path[0] = '\0';
	return path;
}

static char *file_in(const char *dir, const char *name)
{
	char *path = NULL;

	if (*dir == '\0' || asprintf(&path, "%s/%s.so", dir, name) < 0)
		return NULL;
	if (access(path, F_OK) < 0)
		free_text(&path);
	return path;
}

static int not_found(const char *name, const struct hd_list *search_path,
		     struct hd_error *err)
{
	char where[400] = "";
	size_t n = 0;

	for (size_t i = 0; i < search_path->n && n < sizeof(where); i++)
		n += (size_t)snprintf(where + n, sizeof(where) - n, "%s%s",
				      i > 0 ? ", " : "", search_path->v[i]);
	return hd_error_set(err, -ENOENT,
			    "no file %s.so in %s; install the module or set "
			    "module_path",
			    name,
			    n > 0 ? where : "module_path, which is empty");
}

int hd_module_find(const char *name, const struct hd_list *search_path,
		   char **ret_path, struct hd_error *err)
{
	*ret_path = NULL;
	if (name[0] == '/') {
		if (access(name, F_OK) < 0)
			return hd_error_set(err, -errno,
					    "%s: %s; correct the path",
					    name, strerror(errno));
		*ret_path = strdup(name);
		return *ret_path == NULL ? -ENOMEM : 0;
	}
	if (hd_module_built_in(name))
		return 0;
	*ret_path = file_in(build_folder(), name);
	for (size_t i = 0; *ret_path == NULL && i < search_path->n; i++)
		*ret_path = file_in(search_path->v[i], name);
	return *ret_path == NULL ? not_found(name, search_path, err) : 0;
}

bool hd_module_exists(const char *key, const struct hd_list *search_path)
{
	char name[HD_MODULE_NAME_BYTES], *path = NULL;
	struct hd_error err;

	if (strchr(key, '/') != NULL || hd_module_name(key, name) < 0)
		return false;
	bool found = hd_modules_find(name) != NULL ||
		     hd_module_find(name, search_path, &path, &err) == 0;

	free(path);
	return found;
}

bool hd_module_in_build_tree(const char *path)
{
	const char *build = build_folder();
	size_t n = strlen(build);

	return n > 0 && strncmp(path, build, n) == 0 && path[n] == '/';
}
